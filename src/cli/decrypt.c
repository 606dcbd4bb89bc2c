/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/mail.h"
#include "cli/verbs.h"
#include "cli/verdict.h"
#include "mime/stage.h"

#include <string.h>

typedef struct {
  MimeOpened *opened;          /* of a mail */
  BaseSink *unsealer;          /* of a CMS file */
  const CmsUnsealed *unsealed; /* borrowed of one of them: how the outermost seal was opened */
  TrustReport *report;
  BaseSink *output;
} Result;

static void
result_clear(Result *result)
{
  g_clear_pointer(&result->opened, mime_opened_free);
  base_sink_free(result->unsealer);
  g_clear_pointer(&result->report, trust_report_free);
  base_sink_free(result->output);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

/* ---- a mail ---- */

static const CmsUnsealed *
first_seal(const MimeOpened *opened)
{
  const GPtrArray *layers = mime_opened_layers(opened);
  for (guint i = 0; i < layers->len; i++) {
    const MimeLayer *layer = g_ptr_array_index(layers, i);
    if (layer->unsealed)
      return layer->unsealed;
  }
  return NULL;
}

static TrustReport *
unsigned_report(const MimeOpened *opened)
{
  const GPtrArray *notes = mime_opened_notes(opened);
  for (guint i = 0; i < notes->len; i++) {
    const char *note = g_ptr_array_index(notes, i);
    if (!g_str_has_prefix(note, "it may have been altered"))
      continue;
    g_autofree char *sentence = g_strdup_printf("Opened. Not signed, and %s.", note);
    return trust_report_unsigned(sentence, TRUST_UNSIGNED);
  }
  return trust_report_unsigned("Opened. Not signed.", TRUST_UNSIGNED);
}

static gboolean
open_mail(Cli *cli, BaseInput *input, Result *result, GError **error)
{
  g_autoptr(GError) problem = NULL;
  result->opened = cli_mail_open(cli, input, MIME_OPEN_ALL, error);
  if (!result->opened)
    return FALSE;
  result->unsealed = first_seal(result->opened);
  if (!result->unsealed)
    return base_error_set(
        error, SIGNET_ERROR_BAD_INPUT, "%s is a mail that is not sealed%s", cli_input_name(cli),
        mime_opened_layers(result->opened)->len ? "; it is signed, which `signet verify` checks"
                                                : ": read it as it is");
  result->report = cli_mail_verdict(result->opened, &problem);
  if (problem)
    g_propagate_error(error, g_steal_pointer(&problem));
  else if (!result->report)
    result->report = unsigned_report(result->opened);
  return result->report != NULL;
}

/* ---- a CMS file ---- */

/* A mail must at least be mail inside; any bytes may be a file's. */
static gboolean
open_cms(Cli *cli, BaseInput *input, Result *result, GError **error)
{
  if (!cli_connect(cli, error))
    return FALSE;
  gboolean wanted = !cli_flag(cli, "require-signed");
  result->output = wanted ? cli_output_new(cli, FALSE, TRUE, error) : base_sink_to_nowhere();
  if (!result->output)
    return FALSE;
  g_autoptr(BaseSink) kept = mime_pass_on(result->output);
  result->unsealer = cms_unseal_new(cli->client, kept);
  if (!cli_cms_push(cli, input, result->unsealer, error))
    return FALSE;
  result->unsealed = cms_unseal_result(result->unsealer);
  g_autofree char *sentence =
      result->unsealed->authenticated
          ? g_strdup("Opened. Whether it is signed was not looked at.")
          : g_strdup_printf("Opened. Whether it is signed was not looked at, and %s%s cannot tell "
                            "whether it was altered.",
                            result->unsealed->cipher,
                            result->unsealed->weak ? " is no longer safe and" : "");
  result->report = trust_report_unsigned(sentence, TRUST_UNSIGNED);
  return TRUE;
}

/* ---- what comes of it ---- */

static gboolean
write_output(Cli *cli, Result *result, GError **error)
{
  if (result->opened) {
    /* It was spooled, and is known to be good. */
    if (result->report->verdict == TRUST_GOOD)
      mime_opened_vouch(result->opened);
    result->output = cli_output_direct(cli, FALSE, error);
    if (!result->output || !mime_opened_write_mail(result->opened, result->output, error))
      return FALSE;
  }
  return base_sink_finish(result->output, error);
}

static gboolean
report_json(Cli *cli, const Result *result, GError **error)
{
  const CmsUnsealed *unsealed = result->unsealed;
  json_t *object =
      json_pack("{s:o, s:o, s:o, s:b, s:b, s:o}", "id", cli_json_text(unsealed->id), "key",
                cli_json_text(unsealed->key), "cipher", cli_json_text(unsealed->cipher),
                "authenticated", unsealed->authenticated, "weak_cipher", unsealed->weak, "output",
                cli_json_text(cli_text(cli, "output")));
  cli_verdict_json(result->report, object);
  if (result->opened && !cli_mail_json(result->opened, object, error)) {
    json_decref(object);
    return FALSE;
  }
  return cli_json(cli, object, error);
}

static gboolean
report(Cli *cli, const Result *result, GError **error)
{
  cli_status(cli, "verdict %s", trust_verdict_name(result->report->verdict));
  if (cli->json)
    return report_json(cli, result, error);
  if (cli->quiet)
    return TRUE;
  cli_verdict_print(result->report, 2);
  return !result->opened || cli_mail_print(result->opened, result->report->sentence, 2, error);
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(Result) result = { 0 };
  g_autoptr(BaseInput) input = cli_input_open(cli, error);
  gboolean cms = cli_flag(cli, "cms");
  if (!input ||
      !(cms ? open_cms(cli, input, &result, error) : open_mail(cli, input, &result, error)))
    return FALSE;
  if (cli_flag(cli, "require-signed") && result.report->verdict != TRUST_GOOD)
    cli->exit_status = 3;
  else if (!write_output(cli, &result, error))
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
