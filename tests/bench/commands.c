/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whole processes, from before their start to after their end: signing a small mail with the
 * daemon running and the token unlocked, beside what signs mail today; and a start without work
 * beside processes that only link what signet links. In turn, so that all meet the same machine. */

#include "bench.h"
#include "processes.h"
#include "report.h"
#include "servers.h"

#define ADDRESS "rsa@example.org"

typedef enum { SIGNING, STARTING, N_SUBJECTS } Subject;

typedef struct {
  const char *name;
  Subject subject;
  char **argv;   /* argv[0] is a path; NULL: cannot be measured */
  char *problem; /* why not */
  GArray *times; /* double, milliseconds */
  guint failures;
} Command;

static void
command_free(gpointer data)
{
  Command *command = data;

  g_strfreev(command->argv);
  g_free(command->problem);
  g_array_unref(command->times);
  g_free(command);
}

/* Takes words; the first is looked up in the PATH if it is no path. */
static Command *
add(GPtrArray *commands, Subject subject, const char *name, char **words)
{
  Command *command = g_new0(Command, 1);

  command->name = name;
  command->subject = subject;
  command->times = g_array_new(FALSE, FALSE, sizeof(double));
  char *path = words && words[0] ? g_find_program_in_path(words[0]) : NULL;
  if (path) {
    g_free(words[0]);
    words[0] = path;
    command->argv = words;
  } else {
    command->problem = g_strdup_printf("%s is not there", words && words[0] ? words[0] : name);
    g_strfreev(words);
  }
  g_ptr_array_add(commands, command);
  return command;
}

static void
cannot(Command *command, const GError *error)
{
  g_clear_pointer(&command->argv, g_strfreev);
  g_free(command->problem);
  command->problem = g_strdup(error->message);
}

static char **
words(const char *first, ...)
{
  g_autoptr(GPtrArray) array = g_ptr_array_new();
  va_list args;

  va_start(args, first);
  for (const char *word = first; word; word = va_arg(args, const char *))
    g_ptr_array_add(array, g_strdup(word));
  va_end(args);
  g_ptr_array_add(array, NULL);
  return (char **)g_ptr_array_steal(array, NULL);
}

static gboolean
write_mail(const BenchSandbox *sandbox, GError **error)
{
  g_autoptr(GString) mail = g_string_new("From: " ADDRESS "\r\n"
                                         "To: somebody@example.org\r\n"
                                         "Subject: one kilobyte\r\n"
                                         "MIME-Version: 1.0\r\n"
                                         "Content-Type: text/plain; charset=us-ascii\r\n"
                                         "\r\n");

  while (mail->len < 1000)
    g_string_append(mail, "The quick brown fox jumps over the lazy dog.\r\n");
  return bench_sandbox_write(sandbox, "mail.eml", mail->str, error);
}

/* ---- the signers ---- */

static void
add_signet(GPtrArray *commands, BenchSandbox *sandbox)
{
  g_autofree char *signet = bench_sandbox_signet(sandbox, "signet");
  g_autoptr(GError) error = NULL;
  Command *command =
      add(commands, SIGNING, "signet sign", words(signet, "sign", "--id", ADDRESS, NULL));

  add(commands, STARTING, "signet --version", words(signet, "--version", NULL));
  if (!bench_server_signet(sandbox, NULL, &error) ||
      !bench_server_signet_unlock(sandbox, "bench", &error))
    cannot(command, error);
}

static void
add_gpgsm(GPtrArray *commands, BenchSandbox *sandbox)
{
  g_autoptr(GError) error = NULL;
  Command *command =
      add(commands, SIGNING, "gpgsm --detach-sign, software key",
          words("gpgsm", "--batch", "--quiet", "--detach-sign", "-u", ADDRESS, NULL));

  if (command->argv && !bench_server_gpgsm(sandbox, "bench-rsa", &error))
    cannot(command, error);
}

static void
add_openssl(GPtrArray *commands, BenchSandbox *sandbox)
{
  g_autofree char *pem = bench_sandbox_path(sandbox, "bench-rsa.pem");
  g_autofree char *pin = bench_sandbox_path(sandbox, "pin");
  g_autofree char *uri = g_strconcat("pkcs11:token=bench;object=bench-rsa;type=private"
                                     "?pin-source=file:",
                                     pin, NULL);
  g_autoptr(GError) error = NULL;
  Command *command = add(commands, SIGNING, "openssl cms, libp11's engine",
                         words("openssl", "cms", "-sign", "-engine", "pkcs11", "-keyform", "engine",
                               "-inkey", uri, "-signer", pem, NULL));

  sandbox->env = g_environ_setenv(sandbox->env, "PKCS11_MODULE_PATH", BENCH_SOFTHSM_MODULE, TRUE);
  if (!bench_sandbox_write(sandbox, "pin", BENCH_PIN, &error))
    cannot(command, error);
}

static GPtrArray *
make_commands(BenchSandbox *sandbox)
{
  GPtrArray *commands = g_ptr_array_new_with_free_func(command_free);
  g_autofree char *glib = bench_sandbox_program(sandbox, "bench-empty-glib");
  g_autofree char *gmime = bench_sandbox_program(sandbox, "bench-empty-gmime");

  add_signet(commands, sandbox);
  add_gpgsm(commands, sandbox);
  add_openssl(commands, sandbox);
  add(commands, STARTING, "empty, with GLib, jansson, libcrypto", words(glib, NULL));
  add(commands, STARTING, "empty, with GMime besides", words(gmime, NULL));
  return commands;
}

/* ---- measuring ---- */

/* A command that fails is not fast, it is broken: said once, with its own words, and left out. */
static void
try_out(const BenchSandbox *sandbox, Command *command, const char *mail)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;

  if (command->argv && g_file_get_contents(mail, &text, NULL, &error) &&
      !bench_sandbox_run(sandbox, (const char *const *)command->argv,
                         command->subject == SIGNING ? text : NULL, NULL, &error))
    cannot(command, error);
}

static void
measure_once(const BenchSandbox *sandbox, Command *command, const char *mail)
{
  if (!command->argv)
    return;
  g_autofree char *errors = bench_sandbox_path(sandbox, "errors");
  gint64 time = bench_process_time((const char *const *)command->argv, sandbox->env, mail, errors);
  double milliseconds = (double)time / 1000;
  if (time >= 0) {
    g_array_append_val(command->times, milliseconds);
    return;
  }
  command->failures++;
  if (!command->problem && g_file_get_contents(errors, &command->problem, NULL, NULL))
    g_strstrip(command->problem);
}

static void
measure(const BenchOptions *options, const BenchSandbox *sandbox, GPtrArray *commands)
{
  g_autofree char *mail = bench_sandbox_path(sandbox, "mail.eml");
  guint total = options->rounds * options->repeats;

  for (guint i = 0; i < commands->len; i++)
    try_out(sandbox, g_ptr_array_index(commands, i), mail);
  for (guint n = 0; n < total && !bench_stopped(NULL); n++) {
    bench_progress("commands: %u of %u", n + 1, total);
    for (guint i = 0; i < commands->len; i++)
      measure_once(sandbox, g_ptr_array_index(commands, i), mail);
  }
}

static void
report_command(BenchTable *table, json_t *figures, const Command *command, double signet)
{
  double median = bench_median(command->times);
  g_autofree char *time =
      median > 0 ? g_strdup_printf("%.2f", median) : g_strdup(command->argv ? "fails" : "-");
  g_autofree char *ratio =
      median > 0 && signet > 0 ? g_strdup_printf("%.2f", median / signet) : g_strdup("-");

  bench_table_rowv(table, command->name, time, ratio, NULL);
  if (command->failures > 0)
    bench_table_note(table, "%s failed %u times: %s", command->name, command->failures,
                     command->problem ? command->problem : "");
  else if (command->problem)
    bench_table_note(table, "-: %s: %s", command->name, command->problem);
  json_array_append_new(
      figures, json_pack("{s:s, s:s, s:f, s:i, s:s?}", "command", command->name, "subject",
                         command->subject == SIGNING ? "sign" : "start", "milliseconds", median,
                         "failures", (int)command->failures, "problem", command->problem));
}

static void
report(GPtrArray *commands, Subject subject, json_t *figures)
{
  static const char *const titles[N_SUBJECTS] = { "Signing a mail of 1 kB: the whole process",
                                                  "Start without work: the whole process" };
  g_autoptr(BenchTable) table = bench_table_new(titles[subject]);
  double signet = 0;

  bench_table_rowv(table, "", "ms", "to signet", NULL);
  for (guint i = 0; i < commands->len; i++) {
    const Command *command = g_ptr_array_index(commands, i);
    if (command->subject != subject)
      continue;
    if (signet <= 0 && g_str_has_prefix(command->name, "signet"))
      signet = bench_median(command->times);
    report_command(table, figures, command, signet);
  }
  bench_table_print(table);
}

json_t *
bench_commands(const BenchOptions *options, GError **error)
{
  static const char *const keys[] = { "rsa:bench-rsa:" ADDRESS, NULL };
  g_autoptr(BenchSandbox) sandbox = bench_sandbox_new(options->programs, options->signet, error);

  if (!sandbox || !bench_sandbox_make_token(sandbox, "bench", keys, error) ||
      !write_mail(sandbox, error))
    return NULL;
  bench_progress("commands: setting up");
  g_autoptr(GPtrArray) commands = make_commands(sandbox);
  measure(options, sandbox, commands);
  json_t *figures = json_array();
  for (Subject subject = 0; subject < N_SUBJECTS; subject++)
    report(commands, subject, figures);
  bench_stopped(error);
  return figures;
}
