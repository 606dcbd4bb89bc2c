/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/path.h"
#include "cli/mail.h"
#include "cli/verbs.h"
#include "cli/verdict.h"

#include <string.h>

static CliVerdict *
verify_cms(Cli *cli, GBytes *bytes, GBytes **ret_content, GError **error)
{
  g_autoptr(GBytes) der = cms_read(bytes, cli_input_name(cli), error);
  const char *path = cli_text(cli, "content");
  g_autoptr(GBytes) detached = der && path ? base_path_read(path, CMS_CONTENT_MAX, error) : NULL;
  if (!der || (path && !detached))
    return NULL;
  g_autoptr(CmsVerified) verified = cms_verify(der, detached, NULL, error);
  CliVerdict *verdict = verified ? cli_verdict_new(verified, NULL, -1, FALSE, error) : NULL;
  if (verdict && verified->content)
    *ret_content = g_bytes_ref(verified->content);
  return verdict;
}

static CliVerdict *
verify_mail(Cli *cli, GBytes *message, GBytes **ret_content, GError **error)
{
  g_autoptr(CliMail) mail = cli_mail_read(message, error);
  if (!mail)
    return NULL;
  if (cli_text(cli, "content")) {
    base_error_set(error, SIGNET_ERROR_USAGE,
                   "--content is for --cms; a signed mail has its content inside");
    return NULL;
  }
  switch (mail->kind) {
  case MIME_SIGNED:
  case MIME_OPAQUE_SIGNED:
    return cli_verdict_of_mail(mail, mail->from, mail->from_count, ret_content, error);
  case MIME_SEALED:
    return cli_verdict_unsigned(
        "Sealed: whether it is signed shows when it is opened (signet decrypt).", TRUST_UNKNOWN);
  case MIME_PLAIN:
  case MIME_CERTIFICATES:
  default:
    return cli_verdict_unsigned("Not signed.", TRUST_UNSIGNED);
  }
}

/* Not from a pipe: it can be read once only. */
static gboolean
has_file(const Cli *cli)
{
  const char *name = cli_argument(cli, 0) ? cli_argument(cli, 0) : cli_text(cli, "input");
  return name && strcmp(name, "-") != 0;
}

static gboolean
report(Cli *cli, const CliVerdict *verdict, GError **error)
{
  gboolean why = verdict->verdict == TRUST_UNTRUSTED && has_file(cli);
  cli->exit_status = verdict->verdict == TRUST_GOOD ? 0 : 3;
  cli_status(cli, "verdict %s", trust_verdict_name(verdict->verdict));
  if (cli->json) {
    json_t *object = json_object();
    cli_verdict_json(verdict, object);
    json_object_set_new(object, "try",
                        why ? json_pack("[s, s, s, o]", "signet", "trust", "why",
                                        cli_json_text(cli_input_name(cli)))
                            : json_null());
    return cli_json(cli, object, error);
  }
  if (!cli->quiet)
    cli_verdict_print(verdict, cli_output_is_stdout(cli) ? 2 : 1);
  if (why)
    cli_note(cli, "step by step: signet trust why %s", cli_input_name(cli));
  return TRUE;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_autoptr(GBytes) message = cli_read_message(cli, error);
  g_autoptr(GBytes) content = NULL;
  if (!message)
    return FALSE;
  g_autoptr(CliVerdict) verdict = cli_flag(cli, "cms") ? verify_cms(cli, message, &content, error)
                                                       : verify_mail(cli, message, &content, error);
  if (!verdict)
    return FALSE;
  /* What is not good is not handed on. */
  if (verdict->verdict == TRUST_GOOD && content && cli_text(cli, "output") &&
      !cli_write(cli, content, FALSE, error))
    return FALSE;
  return report(cli, verdict, error);
}

static const CliOption options[] = {
  { "input", 'i', CLI_TEXT, "FILE", "read FILE" },
  { "output", 'o', CLI_TEXT, "FILE", "write what was signed to FILE, if the signature is good" },
  { "cms", 0, CLI_CHOICE, "der|pem", "a CMS file, not mail" },
  { "content", 0, CLI_TEXT, "FILE", "with --cms: what a detached signature is of" },
  { 0 },
};

const CliVerb cli_verify = {
  .name = "verify",
  .arguments = "[FILE]",
  .max_arguments = 1,
  .help = "check a mail's signature: by whom, is that trusted, is it the sender",
  .more =
      "Exit status 0: good, trusted, and the sender's own. 3: anything else; the verdict says what.",
  .example = "signet verify signed.eml",
  .options = options,
  .run = run,
};
