/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static void
print_modules(GPtrArray *modules)
{
  static const char *const headings[] = { "MODULE", "STATE", "TOKENS", "WHAT", NULL };
  g_autoptr(CliTable) table = cli_table_new(headings, 3);
  for (guint i = 0; i < modules->len; i++) {
    const SignetModule *module = g_ptr_array_index(modules, i);
    g_autofree char *tokens = g_strdup_printf("%d", module->tokens);
    const char *what = module->description ? module->description : module->path ? module->path : "";
    CliStyle style = strcmp(module->state, "failed") == 0   ? CLI_RED
                     : strcmp(module->state, "loaded") == 0 ? CLI_PLAIN
                                                            : CLI_DIM;
    cli_table_row(table, style, module->name, module->state, tokens, what, NULL);
  }
  cli_table_print(table);
  for (guint i = 0; i < modules->len; i++) {
    const SignetModule *module = g_ptr_array_index(modules, i);
    g_autofree char *name = cli_safe(module->name);
    g_autofree char *problem = cli_safe(module->problem);
    g_autofree char *package = cli_safe(module->package);
    if (*problem)
      cli_print_wrapped("%s: %s", name, problem);
    else if (strcmp(module->state, "missing") == 0 && *package)
      cli_print_wrapped("%s: not installed; it is in the package %s", name, package);
  }
}

static gboolean
list(Cli *cli, GError **error)
{
  g_autoptr(GPtrArray) modules = signet_module_list(cli->client, error);
  if (!modules)
    return FALSE;
  if (!cli->json) {
    print_modules(modules);
    return TRUE;
  }
  json_t *array = json_array();
  for (guint i = 0; i < modules->len; i++)
    json_array_append_new(array, cli_json_module(g_ptr_array_index(modules, i)));
  return cli_json(cli, json_pack("{s:o}", "modules", array), error);
}

static gboolean
add(Cli *cli, const char *path, GError **error)
{
  g_autofree char *absolute =
      strchr(path, '/') ? g_canonicalize_filename(path, NULL) : g_strdup(path);
  g_autoptr(SignetModule) module = signet_module_add(cli->client, absolute, error);
  if (!module)
    return FALSE;
  g_autofree char *name = cli_safe(module->name);
  cli_say(cli, "Added %s: %s, %d %s.", name, module->state, module->tokens,
          module->tokens == 1 ? "token" : "tokens");
  return cli_json(cli, json_pack("{s:o}", "module", cli_json_module(module)), error);
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *what = cli_argument(cli, 0);
  if (what && (strcmp(what, "add") != 0 || cli_count(cli) != 2))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "`signet token modules` takes nothing, or add PATH");
  if (!cli_connect(cli, error))
    return FALSE;
  return what ? add(cli, cli_argument(cli, 1), error) : list(cli, error);
}

const CliVerb cli_token_modules = {
  .group = "token",
  .name = "modules",
  .arguments = "[add PATH]",
  .max_arguments = 2,
  .help = "list the PKCS#11 modules and how they do, or add one",
  .example = "signet token modules add /usr/lib/libvendor-pkcs11.so",
  .run = run,
};
