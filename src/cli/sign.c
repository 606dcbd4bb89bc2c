/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/signer.h"
#include "cli/verbs.h"
#include "mime/mime.h"

#include <string.h>

static gboolean
check_options(Cli *cli, GError **error)
{
  if (cli_flag(cli, "detached") && !cli_flag(cli, "cms"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--detached is for --cms; a signed mail is detached anyway");
  if (cli_flag(cli, "opaque") && cli_flag(cli, "cms"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--opaque is for mail; --cms is opaque without --detached");
  return TRUE;
}

static GBytes *
encode(const Cli *cli, GBytes *der)
{
  return strcmp(cli_text(cli, "cms"), "pem") == 0 ? cms_to_pem(der) : g_bytes_ref(der);
}

static GBytes *
sign_bytes(Cli *cli, GBytes *content, CliSigner **ret_signer, GError **error)
{
  g_autoptr(CliSigner) signer = cli_signer_new(cli, NULL, error);
  g_autoptr(GBytes) der =
      signer ? cli_signer_sign(cli, signer, content, cli_flag(cli, "detached"), error) : NULL;
  if (!der)
    return NULL;
  *ret_signer = g_steal_pointer(&signer);
  return encode(cli, der);
}

static GBytes *
sign_mail(Cli *cli, GBytes *message, CliSigner **ret_signer, GError **error)
{
  g_autofree char *from = NULL;
  g_autoptr(GBytes) entity = NULL;
  g_autoptr(GBytes) headers = NULL;
  gboolean opaque = cli_flag(cli, "opaque");
  if (!mime_from(message, &from, error) || !mime_split(message, &entity, &headers, error))
    return NULL;
  g_autoptr(CliSigner) signer = cli_signer_new(cli, from, error);
  g_autoptr(GBytes) der = signer ? cli_signer_sign(cli, signer, entity, !opaque, error) : NULL;
  if (!der)
    return NULL;
  GBytes *built = opaque ? mime_build_cms(headers, der, MIME_OPAQUE_SIGNED, FALSE, error)
                         : mime_build_signed(headers, entity, der, signer->hash, error);
  if (built)
    *ret_signer = g_steal_pointer(&signer);
  return built;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_autoptr(CliSigner) signer = NULL;
  g_autoptr(GBytes) message = check_options(cli, error) ? cli_read_message(cli, error) : NULL;
  if (!message)
    return FALSE;
  gboolean cms = cli_flag(cli, "cms");
  g_autoptr(GBytes) output =
      cms ? sign_bytes(cli, message, &signer, error) : sign_mail(cli, message, &signer, error);
  if (!output || !cli_write(cli, output, cms && strcmp(cli_text(cli, "cms"), "der") == 0, error))
    return FALSE;
  return cli_json(
      cli,
      json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", cli_json_text(signer->choice->id),
                "fingerprint", cli_json_text(signer->choice->fingerprint), "token",
                cli_json_text(signer->choice->token), "hash", cli_json_text(signer->hash), "output",
                cli_json_text(cli_text(cli, "output")), "not_after", cli_json_time(signer->ends),
                "warning", cli_json_text(signer->warning)),
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
  { "protect-headers", 0, CLI_LATER, NULL, NULL },
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
