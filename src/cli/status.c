/* SPDX-License-Identifier: LGPL-2.1-or-later */
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

static void
print_health(const SignetStatus *status)
{
  guint warnings = status->warnings ? g_strv_length(status->warnings) : 0;
  if (warnings == 0) {
    const char *text =
        status->ids ? "All is well." : "All is well, but there is no digital ID yet.";
    g_autofree char *green = cli_styled(1, CLI_GREEN, text);
    printf("%s\n", green);
  }
  for (guint i = 0; i < warnings; i++) {
    g_autofree char *safe = cli_safe(status->warnings[i]);
    g_autofree char *yellow = cli_styled(1, CLI_YELLOW, safe);
    printf("%s\n", yellow);
  }
}

static void
print_status(const SignetStatus *status)
{
  g_autofree char *up = for_how_long(status->started);
  g_autofree char *unlocked = cli_join(status->unlocked, ", ", "none");
  print_health(status);
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
json_of(const SignetStatus *status)
{
  json_t *counters = json_object();
  for (int i = 0; status->counter_names && status->counter_names[i]; i++)
    json_object_set_new(counters, status->counter_names[i],
                        json_integer(status->counter_values[i]));
  return json_pack("{s:o, s:i, s:o, s:i, s:i, s:i, s:o, s:o, s:o}", "version",
                   cli_json_text(status->version), "pid", status->pid, "started",
                   cli_json_time(status->started), "connections", status->connections, "tokens",
                   status->tokens, "ids", status->ids, "unlocked", cli_json_strv(status->unlocked),
                   "warnings", cli_json_strv(status->warnings), "counters", counters);
}

static gboolean
run(Cli *cli, GError **error)
{
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetStatus) status = signet_daemon_status(cli->client, error);
  if (!status)
    return FALSE;
  if (cli->json)
    return cli_json(cli, json_of(status), error);
  print_status(status);
  return TRUE;
}

const CliVerb cli_status_verb = {
  .name = "status",
  .arguments = "",
  .help = "say in one sentence whether all is well, then the details",
  .example = "signet status",
  .run = run,
};
