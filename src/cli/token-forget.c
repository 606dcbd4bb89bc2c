/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/verbs.h"

static gboolean
may_forget(Cli *cli, const SignetToken *token, GError **error)
{
  g_autofree char *label = cli_safe(token->label);
  if (cli->yes)
    return TRUE;
  if (!cli_terminal_available(cli)) {
    base_error_set(error, SIGNET_ERROR_REFUSED, "\"%s\" is not forgotten without a yes", label);
    base_error_suggest(error, "signet", "token", "forget", token->label, "--yes", NULL);
    return FALSE;
  }
  g_autofree char *question =
      g_strdup_printf(token->lost ? "Token \"%s\" counts as lost. Forget that, too, so that it is "
                                    "used again when it turns up?"
                                  : "Forget token \"%s\" and what was on it?",
                      label);
  if (cli_terminal_confirm(cli, question))
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_CANCELLED, "\"%s\" stays remembered", label);
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *name = cli_token_name(cli);
  g_auto(GStrv) forgotten = NULL;
  if (!name)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet token forget` needs TOKEN");
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetToken) token = signet_token_describe(cli->client, name, NULL, NULL, error);
  if (!token)
    return FALSE;
  g_autofree char *label = cli_safe(token->label);
  if (token->state != SIGNET_TOKEN_ABSENT)
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "token \"%s\" is here: only one that is away can be forgotten", label);
  if (!may_forget(cli, token, error) ||
      !signet_token_forget(cli->client, token->uri, &forgotten, error))
    return FALSE;
  cli_say(cli, "Token \"%s\" is forgotten. Put in again, it is known again.", label);
  for (int i = 0; forgotten && forgotten[i]; i++) {
    g_autofree char *line = cli_safe(forgotten[i]);
    cli_say(cli, "Forgotten: %s", line);
  }
  return cli_json(cli,
                  json_pack("{s:o, s:o}", "token", cli_json_text(token->label), "forgotten",
                            cli_json_strv(forgotten)),
                  error);
}

const CliVerb cli_token_forget = {
  .group = "token",
  .name = "forget",
  .arguments = "TOKEN",
  .max_arguments = 1,
  .help = "drop what is remembered of a token that is away",
  .more = "Nothing on the token itself is changed. Asks first, or wants --yes.",
  .example = "signet token forget \"old card\"",
  .run = run,
};
