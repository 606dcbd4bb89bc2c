/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/mail.h"
#include "cli/verbs.h"
#include "cli/verdict.h"

#include <string.h>

typedef struct {
  CmsOpened *opened;
  CliVerdict *verdict;
  GBytes *output;
} Result;

static void
result_clear(Result *result)
{
  cms_opened_free(result->opened);
  cli_verdict_free(result->verdict);
  g_clear_pointer(&result->output, g_bytes_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

/* A signature inside that cannot be read withholds nothing: it is the person's own mail. */
static CliVerdict *
verdict_of(const MimeMessage *inside, const MimeMessage *outer, GBytes **ret_content)
{
  g_autoptr(GError) failed = NULL;
  /* A whole message inside has its own From; else the outer one is what the reader sees. */
  const MimeMessage *named = inside->from_count && !outer->from_count ? inside : outer;
  CliVerdict *verdict =
      cli_verdict_of_mail(inside, named->from, named->from_count, ret_content, &failed);
  if (verdict)
    return verdict;
  g_autofree char *sentence =
      g_strdup_printf("The signature inside cannot be read: %s.", failed->message);
  return cli_verdict_unsigned(sentence, TRUST_UNKNOWN);
}

static gboolean
look_inside(const MimeMessage *outer, Result *result, GError **error)
{
  GBytes *entity = result->opened->content;
  g_autoptr(GBytes) text = NULL;
  /* What opens to anything but mail was altered on the way (or the key is not the mail's): RFC 8551 6. */
  if (!mime_is_entity(entity))
    return base_error_set(
        error, SIGNET_ERROR_CANNOT_DECRYPT,
        "cannot open this mail: what is inside is no mail, so it was damaged or altered");
  g_autoptr(CliMail) inside = cli_mail_read(entity, NULL);
  if (inside && (inside->kind == MIME_SIGNED || inside->kind == MIME_OPAQUE_SIGNED))
    result->verdict = verdict_of(inside, outer, &text);
  else
    result->verdict = cli_verdict_unsigned("Opened. Not signed.", TRUST_UNSIGNED);
  /* An opaque signature is unpacked, so that the mail can be read. */
  gboolean unpack = inside && inside->kind == MIME_OPAQUE_SIGNED && text && mime_is_entity(text);
  result->output = mime_build_opened(outer->headers, unpack ? text : entity, error);
  return result->output != NULL;
}

static gboolean
open_mail(Cli *cli, GBytes *message, Result *result, GError **error)
{
  g_autoptr(CliMail) mail = cli_mail_read(message, error);
  if (!mail)
    return FALSE;
  if (mail->kind != MIME_SEALED) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s is a mail that is not sealed%s",
                   cli_input_name(cli),
                   mail->kind == MIME_PLAIN ? ": read it as it is"
                                            : "; it is signed, which `signet verify` checks");
    return FALSE;
  }
  if (!cli_connect(cli, error))
    return FALSE;
  result->opened = cms_decrypt(cli->client, mail->content, error);
  return result->opened && look_inside(mail, result, error);
}

static gboolean
open_cms(Cli *cli, GBytes *bytes, Result *result, GError **error)
{
  g_autoptr(GBytes) der = cms_read(bytes, cli_input_name(cli), error);
  if (!der || !cli_connect(cli, error))
    return FALSE;
  result->opened = cms_decrypt(cli->client, der, error);
  if (!result->opened)
    return FALSE;
  /* A mail must at least be mail inside; any bytes may be a file's. */
  g_autofree char *sentence =
      result->opened->authenticated
          ? g_strdup("Opened. Whether it is signed was not looked at.")
          : g_strdup_printf("Opened. Whether it is signed was not looked at, and %s cannot tell "
                            "whether it was altered.",
                            result->opened->cipher);
  result->verdict = cli_verdict_unsigned(sentence, TRUST_UNSIGNED);
  result->output = g_bytes_ref(result->opened->content);
  return TRUE;
}

static gboolean
report(Cli *cli, const Result *result, GError **error)
{
  cli_status(cli, "verdict %s", trust_verdict_name(result->verdict->verdict));
  if (cli->json) {
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:b, s:o}", "id", cli_json_text(result->opened->id), "key",
                  cli_json_text(result->opened->key), "cipher",
                  cli_json_text(result->opened->cipher), "authenticated",
                  result->opened->authenticated, "output", cli_json_text(cli_text(cli, "output")));
    cli_verdict_json(result->verdict, object);
    return cli_json(cli, object, error);
  }
  if (!cli->quiet)
    cli_verdict_print(result->verdict, 2);
  return TRUE;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(Result) result = { 0 };
  g_autoptr(GBytes) message = cli_read_message(cli, error);
  if (!message)
    return FALSE;
  gboolean cms = cli_flag(cli, "cms");
  if (!(cms ? open_cms(cli, message, &result, error) : open_mail(cli, message, &result, error)))
    return FALSE;
  if (cli_flag(cli, "require-signed") && result.verdict->verdict != TRUST_GOOD)
    cli->exit_status = 3;
  else if (!cli_write(cli, result.output, FALSE, error))
    return FALSE;
  return report(cli, &result, error);
}

static const CliOption options[] = {
  { "input", 'i', CLI_TEXT, "FILE", "read FILE" },
  { "output", 'o', CLI_TEXT, "FILE", "write to FILE, whole or not at all" },
  { "cms", 0, CLI_CHOICE, "der|pem", "a CMS file, not mail" },
  { "require-signed", 0, CLI_FLAG, NULL,
    "only if a good signature is inside; else exit status 3 and no output" },
  { 0 },
};

const CliVerb cli_decrypt = {
  .name = "decrypt",
  .arguments = "[FILE]",
  .max_arguments = 1,
  .help = "open a sealed mail, and check the signature inside",
  .more =
      "Reads FILE or standard input, writes to standard output; nothing is written on failure.\n"
      "What is to be said about the signature inside goes to standard error.\n"
      "--pin-fd N: one line, the token's PIN.",
  .example = "signet decrypt sealed.eml",
  .options = options,
  .message = TRUE,
  .run = run,
};
