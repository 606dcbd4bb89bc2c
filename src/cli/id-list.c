/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/expiry.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

#define DAY (24 * 60 * 60)
#define DAYS_MAX (1000 * 366)

static gint64
now(void)
{
  return g_get_real_time() / G_USEC_PER_SEC;
}

static gboolean
is_on_token(const SignetId *id, const char *label)
{
  for (guint i = 0; i < id->keys->len; i++) {
    const SignetKey *key = g_ptr_array_index(id->keys, i);
    if ((key->tokens && g_strv_contains((const char *const *)key->tokens, label)) ||
        (key->absent && g_strv_contains((const char *const *)key->absent, label)))
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_wanted(const Cli *cli, const SignetId *id, const char *token)
{
  gint64 days = MIN(cli_number(cli, "expires-within", -1), DAYS_MAX);
  gint64 ends = cli_expiry(id);
  return (!token || is_on_token(id, token)) && (days < 0 || (ends && ends <= now() + days * DAY));
}

static void
add_once(GPtrArray *all, const char *format, const char *word)
{
  g_autofree char *text = g_strdup_printf("%s%s", format, word);
  if (!g_ptr_array_find_with_equal_func(all, text, g_str_equal, NULL))
    g_ptr_array_add(all, g_steal_pointer(&text));
}

static char *
joined(GPtrArray *words, const char *none)
{
  g_ptr_array_add(words, NULL);
  return cli_join((char *const *)words->pdata, ", ", none);
}

static char *
tokens_of(const SignetId *id)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < id->keys->len; i++) {
    const SignetKey *key = g_ptr_array_index(id->keys, i);
    for (int t = 0; key->tokens && key->tokens[t]; t++)
      add_once(all, "", key->tokens[t]);
    for (int t = 0; key->absent && key->absent[t]; t++)
      add_once(all, "away: ", key->absent[t]);
  }
  return joined(all, "-");
}

static char *
kinds_of(const SignetId *id)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < id->keys->len; i++)
    add_once(all, "", ((const SignetKey *)g_ptr_array_index(id->keys, i))->kind);
  return joined(all, "-");
}

static void
print_table(GPtrArray *ids)
{
  static const char *const headings[] = { "", "ID", "NAME", "KEY", "EXPIRES", "TOKENS", NULL };
  g_autoptr(CliTable) table = cli_table_new(headings, 2);
  for (guint i = 0; i < ids->len; i++) {
    const SignetId *id = g_ptr_array_index(ids, i);
    gint64 ends = cli_expiry(id);
    g_autofree char *day = ends ? cli_day(ends) : g_strdup("no certificate");
    g_autofree char *kinds = kinds_of(id);
    g_autofree char *tokens = tokens_of(id);
    CliStyle style = !ends                    ? CLI_DIM
                     : ends < now()           ? CLI_RED
                     : cli_expires_soon(ends) ? CLI_YELLOW
                                              : CLI_PLAIN;
    cli_table_row(table, style, id->is_default ? "*" : " ", id->id, id->name ? id->name : "-",
                  kinds, day, tokens, NULL);
  }
  cli_table_print(table);
}

static json_t *
json_of(const SignetId *id)
{
  json_t *object = cli_json_id(id);
  json_object_set_new(object, "expires", cli_json_time(cli_expiry(id)));
  return object;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_autoptr(SignetToken) token = NULL;
  if (!cli_connect(cli, error))
    return FALSE;
  if (cli_text(cli, "token") &&
      !(token = signet_token_describe(cli->client, cli_text(cli, "token"), NULL, NULL, error)))
    return FALSE;
  g_autoptr(GPtrArray) ids = signet_id_list(cli->client, FALSE, error);
  if (!ids)
    return FALSE;
  g_autoptr(GPtrArray) wanted = g_ptr_array_new();
  for (guint i = 0; i < ids->len; i++)
    if (is_wanted(cli, g_ptr_array_index(ids, i), token ? token->label : NULL))
      g_ptr_array_add(wanted, g_ptr_array_index(ids, i));
  if (cli->json) {
    json_t *list = json_array();
    for (guint i = 0; i < wanted->len; i++)
      json_array_append_new(list, json_of(g_ptr_array_index(wanted, i)));
    return cli_json(cli, json_pack("{s:o}", "ids", list), error);
  }
  if (ids->len == 0)
    cli_say(cli, "No digital ID yet. Make one: signet id new you@example.org --self-signed 365");
  else if (wanted->len == 0)
    cli_say(cli, "No ID fits.");
  else
    print_table(wanted);
  return TRUE;
}

static const CliOption options[] = {
  { "expires-within", 0, CLI_NUMBER, "DAYS",
    "only IDs whose certificate ends within so many days" },
  { 0 },
};

const CliVerb cli_id_list = {
  .group = "id",
  .name = "list",
  .arguments = "",
  .help = "list your IDs; the default one has a *",
  .example = "signet id list --expires-within 30",
  .options = options,
  .run = run,
};
