/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/expiry.h"
#include "cli/verbs.h"

#include <stdio.h>

static char *
for_how_long(gint64 started)
{
  gint64 seconds = g_get_real_time() / G_USEC_PER_SEC - started;
  if (seconds < 120)
    return g_strdup_printf("%" G_GINT64_FORMAT " s", MAX(seconds, 0));
  if (seconds < 2 * 3600)
    return g_strdup_printf("%" G_GINT64_FORMAT " min", seconds / 60);
  if (seconds < 48 * 3600)
    return g_strdup_printf("%" G_GINT64_FORMAT " h", seconds / 3600);
  return g_strdup_printf("%" G_GINT64_FORMAT " days", seconds / 86400);
}

/* IDs whose certificate ends soon, or is over: (element-type SignetId), borrowed. */
static GPtrArray *
expiring(const GPtrArray *ids)
{
  GPtrArray *soon = g_ptr_array_new();
  for (guint i = 0; ids && i < ids->len; i++)
    if (cli_expires_soon(cli_expiry(g_ptr_array_index(ids, i))))
      g_ptr_array_add(soon, g_ptr_array_index(ids, i));
  return soon;
}

static void
print_yellow(const char *text)
{
  g_autofree char *safe = cli_safe(text);
  g_autofree char *wrapped = cli_wrapped(safe, cli_columns(1));
  g_autofree char *yellow = cli_styled(1, CLI_YELLOW, wrapped);
  printf("%s\n", yellow);
}

static void
print_health(const SignetStatus *status, const GPtrArray *soon)
{
  guint warnings = status->warnings ? g_strv_length(status->warnings) : 0;
  if (warnings == 0 && soon->len == 0) {
    const char *text =
        status->ids ? "All is well." : "All is well, but there is no digital ID yet.";
    g_autofree char *green = cli_styled(1, CLI_GREEN, text);
    printf("%s\n", green);
  }
  for (guint i = 0; i < warnings; i++)
    print_yellow(status->warnings[i]);
  for (guint i = 0; i < soon->len; i++) {
    const SignetId *id = g_ptr_array_index(soon, i);
    g_autofree char *sentence = cli_expiry_sentence(id->id, cli_expiry(id));
    *sentence = g_ascii_toupper(*sentence);
    print_yellow(sentence);
  }
}

static void
print_status(const SignetStatus *status, const GPtrArray *soon)
{
  g_autofree char *up = for_how_long(status->started);
  g_autofree char *unlocked = cli_join(status->unlocked, ", ", "none");
  print_health(status, soon);
  printf("\nDaemon    signetd %s, process %d, up %s, %d %s\n", status->version, status->pid, up,
         status->connections, status->connections == 1 ? "connection" : "connections");
  printf("Tokens    %d\nIDs       %d\nUnlocked  %s\n", status->tokens, status->ids, unlocked);
  for (int i = 0; status->counter_names && status->counter_names[i]; i++)
    printf("%s%s %" G_GINT64_FORMAT, i ? ", " : "Counters  ", status->counter_names[i],
           status->counter_values[i]);
  if (status->counter_names && status->counter_names[0])
    putchar('\n');
}

static json_t *
json_expiring(const GPtrArray *soon)
{
  json_t *list = json_array();
  for (guint i = 0; i < soon->len; i++) {
    const SignetId *id = g_ptr_array_index(soon, i);
    json_array_append_new(list, json_pack("{s:o, s:o, s:[s, s, s, o]}", "id", cli_json_text(id->id),
                                          "not_after", cli_json_time(cli_expiry(id)), "try",
                                          "signet", "id", "renew", cli_json_text(id->id)));
  }
  return list;
}

static json_t *
json_of(const SignetStatus *status, const GPtrArray *soon)
{
  json_t *counters = json_object();
  for (int i = 0; status->counter_names && status->counter_names[i]; i++)
    json_object_set_new(counters, status->counter_names[i],
                        json_integer(status->counter_values[i]));
  return json_pack("{s:o, s:i, s:o, s:i, s:i, s:i, s:o, s:o, s:o, s:o}", "version",
                   cli_json_text(status->version), "pid", status->pid, "started",
                   cli_json_time(status->started), "connections", status->connections, "tokens",
                   status->tokens, "ids", status->ids, "unlocked", cli_json_strv(status->unlocked),
                   "warnings", cli_json_strv(status->warnings), "counters", counters, "expiring",
                   json_expiring(soon));
}

static gboolean
run(Cli *cli, GError **error)
{
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetStatus) status = signet_daemon_status(cli->client, error);
  if (!status)
    return FALSE;
  /* The daemon's own state is told whatever becomes of the list. */
  g_autoptr(GPtrArray) ids = signet_id_list(cli->client, FALSE, NULL);
  g_autoptr(GPtrArray) soon = expiring(ids);
  if (cli->json)
    return cli_json(cli, json_of(status, soon), error);
  print_status(status, soon);
  return TRUE;
}

const CliVerb cli_status_verb = {
  .name = "status",
  .arguments = "",
  .help = "say in one sentence whether all is well, then the details",
  .example = "signet status",
  .run = run,
};
