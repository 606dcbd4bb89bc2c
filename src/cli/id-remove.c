/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/verbs.h"

#include <string.h>

static gboolean
may_remove(Cli *cli, const SignetId *id, GError **error)
{
  const char *certificate = cli_text(cli, "certificate");
  g_autofree char *name = cli_safe(id->id);
  if (cli->yes)
    return TRUE;
  g_autofree char *question =
      certificate ? g_strdup_printf("Remove the certificate %s of %s?", certificate, name)
      : id->keys->len == 1
          ? g_strdup_printf("Remove %s, its key and certificates, from the tokens?", name)
          : g_strdup_printf("Remove %s, all its %u keys and certificates, from the tokens?", name,
                            id->keys->len);
  if (!cli_terminal_available(cli)) {
    base_error_set(error, SIGNET_ERROR_REFUSED, "%s is not removed without a yes", name);
    base_error_suggest(error, "signet", "id", "remove", id->id, "--yes", NULL);
    return FALSE;
  }
  if (cli_terminal_confirm(cli, question))
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_CANCELLED, "%s stays as it is", name);
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(GStrv) removed = NULL;
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetId) id = signet_id_describe(cli->client, cli_argument(cli, 0), FALSE, error);
  if (!id || !may_remove(cli, id, error))
    return FALSE;
  /* By the name that was typed: a fingerprint means less than the ID that it leads to. */
  if (!signet_id_remove(cli->client, cli_argument(cli, 0), cli_text(cli, "certificate"),
                        cli_flag(cli, "lose-mail"), &removed, error))
    return FALSE;
  for (int i = 0; removed && removed[i]; i++) {
    g_autofree char *line = cli_safe(removed[i]);
    cli_say(cli, "Removed: %s", line);
  }
  return cli_json(
      cli, json_pack("{s:o, s:o}", "id", cli_json_text(id->id), "removed", cli_json_strv(removed)),
      error);
}

static const CliOption options[] = {
  { "certificate", 0, CLI_TEXT, "FPR", "only this certificate, by its fingerprint" },
  { "lose-mail", 0, CLI_FLAG, NULL, "even the last copy of a key that opens mail: I know" },
  { 0 },
};

const CliVerb cli_id_remove = {
  .group = "id",
  .name = "remove",
  .arguments = "ID",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "remove an ID's keys and certificates from their tokens",
  .more =
      "Asks first, or wants --yes. The last copy of a key that can open mail is refused without --lose-mail.\n"
      "--pin-fd N: one line, the token's PIN.",
  .example = "signet id remove old@example.org --lose-mail",
  .options = options,
  .run = run,
};
