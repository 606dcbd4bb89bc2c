/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/secret.h"
#include "cli/verbs.h"

#include <stdio.h>

static gboolean
check_options(Cli *cli, GError **error)
{
  if (!cli_text(cli, "label"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "a token needs a name: --label NAME");
  if (cli_flag(cli, "soft") && (cli_text(cli, "module") || cli_token_name(cli)))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--soft makes a new token; it goes with no --module or token");
  return TRUE;
}

static gboolean
get_pins(Cli *cli, BaseSecret **ret_pin, BaseSecret **ret_so_pin, GError **error)
{
  g_autofree char *label = cli_safe(cli_text(cli, "label"));
  g_autofree char *prompt = g_strdup_printf("New PIN for token \"%s\"", label);
  g_autoptr(BaseSecret) pin = cli_pin_get(cli, "pin-fd", prompt, TRUE, error);
  if (!pin)
    return FALSE;
  GError *failed = NULL;
  const char *from = cli_flag(cli, "so-pin-fd") ? "so-pin-fd" : "pin-fd";
  g_autoptr(BaseSecret) so_pin = cli_pin_optional(cli, from, "the SO PIN", &failed);
  if (failed) {
    g_propagate_error(error, failed);
    return FALSE;
  }
  if (base_secret_length(pin) == 0)
    return base_error_set(error, SIGNET_ERROR_PIN_REFUSED,
                          "the new PIN is empty; give the token a PIN");
  *ret_pin = g_steal_pointer(&pin);
  *ret_so_pin = so_pin && base_secret_length(so_pin) ? g_steal_pointer(&so_pin) : NULL;
  return TRUE;
}

static gboolean
report(Cli *cli, const SignetToken *token, const char *so_pin, GError **error)
{
  if (cli->json) {
    json_t *object = json_pack("{s:o}", "token", cli_json_token(token));
    if (so_pin)
      json_object_set_new(object, "so_pin", json_string(so_pin));
    return cli_json(cli, object, error);
  }
  g_autofree char *label = cli_safe(token->label);
  cli_say(cli, "Token \"%s\" is ready, serial %s.", label, token->serial);
  if (so_pin)
    printf(
        "SO PIN: %s\nWrite it down now, it is not shown again: it unblocks the token when the PIN is lost.\n",
        so_pin);
  cli_say(cli, "Next: signet id new you@example.org --token \"%s\" --self-signed 365", label);
  return TRUE;
}

static gboolean
run(Cli *cli, GError **error)
{
  if (!check_options(cli, error))
    return FALSE;
  g_autoptr(BaseSecret) pin = NULL;
  g_autoptr(BaseSecret) so_pin = NULL;
  if (!cli_connect(cli, error) || !get_pins(cli, &pin, &so_pin, error))
    return FALSE;
  SignetTokenInit init = {
    .label = cli_text(cli, "label"),
    .pin = base_secret_text(pin),
    .so_pin = so_pin ? base_secret_text(so_pin) : NULL,
    .soft = cli_flag(cli, "soft"),
    .token = cli_token_name(cli),
    .module = cli_text(cli, "module"),
  };
  char *invented = NULL;
  g_autoptr(SignetToken) token = signet_token_init(cli->client, &init, &invented, error);
  if (!token)
    return FALSE;
  gboolean told = report(cli, token, init.soft ? NULL : invented, error);
  base_wipe_string(invented);
  return told;
}

static const CliOption options[] = {
  { "label", 'l', CLI_TEXT, "NAME", "what to call the token" },
  { "soft", 0, CLI_FLAG, NULL, "a soft token of signet's own, on this computer" },
  { "module", 0, CLI_TEXT, "M", "the PKCS#11 module: a profile's name, or a path" },
  { 0 },
};

const CliVerb cli_token_init = {
  .group = "token",
  .name = "init",
  .arguments = "--label NAME [TOKEN]",
  .max_arguments = 1,
  .help = "make a token ready for use: a blank one, or a new soft one",
  .more =
      "A token that holds anything, or has a PIN, is refused.\n"
      "--pin-fd N: two lines, the new PIN and the SO PIN; without the second line one is invented "
      "and shown once (not for a soft token, which needs none).",
  .example = "signet token init --soft --label me",
  .options = options,
  .run = run,
};
