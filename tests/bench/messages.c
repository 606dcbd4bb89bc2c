/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Mail and CMS files from 1 kB to 1 GiB: whole processes, their time and peak memory, beside
 * what people use today and beside the limits (a hash, a copy, base64) of the same bytes. Within
 * a size all take turns, so that all meet the same machine. */

#include "messages.h"

#include "bench.h"
#include "processes.h"
#include "report.h"
#include "servers.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* The files of a size, the largest output, and what a program spools: times the text. */
#define DISK_FACTOR 15
/* openssl holds an opaque message three to four times over while its buffer grows. */
#define OPENSSL_MEMORY_FACTOR 6

static const struct {
  const char *name;
  gsize bytes;
  guint repeats, quick;
  gboolean barred;
} sizes[] = {
  { "1 kB", 1000, 20, 5, FALSE },
  { "1 MiB", 1024 * 1024, 10, 3, FALSE },
  { "128 MiB", 135087722, 5, 2, TRUE },
  { "1 GiB", 1024 * 1024 * 1024, 2, 0, TRUE },
};

/* ---- a size ---- */

static char **
find_words(const BenchSandbox *sandbox, const char *command)
{
  g_auto(GStrv) words = g_strsplit(command, " ", -1);
  char *path = g_str_equal(words[0], "signet") ? bench_sandbox_signet(sandbox, "signet")
                                               : g_find_program_in_path(words[0]);

  if (!path)
    return NULL;
  g_free(words[0]);
  words[0] = path;
  return g_steal_pointer(&words);
}

static void
cell_init(const BenchSandbox *sandbox, MessageCell *cell, MessageRow row, MessageProgram program)
{
  const char *command = message_rows[row].commands[program];

  for (MessageClock clock = 0; clock < N_MESSAGE_CLOCKS; clock++)
    cell->times[clock] = g_array_new(FALSE, FALSE, sizeof(double));
  cell->argv = command ? find_words(sandbox, command) : NULL;
  if (!cell->argv)
    cell->problem = g_strdup(command ? "it is not there" : message_rows[row].cannot[program]);
}

static void
cell_cannot(MessageCell *cell, const char *problem)
{
  g_clear_pointer(&cell->argv, g_strfreev);
  g_free(cell->problem);
  cell->problem = g_strdup(problem);
}

/* 0: not this size. */
static guint
runs_of(const BenchOptions *options, guint which)
{
  if (options->sizes && !g_strv_contains((const char *const *)options->sizes, sizes[which].name))
    return 0;
  if (options->runs > 0)
    return (guint)options->runs;
  return options->quick && !options->sizes ? sizes[which].quick : sizes[which].repeats;
}

static MessageSize *
size_new(const BenchSandbox *sandbox, guint which, guint runs)
{
  MessageSize *size = g_new0(MessageSize, 1);

  size->name = sizes[which].name;
  size->bytes = sizes[which].bytes;
  size->repeats = runs;
  size->barred = sizes[which].barred;
  for (MessageRow row = 0; row < N_MESSAGE_ROWS; row++) {
    for (MessageProgram program = 0; program < N_MESSAGE_PROGRAMS; program++)
      cell_init(sandbox, &size->cells[row][program], row, program);
  }
  return size;
}

static void
size_free(MessageSize *size)
{
  if (!size)
    return;
  for (MessageRow row = 0; row < N_MESSAGE_ROWS; row++) {
    for (MessageProgram program = 0; program < N_MESSAGE_PROGRAMS; program++) {
      MessageCell *cell = &size->cells[row][program];
      g_strfreev(cell->argv);
      g_free(cell->problem);
      for (MessageClock clock = 0; clock < N_MESSAGE_CLOCKS; clock++)
        g_array_unref(cell->times[clock]);
    }
  }
  g_free(size);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MessageSize, size_free)

/* ---- its files ---- */

/* A mail as it lies in a Unix file: lines end with LF, 20 to 76 characters. Written in pieces, so that
 * this process stays small. */
static gboolean
write_text(const BenchSandbox *sandbox, gsize bytes, GError **error)
{
  static const char head[] = "From: " MESSAGE_ADDRESS "\n"
                             "To: somebody@example.org\n"
                             "Subject: a message of some size\n"
                             "MIME-Version: 1.0\n"
                             "Content-Type: text/plain; charset=us-ascii\n"
                             "\n";
  static const char words[] = "the quick brown fox jumps over the lazy dog while it signs, seals "
                              "and reads mail of any length in constant memory ";
  g_autofree char *path = bench_sandbox_path(sandbox, "plain.eml");
  FILE *file = fopen(path, "w");
  gboolean good = file && fputs(head, file) >= 0;
  gsize left = bytes - strlen(head);

  for (guint n = 0; good && left > 0; n++) {
    gsize length = MIN(20 + n * 7 % 57, left - 1);
    good = fwrite(words + n * 5 % 40, 1, length, file) == length && fputc('\n', file) >= 0;
    left -= length + 1;
  }
  if (file && fclose(file) != 0)
    good = FALSE;
  if (!good)
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO, "cannot write %s", path);
  return good;
}

static char *
first_line(const BenchSandbox *sandbox)
{
  g_autofree char *path = bench_sandbox_path(sandbox, "errors");
  g_autofree char *text = NULL;

  if (!g_file_get_contents(path, &text, NULL, NULL))
    return g_strdup("");
  g_strstrip(text);
  return g_strndup(text, strcspn(text, "\n"));
}

static gboolean
measure(const BenchSandbox *sandbox, char **argv, const char *output, BenchUsage *ret_usage)
{
  g_autofree char *launcher = bench_sandbox_program(sandbox, "bench-measure");

  return bench_process_measure(launcher, sandbox->dir, (const char *const *)argv, sandbox->env,
                               output, "errors", ret_usage);
}

static gboolean
make_file(const BenchSandbox *sandbox, const MessageFile *file, GError **error)
{
  g_auto(GStrv) argv = find_words(sandbox, file->command);
  BenchUsage usage;

  if (argv && measure(sandbox, argv, file->file, &usage) && usage.status == 0)
    return TRUE;
  g_autofree char *line = first_line(sandbox);
  g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_FAILED, "cannot make %s: %s", file->file, line);
  return FALSE;
}

/* A file that cannot be made makes its rows fail, not the run. */
static gboolean
make_files(const BenchSandbox *sandbox, const MessageSize *size, GError **error)
{
  if (!write_text(sandbox, size->bytes, error))
    return FALSE;
  for (gsize i = 0; i < n_message_files; i++) {
    g_autoptr(GError) failed = NULL;
    bench_progress("messages: %s: making %s", size->name, message_files[i].file);
    if (bench_stopped(error))
      return FALSE;
    if (!make_file(sandbox, &message_files[i], &failed) && !bench_stopped(NULL))
      g_printerr("bench-run: messages: %s: %s\n", size->name, failed->message);
  }
  return TRUE;
}

static void
remove_files(const BenchSandbox *sandbox)
{
  for (gsize i = 0; i < n_message_files; i++) {
    g_autofree char *path = bench_sandbox_path(sandbox, message_files[i].file);
    g_remove(path);
  }
}

/* ---- room ---- */

static guint64
free_disk(const BenchSandbox *sandbox)
{
  struct statvfs disk;

  return statvfs(sandbox->dir, &disk) == 0 ? (guint64)disk.f_bavail * disk.f_frsize : 0;
}

static guint64
free_memory(void)
{
  g_autofree char *text = NULL;
  const char *field = g_file_get_contents("/proc/meminfo", &text, NULL, NULL)
                          ? strstr(text, "MemAvailable:")
                          : NULL;

  return field ? g_ascii_strtoull(field + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
}

static gboolean
has_room(const BenchSandbox *sandbox, MessageSize *size)
{
  if (free_disk(sandbox) < (guint64)size->bytes * DISK_FACTOR) {
    g_autofree char *needed = g_format_size((guint64)size->bytes * DISK_FACTOR);
    bench_progress("%s", "");
    printf("\n%s of text: left out, %s has less than %s free\n", size->name, sandbox->dir, needed);
    return FALSE;
  }
  if (free_memory() < (guint64)size->bytes * OPENSSL_MEMORY_FACTOR) {
    for (MessageRow row = 0; row < MESSAGE_FIRST_LIMIT; row++)
      cell_cannot(&size->cells[row][MESSAGE_OPENSSL], "too little memory free for it");
  }
  return TRUE;
}

/* ---- measuring ---- */

static gboolean
gave_all(const BenchSandbox *sandbox, gsize bytes)
{
  g_autofree char *path = bench_sandbox_path(sandbox, "output");
  GStatBuf file;

  return g_stat(path, &file) == 0 && (gsize)file.st_size >= bytes;
}

/* The output is removed before each run: freeing the pages of the last one is nobody's work. */
static void
measure_cell(const BenchSandbox *sandbox, const MessageSize *size, MessageRow row,
             MessageCell *cell, gboolean counts)
{
  g_autofree char *output = bench_sandbox_path(sandbox, "output");
  BenchUsage usage = { .status = -1 };
  gboolean writes = message_rows[row].gives && row != MESSAGE_COPY; /* cp makes its own file */

  if (!cell->argv)
    return;
  g_remove(output);
  gboolean good =
      measure(sandbox, cell->argv, writes ? "output" : "/dev/null", &usage) && usage.status == 0;
  if (good && message_rows[row].gives && !gave_all(sandbox, size->bytes - size->bytes / 10))
    good = FALSE;
  if (bench_stopped(NULL))
    return;
  if (good && counts) {
    g_array_append_val(cell->times[MESSAGE_ELAPSED], usage.milliseconds);
    g_array_append_val(cell->times[MESSAGE_PROCESSOR], usage.processor);
    cell->peak = MAX(cell->peak, usage.peak);
  } else if (!good) {
    cell->failures++;
    if (!cell->problem)
      cell->problem = first_line(sandbox);
  }
}

static void
measure_round(const BenchSandbox *sandbox, MessageSize *size, const char *what, gboolean counts)
{
  for (MessageRow row = 0; row < N_MESSAGE_ROWS; row++) {
    bench_progress("messages: %s, %s: %s", size->name, what, message_rows[row].name);
    for (MessageProgram program = 0; program < N_MESSAGE_PROGRAMS && !bench_stopped(NULL);
         program++)
      measure_cell(sandbox, size, row, &size->cells[row][program], counts);
  }
}

static gboolean
measure_size(BenchSandbox *sandbox, MessageSize *size, GError **error)
{
  /* The PIN may have been forgotten meanwhile; where it was not, nobody reads it, which is no error. */
  bench_server_signet_unlock(sandbox, "bench", NULL);
  if (!make_files(sandbox, size, error))
    return FALSE;
  if (size->repeats > 2)
    measure_round(sandbox, size, "first round, not counted", FALSE);
  for (guint n = 0; n < size->repeats && !bench_stopped(NULL); n++) {
    g_autofree char *what = g_strdup_printf("%u of %u", n + 1, size->repeats);
    measure_round(sandbox, size, what, TRUE);
  }
  remove_files(sandbox);
  return !bench_stopped(error);
}

/* ---- the part ---- */

static gboolean
trust_key(const BenchSandbox *sandbox, GError **error)
{
  g_autofree char *folder = bench_sandbox_path(sandbox, "config/signet/trust.d");
  g_autofree char *from = bench_sandbox_path(sandbox, MESSAGE_KEY ".pem");
  g_autofree char *text = NULL;

  g_mkdir_with_parents(folder, 0700);
  return g_file_get_contents(from, &text, NULL, error) &&
         bench_sandbox_write(sandbox, "config/signet/trust.d/" MESSAGE_KEY ".pem", text, error);
}

static gboolean
set_up(BenchSandbox *sandbox, GError **error)
{
  static const char *const keys[] = { "rsa:" MESSAGE_KEY ":" MESSAGE_ADDRESS, NULL };
  g_autofree char *p12 = bench_sandbox_path(sandbox, MESSAGE_KEY ".p12");
  g_autofree char *key = bench_sandbox_path(sandbox, MESSAGE_KEY ".key");
  const char *const unpack[] = { "openssl", "pkcs12", "-in",  p12, "-nocerts", "-noenc",
                                 "-passin", "pass:",  "-out", key, NULL };

  return bench_sandbox_make_token(sandbox, "bench", keys, error) && trust_key(sandbox, error) &&
         bench_sandbox_run(sandbox, unpack, NULL, NULL, error) &&
         bench_server_signet(sandbox, NULL, error) &&
         bench_server_signet_unlock(sandbox, "bench", error);
}

json_t *
bench_messages(const BenchOptions *options, GError **error)
{
  g_autoptr(BenchSandbox) sandbox = bench_sandbox_new(options->programs, options->signet, error);
  g_autoptr(GError) no_gpgsm = NULL;

  bench_progress("messages: setting up");
  if (!sandbox || !set_up(sandbox, error))
    return NULL;
  bench_server_gpgsm(sandbox, MESSAGE_KEY, &no_gpgsm);
  json_t *figures = json_array();
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_autoptr(MessageSize) size = size_new(sandbox, i, runs_of(options, i));
    for (MessageRow row = 0; no_gpgsm && row < MESSAGE_FIRST_LIMIT; row++)
      cell_cannot(&size->cells[row][MESSAGE_GPGSM], no_gpgsm->message);
    if (size->repeats == 0 || !has_room(sandbox, size))
      continue;
    if (!measure_size(sandbox, size, error))
      break;
    message_size_print(size);
    json_array_append_new(figures, message_size_json(size));
  }
  return figures;
}
