/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_SECONDS 30
/* Beyond a round's own length: the slowest operation in flight, and a busy machine. */
#define GRACE_SECONDS 15
#define MAX_LINE 4096

typedef struct {
  GPid pid;
  int in;  /* we write */
  int out; /* we read */
} Client;

struct BenchGroup {
  GArray *clients;
};

void
bench_round_clear(BenchRound *round)
{
  g_clear_pointer(&round->message, g_free);
}

static void
client_end(gpointer data)
{
  Client *client = data;

  close(client->in);
  close(client->out);
  for (guint i = 0; i < 200; i++) {
    if (waitpid(client->pid, NULL, WNOHANG) != 0)
      return;
    g_usleep(10 * 1000);
  }
  kill(client->pid, SIGKILL);
  waitpid(client->pid, NULL, 0);
}

static gboolean
client_tell(const Client *client, const char *line)
{
  return write(client->in, line, strlen(line)) == (gssize)strlen(line);
}

/* One line, without its end; NULL when the time is up or the client is gone. */
static char *
client_hear(const Client *client, gint64 deadline)
{
  g_autoptr(GString) line = g_string_new(NULL);

  while (line->len < MAX_LINE) {
    struct pollfd file = { .fd = client->out, .events = POLLIN };
    gint64 left = deadline - g_get_monotonic_time();
    char byte;
    if (left <= 0 || (poll(&file, 1, (int)(left / 1000) + 1) < 0 && errno != EINTR))
      return NULL;
    if (!file.revents)
      continue;
    if (read(client->out, &byte, 1) != 1)
      return NULL;
    if (byte == '\n')
      return g_string_free(g_steal_pointer(&line), FALSE);
    g_string_append_c(line, byte);
  }
  return NULL;
}

static gboolean
client_spawn(const BenchSandbox *sandbox, const BenchGroupSpec *spec, Client *ret_client,
             GError **error)
{
  g_autofree char *program = bench_sandbox_program(sandbox, "bench-client");
  g_autofree char *certificate = g_strconcat(sandbox->dir, "/", spec->key, ".der", NULL);
  g_autofree char *threads = g_strdup_printf("%u", spec->threads);
  const char *module = spec->module ? spec->module : BENCH_SOFTHSM_MODULE;
  const char *const argv[] = { program,   spec->peer,  module,  spec->token,
                               spec->key, certificate, threads, NULL };
  GSpawnFlags flags =
      G_SPAWN_DO_NOT_REAP_CHILD | (g_getenv("BENCH_KEEP") ? 0 : G_SPAWN_STDERR_TO_DEV_NULL);
  g_auto(GStrv) env = g_strdupv(sandbox->env);
  Client client;

  if (spec->setting) {
    g_auto(GStrv) pair = g_strsplit(spec->setting, "=", 2);
    env = g_environ_setenv(env, pair[0], pair[1], TRUE);
  }
  if (!g_spawn_async_with_pipes(sandbox->dir, (char **)(gintptr)argv, env, flags, NULL, NULL,
                                &client.pid, &client.in, &client.out, NULL, error))
    return FALSE;
  *ret_client = client;
  return TRUE;
}

BenchGroup *
bench_group_start(const BenchSandbox *sandbox, const BenchGroupSpec *spec, GError **error)
{
  g_autoptr(BenchGroup) group = g_new0(BenchGroup, 1);

  group->clients = g_array_new(FALSE, FALSE, sizeof(Client));
  g_array_set_clear_func(group->clients, client_end);
  for (guint i = 0; i < spec->processes; i++) {
    Client client;
    if (!client_spawn(sandbox, spec, &client, error))
      return NULL;
    g_array_append_val(group->clients, client);
    /* One after the other: SoftHSM 2.6.1 stumbles when several start on one token folder. */
    g_autofree char *line = NULL;
    if (client_tell(&client, BENCH_PIN "\n"))
      line = client_hear(&client, g_get_monotonic_time() + START_SECONDS * G_USEC_PER_SEC);
    if (!line || !g_str_equal(line, "ready")) {
      g_autofree char *who =
          i > 0 ? g_strdup_printf("client %u of %u: ", i + 1, spec->processes) : g_strdup("");
      g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s%s", who,
                  line ? line : "does not start, or hangs");
      return NULL;
    }
  }
  return g_steal_pointer(&group);
}

void
bench_group_free(BenchGroup *group)
{
  if (!group)
    return;
  if (group->clients)
    g_array_unref(group->clients);
  g_free(group);
}

static gboolean
add_result(const char *line, BenchRound *round)
{
  guint64 signatures, failures;
  gint64 microseconds;
  int message = 0;

  if (sscanf(line, "done %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GUINT64_FORMAT " %n",
             &signatures, &microseconds, &failures, &message) != 3 ||
      microseconds <= 0)
    return FALSE;
  round->signatures += signatures;
  round->failures += failures;
  round->rate += (double)signatures * G_USEC_PER_SEC / (double)microseconds;
  if (failures > 0 && !round->message && message > 0)
    round->message = g_strdup(line + message);
  return TRUE;
}

static gboolean
run(BenchGroup *group, guint n, const char *order, gint64 wait, BenchRound *ret_round,
    GError **error)
{
  gint64 deadline = g_get_monotonic_time() + wait;
  g_auto(BenchRound) round = { .rate = 0 };

  for (guint i = 0; i < n; i++)
    client_tell(&g_array_index(group->clients, Client, i), order);
  for (guint i = 0; i < n; i++) {
    g_autofree char *line = client_hear(&g_array_index(group->clients, Client, i), deadline);
    if (!line || !add_result(line, &round)) {
      g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "client %u of %u %s", i + 1, n,
                  line ? line : "hangs, or crashed");
      return FALSE;
    }
  }
  *ret_round = round;
  round.message = NULL;
  return TRUE;
}

gboolean
bench_group_run(BenchGroup *group, double seconds, BenchRound *ret_round, GError **error)
{
  gint64 length = (gint64)(seconds * G_USEC_PER_SEC);
  g_autofree char *order = g_strdup_printf("for %" G_GINT64_FORMAT "\n", length);

  return run(group, group->clients->len, order, length + GRACE_SECONDS * G_USEC_PER_SEC, ret_round,
             error);
}

gboolean
bench_group_run_count(BenchGroup *group, guint64 count, BenchRound *ret_round, GError **error)
{
  g_autofree char *order = g_strdup_printf("count %" G_GUINT64_FORMAT "\n", count);
  /* A millisecond each is an old machine. */
  gint64 wait = (gint64)count * 1000 + GRACE_SECONDS * G_USEC_PER_SEC;

  return run(group, 1, order, wait, ret_round, error);
}
