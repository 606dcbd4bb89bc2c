/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/mail.h"
#include "cli/verbs.h"
#include "cli/verdict.h"
#include "mime/stage.h"

#include <string.h>

typedef struct {
  TrustReport *report;
  MimeOpened *opened; /* of a mail */
  BaseSink *output;   /* (nullable) of a CMS file: what was signed, not shown yet */
} Result;

static void
result_clear(Result *result)
{
  g_clear_pointer(&result->report, trust_report_free);
  g_clear_pointer(&result->opened, mime_opened_free);
  base_sink_free(result->output);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

/* ---- a CMS file ---- */

static CmsVerified *
verify_detached(Cli *cli, BaseInput *input, GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(CMS_STRUCTURE_MAX);
  g_autoptr(BaseInput) content = base_input_open(cli_text(cli, "content"), G_MAXOFFSET, error);
  if (!content || !cli_cms_push(cli, input, memory, error))
    return NULL;
  g_autoptr(GBytes) signature = base_sink_memory_bytes(memory);
  g_autoptr(BaseSink) verifier = cms_verify_detached_new(signature, NULL, error);
  if (!verifier || !base_input_read(content, 0, base_input_length(content), verifier, error) ||
      !base_sink_finish(verifier, error))
    return NULL;
  return cms_verify_result(verifier, error);
}

static CmsVerified *
verify_with_content(Cli *cli, BaseInput *input, Result *result, GError **error)
{
  if (cli_text(cli, "output") && !(result->output = cli_output_new(cli, TRUE, TRUE, error)))
    return NULL;
  g_autoptr(BaseSink) kept = result->output ? mime_pass_on(result->output) : NULL;
  g_autoptr(BaseSink) verifier = cms_verify_new(NULL, kept);
  return cli_cms_push(cli, input, verifier, error) ? cms_verify_result(verifier, error) : NULL;
}

static gboolean
verify_cms(Cli *cli, BaseInput *input, Result *result, GError **error)
{
  static const TrustClaim nothing = { .mail = FALSE };
  g_autoptr(CmsVerified) verified = cli_text(cli, "content")
                                        ? verify_detached(cli, input, error)
                                        : verify_with_content(cli, input, result, error);
  result->report = verified ? cli_verdict_new(verified, &nothing, error) : NULL;
  return result->report != NULL;
}

/* ---- a mail ---- */

static TrustReport *
unsigned_report(const MimeOpened *opened)
{
  const GPtrArray *layers = mime_opened_layers(opened);
  const MimeLayer *last = layers->len ? g_ptr_array_index(layers, layers->len - 1) : NULL;
  if (last && last->kind == MIME_SEALED)
    return trust_report_unsigned(
        "Sealed: whether it is signed shows when it is opened (signet decrypt).", TRUST_UNKNOWN);
  return trust_report_unsigned("Not signed.", TRUST_UNSIGNED);
}

static gboolean
verify_mail(Cli *cli, BaseInput *input, Result *result, GError **error)
{
  g_autoptr(GError) problem = NULL;
  if (cli_text(cli, "content"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--content is for --cms; a signed mail has its content inside");
  result->opened = cli_mail_open(cli, input, MIME_OPEN_VERIFY, error);
  if (!result->opened)
    return FALSE;
  result->report = cli_mail_verdict(result->opened, &problem);
  if (problem)
    g_propagate_error(error, g_steal_pointer(&problem));
  else if (!result->report)
    result->report = unsigned_report(result->opened);
  return result->report != NULL;
}

/* What is not good is not handed on. */
static gboolean
write_content(Cli *cli, Result *result, GError **error)
{
  if (result->report->verdict != TRUST_GOOD || !cli_text(cli, "output"))
    return TRUE;
  if (result->opened) {
    result->output = cli_output_new(cli, FALSE, TRUE, error);
    if (!result->output || !mime_opened_write_content(result->opened, result->output, error))
      return FALSE;
  }
  return !result->output || base_sink_finish(result->output, error);
}

/* Not from a pipe: it can be read once only. */
static gboolean
has_file(const Cli *cli)
{
  const char *name = cli_argument(cli, 0) ? cli_argument(cli, 0) : cli_text(cli, "input");
  return name && strcmp(name, "-") != 0;
}

static gboolean
report_json(Cli *cli, const Result *result, gboolean why, GError **error)
{
  json_t *object = json_object();
  cli_verdict_json(result->report, object);
  json_object_set_new(
      object, "try",
      why ? json_pack("[s, s, s, o]", "signet", "trust", "why", cli_json_text(cli_input_name(cli)))
          : json_null());
  if (result->opened && !cli_mail_json(result->opened, object, error)) {
    json_decref(object);
    return FALSE;
  }
  return cli_json(cli, object, error);
}

static gboolean
report(Cli *cli, const Result *result, GError **error)
{
  const TrustReport *said = result->report;
  gboolean why = said->verdict == TRUST_UNTRUSTED && has_file(cli);
  int fd = cli_output_is_stdout(cli) ? 2 : 1;
  cli->exit_status = said->verdict == TRUST_GOOD ? 0 : 3;
  cli_status(cli, "verdict %s", trust_verdict_name(said->verdict));
  if (cli->json)
    return report_json(cli, result, why, error);
  if (!cli->quiet) {
    cli_verdict_print(said, fd);
    if (result->opened && !cli_mail_print(result->opened, said->sentence, fd, error))
      return FALSE;
  }
  if (why)
    cli_note(cli, "step by step: signet trust why %s", cli_input_name(cli));
  return TRUE;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(Result) result = { 0 };
  g_autoptr(BaseInput) input = cli_input_open(cli, error);
  if (!input)
    return FALSE;
  gboolean known = cli_flag(cli, "cms") ? verify_cms(cli, input, &result, error)
                                        : verify_mail(cli, input, &result, error);
  return known && write_content(cli, &result, error) && report(cli, &result, error);
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
