/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "base/error.h"
#include "cli/verbs.h"

static gboolean
read_addresses(Cli *cli, GPtrArray *addresses, GError **error)
{
  for (int i = 1; i < cli_count(cli); i++) {
    char *normal = base_address_normal(cli_argument(cli, i));
    if (!normal) {
      g_autofree char *shown = cli_safe(cli_argument(cli, i));
      return base_error_set(error, SIGNET_ERROR_USAGE, "\"%s\" is no mail address", shown);
    }
    g_ptr_array_add(addresses, normal);
  }
  gboolean none = cli_flag(cli, "none");
  if (none && addresses->len)
    return base_error_set(error, SIGNET_ERROR_USAGE, "either addresses or --none, not both");
  if (!none && !addresses->len && !cli_text(cli, "name"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "which address? One or more behind the ID, or --none to untie them");
  g_ptr_array_add(addresses, NULL);
  return TRUE;
}

/* --name alone leaves the addresses that are tied: those that no certificate names. */
static void
keep_tied(GPtrArray *addresses, const SignetId *id)
{
  g_autoptr(GHashTable) certified = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < id->keys->len; i++) {
    const SignetKey *key = g_ptr_array_index(id->keys, i);
    for (guint j = 0; j < key->certificates->len; j++) {
      const SignetCertificate *certificate = g_ptr_array_index(key->certificates, j);
      for (int k = 0; certificate->addresses && certificate->addresses[k]; k++)
        g_hash_table_add(certified, certificate->addresses[k]);
    }
  }
  g_ptr_array_set_size(addresses, 0);
  for (int i = 0; id->addresses && id->addresses[i]; i++)
    if (!g_hash_table_contains(certified, id->addresses[i]))
      g_ptr_array_add(addresses, g_strdup(id->addresses[i]));
  g_ptr_array_add(addresses, NULL);
}

static gboolean
report(Cli *cli, const char *called, const SignetId *id, GError **error)
{
  g_autofree char *before = cli_safe(called);
  g_autofree char *now = cli_safe(id->id);
  g_autofree char *all = cli_join(id->addresses, ", ", "none");
  g_autofree char *shown = cli_safe(all);
  if (g_strcmp0(before, now) != 0)
    cli_say(cli, "%s is called %s now.", before, now);
  cli_say(cli, "Addresses of %s: %s", now, shown);
  return cli_json(cli,
                  json_pack("{s:o, s:o, s:o}", "id", cli_json_text(id->id), "addresses",
                            cli_json_strv(id->addresses), "name", cli_json_text(id->name)),
                  error);
}

static gboolean
run(Cli *cli, GError **error)
{
  g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(g_free);
  if (!read_addresses(cli, addresses, error) || !cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetId) id = signet_id_describe(cli->client, cli_argument(cli, 0), FALSE, error);
  if (!id)
    return FALSE;
  if (addresses->len == 1 && !cli_flag(cli, "none"))
    keep_tied(addresses, id);
  g_autofree char *called = NULL;
  if (!signet_id_set_addresses(cli->client, cli_argument(cli, 0),
                               (const char *const *)addresses->pdata, cli_text(cli, "name"),
                               &called, error))
    return FALSE;
  g_autoptr(SignetId) now = signet_id_describe(cli->client, called, FALSE, error);
  return now && report(cli, id->id, now, error);
}

static const CliOption options[] = {
  { "name", 0, CLI_TEXT, "CN", "the person's name" },
  { "none", 0, CLI_FLAG, NULL, "untie the addresses that were tied before" },
  { 0 },
};

const CliVerb cli_id_address = {
  .group = "id",
  .name = "address",
  .arguments = "ID [ADDRESS…]",
  .min_arguments = 1,
  .max_arguments = -1,
  .help = "tie an ID to mail addresses that its certificates do not name",
  .more =
      "For cards whose certificates have no address. Those given now are in place of those given before; addresses in certificates stay. Nothing is written to the card.",
  .example = "signet id address \"CARD HOLDER\" alice@example.org",
  .options = options,
  .run = run,
};
