/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* bench-run: signet beside what people use today, in one run on one machine. */

#include "bench.h"
#include "processes.h"
#include "report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
  const char *name;
  json_t *(*run)(const BenchOptions *options, GError **error);
} parts[] = {
  { "signatures", bench_signatures }, { "commands", bench_commands },
  { "messages", bench_messages },     { "memory", bench_memory },
  { "keys", bench_many_keys },
};

static volatile sig_atomic_t stopped;

static void
stop(int signal_number G_GNUC_UNUSED)
{
  stopped = 1;
}

gboolean
bench_stopped(GError **error)
{
  if (stopped)
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INTR, "interrupted");
  return stopped != 0;
}

static void
catch_signals(void)
{
  struct sigaction action = { .sa_handler = stop };

  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN); /* a client that died is a result */
}

static char *
own_folder(void)
{
  g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);

  return self ? g_path_get_dirname(self) : g_strdup(".");
}

/* Programs of one build lie side by side; an installed signet is in the PATH. */
static char *
find_signet(const char *programs)
{
  g_autofree char *beside = g_build_filename(programs, "signet", NULL);

  if (g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE) && !g_file_test(beside, G_FILE_TEST_IS_DIR))
    return g_strdup(programs);
  g_autofree char *installed = g_find_program_in_path("signet");
  return installed ? g_path_get_dirname(installed) : NULL;
}

static BenchOptions
make_options(gboolean quick)
{
  BenchOptions options = {
    .seconds = 1, .rounds = 5, .repeats = 20, .many = 100000, .many_keys = 1000
  };

  options.quick = quick;
  if (quick) {
    options.seconds = 0.2;
    options.repeats = 5;
    options.many = 10000;
    options.many_keys = 100;
  }
  options.programs = own_folder();
  options.signet = find_signet(options.programs);
  return options;
}

static gboolean
known_part(const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
    if (g_str_equal(parts[i].name, name))
      return TRUE;
  }
  g_printerr(
      "bench-run: no part \"%s\"; there are signatures, commands, messages, memory and keys\n",
      name);
  return FALSE;
}

static gboolean
run_parts(const BenchOptions *options, const char *const *only, json_t *report)
{
  gboolean good = TRUE;

  for (guint i = 0; i < G_N_ELEMENTS(parts) && !stopped; i++) {
    g_autoptr(GError) error = NULL;
    if (only && !g_strv_contains(only, parts[i].name))
      continue;
    json_t *figures = parts[i].run(options, &error);
    if (figures)
      json_object_set_new(report, parts[i].name, figures);
    if (error) {
      bench_progress("%s", "");
      g_printerr("bench-run: %s: %s\n", parts[i].name, error->message);
      good = FALSE;
    }
  }
  return good && !stopped;
}

int
main(int argc, char **argv)
{
  gboolean quick = FALSE;
  gint runs = 0;
  g_autofree char *json_file = NULL, *signet = NULL;
  g_auto(GStrv) only = NULL;
  g_auto(GStrv) peers = NULL;
  g_auto(GStrv) sizes = NULL;
  const GOptionEntry entries[] = {
    { "quick", 'q', 0, G_OPTION_ARG_NONE, &quick, "Short rounds: is it working, not how fast",
      NULL },
    { "json", 'j', 0, G_OPTION_ARG_FILENAME, &json_file, "Write the figures there", "FILE" },
    { "only", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &only,
      "signatures, commands, messages, memory or keys; may be repeated", "WHAT" },
    { "peer", 'p', 0, G_OPTION_ARG_STRING_ARRAY, &peers,
      "In signatures: only in-process and these; may be repeated", "NAME" },
    { "size", 0, 0, G_OPTION_ARG_STRING_ARRAY, &sizes,
      "In messages: only \"1 kB\", \"1 MiB\", \"128 MiB\" or \"1 GiB\"; may be repeated", "SIZE" },
    { "runs", 0, 0, G_OPTION_ARG_INT, &runs, "In messages: so many of each command", "N" },
    { "signet", 's', 0, G_OPTION_ARG_FILENAME, &signet,
      "Folder of signet, signetd and signet-token (usual: beside this program)", "DIR" },
    { NULL },
  };
  g_autoptr(GOptionContext) context = g_option_context_new(NULL);
  g_autoptr(GError) error = NULL;

  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error)) {
    g_printerr("bench-run: %s\n", error->message);
    return 2;
  }
  for (guint i = 0; only && only[i]; i++) {
    if (!known_part(only[i]))
      return 2;
  }
  BenchOptions options = make_options(quick);
  options.peers = peers;
  options.sizes = sizes;
  options.runs = runs;
  if (signet) {
    g_free(options.signet);
    options.signet = g_canonicalize_filename(signet, NULL);
  }
  catch_signals();
  bench_process_reap_orphans();
  bench_report_load();
  json_t *report = json_pack("{s:o, s:b}", "machine", bench_report_machine(), "quick", quick);
  gboolean good = run_parts(&options, (const char *const *)only, report);
  if (json_file &&
      json_dump_file(report, json_file, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0) {
    g_printerr("bench-run: cannot write %s: %s\n", json_file, g_strerror(errno));
    good = FALSE;
  }
  json_decref(report);
  g_free(options.programs);
  g_free(options.signet);
  return good ? 0 : 1;
}
