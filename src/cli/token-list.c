/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/verbs.h"

#include <stdio.h>

static CliStyle
style_of(const SignetToken *token)
{
  if (token->state == SIGNET_TOKEN_DOWN || token->user_pin.blocked || token->lost)
    return CLI_RED;
  return token->state == SIGNET_TOKEN_PRESENT ? CLI_PLAIN : CLI_DIM;
}

static const char *
pin_word(const SignetToken *token)
{
  if (token->state != SIGNET_TOKEN_PRESENT)
    return "-";
  if (token->user_pin.blocked)
    return "blocked";
  if (!token->login_required)
    return "none";
  if (!token->user_pin.set)
    return "not set";
  return token->locked ? "locked" : "unlocked";
}

static void
print_table(GPtrArray *tokens)
{
  static const char *const headings[] = {
    "TOKEN", "STATE", "PIN", "MODEL", "SERIAL", "MODULE", NULL
  };
  g_autoptr(CliTable) table = cli_table_new(headings, 0);
  for (guint i = 0; i < tokens->len; i++) {
    const SignetToken *token = g_ptr_array_index(tokens, i);
    g_autofree char *seen = cli_day(token->last_seen);
    g_autofree char *state = token->lost ? g_strdup("lost")
                             : token->state == SIGNET_TOKEN_ABSENT
                                 ? g_strdup_printf("absent since %s", seen)
                                 : g_strdup(cli_token_state(token));
    const char *label = *token->label ? token->label : "(no label)";
    cli_table_row(table, style_of(token), label, state, pin_word(token), token->model,
                  token->serial,
                  token->soft                         ? "soft"
                  : token->profile && *token->profile ? token->profile
                                                      : token->module,
                  NULL);
  }
  cli_table_print(table);
  for (guint i = 0; i < tokens->len; i++) {
    const SignetToken *token = g_ptr_array_index(tokens, i);
    g_autofree char *label = cli_safe(token->label);
    g_autofree char *problem = cli_safe(token->problem);
    if (*problem)
      cli_print_wrapped("%s: %s", label, problem);
  }
}

static gboolean
run(Cli *cli, GError **error)
{
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(GPtrArray) tokens = signet_token_list(cli->client, error);
  if (!tokens)
    return FALSE;
  if (cli->json) {
    json_t *list = json_array();
    for (guint i = 0; i < tokens->len; i++)
      json_array_append_new(list, cli_json_token(g_ptr_array_index(tokens, i)));
    return cli_json(cli, json_pack("{s:o}", "tokens", list), error);
  }
  if (tokens->len == 0) {
    cli_say(
        cli,
        "No token. Put in a card or key, or make a soft one: signet token init --soft --label me");
    return TRUE;
  }
  print_table(tokens);
  return TRUE;
}

const CliVerb cli_token_list = {
  .group = "token",
  .name = "list",
  .arguments = "",
  .help = "list tokens: present, blank, and those seen before",
  .example = "signet token list",
  .run = run,
};
