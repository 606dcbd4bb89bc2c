/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/root.h"
#include "cli/verbs.h"

static const char *
state_of(const TrustRoot *root)
{
  if (root->distrusted)
    return "distrusted";
  if (root->certificate->not_after < g_get_real_time() / G_USEC_PER_SEC)
    return "expired";
  return root->issued_until ? "withdrawn" : "";
}

static void
print_roots(const GPtrArray *roots)
{
  static const char *const headings[] = { "NAME", "UNTIL", "STATE", "FROM", NULL };
  g_autoptr(CliTable) table = cli_table_new(headings, 0);
  for (guint i = 0; i < roots->len; i++) {
    const TrustRoot *root = g_ptr_array_index(roots, i);
    const char *state = state_of(root);
    g_autofree char *until = cli_day(root->certificate->not_after);
    g_autofree char *origin = cli_root_origin(root->origin);
    const char *from = root->place == TRUST_PLACE_SYSTEM ? root->path : origin;
    cli_table_row(table, *state ? CLI_DIM : CLI_PLAIN, cli_root_name(root->certificate), until,
                  state, from, NULL);
  }
  cli_table_print(table);
}

static json_t *
json_of(TrustStore *store, const GPtrArray *roots)
{
  json_t *list = json_array();
  for (guint i = 0; i < roots->len; i++)
    json_array_append_new(list, cli_json_root(g_ptr_array_index(roots, i)));
  return json_pack("{s:o, s:{s:o, s:o}}", "roots", list, "mail_roots", "origin",
                   cli_json_text(trust_store_mail_origin(store)), "problem",
                   cli_json_text(trust_store_mail_problem(store)));
}

static gboolean
run(Cli *cli, GError **error)
{
  g_autoptr(TrustStore) store = trust_store_new(error);
  if (!store)
    return FALSE;
  g_autoptr(GPtrArray) roots = trust_store_list(store);
  const char *problem = trust_store_mail_problem(store);
  const char *origin = trust_store_mail_origin(store);
  if (cli->json)
    return cli_json(cli, json_of(store, roots), error);
  if (roots->len == 0)
    cli_say(cli, "No root is trusted for mail. Trust one: signet trust add FILE");
  else if (!cli->quiet)
    print_roots(roots);
  if (problem && origin)
    cli_note(cli, "%s; these are the roots of %s", problem, origin);
  else if (problem)
    cli_note(cli, "%s", problem);
  return TRUE;
}

const CliVerb cli_trust_list = {
  .group = "trust",
  .name = "list",
  .arguments = "",
  .help = "list the roots that are trusted for mail, and where each is from",
  .more = "Yours, the machine's (/etc/signet/trust.d), and those that Mozilla trusts for mail\n"
          "(NSS). What web browsers trust is never among them for that alone. \"withdrawn\": only\n"
          "certificates that it issued until some day still count (--json: issued_until).",
  .example = "signet trust list",
  .run = run,
};
