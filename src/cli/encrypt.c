/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/entity.h"
#include "cli/recipients.h"
#include "cli/signer.h"
#include "cli/verbs.h"
#include "mime/mime.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_CIPHER "aes-256-cbc"

typedef struct {
  GBytes *message;
  gboolean cms;
  char *from;
  GBytes *headers;
  GBytes *content;   /* what is sealed: the mail's entity, or the file */
  CliSigner *signer; /* with --sign */
  CliRecipients *recipients;
  char *cipher;
  gboolean clear; /* decided: sent as it is */
} Work;

static void
work_clear(Work *work)
{
  g_clear_pointer(&work->message, g_bytes_unref);
  g_clear_pointer(&work->headers, g_bytes_unref);
  g_clear_pointer(&work->content, g_bytes_unref);
  g_free(work->from);
  g_free(work->cipher);
  cli_signer_free(work->signer);
  cli_recipients_free(work->recipients);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Work, work_clear)

static gboolean
settle_cipher(Cli *cli, Work *work, GError **error)
{
  if (!cli_mail_setting(cli, "cipher", &work->cipher, error))
    return FALSE;
  if (!work->cipher)
    work->cipher = g_strdup(DEFAULT_CIPHER);
  g_autoptr(GError) failed = NULL;
  if (cms_cipher_check(work->cipher, &failed))
    return TRUE;
  if (!cli_text(cli, "cipher"))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the setting cipher=%s in [mail]: %s",
                          work->cipher, failed->message);
  g_propagate_error(error, g_steal_pointer(&failed));
  return FALSE;
}

static gboolean
read_work(Cli *cli, Work *work, GError **error)
{
  const char *const *to = cli_list(cli, "to");
  if (!to[0])
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "to whom? --to a certificate file, or an ID of yours");
  if (!settle_cipher(cli, work, error) || !(work->message = cli_read_message(cli, error)))
    return FALSE;
  work->cms = cli_flag(cli, "cms");
  if (work->cms)
    work->content = g_bytes_ref(work->message);
  if (work->cms)
    return TRUE;
  if (!mime_from(work->message, &work->from, error))
    return FALSE;
  if (cli_flag(cli, "sign"))
    return mime_split(work->message, &work->content, &work->headers, error);
  return cli_entity_to_seal(work->message, &work->content, &work->headers, error);
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

static gboolean
sign_first(Cli *cli, Work *work, GError **error)
{
  if (!cli_flag(cli, "sign"))
    return TRUE;
  work->signer = cli_signer_new(cli, work->from, error);
  g_autoptr(GBytes) der =
      work->signer ? cli_signer_sign(cli, work->signer, work->content, !work->cms, error) : NULL;
  if (!der)
    return FALSE;
  g_autoptr(GBytes) built =
      work->cms ? g_bytes_ref(der)
                : mime_build_signed(NULL, work->content, der, work->signer->hash, error);
  g_autoptr(GBytes) entity = NULL;
  g_autoptr(GBytes) no_headers = NULL;
  /* Sealed in the canonical form, as it is signed: RFC 8551 3.1.1. */
  if (!built || (!work->cms && !mime_split(built, &entity, &no_headers, error)))
    return FALSE;
  g_bytes_unref(work->content);
  work->content = work->cms ? g_steal_pointer(&built) : g_steal_pointer(&entity);
  return TRUE;
}

static GBytes *
in_clear(const Work *work, GError **error)
{
  if (!work->signer)
    return g_bytes_ref(work->message);
  return work->cms ? g_bytes_ref(work->content)
                   : mime_build_opened(work->headers, work->content, error);
}

static GBytes *
sealed(Cli *cli, const Work *work, GError **error)
{
  g_autoptr(GBytes) der =
      cms_encrypt(work->content, work->recipients->certificates, work->cipher, error);
  if (!der)
    return NULL;
  if (work->cms)
    return strcmp(cli_text(cli, "cms"), "pem") == 0 ? cms_to_pem(der) : g_steal_pointer(&der);
  return mime_build_cms(work->headers, der, MIME_SEALED, g_str_has_suffix(work->cipher, "-gcm"),
                        error);
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
                  json_pack("{s:b, s:o, s:o, s:o, s:o}", "encrypted", !work->clear, "cipher",
                            work->clear ? json_null() : cli_json_text(work->cipher), "recipients",
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
      !cli_recipients_add_self(cli, work.recipients, work.from, error))
    return FALSE;
  if (!sign_first(cli, &work, error))
    return FALSE;
  g_autoptr(GBytes) output = work.clear ? in_clear(&work, error) : sealed(cli, &work, error);
  gboolean binary = work.cms && strcmp(cli_text(cli, "cms"), "der") == 0 && !work.clear;
  return output && cli_write(cli, output, binary, error) && report(cli, &work, error);
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
  { "cipher", 0, CLI_TEXT, "NAME", "aes-256-cbc, aes-256-gcm, aes-128-cbc, …" },
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
