/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/secret.h"
#include "cli/verbs.h"

static gboolean
has_display(void)
{
  return g_getenv("DISPLAY") || g_getenv("WAYLAND_DISPLAY");
}

/* NULL without an error: the daemon asks, by pinentry. */
static BaseSecret *
get_pin(Cli *cli, const SignetToken *token, GError **error)
{
  gboolean pad = token->protected_path && !cli_flag(cli, "pin-fd");
  if (pad || (!cli_flag(cli, "pin-fd") && !cli->no_input && has_display()))
    return NULL;
  g_autofree char *label = cli_safe(token->label);
  g_autofree char *prompt =
      token->user_pin.tries_left >= 0
          ? g_strdup_printf("PIN of token \"%s\" (%d left)", label, token->user_pin.tries_left)
          : g_strdup_printf("PIN of token \"%s\"%s", label,
                            token->user_pin.final_try ? " (last try)" : "");
  return cli_pin_get(cli, "pin-fd", prompt, FALSE, error);
}

static gboolean
try_pin(Cli *cli, const SignetToken *token, const char *pin, gboolean *ret_already, GError **error)
{
  GError *failed = NULL;
  if (signet_token_unlock(cli->client, token->label, pin, FALSE, ret_already, &failed))
    return TRUE;
  if (pin && g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_PIN_REFUSED) &&
      cli_terminal_confirm(
          cli, "This PIN was wrong before; a try is lost if it still is. Try it again?")) {
    g_clear_error(&failed);
    return signet_token_unlock(cli->client, token->label, pin, TRUE, ret_already, error);
  }
  g_propagate_error(error, failed);
  return FALSE;
}

static gboolean
unlock(Cli *cli, const SignetToken *token, gboolean *ret_already, GError **error)
{
  if (token->state == SIGNET_TOKEN_PRESENT && !token->locked) {
    *ret_already = TRUE;
    return TRUE;
  }
  GError *failed = NULL;
  g_autoptr(BaseSecret) pin = NULL;
  if (token->state == SIGNET_TOKEN_PRESENT)
    pin = get_pin(cli, token, &failed);
  if (failed) {
    g_propagate_error(error, failed);
    return FALSE;
  }
  return try_pin(cli, token, pin ? base_secret_text(pin) : NULL, ret_already, error);
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *name = cli_token_name(cli);
  gboolean already = FALSE;
  if (!name)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet token unlock` needs TOKEN");
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetToken) token = signet_token_describe(cli->client, name, NULL, NULL, error);
  if (!token || !unlock(cli, token, &already, error))
    return FALSE;
  g_autofree char *label = cli_safe(token->label);
  cli_say(cli,
          already ? "Token \"%s\" is already unlocked; no PIN was checked."
                  : "Token \"%s\" is unlocked.",
          label);
  return cli_json(cli,
                  json_pack("{s:o, s:b}", "token", cli_json_text(token->label), "already", already),
                  error);
}

const CliVerb cli_token_unlock = {
  .group = "token",
  .name = "unlock",
  .arguments = "TOKEN",
  .max_arguments = 1,
  .help = "give a token its PIN, once, for what comes next",
  .more = "--pin-fd N: one line, the PIN. It is tried once. An unlocked token stays as it is.",
  .example = "signet token unlock \"Alice's card\"",
  .run = run,
};
