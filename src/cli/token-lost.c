/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/verbs.h"

static gboolean
may_disable(Cli *cli, const SignetToken *token, GError **error)
{
  g_autofree char *label = cli_safe(token->label);
  if (cli->yes || cli_flag(cli, "found"))
    return TRUE;
  if (!cli_terminal_available(cli)) {
    base_error_set(error, SIGNET_ERROR_REFUSED, "\"%s\" is not given up without a yes", label);
    base_error_suggest(error, "signet", "token", "lost", token->label, "--yes", NULL);
    return FALSE;
  }
  g_autofree char *question =
      g_strdup_printf("Token \"%s\" is lost or stolen: use its keys no more?", label);
  if (cli_terminal_confirm(cli, question))
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_CANCELLED, "\"%s\" stays as it is", label);
}

static void
print_lines(const Cli *cli, const char *heading, char *const *lines)
{
  if (lines && lines[0])
    cli_say(cli, "%s", heading);
  for (int i = 0; lines && lines[i]; i++) {
    g_autofree char *line = cli_safe(lines[i]);
    cli_say(cli, "  %s", line);
  }
}

/* What a person would forget in the fright. */
static void
print_advice(const Cli *cli, const SignetLoss *loss)
{
  print_lines(cli, "On it were:", loss->keys);
  print_lines(cli, "Of these no other token has a copy:", loss->only);
  if (!loss->keys || !loss->keys[0])
    return;
  cli_say(cli, "What to do now:");
  cli_say(cli, "  1. Have the CA revoke the certificates of what was on it:");
  for (int i = 0; loss->ids && loss->ids[i]; i++) {
    g_autofree char *id = cli_safe(loss->ids[i]);
    cli_say(cli, "       signet id enroll %s --cmp URL --revoke key-compromise", id);
  }
  cli_say(cli, "     or call the CA, or use its web page.");
  cli_say(cli, "  2. Bring back the keys that open old mail from the file you kept of them:");
  cli_say(cli, "       signet import FILE");
  cli_say(cli, "  3. Get a new ID on another token: signet id new ADDRESS --token T");
  cli_say(cli, "  4. Send the people who write to you the new certificate: signet id cert ID");
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *name = cli_token_name(cli);
  gboolean found = cli_flag(cli, "found");
  if (!name)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet token lost` needs TOKEN");
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetToken) token = signet_token_describe(cli->client, name, NULL, NULL, error);
  if (!token || !may_disable(cli, token, error))
    return FALSE;
  g_autoptr(SignetLoss) loss = signet_token_mark_lost(cli->client, token->uri, !found, error);
  if (!loss)
    return FALSE;
  g_autofree char *label = cli_safe(token->label);
  cli_say(cli,
          found
              ? "Token \"%s\" is in use again."
              : "Token \"%s\" counts as lost: its keys are used no more, even when it comes back.",
          label);
  if (!found)
    print_advice(cli, loss);
  return cli_json(cli,
                  json_pack("{s:o, s:b, s:o, s:o, s:o}", "token", cli_json_text(token->label),
                            "lost", !found, "ids", cli_json_strv(loss->ids), "keys",
                            cli_json_strv(loss->keys), "only", cli_json_strv(loss->only)),
                  error);
}

static const CliOption options[] = {
  { "found", 0, CLI_FLAG, NULL, "it turned up again: use it as before" },
  { 0 },
};

const CliVerb cli_token_lost = {
  .group = "token",
  .name = "lost",
  .arguments = "TOKEN",
  .max_arguments = 1,
  .help = "a token was lost or stolen: use it no more, and say what to do",
  .more = "Asks first, or wants --yes.",
  .example = "signet token lost \"Alice's card\"",
  .options = options,
  .run = run,
};
