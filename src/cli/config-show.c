/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/config.h"
#include "base/error.h"
#include "cli/verbs.h"
#include "cms/cms.h"

#include <string.h>

static const char *
origin_name(BaseConfigOrigin origin)
{
  static const char *const names[] = { "default", "system", "user", "enforced" };
  return names[origin];
}

/* (nullable) what is wrong with the value. */
static char *
problem_of(BaseConfig *config, const BaseSetting *setting)
{
  g_autoptr(GError) error = NULL;
  const char *path = NULL;
  const char *value = base_config_text(config, setting->group, setting->key);
  base_config_origin(config, setting->group, setting->key, &path);
  if (!base_setting_check(config, setting, &error))
    return g_strdup(error->message);
  if (strcmp(setting->key, "cipher") == 0 && value && !cms_cipher_check(value, &error))
    return g_strdup_printf("%s: cipher in [mail]: %s", path, error->message);
  return NULL;
}

static char *
value_text(BaseConfig *config, const BaseSetting *setting)
{
  if (base_config_origin(config, setting->group, setting->key, NULL) == BASE_CONFIG_DEFAULT)
    return g_strdup(setting->fallback);
  if (setting->kind != BASE_SETTING_LIST)
    return g_strdup(base_config_text(config, setting->group, setting->key));
  g_auto(GStrv) list = base_config_list(config, setting->group, setting->key);
  return cli_join(list, ", ", "none");
}

static json_t *
json_value(BaseConfig *config, const BaseSetting *setting)
{
  if (setting->kind == BASE_SETTING_LIST) {
    g_auto(GStrv) list = base_config_list(config, setting->group, setting->key);
    return cli_json_strv(list);
  }
  return cli_json_text(base_config_text(config, setting->group, setting->key));
}

static json_t *
json_of(BaseConfig *config, const GPtrArray *unknown)
{
  json_t *settings = json_array();
  json_t *others = json_array();
  for (const BaseSetting *setting = base_settings; setting->group; setting++) {
    const char *path = NULL;
    BaseConfigOrigin origin = base_config_origin(config, setting->group, setting->key, &path);
    g_autofree char *problem = problem_of(config, setting);
    json_array_append_new(settings,
                          json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:s, s:o}", "group",
                                    setting->group, "key", setting->key, "value",
                                    json_value(config, setting), "origin", origin_name(origin),
                                    "file", cli_json_text(path), "default", setting->fallback,
                                    "help", setting->help, "problem", cli_json_text(problem)));
  }
  for (guint i = 0; i < unknown->len; i++) {
    const BaseUnknown *line = g_ptr_array_index(unknown, i);
    json_array_append_new(others,
                          json_pack("{s:o, s:o, s:o, s:i}", "group", cli_json_text(line->group),
                                    "key", cli_json_text(line->key), "file",
                                    cli_json_text(line->path), "line", line->line));
  }
  return json_pack("{s:o, s:o}", "settings", settings, "unknown", others);
}

static void
print_settings(Cli *cli, BaseConfig *config)
{
  static const char *const headings[] = { "SETTING", "VALUE", "FROM", NULL };
  g_autoptr(CliTable) table = cli_table_new(headings, 2);
  for (const BaseSetting *setting = base_settings; setting->group; setting++) {
    const char *path = NULL;
    BaseConfigOrigin origin = base_config_origin(config, setting->group, setting->key, &path);
    g_autofree char *name = g_strdup_printf("[%s] %s", setting->group, setting->key);
    g_autofree char *value = value_text(config, setting);
    g_autofree char *from = origin == BASE_CONFIG_DEFAULT    ? g_strdup("default")
                            : origin == BASE_CONFIG_ENFORCED ? g_strdup_printf("%s, enforced", path)
                                                             : g_strdup(path);
    cli_table_row(table, origin == BASE_CONFIG_DEFAULT ? CLI_DIM : CLI_PLAIN, name,
                  value ? value : "?", from, NULL);
  }
  if (!cli->quiet)
    cli_table_print(table);
}

static void
note_problems(Cli *cli, BaseConfig *config, const GPtrArray *unknown)
{
  for (const BaseSetting *setting = base_settings; setting->group; setting++) {
    g_autofree char *problem = problem_of(config, setting);
    if (problem)
      cli_note(cli, "%s", problem);
  }
  for (guint i = 0; i < unknown->len; i++) {
    const BaseUnknown *line = g_ptr_array_index(unknown, i);
    cli_note(cli, "%s, line %d: %s in [%s] is no setting, and does nothing", line->path, line->line,
             line->key, line->group);
  }
}

static gboolean
run(Cli *cli, GError **error)
{
  g_autoptr(BaseConfig) config = base_config_load(error);
  if (!config)
    return FALSE;
  g_autoptr(GPtrArray) unknown = base_config_unknown(config);
  if (cli->json)
    return cli_json(cli, json_of(config, unknown), error);
  if (cli_flag(cli, "explain")) {
    for (const BaseSetting *setting = base_settings; setting->group; setting++)
      cli_say(cli, "[%s] %s (%s)\n    %s", setting->group, setting->key, setting->fallback,
              setting->help);
    return TRUE;
  }
  print_settings(cli, config);
  note_problems(cli, config, unknown);
  return TRUE;
}

static const CliOption options[] = {
  { "explain", 0, CLI_FLAG, NULL, "what each setting is for, and what counts without it" },
  { 0 },
};

const CliVerb cli_config_show = {
  .group = "config",
  .name = "show",
  .arguments = "",
  .help = "show every setting, its value and the file it is from",
  .more = "Settings are in /etc/signet/signet.conf and $XDG_CONFIG_HOME/signet/signet.conf, which\n"
          "wins, but for what a line GROUP.KEY=VALUE in the [enforced] of /etc fixes.",
  .example = "signet config show",
  .options = options,
  .run = run,
};
