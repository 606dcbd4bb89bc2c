/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/making.h"
#include "cli/verbs.h"

static gboolean
check_options(Cli *cli, GError **error)
{
  if (cli_flag(cli, "detached") && !cli_flag(cli, "cms"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--detached is for --cms; a signed mail is detached anyway");
  if (cli_flag(cli, "opaque") && cli_flag(cli, "cms"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--opaque is for mail; --cms is opaque without --detached");
  if (cli_flag(cli, "protect-headers") && cli_flag(cli, "cms"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--protect-headers is for mail; --cms takes any file");
  return TRUE;
}

/* The key is asked while the content passes; the output waits for that. */
static gboolean
write_opaque(Cli *cli, const CliSigner *signer, MimeEntity *entity, BaseInput *input,
             GError **error)
{
  g_autoptr(BaseSink) output = cli_making_output(cli, input, FALSE, error);
  g_autoptr(BaseSink) mail = output && entity
                                 ? mime_write_cms_new(mime_entity_headers(entity),
                                                      MIME_OPAQUE_SIGNED, FALSE, output, error)
                                 : NULL;
  return output && (mail || !entity) &&
         cli_making_opaque(cli, signer, entity, input, mail ? mail : output, error);
}

static gboolean
write_detached(Cli *cli, const CliSigner *signer, MimeEntity *entity, BaseInput *input,
               GError **error)
{
  g_autoptr(GBytes) der = cli_making_signature(cli, signer, entity, input, error);
  g_autoptr(BaseSink) output = der ? cli_making_output(cli, input, TRUE, error) : NULL;
  if (!output)
    return FALSE;
  if (entity)
    return mime_write_signed(mime_entity_headers(entity), entity, der, signer->hash, output, error);
  return base_sink_write(output, g_bytes_get_data(der, NULL), g_bytes_get_size(der), error) &&
         base_sink_finish(output, error);
}

static CliSigner *
sign(Cli *cli, BaseInput *input, GError **error)
{
  gboolean cms = cli_flag(cli, "cms");
  gboolean detached = cms ? cli_flag(cli, "detached") : !cli_flag(cli, "opaque");
  gboolean protect = cli_flag(cli, "protect-headers");
  g_autoptr(MimeEntity) entity =
      cms ? NULL
          : mime_entity_new(input, MIME_FOR_SIGNING,
                            protect ? MIME_PROTECT_SIGNED : MIME_PROTECT_NOTHING, error);
  if ((!cms && !entity) || !cli_making_check_from(cli, entity, error))
    return NULL;
  g_autoptr(CliSigner) signer =
      cli_signer_new(cli, entity ? mime_entity_from(entity) : NULL, error);
  if (!signer)
    return NULL;
  g_autoptr(CliSpinner) spinner = cli_making_spinner(cli, input, "signing");
  gboolean written = detached ? write_detached(cli, signer, entity, input, error)
                              : write_opaque(cli, signer, entity, input, error);
  return written ? g_steal_pointer(&signer) : NULL;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_autoptr(BaseInput) input = check_options(cli, error) ? cli_input_open(cli, error) : NULL;
  g_autoptr(CliSigner) signer = input ? sign(cli, input, error) : NULL;
  if (!signer)
    return FALSE;
  return cli_json(
      cli,
      json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", cli_json_text(signer->choice->id),
                "fingerprint", cli_json_text(signer->choice->fingerprint), "token",
                cli_json_text(signer->choice->token), "hash", cli_json_text(signer->hash), "output",
                cli_json_text(cli_text(cli, "output")), "not_after", cli_json_time(signer->ends),
                "warning", cli_json_text(signer->warning), "receipts_to",
                signer->receipts_to ? cli_json_strv(signer->receipts_to) : json_array()),
      error);
}

static const CliOption options[] = {
  { "input", 'i', CLI_TEXT, "FILE", "read FILE" },
  { "output", 'o', CLI_TEXT, "FILE", "write to FILE, whole or not at all" },
  { "id", 0, CLI_TEXT, "ID", "sign as this ID, not as the one of the From address" },
  { "opaque", 0, CLI_FLAG, NULL, "the mail inside its signature (application/pkcs7-mime)" },
  { "cms", 0, CLI_CHOICE, "der|pem", "any file, not mail; a CMS file comes out" },
  { "detached", 0, CLI_FLAG, NULL, "with --cms: the signature alone" },
  { "hash", 0, CLI_CHOICE, "sha256|sha384|sha512", "the hash (what fits the key)" },
  { "pss", 0, CLI_FLAG, NULL, "RSA keys: the PSS padding" },
  { "protect-headers", 0, CLI_FLAG, NULL, "sign Subject, From, To and Date too" },
  { "request-receipt", 0, CLI_MAYBE, "ADDR,…",
    "ask for signed receipts, to the sender or to ADDR" },
  { 0 },
};

const CliVerb cli_sign = {
  .name = "sign",
  .arguments = "[FILE]",
  .max_arguments = 1,
  .help = "sign a mail",
  .more =
      "Reads FILE or standard input, writes to standard output; nothing is written on failure.\n"
      "The ID is that of the mail's From address.\n"
      "--pin-fd N: one line, the token's PIN.",
  .example = "signet sign < mail.eml > signed.eml",
  .options = options,
  .message = TRUE,
  .run = run,
};
