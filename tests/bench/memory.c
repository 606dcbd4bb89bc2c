/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the daemon keeps resident: idle, while a full token is listed, and after many signatures.
 * The broker and its token hosts, each from /proc. */

#include "bench.h"
#include "group.h"
#include "processes.h"
#include "report.h"
#include "servers.h"

#include <string.h>

#define LISTINGS 5

typedef struct {
  GPid broker;
  BenchTable *table;
  json_t *figures;
} Daemon;

/* The largest of the hosts: each is one module with one configuration. */
static gint64
hosts_memory(pid_t broker, const char *field)
{
  g_autoptr(GArray) hosts = bench_process_children(broker);
  gint64 largest = 0;

  for (guint i = 0; i < hosts->len; i++)
    largest = MAX(largest, bench_process_memory(g_array_index(hosts, pid_t, i), field));
  return largest;
}

static void
look(const Daemon *daemon, const char *when, const char *field)
{
  gint64 broker = bench_process_memory(daemon->broker, field);
  gint64 host = hosts_memory(daemon->broker, field);
  g_autofree char *broker_cell = g_strdup_printf("%.1f", (double)broker / 1024);
  g_autofree char *host_cell = g_strdup_printf("%.1f", (double)host / 1024);

  bench_table_rowv(daemon->table, when, broker_cell, host_cell, NULL);
  json_array_append_new(daemon->figures,
                        json_pack("{s:s, s:s, s:I, s:I}", "when", when, "field", field,
                                  "broker_kib", (json_int_t)broker, "host_kib", (json_int_t)host));
}

static gboolean
list_ids(const BenchSandbox *sandbox, GError **error)
{
  g_autofree char *signet = bench_sandbox_signet(sandbox, "signet");
  const char *const argv[] = { signet, "id", "list", NULL };

  for (guint i = 0; i < LISTINGS; i++) {
    bench_progress("memory: listing %u of %u", i + 1, LISTINGS);
    if (!bench_sandbox_run(sandbox, argv, NULL, NULL, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
sign_many(const BenchSandbox *sandbox, guint64 count, GError **error)
{
  const BenchGroupSpec spec = {
    .peer = "signet", .token = "bench", .key = "k0001", .processes = 1, .threads = 1
  };
  g_autoptr(BenchGroup) group = bench_group_start(sandbox, &spec, error);
  g_auto(BenchRound) round = { .rate = 0 };

  bench_progress("memory: %" G_GUINT64_FORMAT " signatures", count);
  if (!group || !bench_group_run_count(group, count, &round, error))
    return FALSE;
  if (round.failures > 0) {
    g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "signing failed: %s", round.message);
    return FALSE;
  }
  return TRUE;
}

static gboolean
measure(const BenchOptions *options, BenchSandbox *sandbox, Daemon *daemon, GError **error)
{
  g_autofree char *after_signatures =
      g_strdup_printf("after %" G_GUINT64_FORMAT " signatures", options->many);
  g_autofree char *after_more =
      g_strdup_printf("after %" G_GUINT64_FORMAT " signatures", 2 * options->many);
  g_autofree char *peak = g_strdup_printf("at most, while %u IDs are listed", options->many_keys);

  if (!bench_server_signet(sandbox, &daemon->broker, error) ||
      !bench_server_signet_unlock(sandbox, "bench", error))
    return FALSE;
  look(daemon, "idle, token unlocked", "VmRSS");
  if (!sign_many(sandbox, options->many, error))
    return FALSE;
  look(daemon, after_signatures, "VmRSS");
  if (!sign_many(sandbox, options->many, error))
    return FALSE;
  look(daemon, after_more, "VmRSS");
  if (!list_ids(sandbox, error))
    return FALSE;
  look(daemon, peak, "VmHWM");
  look(daemon, "idle again", "VmRSS");
  return TRUE;
}

json_t *
bench_memory(const BenchOptions *options, GError **error)
{
  g_autofree char *keys = g_strdup_printf("ec*%u", options->many_keys);
  const char *const specs[] = { keys, NULL };
  g_autofree char *title =
      g_strdup_printf("Resident memory in MiB, with %u IDs on the token", options->many_keys);
  g_autoptr(BenchTable) table = bench_table_new(title);
  g_autoptr(BenchSandbox) sandbox = bench_sandbox_new(options->programs, options->signet, error);
  Daemon daemon = { .table = table };

  bench_progress("memory: making %u keys", options->many_keys);
  if (!sandbox || !bench_sandbox_make_token(sandbox, "bench", specs, error))
    return NULL;
  daemon.figures = json_array();
  bench_table_rowv(table, "", "broker", "largest host", NULL);
  measure(options, sandbox, &daemon, error);
  bench_table_print(table);
  return daemon.figures;
}
