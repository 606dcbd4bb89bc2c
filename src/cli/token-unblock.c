/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/secret.h"
#include "cli/verbs.h"

static gboolean
unblock(Cli *cli, const SignetToken *token, GError **error)
{
  g_autofree char *label = cli_safe(token->label);
  g_autofree char *so_prompt = g_strdup_printf("SO PIN or PUK of token \"%s\"", label);
  g_autofree char *new_prompt = g_strdup_printf("New PIN of token \"%s\"", label);
  const char *so_from = cli_flag(cli, "so-pin-fd") ? "so-pin-fd" : "pin-fd";
  g_autoptr(BaseSecret) so_pin = cli_pin_get(cli, so_from, so_prompt, FALSE, error);
  g_autoptr(BaseSecret) new_pin =
      so_pin ? cli_pin_get(cli, "pin-fd", new_prompt, TRUE, error) : NULL;
  if (!new_pin)
    return FALSE;
  if (base_secret_length(new_pin) == 0)
    return base_error_set(error, SIGNET_ERROR_PIN_REFUSED,
                          "the new PIN is empty; nothing was changed");
  if (!signet_token_unblock(cli->client, token->label, base_secret_text(so_pin),
                            base_secret_text(new_pin), error))
    return FALSE;
  cli_say(cli, "Token \"%s\" has its new PIN.", label);
  return cli_json(
      cli, json_pack("{s:o, s:b}", "token", cli_json_text(token->label), "unblocked", 1), error);
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *name = cli_token_name(cli);
  if (!name)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet token unblock` needs TOKEN");
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetToken) token = signet_token_describe(cli->client, name, NULL, NULL, error);
  return token && unblock(cli, token, error);
}

const CliVerb cli_token_unblock = {
  .group = "token",
  .name = "unblock",
  .arguments = "TOKEN",
  .max_arguments = 1,
  .help = "set a new PIN with the SO PIN or PUK",
  .more =
      "--pin-fd N: two lines, the unblocking PIN and the new PIN; with --so-pin-fd only the new PIN.",
  .example = "signet token unblock \"Alice's card\"",
  .run = run,
};
