/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/verbs.h"

static gboolean
may_seal(Cli *cli, const SignetId *id, GError **error)
{
  g_autofree char *name = cli_safe(id->id);
  if (cli->yes)
    return TRUE;
  if (!cli_terminal_available(cli)) {
    base_error_set(error, SIGNET_ERROR_REFUSED,
                   "keys of %s are not sealed without a yes: there is no way back", name);
    base_error_suggest(error, "signet", "id", "policy", id->id, "--never-export", "--yes", NULL);
    return FALSE;
  }
  g_autofree char *question =
      g_strdup_printf("Never again back up or move the keys of %s? Nothing can undo it.", name);
  return cli_terminal_confirm(cli, question) ||
         base_error_set(error, SIGNET_ERROR_CANCELLED, "%s stays as it is", name);
}

static void
say_all(Cli *cli, const char *what, char *const *lines)
{
  for (int i = 0; lines && lines[i]; i++) {
    g_autofree char *line = cli_safe(lines[i]);
    cli_say(cli, "%s: %s", what, line);
  }
}

static gboolean
seal(Cli *cli, const SignetId *id, GError **error)
{
  g_auto(GStrv) sealed = NULL;
  g_auto(GStrv) failed = NULL;
  if (!may_seal(cli, id, error) ||
      !signet_id_never_export(cli->client, cli_argument(cli, 0), &sealed, &failed, error))
    return FALSE;
  gboolean any = sealed && sealed[0], none_failed = !failed || !failed[0];
  g_autofree char *name = cli_safe(id->id);
  say_all(cli, "Sealed", sealed);
  say_all(cli, "Not sealed", failed);
  if (!any && none_failed)
    cli_say(cli, "No key of %s could leave its token before.", name);
  if (!none_failed)
    cli->exit_status = 1;
  return cli_json(cli,
                  json_pack("{s:o, s:b, s:o, s:o}", "id", cli_json_text(id->id), "never_export",
                            none_failed, "sealed", cli_json_strv(sealed), "failed",
                            cli_json_strv(failed)),
                  error);
}

static gboolean
show(Cli *cli, const SignetId *id, GError **error)
{
  g_autofree char *name = cli_safe(id->id);
  json_t *keys = json_array();
  cli_say(cli, "%s", name);
  for (guint i = 0; i < id->keys->len; i++) {
    const SignetKey *key = g_ptr_array_index(id->keys, i);
    char **tokens = key->tokens && key->tokens[0] ? key->tokens : key->absent;
    g_autofree char *where = cli_join(tokens, ", ", "no token");
    g_autofree char *shown = cli_safe(where);
    cli_say(cli, "  %s on %s: %s", key->kind, shown,
            key->extractable ? "can be backed up and moved" : "never leaves its token");
    json_array_append_new(keys, json_pack("{s:o, s:o, s:o, s:b}", "key", cli_json_text(key->key),
                                          "kind", cli_json_text(key->kind), "tokens",
                                          cli_json_strv(tokens), "extractable", key->extractable));
  }
  return cli_json(cli, json_pack("{s:o, s:o}", "id", cli_json_text(id->id), "keys", keys), error);
}

static gboolean
run(Cli *cli, GError **error)
{
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetId) id = signet_id_describe(cli->client, cli_argument(cli, 0), FALSE, error);
  if (!id)
    return FALSE;
  return cli_flag(cli, "never-export") ? seal(cli, id, error) : show(cli, id, error);
}

static const CliOption options[] = {
  { "never-export", 0, CLI_FLAG, NULL, "its keys are never backed up nor moved from now on" },
  { 0 },
};

const CliVerb cli_id_policy = {
  .group = "id",
  .name = "policy",
  .arguments = "ID",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "show or set what may be done with an ID's keys",
  .more = "Alone it shows. --never-export asks first, or wants --yes: there is no way back.\n"
          "--pin-fd N: one line, the token's PIN.",
  .example = "signet id policy alice@example.org --never-export",
  .options = options,
  .run = run,
};
