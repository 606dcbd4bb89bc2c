/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/verbs.h"

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(GStrv) locked = NULL;
  if (!cli_connect(cli, error) ||
      !signet_token_lock(cli->client, cli_token_name(cli), &locked, error))
    return FALSE;
  g_autofree char *labels = cli_join(locked, ", ", "");
  if (*labels)
    cli_say(cli, "Locked: %s.", labels);
  else
    cli_say(cli, "Nothing was unlocked.");
  return cli_json(cli, json_pack("{s:o}", "locked", cli_json_strv(locked)), error);
}

const CliVerb cli_token_lock = {
  .group = "token",
  .name = "lock",
  .arguments = "[TOKEN]",
  .max_arguments = 1,
  .help = "lock a token, or all, and forget their PINs",
  .example = "signet token lock",
  .run = run,
};
