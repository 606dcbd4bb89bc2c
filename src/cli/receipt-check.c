/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/receipt.h"
#include "cli/verbs.h"
#include "cli/verdict.h"

#include <stdio.h>
#include <string.h>

static gboolean
read_original(Cli *cli, CliReceiptMessage *message, GError **error)
{
  const char *path = cli_text(cli, "for");
  if (!path)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "which mail is it a receipt for? --for ORIGINAL");
  g_autoptr(BaseInput) input = base_input_open(path, G_MAXOFFSET, error);
  if (!input || !cli_receipt_read(cli, input, FALSE, message, error))
    return FALSE;
  return cli_receipt_asked(message) ||
         base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                        "%s asked for no receipt, or its signature is not good", path);
}

static gboolean
report(Cli *cli, const TrustReport *verdict, const char *problem, GError **error)
{
  gboolean good = verdict->verdict == TRUST_GOOD && !problem;
  cli->exit_status = good ? 0 : 3;
  cli_status(cli, "verdict %s", trust_verdict_name(verdict->verdict));
  if (cli->json) {
    json_t *object =
        json_pack("{s:b, s:o}", "fits", problem == NULL, "problem", cli_json_text(problem));
    cli_verdict_json(verdict, object);
    return cli_json(cli, object, error);
  }
  if (cli->quiet)
    return TRUE;
  cli_verdict_print(verdict, 1);
  if (problem)
    printf("  Receipt      not for this message: %s\n", problem);
  else
    printf("  Receipt      for this message\n");
  return TRUE;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(CliReceiptMessage) original = { 0 };
  g_auto(CliReceiptMessage) receipt = { 0 };
  const char *problem = NULL;
  if (!read_original(cli, &original, error))
    return FALSE;
  g_autoptr(BaseInput) input = cli_input_open(cli, error);
  if (!input || !cli_receipt_read(cli, input, TRUE, &receipt, error))
    return FALSE;
  if (!receipt.report || !receipt.content)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s is no signed receipt",
                          cli_input_name(cli));
  if (!cms_receipt_check(cli_receipt_verified(&receipt), receipt.content,
                         cli_receipt_asked(&original), &problem, error))
    return FALSE;
  return report(cli, receipt.report, problem, error);
}

static const CliOption options[] = {
  { "input", 'i', CLI_TEXT, "FILE", "read the receipt from FILE" },
  { "for", 0, CLI_TEXT, "ORIGINAL", "the mail that you sent, and that asked for it" },
  { "cms", 0, CLI_CHOICE, "der|pem", "both are CMS files, not mail" },
  { 0 },
};

const CliVerb cli_receipt_check = {
  .group = "receipt",
  .name = "check",
  .arguments = "[RECEIPT]",
  .max_arguments = 1,
  .help = "check that a signed receipt is for your mail, and by whom it is",
  .more = "Exit status 0: it is for that mail, with a good signature, trusted, and the\n"
          "sender's own. 3: anything else.",
  .example = "signet receipt check receipt.eml --for sent.eml",
  .options = options,
  .run = run,
};
