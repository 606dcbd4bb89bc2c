/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/secret.h"
#include "cli/verbs.h"

#include <string.h>

typedef gboolean (*Change)(SignetClient *client, const char *token, const char *old_pin,
                           const char *new_pin, GError **error);

typedef struct {
  const char *which;
  const char *from; /* the option that names the descriptor of the present one */
  const char *name;
  Change change; /* NULL: PKCS#11 has no call for it */
} Kind;

static const Kind kinds[] = {
  { "user", "pin-fd", "PIN", signet_token_change_pin },
  { "sign", "pin-fd", "signing PIN", signet_token_change_pin },
  { "so", "so-pin-fd", "SO PIN", signet_token_change_so_pin },
  { "puk", "so-pin-fd", "PUK", NULL },
  { "management", "so-pin-fd", "management key", NULL },
};

static const Kind *
kind_wanted(const Cli *cli)
{
  const char *which = cli_text(cli, "which");
  for (gsize i = 1; which && i < G_N_ELEMENTS(kinds); i++)
    if (strcmp(which, kinds[i].which) == 0)
      return &kinds[i];
  return &kinds[0];
}

static gboolean
change(Cli *cli, const SignetToken *token, const Kind *kind, GError **error)
{
  g_autofree char *label = cli_safe(token->label);
  g_autofree char *old_prompt = g_strdup_printf("Present %s of token \"%s\"", kind->name, label);
  g_autofree char *new_prompt = g_strdup_printf("New %s of token \"%s\"", kind->name, label);
  const char *from = cli_flag(cli, kind->from) ? kind->from : "pin-fd";
  g_autoptr(BaseSecret) old_pin = cli_pin_get(cli, from, old_prompt, FALSE, error);
  g_autoptr(BaseSecret) new_pin = old_pin ? cli_pin_get(cli, from, new_prompt, TRUE, error) : NULL;
  if (!new_pin)
    return FALSE;
  if (base_secret_length(new_pin) == 0)
    return base_error_set(error, SIGNET_ERROR_PIN_REFUSED,
                          "the new %s is empty; nothing was changed", kind->name);
  if (!kind->change(cli->client, token->label, base_secret_text(old_pin), base_secret_text(new_pin),
                    error))
    return FALSE;
  cli_say(cli, "The %s of token \"%s\" is changed.", kind->name, label);
  return cli_json(cli,
                  json_pack("{s:o, s:s, s:b}", "token", cli_json_text(token->label), "which",
                            kind->which, "changed", 1),
                  error);
}

static gboolean
run(Cli *cli, GError **error)
{
  const Kind *kind = kind_wanted(cli);
  const char *name = cli_token_name(cli);
  if (!name)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet token pin` needs TOKEN");
  if (!cli_connect(cli, error))
    return FALSE;
  /* A wrong name is said before anybody types a PIN. */
  g_autoptr(SignetToken) token = signet_token_describe(cli->client, name, NULL, NULL, error);
  if (!token)
    return FALSE;
  if (!kind->change) {
    g_autofree char *label = cli_safe(token->label);
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "PKCS#11 cannot change the %s of \"%s\": use the tool of its maker "
                          "(ykman, pkcs15-tool, piv-tool)",
                          kind->name, label);
  }
  return change(cli, token, kind, error);
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
  .more = "--pin-fd N: two lines, the old PIN and the new one. With --which so they may come by "
          "--so-pin-fd.",
  .example = "signet token pin \"Alice's card\"",
  .options = options,
  .run = run,
};
