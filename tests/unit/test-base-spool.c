/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base-scratch.h"
#include "base/error.h"
#include "base/flow.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE (3 * BASE_SPOOL_MEMORY + 12345)

static char *temporary;  /* $TMPDIR, below it */
static guint8 *material; /* LARGE bytes, in which every 64 KiB say where they are */

/* Descriptors of ours below `temporary`; the last one found. */
static guint
temporary_files(int *ret_fd)
{
  guint n = 0;
  const char *name = NULL;
  g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
  while ((name = g_dir_read_name(dir))) {
    g_autofree char *link = g_build_filename("/proc/self/fd", name, NULL);
    g_autofree char *target = g_file_read_link(link, NULL);
    if (!target || !g_str_has_prefix(target, temporary))
      continue;
    g_assert_true(g_str_has_suffix(target, " (deleted)"));
    if (ret_fd)
      *ret_fd = (int)g_ascii_strtoll(name, NULL, 10);
    n++;
  }
  return n;
}

static BaseSpool *
spool_of(gboolean secret, gsize length, gsize piece)
{
  g_autoptr(GError) error = NULL;
  BaseSpool *spool = base_spool_new(secret, &error);
  BaseSink *sink = base_spool_sink(spool);
  for (gsize at = 0; at < length; at += MIN(piece, length - at))
    g_assert_true(base_sink_write(sink, material + at, MIN(piece, length - at), &error));
  g_assert_true(base_sink_finish(sink, &error));
  g_assert_no_error(error);
  g_assert_cmpint(base_spool_length(spool), ==, (goffset)length);
  base_sink_free(sink); /* is the spool's own */
  return spool;
}

static void
part_is(BaseSpool *spool, gsize from, gsize length)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) memory = base_sink_to_memory(LARGE);
  base_spool_read(spool, (goffset)from, (goffset)length, memory, &error);
  g_assert_no_error(error);
  g_assert_true(base_sink_finish(memory, &error));
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  gsize size = 0;
  gconstpointer data = g_bytes_get_data(bytes, &size);
  same(data, size, material + from, length);
}

static void
what_was_written_is_read(void)
{
  static const gsize lengths[] = { 0,
                                   1,
                                   5000,
                                   BASE_SPOOL_MEMORY - 1,
                                   BASE_SPOOL_MEMORY,
                                   BASE_SPOOL_MEMORY + 1,
                                   BASE_SPOOL_MEMORY + BASE_FLOW_PIECE,
                                   LARGE };
  static const gsize pieces[] = { 1000, BASE_FLOW_PIECE, LARGE };
  for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (gsize j = 0; j < G_N_ELEMENTS(pieces); j++)
      for (int secret = 0; secret < 2; secret++) {
        g_autoptr(BaseSpool) spool = spool_of(secret, lengths[i], pieces[j]);
        part_is(spool, 0, lengths[i]);
        part_is(spool, 0, lengths[i]);
        part_is(spool, lengths[i], 0);
      }
}

static void
any_part_is_read(void)
{
  for (int secret = 0; secret < 2; secret++) {
    g_autoptr(BaseSpool) small = spool_of(secret, 5000, 100);
    g_autoptr(BaseSpool) large = spool_of(secret, LARGE, 100000);
    for (gsize from = 0; from < 70; from++) {
      part_is(small, from, 70 - from);
      part_is(large, from, 70 - from);
    }
    for (guint i = 0; i < 300; i++) {
      gsize from = (gsize)g_test_rand_int_range(0, LARGE);
      gsize length = (gsize)g_test_rand_int_range(0, 200000);
      part_is(large, from, MIN(LARGE - from, length));
    }
    for (gsize from = 255 * 16; from < LARGE; from += 255 * 16) /* counters that carry */
      part_is(large, from, MIN(LARGE - from, 40));
  }
}

static void
part_that_is_not_there_is_refused(void)
{
  g_autoptr(BaseSpool) spool = spool_of(TRUE, 5000, 100);
  g_autoptr(BaseSink) sink = base_sink_to_nowhere();
  static const goffset parts[][2] = { { 0, 5001 }, { 5000, 1 },        { 5001, 0 },       { -1, 1 },
                                      { 0, -1 },   { G_MAXOFFSET, 1 }, { 1, G_MAXOFFSET } };
  for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
    g_assert_false(base_spool_read(spool, parts[i][0], parts[i][1], sink, NULL));
  g_assert_cmpuint(base_sink_nowhere_count(sink), ==, 0);
}

static void
unfinished_spool_is_not_read(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSpool) spool = base_spool_new(TRUE, NULL);
  g_autoptr(BaseSink) sink = base_sink_to_nowhere();
  g_assert_true(base_sink_write(base_spool_sink(spool), "abc", 3, NULL));
  g_assert_false(base_spool_read(spool, 0, 3, sink, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_FAILED);
}

static void
small_one_stays_in_memory(void)
{
  g_autoptr(BaseSpool) spool = spool_of(TRUE, BASE_SPOOL_MEMORY, 10000);
  g_assert_cmpuint(temporary_files(NULL), ==, 0);
}

static guint8 *
on_disk(int fd)
{
  guint8 *bytes = g_malloc(LARGE);
  struct stat info;
  g_assert_cmpint(fstat(fd, &info), ==, 0);
  g_assert_cmpint(info.st_size, ==, LARGE);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
  g_assert_cmpuint(info.st_nlink, ==, 0);
  g_assert_cmpint(pread(fd, bytes, LARGE, 0), ==, LARGE);
  return bytes;
}

/* Runs of 8 bytes of ours, at their place or anywhere. */
static gboolean
shows(const guint8 *bytes, const char *mark)
{
  for (gsize i = 0; i + 8 <= LARGE; i++)
    if (memcmp(bytes + i, material + i, 8) == 0)
      return TRUE;
  return memmem(bytes, LARGE, mark, strlen(mark)) != NULL;
}

static void
plaintext_is_never_on_disk(void)
{
  int fd = -1;
  g_autoptr(BaseSpool) spool = spool_of(TRUE, LARGE, 10000);
  g_assert_cmpuint(temporary_files(&fd), ==, 1);
  g_assert_cmpuint(count_files(temporary), ==, 0); /* it has no name */
  g_autofree guint8 *disk = on_disk(fd);
  g_assert_false(shows(disk, "place 1 of"));
  part_is(spool, 0, LARGE);
  g_autofree guint8 *after = on_disk(fd);
  same(after, LARGE, disk, LARGE);
  g_clear_pointer(&spool, base_spool_free);
  g_assert_cmpuint(temporary_files(NULL), ==, 0);

  /* Not even the same twice: a key stream is used once. */
  g_autoptr(BaseSpool) other = spool_of(TRUE, LARGE, 10000);
  g_assert_cmpuint(temporary_files(&fd), ==, 1);
  g_autofree guint8 *second = on_disk(fd);
  g_assert_false(shows(second, "place 1 of"));
  g_assert_cmpint(memcmp(second, disk, 16), !=, 0);
  for (gsize i = 0; i + 8 <= LARGE; i++)
    g_assert_cmpint(memcmp(second + i, disk + i, 8), !=, 0);
}

static void
what_is_not_secret_is_as_it_is(void)
{
  int fd = -1;
  g_autoptr(BaseSpool) spool = spool_of(FALSE, LARGE, 10000);
  g_assert_cmpuint(temporary_files(&fd), ==, 1);
  g_autofree guint8 *disk = on_disk(fd);
  same(disk, LARGE, material, LARGE);
}

static void
full_disk_leaves_nothing(void)
{
  g_autoptr(GError) error = NULL;
  struct rlimit saved;
  struct rlimit small;
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &saved), ==, 0);
  small = saved;
  small.rlim_cur = BASE_SPOOL_MEMORY + 100000;
  signal(SIGXFSZ, SIG_IGN);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
  BaseSpool *spool = base_spool_new(TRUE, NULL);
  gboolean written = base_sink_write(base_spool_sink(spool), material, LARGE, &error);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &saved), ==, 0);
  g_assert_false(written);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, temporary));
  g_autoptr(BaseSink) sink = base_sink_to_nowhere();
  g_assert_false(base_spool_read(spool, 0, 1, sink, NULL));
  base_spool_free(spool);
  g_assert_cmpuint(temporary_files(NULL), ==, 0);
  g_assert_cmpuint(count_files(temporary), ==, 0);
}

static void
missing_folder_is_named(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *missing = in_scratch("not-there");
  g_setenv("TMPDIR", missing, TRUE);
  g_autoptr(BaseSpool) spool = base_spool_new(TRUE, NULL);
  gboolean written = base_sink_write(base_spool_sink(spool), material, LARGE, &error);
  g_setenv("TMPDIR", temporary, TRUE);
  g_assert_false(written);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, missing));
}

/* ---- pump ---- */

static void
pump_takes_as_much_as_it_may(void)
{
  g_autofree char *path = in_scratch("pumped");
  g_assert_true(base_path_write(path, material, 200000, 0600, NULL));
  static const struct {
    goffset max;
    gboolean fits;
  } cases[] = {
    { 200000, TRUE }, { G_MAXOFFSET, TRUE }, { 199999, FALSE }, { 1, FALSE }, { 0, FALSE }
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(BaseSink) sink = base_sink_to_nowhere();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(base_flow_pump_fd(fd, "it", cases[i].max, sink, &error), ==, cases[i].fits);
    close(fd);
    if (cases[i].fits)
      g_assert_cmpuint(base_sink_nowhere_count(sink), ==, 200000);
    else
      g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  }
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) sink = base_sink_to_nowhere();
  g_assert_false(base_flow_pump_fd(-1, "nothing", 10, sink, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
}

/* ---- input ---- */

static void
input_is(BaseInput *input, gsize from, gsize length)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) memory = base_sink_to_memory(LARGE);
  g_assert_true(base_input_read(input, (goffset)from, (goffset)length, memory, &error));
  g_assert_true(base_sink_finish(memory, &error));
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  gsize size = 0;
  gconstpointer data = g_bytes_get_data(bytes, &size);
  same(data, size, material + from, length);
}

static void
file_is_read_as_it_is(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = in_scratch("input");
  g_assert_true(base_path_write(path, material, LARGE, 0600, NULL));
  g_autoptr(BaseInput) input = base_input_open(path, LARGE, &error);
  g_assert_no_error(error);
  g_assert_cmpint(base_input_length(input), ==, LARGE);
  input_is(input, 0, LARGE);
  input_is(input, 1000001, 100000);
  input_is(input, 0, LARGE);
  g_assert_cmpuint(temporary_files(NULL), ==, 0);
  g_autoptr(BaseSink) sink = base_sink_to_nowhere();
  g_assert_false(base_input_read(input, 0, LARGE + 1, sink, NULL));
  g_assert_false(base_input_read(input, -1, 1, sink, NULL));
  g_assert_null(base_input_open(path, LARGE - 1, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

static void
changed_file_is_an_error(void)
{
  g_autofree char *path = in_scratch("changing");
  for (guint way = 0; way < 3; way++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(BaseSink) sink = base_sink_to_nowhere();
    g_assert_true(base_path_write(path, material, 100000, 0600, NULL));
    g_autoptr(BaseInput) input = base_input_open(path, LARGE, NULL);
    input_is(input, 0, 100000);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    struct timespec times[2] = { { 0, UTIME_OMIT }, { 1000000000, 0 } };
    if (way == 0)
      g_assert_cmpint(ftruncate(fd, 99999), ==, 0);
    else if (way == 1)
      g_assert_cmpint(pwrite(fd, "x", 1, 100000), ==, 1);
    else
      g_assert_cmpint(futimens(fd, times), ==, 0);
    close(fd);
    g_assert_false(base_input_read(input, 0, 1, sink, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
    g_assert_nonnull(strstr(error->message, path));
  }
}

static void
replaced_file_is_read_as_it_was(void)
{
  g_autofree char *path = in_scratch("replaced");
  g_assert_true(base_path_write(path, material, 100000, 0600, NULL));
  g_autoptr(BaseInput) input = base_input_open(path, LARGE, NULL);
  g_assert_true(base_path_write(path, "other", 5, 0600, NULL));
  input_is(input, 0, 100000);
}

typedef struct {
  const char *path;
  gsize length;
} Feed;

static gpointer
feed(gpointer data)
{
  const Feed *what = data;
  int fd = open(what->path, O_WRONLY | O_CLOEXEC);
  /* The reader may have had enough before all of it. */
  base_path_write_fd(fd, what->path, material, what->length, NULL);
  close(fd);
  return NULL;
}

static void
pipe_is_read_twice(void)
{
  g_autofree char *path = in_scratch("fifo");
  static const gsize lengths[] = { 0, 1, 1000, LARGE };
  g_assert_cmpint(mkfifo(path, 0600), ==, 0);
  signal(SIGPIPE, SIG_IGN);
  for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
    g_autoptr(GError) error = NULL;
    Feed what = { path, lengths[i] };
    GThread *writer = g_thread_new("writer", feed, &what);
    g_autoptr(BaseInput) input = base_input_open(path, LARGE, &error);
    g_thread_join(writer);
    g_assert_no_error(error);
    g_assert_cmpint(base_input_length(input), ==, (goffset)lengths[i]);
    input_is(input, 0, lengths[i]);
    input_is(input, 0, lengths[i]);
    input_is(input, lengths[i] / 2, lengths[i] / 3);
  }
  g_autoptr(GError) error = NULL;
  Feed what = { path, LARGE };
  GThread *writer = g_thread_new("writer", feed, &what);
  g_assert_null(base_input_open(path, LARGE - 1, &error));
  g_thread_join(writer);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  g_assert_cmpuint(temporary_files(NULL), ==, 0);
}

static void
file_that_says_it_is_empty_is_read(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseInput) input = base_input_open("/proc/self/status", 100000, &error);
  g_assert_no_error(error);
  g_assert_cmpint(base_input_length(input), >, 0);
}

/* What was read of it before is not part of it, and nobody after us finds it again. */
static void
standard_input_begins_where_it_stands(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = in_scratch("standard");
  g_assert_true(base_path_write(path, material, 100000, 0600, NULL));
  int saved = dup(STDIN_FILENO);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint(lseek(fd, 777, SEEK_SET), ==, 777);
  g_assert_cmpint(dup2(fd, STDIN_FILENO), ==, STDIN_FILENO);
  BaseInput *input = base_input_open("-", LARGE, &error);
  g_assert_no_error(error);
  g_assert_cmpint(base_input_length(input), ==, 100000 - 777);
  g_autoptr(BaseSink) memory = base_sink_to_memory(LARGE);
  g_assert_true(base_input_read(input, 10, 500, memory, &error));
  g_assert_true(base_sink_finish(memory, &error));
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  same(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), material + 787, 500);
  g_assert_cmpint(lseek(fd, 0, SEEK_CUR), ==, 100000);
  base_input_free(input);
  g_assert_cmpint(fcntl(STDIN_FILENO, F_GETFD), >=, 0); /* not closed */
  if (saved >= 0)
    dup2(saved, STDIN_FILENO);
  close(saved);
  close(fd);
}

static void
spool_is_an_input(void)
{
  BaseSpool *spool = base_spool_new(TRUE, NULL);
  g_assert_true(base_sink_write(base_spool_sink(spool), material, LARGE, NULL) &&
                base_sink_finish(base_spool_sink(spool), NULL));
  g_autoptr(BaseInput) input = base_input_from_spool(spool);
  g_assert_cmpint(base_input_length(input), ==, LARGE);
  g_assert_true(base_input_is_kept(input));
  g_autoptr(BaseSink) memory = base_sink_to_memory(LARGE);
  g_assert_true(base_input_read(input, 777, LARGE - 777, memory, NULL) &&
                base_sink_finish(memory, NULL));
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  same(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), material + 777, LARGE - 777);
}

static void
what_cannot_be_read_is_named(void)
{
  g_autofree char *missing = in_scratch("missing");
  const char *const paths[] = { missing, scratch };
  for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(base_input_open(paths[i], 10, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
    g_assert_nonnull(strstr(error->message, paths[i]));
  }
}

static void
make_material(void)
{
  material = g_malloc(LARGE);
  for (gsize i = 0; i < LARGE; i++)
    material[i] = (guint8)g_test_rand_int();
  for (gsize i = 0; i + 32 < LARGE; i += BASE_FLOW_PIECE)
    g_snprintf((char *)material + i, 32, "place %zu of it", i / BASE_FLOW_PIECE);
}

int
main(int argc, char **argv)
{
  static const struct {
    const char *name;
    GTestFunc test;
  } tests[] = {
    { "what-was-written-is-read", what_was_written_is_read },
    { "any-part-is-read", any_part_is_read },
    { "part-that-is-not-there-is-refused", part_that_is_not_there_is_refused },
    { "unfinished-spool-is-not-read", unfinished_spool_is_not_read },
    { "small-one-stays-in-memory", small_one_stays_in_memory },
    { "plaintext-is-never-on-disk", plaintext_is_never_on_disk },
    { "what-is-not-secret-is-as-it-is", what_is_not_secret_is_as_it_is },
    { "full-disk-leaves-nothing", full_disk_leaves_nothing },
    { "missing-folder-is-named", missing_folder_is_named },
    { "pump-takes-as-much-as-it-may", pump_takes_as_much_as_it_may },
    { "file-is-read-as-it-is", file_is_read_as_it_is },
    { "changed-file-is-an-error", changed_file_is_an_error },
    { "replaced-file-is-read-as-it-was", replaced_file_is_read_as_it_was },
    { "pipe-is-read-twice", pipe_is_read_twice },
    { "file-that-says-it-is-empty-is-read", file_that_says_it_is_empty_is_read },
    { "standard-input-begins-where-it-stands", standard_input_begins_where_it_stands },
    { "spool-is-an-input", spool_is_an_input },
    { "what-cannot-be-read-is-named", what_cannot_be_read_is_named },
  };
  g_test_init(&argc, &argv, NULL);
  scratch_make("spool");
  temporary = in_scratch("tmp");
  g_assert_true(base_path_make_folder(temporary, NULL));
  g_setenv("TMPDIR", temporary, TRUE);
  make_material();
  for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
    g_autofree char *path = g_strdup_printf("/base/spool/%s", tests[i].name);
    g_test_add_func(path, tests[i].test);
  }
  int status = g_test_run();
  g_free(material);
  g_free(temporary);
  scratch_remove();
  return status;
}
