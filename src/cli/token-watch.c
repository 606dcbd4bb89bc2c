/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  Cli *cli;
  GError *error;
} Watch;

static const char *
words_for(const SignetEvent *event)
{
  if (strcmp(event->event, "in") == 0)
    return event->initial ? "is here" : "was put in";
  if (strcmp(event->event, "out") == 0)
    return "was taken out";
  if (strcmp(event->event, "locked") == 0)
    return "was locked";
  if (strcmp(event->event, "unlocked") == 0)
    return "was unlocked";
  return "changed";
}

static gboolean
print_event(const SignetEvent *event, gpointer user_data)
{
  Watch *watch = user_data;
  if (watch->cli->json) {
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "event", cli_json_text(event->event),
                  "token", cli_json_text(event->token), "serial", cli_json_text(event->serial),
                  "module", cli_json_text(event->module), "locked", event->locked, "initial",
                  event->initial, "time", cli_json_time(event->time));
    return cli_json(watch->cli, object, &watch->error);
  }
  g_autoptr(GDateTime) now = g_date_time_new_now_local();
  g_autofree char *clock = g_date_time_format(now, "%H:%M:%S");
  g_autofree char *label = cli_safe(event->token);
  printf("%s  \"%s\" %s\n", clock, label, words_for(event));
  if (fflush(stdout) == 0)
    return TRUE;
  return base_error_set_errno(&watch->error, errno, "cannot write to standard output");
}

static gboolean
run(Cli *cli, GError **error)
{
  Watch watch = { .cli = cli };
  if (!cli_connect(cli, error))
    return FALSE;
  gboolean fine = signet_token_watch(cli->client, print_event, &watch, error);
  if (watch.error) {
    g_clear_error(error);
    g_propagate_error(error, watch.error);
    return FALSE;
  }
  return fine;
}

const CliVerb cli_token_watch = {
  .group = "token",
  .name = "watch",
  .arguments = "",
  .help = "print insertions and removals as they happen, until interrupted",
  .more = "With --json one object a line.",
  .example = "signet token watch",
  .run = run,
};
