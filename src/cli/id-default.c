/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/verbs.h"

static gboolean
run(Cli *cli, GError **error)
{
  if (!cli_connect(cli, error) || !signet_id_set_default(cli->client, cli_argument(cli, 0), error))
    return FALSE;
  g_autoptr(SignetId) id = signet_id_describe(cli->client, cli_argument(cli, 0), FALSE, error);
  if (!id)
    return FALSE;
  g_autofree char *name = cli_safe(id->id);
  cli_say(cli, "%s is the default ID now.", name);
  return cli_json(cli, json_pack("{s:o}", "default", cli_json_text(id->id)), error);
}

const CliVerb cli_id_default = {
  .group = "id",
  .name = "default",
  .arguments = "ID",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "choose the ID that is used when nothing else decides",
  .example = "signet id default alice@example.org",
  .run = run,
};
