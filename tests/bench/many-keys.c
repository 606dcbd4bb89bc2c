/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A token full of keys: how long a list takes, cold and warm, and what a signature costs with the
 * first key, with the last, and where a program looks its key up each time (libp11's engine). */

#include "bench.h"
#include "group.h"
#include "processes.h"
#include "report.h"
#include "servers.h"

#include <string.h>

typedef struct {
  const BenchOptions *options;
  BenchSandbox *sandbox;
  BenchTable *table;
  json_t *figures;
} Run;

static void
note(const Run *run, const char *who, const char *what, double milliseconds, const char *problem)
{
  g_autofree char *cell = problem ? g_strdup("-") : g_strdup_printf("%.3f", milliseconds);

  g_autofree char *label = g_strdup_printf("%-8s %s", who, what);

  bench_table_rowv(run->table, label, cell, NULL);
  if (problem)
    bench_table_note(run->table, "-: %s, %s: %s", who, what, problem);
  json_array_append_new(run->figures, json_pack("{s:s, s:s, s:f, s:s?}", "who", who, "what", what,
                                                "milliseconds", milliseconds, "problem", problem));
}

/* libp11: a fresh process to its first key in hand (load, login, enumeration). */
static void
libp11_cold(const Run *run, const char *key)
{
  const BenchGroupSpec spec = {
    .peer = "libp11", .token = "bench", .key = key, .processes = 1, .threads = 1
  };
  g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(double));
  g_autoptr(GError) error = NULL;

  for (guint i = 0; i < run->options->rounds && !error; i++) {
    gint64 before = g_get_monotonic_time();
    BenchGroup *group = bench_group_start(run->sandbox, &spec, &error);
    double milliseconds = (double)(g_get_monotonic_time() - before) / 1000;
    g_array_append_val(times, milliseconds);
    bench_group_free(group);
  }
  note(run, "libp11", "cold: process, login, all keys", bench_median(times),
       error ? error->message : NULL);
}

static void
list_times(const Run *run, const char *what, guint times)
{
  g_autofree char *signet = bench_sandbox_signet(run->sandbox, "signet");
  const char *const argv[] = { signet, "id", "list", NULL };
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(double));

  for (guint i = 0; i < times; i++) {
    gint64 time = bench_process_time(argv, run->sandbox->env, NULL, "/dev/null");
    double milliseconds = (double)time / 1000;
    if (time >= 0)
      g_array_append_val(all, milliseconds);
  }
  note(run, "signet", what, bench_median(all), all->len == times ? NULL : "the command failed");
}

/* Each signer is measured in turn, round after round; milliseconds per signature. */
static void
signature_times(const Run *run, const char *first, const char *last)
{
  const struct {
    const char *who, *what;
    BenchGroupSpec spec;
  } signers[] = {
    { "PKCS#11", "signature, last key", { "pkcs11", NULL, "bench", last, NULL, 1, 1 } },
    { "libp11", "signature, key kept", { "libp11", NULL, "bench", last, NULL, 1, 1 } },
    { "libp11", "signature, key looked up", { "libp11-lookup", NULL, "bench", last, NULL, 1, 1 } },
    { "signet", "signature, first key", { "signet", NULL, "bench", first, NULL, 1, 1 } },
    { "signet", "signature, last key", { "signet", NULL, "bench", last, NULL, 1, 1 } },
  };
  BenchGroup *groups[G_N_ELEMENTS(signers)] = { NULL };
  GArray *times[G_N_ELEMENTS(signers)];
  GError *errors[G_N_ELEMENTS(signers)] = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS(signers); i++) {
    times[i] = g_array_new(FALSE, FALSE, sizeof(double));
    groups[i] = bench_group_start(run->sandbox, &signers[i].spec, &errors[i]);
  }
  for (guint round = 0; round < run->options->rounds && !bench_stopped(NULL); round++) {
    bench_progress("keys: signing, round %u of %u", round + 1, run->options->rounds);
    for (guint i = 0; i < G_N_ELEMENTS(signers); i++) {
      g_auto(BenchRound) result = { .rate = 0 };
      if (errors[i] || !bench_group_run(groups[i], run->options->seconds, &result, &errors[i]))
        continue;
      if (result.failures > 0)
        g_set_error(&errors[i], G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "%s", result.message);
      double milliseconds = result.rate > 0 ? 1000 / result.rate : 0;
      g_array_append_val(times[i], milliseconds);
    }
  }
  for (guint i = 0; i < G_N_ELEMENTS(signers); i++) {
    note(run, signers[i].who, signers[i].what, bench_median(times[i]),
         errors[i] ? errors[i]->message : NULL);
    bench_group_free(groups[i]);
    g_array_unref(times[i]);
    g_clear_error(&errors[i]);
  }
}

static void
measure(const Run *run, const char *last)
{
  g_autoptr(GError) error = NULL;

  libp11_cold(run, last);
  /* Cold: the daemon's socket has just appeared, the token is still locked. */
  if (bench_server_signet(run->sandbox, NULL, &error)) {
    list_times(run, "id list, cold", 1);
    list_times(run, "id list, warm, token locked", run->options->repeats);
    if (bench_server_signet_unlock(run->sandbox, "bench", &error))
      list_times(run, "id list, warm", run->options->rounds * run->options->repeats);
  }
  if (error)
    note(run, "signet", "id list", 0, error->message);
  signature_times(run, "k0001", last);
}

json_t *
bench_many_keys(const BenchOptions *options, GError **error)
{
  g_autofree char *keys = g_strdup_printf("ec*%u", options->many_keys);
  g_autofree char *last = g_strdup_printf("k%04u", options->many_keys);
  const char *const specs[] = { keys, NULL };
  g_autofree char *title =
      g_strdup_printf("%u P-256 keys on one token, milliseconds", options->many_keys);
  g_autoptr(BenchTable) table = bench_table_new(title);
  g_autoptr(BenchSandbox) sandbox = bench_sandbox_new(options->programs, options->signet, error);
  Run run = { .options = options, .sandbox = sandbox, .table = table };

  bench_progress("keys: making %u keys", options->many_keys);
  if (!sandbox || !bench_sandbox_make_token(sandbox, "bench", specs, error))
    return NULL;
  run.figures = json_array();
  bench_table_rowv(table, "", "ms", NULL);
  measure(&run, last);
  bench_table_print(table);
  bench_stopped(error);
  return run.figures;
}
