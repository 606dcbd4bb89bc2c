/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/cipher.h"
#include "cli/making.h"
#include "cli/recipients.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

typedef struct {
  BaseInput *input;
  gboolean cms;
  MimeEntity *entity; /* NULL for a file */
  CliSigner *signer;  /* with --sign */
  GBytes *signature;  /* of the entity, with --sign */
  BaseSpool *opaque;  /* a file inside its signature, with --sign */
  MimeSigned *mail;   /* entity and signature */
  CliRecipients *recipients;
  CliCipher cipher;
  gboolean clear; /* decided: sent as it is */
} Work;

static void
work_clear(Work *work)
{
  mime_signed_free(work->mail);
  mime_entity_free(work->entity);
  base_spool_free(work->opaque);
  base_input_free(work->input);
  g_clear_pointer(&work->signature, g_bytes_unref);
  cli_cipher_clear(&work->cipher);
  cli_signer_free(work->signer);
  cli_recipients_free(work->recipients);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Work, work_clear)

static gboolean
check_options(Cli *cli, GError **error)
{
  if (!cli_list(cli, "to")[0])
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "to whom? --to a certificate file, or an ID of yours");
  if (cli_flag(cli, "request-receipt") && !cli_flag(cli, "sign"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--request-receipt is for --sign: a receipt is for a signature");
  if (cli_flag(cli, "protect-headers") && cli_flag(cli, "cms"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--protect-headers is for mail; --cms takes any file");
  return TRUE;
}

static gboolean
read_entity(Cli *cli, Work *work, GError **error)
{
  gboolean protect = cli_flag(cli, "protect-headers");
  MimeProtection how = work->clear ? MIME_PROTECT_SIGNED : MIME_PROTECT_SEALED;
  g_clear_pointer(&work->entity, mime_entity_free);
  work->entity =
      mime_entity_new(work->input, cli_flag(cli, "sign") ? MIME_FOR_SIGNING : MIME_FOR_SEALING,
                      protect ? how : MIME_PROTECT_NOTHING, error);
  return work->entity != NULL;
}

static gboolean
read_work(Cli *cli, Work *work, GError **error)
{
  if (!check_options(cli, error) || !cli_cipher_settle(cli, &work->cipher, error))
    return FALSE;
  work->input = cli_input_open(cli, error);
  work->cms = cli_flag(cli, "cms");
  gboolean asks_sender = cli_flag(cli, "sign") || !cli_flag(cli, "no-self");
  return work->input && (work->cms || read_entity(cli, work, error)) &&
         (!asks_sender || cli_making_check_from(cli, work->entity, error));
}

static const char *
from_of(const Work *work)
{
  return work->entity ? mime_entity_from(work->entity) : NULL;
}

static gboolean
find_recipients(Cli *cli, Work *work, GError **error)
{
  const char *const *to = cli_list(cli, "to");
  work->recipients = cli_recipients_new();
  for (int i = 0; to[i]; i++)
    if (!cli_recipients_add(cli, work->recipients, to[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
ask_to_send_clear(Cli *cli, const Work *work)
{
  if (cli->no_input || !cli_terminal_available(cli))
    return FALSE;
  fprintf(stderr, "signet: no usable certificate for:\n");
  for (guint i = 0; i < work->recipients->missing->len; i++) {
    g_autofree char *line = cli_safe(g_ptr_array_index(work->recipients->missing, i));
    fprintf(stderr, "  %s\n", line);
  }
  return cli_terminal_confirm(cli, "Send it UNENCRYPTED to all? (No cancels.)");
}

/* Some have none: refuse, ask, or send it in clear to all. Never to some sealed, to others not. */
static gboolean
settle_missing(Cli *cli, Work *work, GError **error)
{
  const char *how = cli_text(cli, "if-missing");
  if (work->recipients->missing->len == 0)
    return TRUE;
  gboolean refuse = g_strcmp0(how, "refuse") == 0;
  work->clear = g_strcmp0(how, "clear") == 0 || (!refuse && ask_to_send_clear(cli, work));
  if (!work->clear)
    return cli_recipients_refuse(work->recipients, error);
  cli_note(cli, "NOT encrypted: %u of the recipients cannot receive a sealed mail",
           work->recipients->missing->len);
  return TRUE;
}

/* ---- signed first ---- */

static gboolean
sign_mail(Cli *cli, Work *work, GError **error)
{
  work->signature = cli_making_signature(cli, work->signer, work->entity, work->input, error);
  if (!work->signature)
    return FALSE;
  work->mail = mime_signed_new(work->entity, work->signature, work->signer->hash, error);
  return work->mail != NULL;
}

/* Its length must be known before it is sealed. */
static gboolean
sign_file(Cli *cli, Work *work, GError **error)
{
  work->opaque = base_spool_new(TRUE, error);
  return work->opaque && cli_making_opaque(cli, work->signer, NULL, work->input,
                                           base_spool_sink(work->opaque), error);
}

static gboolean
sign_first(Cli *cli, Work *work, GError **error)
{
  if (!cli_flag(cli, "sign"))
    return TRUE;
  /* What goes out in clear hides no Subject. */
  if (work->clear && !work->cms && !read_entity(cli, work, error))
    return FALSE;
  work->signer = cli_signer_new(cli, from_of(work), error);
  if (!work->signer)
    return FALSE;
  return work->cms ? sign_file(cli, work, error) : sign_mail(cli, work, error);
}

/* ---- writing ---- */

static gboolean
content_length(Work *work, gint64 *ret_length, GError **error)
{
  if (work->mail)
    return mime_signed_length(work->mail, ret_length, error);
  if (work->entity)
    return mime_entity_length(work->entity, ret_length, error);
  *ret_length = work->opaque ? base_spool_length(work->opaque) : base_input_length(work->input);
  return TRUE;
}

static gboolean
push_content(Work *work, BaseSink *to, GError **error)
{
  if (work->mail)
    return mime_signed_push(work->mail, to, error);
  if (work->entity)
    return mime_entity_push(work->entity, to, error);
  if (work->opaque)
    return base_spool_read(work->opaque, 0, base_spool_length(work->opaque), to, error);
  return base_input_read(work->input, 0, base_input_length(work->input), to, error);
}

static gboolean
write_clear(Work *work, BaseSink *output, GError **error)
{
  if (work->mail)
    return mime_write_signed(mime_entity_headers(work->entity), work->entity, work->signature,
                             work->signer->hash, output, error);
  gboolean pushed =
      work->opaque ? push_content(work, output, error)
                   : base_input_read(work->input, 0, base_input_length(work->input), output, error);
  return pushed && base_sink_finish(output, error);
}

static gboolean
write_sealed(Cli *cli, Work *work, BaseSink *output, GError **error)
{
  CmsSealing sealing = { work->recipients->certificates, work->cipher.name, cli_flag(cli, "oaep"),
                         -1 };
  gboolean authenticated = g_str_has_suffix(work->cipher.name, "-gcm");
  if (!content_length(work, &sealing.length, error))
    return FALSE;
  g_autoptr(BaseSink) part = work->entity
                                 ? mime_write_cms_new(mime_entity_headers(work->entity),
                                                      MIME_SEALED, authenticated, output, error)
                                 : NULL;
  if (work->entity && !part)
    return FALSE;
  g_autoptr(BaseSink) seal = cms_seal_new(&sealing, part ? part : output, error);
  return seal && push_content(work, seal, error) && base_sink_finish(seal, error);
}

/* A file that goes out as it came is no CMS file. */
static BaseSink *
open_output(Cli *cli, const Work *work, GError **error)
{
  if (work->clear && work->cms && !work->opaque)
    return cli_output_new(cli, FALSE, FALSE, error);
  return cli_making_output(cli, work->input, TRUE, error);
}

static gboolean
write_output(Cli *cli, Work *work, GError **error)
{
  g_autoptr(CliSpinner) spinner = cli_making_spinner(cli, work->input, "sealing");
  g_autoptr(BaseSink) output = open_output(cli, work, error);
  return output &&
         (work->clear ? write_clear(work, output, error) : write_sealed(cli, work, output, error));
}

static gboolean
report(Cli *cli, const Work *work, GError **error)
{
  json_t *recipients = json_array();
  for (guint i = 0; i < work->recipients->certificates->len && !work->clear; i++) {
    const BaseCert *certificate = g_ptr_array_index(work->recipients->certificates, i);
    json_array_append_new(
        recipients, json_pack("{s:o, s:o, s:o}", "subject", cli_json_text(certificate->subject),
                              "addresses", cli_json_strv(certificate->addresses), "fingerprint",
                              cli_json_text(certificate->fingerprint)));
  }
  return cli_json(cli,
                  json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "encrypted", !work->clear, "cipher",
                            cli_json_text(work->clear ? NULL : work->cipher.name), "cipher_reason",
                            cli_json_text(work->clear ? NULL : work->cipher.reason), "recipients",
                            recipients, "signed_by",
                            cli_json_text(work->signer ? work->signer->choice->id : NULL), "output",
                            cli_json_text(cli_text(cli, "output"))),
                  error);
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(Work) work = { 0 };
  if (!read_work(cli, &work, error) || !find_recipients(cli, &work, error) ||
      !settle_missing(cli, &work, error))
    return FALSE;
  if (!work.clear && !cli_flag(cli, "no-self") &&
      !cli_recipients_add_self(cli, work.recipients, from_of(&work), error))
    return FALSE;
  cli_cipher_choose(&work.cipher, work.recipients);
  return sign_first(cli, &work, error) && write_output(cli, &work, error) &&
         report(cli, &work, error);
}

static const CliOption options[] = {
  { "to", 't', CLI_LIST, "CERT|ID",
    "a certificate file, or an ID of yours; once for each recipient" },
  { "input", 'i', CLI_TEXT, "FILE", "read FILE" },
  { "output", 'o', CLI_TEXT, "FILE", "write to FILE, whole or not at all" },
  { "id", 0, CLI_TEXT, "ID", "the sender's ID (that of the From address)" },
  { "sign", 's', CLI_FLAG, NULL, "sign it first" },
  { "hash", 0, CLI_CHOICE, "sha256|sha384|sha512", "with --sign: the hash" },
  { "pss", 0, CLI_FLAG, NULL, "with --sign and an RSA key: the PSS padding" },
  { "request-receipt", 0, CLI_MAYBE, "ADDR,…", "with --sign: ask for signed receipts" },
  { "cipher", 0, CLI_TEXT, "NAME",
    "aes-256-gcm, aes-256-cbc, … (the best that all are known to read)" },
  { "oaep", 0, CLI_FLAG, NULL, "RSA recipients: the OAEP padding" },
  { "protect-headers", 0, CLI_FLAG, NULL,
    "hide the Subject outside; sign or seal the headers too" },
  { "no-self", 0, CLI_FLAG, NULL, "not to the sender: it cannot be read again" },
  { "if-missing", 0, CLI_CHOICE, "ask|refuse|clear", "when a recipient has no usable certificate" },
  { "cms", 0, CLI_CHOICE, "der|pem", "any file, not mail; a CMS file comes out" },
  { 0 },
};

const CliVerb cli_encrypt = {
  .name = "encrypt",
  .arguments = "--to CERT|ID [FILE]",
  .max_arguments = 1,
  .help = "seal a mail to its recipients and yourself",
  .more =
      "Reads FILE or standard input, writes to standard output; nothing is written on failure.\n"
      "A recipient without a usable certificate is exit status 7, unless --if-missing says otherwise: "
      "ask (on a terminal), or clear, which sends the mail unencrypted to all.\n"
      "--pin-fd N: with --sign one line, the token's PIN.",
  .example = "signet encrypt --to bob.pem < mail.eml > sealed.eml",
  .options = options,
  .message = TRUE,
  .run = run,
};
