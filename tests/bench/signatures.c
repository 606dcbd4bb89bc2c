/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Signatures per second, by kind of key, number of clients and peer. For each count of clients all
 * peers are started, then measured in turn (A B C … A B C …) so that a busy moment of the machine
 * hits all alike; the median of the rounds counts. */

#include "bench.h"
#include "group.h"
#include "processes.h"
#include "report.h"
#include "servers.h"

#include <string.h>

typedef enum { IN_PROCESS, P11_KIT, GPG_AGENT, GPG_SCD, SIGNET, N_SERVERS } Server;

static const struct {
  const char *name;  /* on the command line and in JSON */
  const char *title; /* in the table */
  const char *peer;  /* bench-client's */
  Server server;
  gboolean threads;  /* clients are threads of one process, else processes */
  gboolean rsa_only; /* gnupg-pkcs11-scd(1): "supports (for the time being) only RSA key pairs" */
} contestants[] = {
  { "pkcs11", "PKCS#11 in process", "pkcs11", IN_PROCESS, TRUE, FALSE },
  { "libp11", "libp11 in process", "libp11", IN_PROCESS, TRUE, FALSE },
  { "p11-kit-threads", "p11-kit server, threads", "pkcs11", P11_KIT, TRUE, FALSE },
  { "p11-kit-processes", "p11-kit server, processes", "pkcs11", P11_KIT, FALSE, FALSE },
  { "gpg-agent", "gpg-agent + gnupg-pkcs11-scd", "gpg-agent", GPG_AGENT, FALSE, TRUE },
  { "gpg-scd", "the same, SCD commands alone", "gpg-scd", GPG_SCD, FALSE, TRUE },
  { "signet", "signet", "signet", SIGNET, FALSE, FALSE },
};

#define N_CONTESTANTS G_N_ELEMENTS(contestants)
#define FLOOD 64 /* clients that signet must bear without a failure */

static const struct {
  const char *key, *title;
  gboolean rsa;
} kinds[] = { { "bench-rsa", "RSA-2048", TRUE }, { "bench-ec", "P-256", FALSE } };

static const guint counts[] = { 1, 2, 4, 16 };

/* What came of one contestant with one kind and count. */
typedef struct {
  GArray *rates; /* double, one per round */
  double rate;   /* their median */
  guint64 signatures, failures;
  char *problem; /* of the first failure, or why it could not be measured */
} Result;

typedef struct {
  const BenchOptions *options;
  BenchSandbox *sandbox;
  char *settings[N_SERVERS];       /* the clients' environment setting, or NULL */
  char *problems[N_SERVERS];       /* why a server is not there */
  const char *told[N_CONTESTANTS]; /* the problem last noted, interned: once is enough */
} Run;

static void
result_clear(Result *result)
{
  if (result->rates)
    g_array_unref(result->rates);
  g_free(result->problem);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

static gboolean
taking_part(const Run *run, guint i)
{
  char **peers = run->options->peers;

  return i == 0 || !peers || g_strv_contains((const char *const *)peers, contestants[i].name);
}

static gboolean
wanted(const Run *run, Server server)
{
  for (guint i = 0; i < N_CONTESTANTS; i++) {
    if (contestants[i].server == server && taking_part(run, i))
      return TRUE;
  }
  return FALSE;
}

/* Those that live as long as the run. */
static void
start_servers(Run *run)
{
  g_autoptr(GError) p11_kit = NULL, signet = NULL;

  bench_progress("starting servers");
  if (wanted(run, P11_KIT) &&
      !bench_server_p11_kit(run->sandbox, "bench", &run->settings[P11_KIT], &p11_kit))
    run->problems[P11_KIT] = g_strdup(p11_kit->message);
  if (wanted(run, SIGNET) && (!bench_server_signet(run->sandbox, NULL, &signet) ||
                              !bench_server_signet_unlock(run->sandbox, "bench", &signet)))
    run->problems[SIGNET] = g_strdup(signet->message);
}

/* The card daemon is gone for good once it crashed, and the agent does not start another: a fresh
 * pair for each count of clients, so that each count has its chance. */
static void
renew_gpg_agent(Run *run, Server server)
{
  g_autoptr(GError) error = NULL;

  g_clear_pointer(&run->settings[server], g_free);
  g_clear_pointer(&run->problems[server], g_free);
  if (wanted(run, server) && !bench_server_gpg_agent(run->sandbox, &run->settings[server], &error))
    run->problems[server] = g_strdup(error->message);
}

static BenchGroup *
start_group(const Run *run, guint i, guint kind, guint clients, GError **error)
{
  gboolean p11_kit = contestants[i].server == P11_KIT;
  const BenchGroupSpec spec = {
    .peer = contestants[i].peer,
    .module = p11_kit ? BENCH_P11_KIT_CLIENT : NULL,
    .token = "bench",
    .key = kinds[kind].key,
    .setting = run->settings[contestants[i].server],
    .processes = contestants[i].threads ? 1 : clients,
    .threads = contestants[i].threads ? clients : 1,
  };
  const char *problem = run->problems[contestants[i].server];

  if (contestants[i].rsa_only && !kinds[kind].rsa)
    problem = "it has only RSA keys";
  if (problem) {
    g_set_error_literal(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, problem);
    return NULL;
  }
  return bench_group_start(run->sandbox, &spec, error);
}

static void
measure_round(BenchGroup **group, double seconds, Result *result)
{
  g_auto(BenchRound) round = { .rate = 0 };
  g_autoptr(GError) error = NULL;

  if (!bench_group_run(*group, seconds, &round, &error)) {
    g_free(result->problem);
    result->problem = g_strdup(error->message);
    result->failures++;
    g_clear_pointer(group, bench_group_free); /* it hangs: no further round */
    return;
  }
  g_array_append_val(result->rates, round.rate);
  result->signatures += round.signatures;
  result->failures += round.failures;
  if (!result->problem)
    result->problem = g_steal_pointer(&round.message);
}

/* All contestants with so many clients. FALSE only when the person stopped us. */
static gboolean
measure(Run *run, guint kind, guint clients, Result *results, GError **error)
{
  BenchGroup *groups[N_CONTESTANTS] = { NULL };

  bench_sandbox_end_adopted(run->sandbox);
  for (Server server = GPG_AGENT; server <= GPG_SCD && kinds[kind].rsa; server++)
    renew_gpg_agent(run, server);

  for (guint i = 0; i < N_CONTESTANTS; i++) {
    g_autoptr(GError) problem = NULL;
    results[i].rates = g_array_new(FALSE, FALSE, sizeof(double));
    if (!taking_part(run, i))
      continue;
    bench_progress("%s, %u clients: starting %s", kinds[kind].title, clients, contestants[i].title);
    groups[i] = start_group(run, i, kind, clients, &problem);
    if (problem)
      results[i].problem = g_strdup(problem->message);
  }
  for (guint round = 0; round < run->options->rounds && !bench_stopped(NULL); round++) {
    bench_progress("%s, %u clients: round %u of %u", kinds[kind].title, clients, round + 1,
                   run->options->rounds);
    for (guint i = 0; i < N_CONTESTANTS && !bench_stopped(NULL); i++) {
      if (groups[i])
        measure_round(&groups[i], run->options->seconds, &results[i]);
    }
  }
  for (guint i = 0; i < N_CONTESTANTS; i++) {
    bench_group_free(groups[i]);
    results[i].rate = bench_median(results[i].rates);
  }
  return !bench_stopped(error);
}

static char *
result_cell(const Result *result, double in_process)
{
  if (result->rates->len == 0)
    return g_strdup("-");
  if (result->failures > 0 && result->rate < 1)
    return g_strdup("fails");
  return g_strdup_printf("%.0f  %.2f%s", result->rate,
                         in_process > 0 ? result->rate / in_process : 0,
                         result->failures > 0 ? " F" : "  ");
}

static json_t *
result_json(guint i, guint kind, guint clients, const Result *result, double in_process)
{
  json_t *rates = json_array();

  for (guint n = 0; n < result->rates->len; n++)
    json_array_append_new(rates, json_real(g_array_index(result->rates, double, n)));
  return json_pack("{s:s, s:s, s:I, s:f, s:f, s:o, s:I, s:I, s:s?}", "peer", contestants[i].name,
                   "key", kinds[kind].title, "clients", (json_int_t)clients, "per_second",
                   result->rate, "ratio", in_process > 0 ? result->rate / in_process : 0, "rounds",
                   rates, "signatures", (json_int_t)result->signatures, "failures",
                   (json_int_t)result->failures, "problem", result->problem);
}

static void
note_problem(Run *run, BenchTable *table, guint i, guint clients, const Result *result)
{
  const char *name = contestants[i].title;
  const char *problem = g_intern_string(result->problem);

  if (result->failures > 0)
    bench_table_note(table,
                     "F: %s, %u clients: %" G_GUINT64_FORMAT " failures beside %" G_GUINT64_FORMAT
                     " signatures: %s",
                     name, clients, result->failures, result->signatures, problem);
  else if (problem && problem != run->told[i])
    bench_table_note(table, "-: %s, %u clients: %s", name, clients, problem);
  run->told[i] = problem;
}

static gboolean
measure_kind(Run *run, guint kind, json_t *figures, GError **error)
{
  g_autofree char *title = g_strdup_printf(
      "%s: signatures per second and ratio to in-process, by number of clients", kinds[kind].title);
  g_autoptr(BenchTable) table = bench_table_new(title);
  char *cells[N_CONTESTANTS][G_N_ELEMENTS(counts) + 2] = { { NULL } };
  gboolean good = TRUE;

  bench_table_rowv(table, "", "1       ", "2       ", "4       ", "16       ", NULL);
  for (guint c = 0; c < G_N_ELEMENTS(counts) && good; c++) {
    Result results[N_CONTESTANTS] = { 0 };
    good = measure(run, kind, counts[c], results, error);
    for (guint i = 0; i < N_CONTESTANTS; i++) {
      cells[i][c + 1] = result_cell(&results[i], results[0].rate);
      if (taking_part(run, i)) {
        json_array_append_new(figures,
                              result_json(i, kind, counts[c], &results[i], results[0].rate));
        note_problem(run, table, i, counts[c], &results[i]);
      }
      result_clear(&results[i]);
    }
  }
  for (guint i = 0; i < N_CONTESTANTS; i++) {
    cells[i][0] = g_strdup(contestants[i].title);
    if (taking_part(run, i))
      bench_table_row(table, (const char *const *)cells[i]);
    for (guint c = 0; c < G_N_ELEMENTS(counts) + 1; c++)
      g_free(cells[i][c]);
  }
  bench_table_print(table);
  return good;
}

/* Many clients at once: not for the rate, but for whether every one is served. */
static void
measure_flood(Run *run, json_t *figures)
{
  guint i = N_CONTESTANTS - 1; /* signet */
  g_autoptr(BenchTable) table = bench_table_new("signet with 64 clients at once");
  g_auto(Result) result = { .rates = g_array_new(FALSE, FALSE, sizeof(double)) };
  g_autoptr(GError) error = NULL;

  bench_progress("%u clients: starting", FLOOD);
  BenchGroup *group = start_group(run, i, 0, FLOOD, &error);
  if (group)
    measure_round(&group, run->options->seconds, &result);
  else
    result.problem = g_strdup(error->message);
  bench_group_free(group);
  result.rate = bench_median(result.rates);
  g_autofree char *rate = g_strdup_printf("%.0f", result.rate);
  g_autofree char *failures = g_strdup_printf("%" G_GUINT64_FORMAT, result.failures);
  bench_table_rowv(table, "", "per second", "failures", NULL);
  bench_table_rowv(table, "RSA-2048", rate, group || !error ? failures : "-", NULL);
  run->told[i] = NULL;
  note_problem(run, table, i, FLOOD, &result);
  bench_table_print(table);
  json_array_append_new(figures, result_json(i, 0, FLOOD, &result, 0));
}

json_t *
bench_signatures(const BenchOptions *options, GError **error)
{
  static const char *const keys[] = { "rsa:bench-rsa:rsa@example.org", "ec:bench-ec:ec@example.org",
                                      NULL };
  g_autoptr(BenchSandbox) sandbox = bench_sandbox_new(options->programs, options->signet, error);
  Run run = { .options = options, .sandbox = sandbox };
  json_t *figures = NULL;

  if (sandbox && bench_sandbox_make_token(sandbox, "bench", keys, error)) {
    figures = json_array();
    start_servers(&run);
    gboolean good = TRUE;
    for (guint kind = 0; kind < G_N_ELEMENTS(kinds) && good; kind++)
      good = measure_kind(&run, kind, figures, error);
    if (good && taking_part(&run, N_CONTESTANTS - 1))
      measure_flood(&run, figures);
  }
  for (guint i = 0; i < N_SERVERS; i++) {
    g_free(run.settings[i]);
    g_free(run.problems[i]);
  }
  return figures;
}
