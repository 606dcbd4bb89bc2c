/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/secret.h"
#include "cli/verbs.h"

static gboolean
change(Cli *cli, const SignetToken *token, GError **error)
{
  g_autofree char *label = cli_safe(token->label);
  g_autofree char *old_prompt = g_strdup_printf("Present PIN of token \"%s\"", label);
  g_autofree char *new_prompt = g_strdup_printf("New PIN of token \"%s\"", label);
  g_autoptr(BaseSecret) old_pin = cli_pin_get(cli, "pin-fd", old_prompt, FALSE, error);
  g_autoptr(BaseSecret) new_pin =
      old_pin ? cli_pin_get(cli, "pin-fd", new_prompt, TRUE, error) : NULL;
  if (!new_pin)
    return FALSE;
  if (base_secret_length(new_pin) == 0)
    return base_error_set(error, SIGNET_ERROR_PIN_REFUSED,
                          "the new PIN is empty; nothing was changed");
  if (!signet_token_change_pin(cli->client, token->label, base_secret_text(old_pin),
                               base_secret_text(new_pin), error))
    return FALSE;
  cli_say(cli, "The PIN of token \"%s\" is changed.", label);
  return cli_json(cli, json_pack("{s:o, s:b}", "token", cli_json_text(token->label), "changed", 1),
                  error);
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *name = cli_token_name(cli);
  if (!name)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet token pin` needs TOKEN");
  if (g_strcmp0(cli_text(cli, "which"), "user") != 0 && cli_text(cli, "which"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--which %s is not in this version",
                          cli_text(cli, "which"));
  if (!cli_connect(cli, error))
    return FALSE;
  /* A wrong name is said before anybody types a PIN. */
  g_autoptr(SignetToken) token = signet_token_describe(cli->client, name, NULL, NULL, error);
  return token && change(cli, token, error);
}

static const CliOption options[] = {
  { "which", 0, CLI_CHOICE, "user|sign|puk|so|management", "which PIN (user)" },
  { 0 },
};

const CliVerb cli_token_pin = {
  .group = "token",
  .name = "pin",
  .arguments = "TOKEN",
  .max_arguments = 1,
  .help = "change a token's PIN",
  .more = "--pin-fd N: two lines, the old PIN and the new one.",
  .example = "signet token pin \"Alice's card\"",
  .options = options,
  .run = run,
};
