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

#define LARGE (200 * 1000)

/* ---- ends ---- */

static void
memory_holds_what_it_may(void)
{
  g_autoptr(GError) error = NULL;
  BaseSink *sink = base_sink_to_memory(5);
  g_assert_true(base_sink_write(sink, "abc", 3, &error));
  g_assert_true(base_sink_write(sink, "", 0, &error));
  g_assert_true(base_sink_write(sink, "de", 2, &error));
  g_assert_true(base_sink_finish(sink, &error));
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(sink);
  g_autoptr(GBytes) again = base_sink_memory_bytes(sink);
  base_sink_free(sink);
  bytes_are(bytes, "abcde", 5);
  bytes_are(again, "abcde", 5);

  g_autoptr(BaseSink) small = base_sink_to_memory(5);
  g_assert_true(base_sink_write(small, "abcde", 5, &error));
  g_assert_false(base_sink_write(small, "f", 1, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

static void
empty_memory_is_empty(void)
{
  g_autoptr(BaseSink) sink = base_sink_to_memory(0);
  g_assert_true(base_sink_finish(sink, NULL));
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(sink);
  g_assert_cmpuint(g_bytes_get_size(bytes), ==, 0);
}

static void
tee_gives_to_both(void)
{
  g_autoptr(GError) error = NULL;
  BaseSink *one = base_sink_to_memory(100);
  BaseSink *other = base_sink_to_nowhere();
  g_autoptr(BaseSink) tee = base_sink_tee(one, other);
  g_assert_true(base_sink_write(tee, "abc", 3, &error));
  g_assert_true(base_sink_write(tee, "defg", 4, &error));
  g_assert_true(base_sink_finish(tee, &error));
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(one);
  bytes_are(bytes, "abcdefg", 7);
  g_assert_cmpuint(base_sink_nowhere_count(other), ==, 7);
}

static void
failure_of_one_is_the_failure_of_all(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = in_scratch("never");
  BaseSink *file = base_sink_to_file(path, &error);
  g_assert_no_error(error);
  g_autoptr(BaseSink) sink = base_sink_crlf(base_sink_tee(base_sink_to_memory(10), file));
  g_autofree char *text = g_strnfill(LARGE, 'x');
  g_assert_false(base_sink_write(sink, text, LARGE, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  g_clear_pointer(&sink, base_sink_free);
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static gpointer
read_all(gpointer data)
{
  int fd = GPOINTER_TO_INT(data);
  g_usleep(10000); /* the pipe fills up */
  return base_path_read_fd(fd, "the pipe", LARGE + 100, NULL);
}

static void
nonblocking_pipe_gets_all(void)
{
  int ends[2];
  g_autoptr(GError) error = NULL;
  g_autofree guint8 *bytes = g_malloc(LARGE);
  fill(bytes, LARGE);
  g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
  g_assert_cmpint(fcntl(ends[1], F_SETFL, O_NONBLOCK), ==, 0);
  GThread *reader = g_thread_new("reader", read_all, GINT_TO_POINTER(ends[0]));
  BaseSink *sink = base_sink_to_fd(ends[1], "the pipe");
  for (gsize at = 0; at < 1000; at++)
    g_assert_true(base_sink_write(sink, bytes + at, 1, &error));
  g_assert_true(base_sink_write(sink, bytes + 1000, LARGE - 1000, &error));
  g_assert_true(base_sink_finish(sink, &error));
  base_sink_free(sink);
  close(ends[1]);
  g_autoptr(GBytes) got = g_thread_join(reader);
  bytes_are(got, bytes, LARGE);
  close(ends[0]);
}

static void
descriptor_that_is_full_is_named(void)
{
  g_autoptr(GError) error = NULL;
  int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  g_autoptr(BaseSink) sink = base_sink_to_fd(fd, "the full one");
  g_assert_true(base_sink_write(sink, "x", 1, &error));
  g_assert_false(base_sink_finish(sink, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, "the full one"));
  close(fd);
}

/* ---- files ---- */

static char *
folder_of(const char *name, const char *file)
{
  g_autofree char *folder = in_scratch(name);
  g_assert_true(base_path_make_folder(folder, NULL));
  return g_build_filename(folder, file, NULL);
}

static void
file_is(const char *path, const char *expected, mode_t mode)
{
  struct stat info;
  g_autofree char *content = NULL;
  g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
  g_assert_cmpstr(content, ==, expected);
  g_assert_cmpint(stat(path, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, mode);
}

static void
write_text(const char *path, const char *text)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) sink = base_sink_to_file(path, &error);
  g_assert_no_error(error);
  g_assert_true(base_sink_write(sink, text, strlen(text), &error));
  g_assert_true(base_sink_finish(sink, &error));
  g_assert_no_error(error);
}

static void
new_file_is_private_and_old_one_keeps_its_mode(void)
{
  g_autofree char *path = folder_of("file", "text");
  g_autofree char *folder = in_scratch("file");
  write_text(path, "first");
  file_is(path, "first", 0600);
  g_assert_cmpint(chmod(path, 0644), ==, 0);
  write_text(path, "second");
  file_is(path, "second", 0644);
  g_assert_cmpuint(count_files(folder), ==, 1);
}

static void
unfinished_file_leaves_the_old_one(void)
{
  g_autofree char *path = folder_of("unfinished", "text");
  g_autofree char *folder = in_scratch("unfinished");
  g_autofree char *large = g_strnfill(LARGE, 'x');
  write_text(path, "old");
  BaseSink *sink = base_sink_to_file(path, NULL);
  g_assert_true(base_sink_write(sink, large, LARGE, NULL));
  file_is(path, "old", 0600);
  base_sink_free(sink);
  file_is(path, "old", 0600);
  g_assert_cmpuint(count_files(folder), ==, 1);
}

static void
file_on_a_full_disk_leaves_the_old_one(void)
{
  g_autofree char *path = folder_of("full", "text");
  g_autofree char *folder = in_scratch("full");
  g_autofree char *large = g_strnfill(LARGE, 'x');
  g_autoptr(GError) error = NULL;
  struct rlimit saved;
  struct rlimit small;
  write_text(path, "old");
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &saved), ==, 0);
  small = saved;
  small.rlim_cur = 50000;
  signal(SIGXFSZ, SIG_IGN);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
  BaseSink *sink = base_sink_to_file(path, NULL);
  gboolean written = base_sink_write(sink, large, LARGE, &error);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &saved), ==, 0);
  base_sink_free(sink);
  g_assert_false(written);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, path));
  file_is(path, "old", 0600);
  g_assert_cmpuint(count_files(folder), ==, 1);
}

static void
link_stays_and_its_file_is_written(void)
{
  g_autofree char *path = folder_of("link", "target");
  g_autofree char *link = in_scratch("link/name");
  write_text(path, "old");
  g_assert_cmpint(symlink("target", link), ==, 0);
  write_text(link, "new");
  g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
  file_is(path, "new", 0600);
}

static void
device_is_written_and_stays(void)
{
  struct stat info;
  g_autofree char *link = in_scratch("null");
  g_assert_cmpint(symlink("/dev/null", link), ==, 0);
  write_text(link, "dropped");
  g_assert_cmpint(stat("/dev/null", &info), ==, 0);
  g_assert_true(S_ISCHR(info.st_mode));

  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) full = base_sink_to_file("/dev/full", &error);
  g_assert_true(base_sink_write(full, "x", 1, &error));
  g_assert_false(base_sink_finish(full, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
}

static gpointer
read_path(gpointer path)
{
  return base_path_read(path, 100, NULL);
}

static void
pipe_of_a_name_is_written_through(void)
{
  struct stat info;
  g_autofree char *path = in_scratch("fifo");
  g_assert_cmpint(mkfifo(path, 0600), ==, 0);
  GThread *reader = g_thread_new("reader", read_path, path);
  write_text(path, "through");
  g_autoptr(GBytes) got = g_thread_join(reader);
  bytes_are(got, "through", 7);
  g_assert_cmpint(stat(path, &info), ==, 0);
  g_assert_true(S_ISFIFO(info.st_mode));
}

static void
place_that_cannot_be_written_is_named(void)
{
  g_autofree char *missing = in_scratch("no-folder/text");
  g_autoptr(GError) error = NULL;
  g_assert_null(base_sink_to_file(missing, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, missing));
  g_clear_error(&error);
  g_assert_null(base_sink_to_file(scratch, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, "it is a folder"));
}

/* ---- any size in constant memory ---- */

#define MANY ((gsize)256 * 1024 * 1024)

static gpointer
write_many(gpointer data)
{
  int fd = GPOINTER_TO_INT(data);
  g_autofree char *lines = g_strnfill(BASE_FLOW_PIECE, 'm');
  for (gsize at = 70; at < BASE_FLOW_PIECE; at += 71)
    lines[at] = '\n';
  for (gsize done = 0; done < MANY; done += BASE_FLOW_PIECE)
    g_assert_true(base_path_write_fd(fd, "the pipe", lines, BASE_FLOW_PIECE, NULL));
  close(fd);
  return NULL;
}

static glong
peak_of_memory(void)
{
  struct rusage usage;
  g_assert_cmpint(getrusage(RUSAGE_SELF, &usage), ==, 0);
  return usage.ru_maxrss;
}

static void
any_size_flows_in_constant_memory(void)
{
  int ends[2];
  g_autoptr(GError) error = NULL;
  glong before = peak_of_memory();
  g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
  GThread *writer = g_thread_new("writer", write_many, GINT_TO_POINTER(ends[1]));
  g_autoptr(BaseSpool) spool = base_spool_new(TRUE, &error);
  BaseSink *nowhere = base_sink_to_nowhere();
  BaseSink *tee = base_sink_tee(nowhere, base_spool_sink(spool));
  g_autoptr(BaseSink) sink = base_sink_crlf(base_sink_base64_encode(tee, 76, TRUE));
  g_assert_true(base_flow_pump_fd(ends[0], "the pipe", G_MAXOFFSET, sink, &error));
  g_assert_true(base_sink_finish(sink, &error));
  g_assert_no_error(error);
  g_thread_join(writer);
  close(ends[0]);
  g_assert_cmpint(base_spool_length(spool), ==, (goffset)base_sink_nowhere_count(nowhere));

  /* And back. */
  BaseSink *again = base_sink_to_nowhere();
  g_autoptr(BaseSink) back = base_sink_base64_decode(again);
  g_assert_true(base_spool_read(spool, 0, base_spool_length(spool), back, &error));
  g_assert_true(base_sink_finish(back, &error));
  gsize lines = MANY / BASE_FLOW_PIECE * (BASE_FLOW_PIECE / 71);
  g_assert_cmpuint(base_sink_nowhere_count(again), ==, MANY + lines);
  glong grown = peak_of_memory() - before;
  g_test_message("peak of memory: %ld KiB before, %ld KiB more", before, grown);
#ifndef __SANITIZE_ADDRESS__
  g_assert_cmpint(grown, <, 8 * 1024); /* 1 MiB is the spool's, the rest mostly libcrypto's */
#endif
}

int
main(int argc, char **argv)
{
  static const struct {
    const char *name;
    GTestFunc test;
  } tests[] = {
    /* First: the peak of memory never falls. */
    { "any-size-flows-in-constant-memory", any_size_flows_in_constant_memory },
    { "memory-holds-what-it-may", memory_holds_what_it_may },
    { "empty-memory-is-empty", empty_memory_is_empty },
    { "tee-gives-to-both", tee_gives_to_both },
    { "failure-of-one-is-the-failure-of-all", failure_of_one_is_the_failure_of_all },
    { "nonblocking-pipe-gets-all", nonblocking_pipe_gets_all },
    { "descriptor-that-is-full-is-named", descriptor_that_is_full_is_named },
    { "new-file-is-private-and-old-one-keeps-its-mode",
      new_file_is_private_and_old_one_keeps_its_mode },
    { "unfinished-file-leaves-the-old-one", unfinished_file_leaves_the_old_one },
    { "file-on-a-full-disk-leaves-the-old-one", file_on_a_full_disk_leaves_the_old_one },
    { "link-stays-and-its-file-is-written", link_stays_and_its_file_is_written },
    { "device-is-written-and-stays", device_is_written_and_stays },
    { "pipe-of-a-name-is-written-through", pipe_of_a_name_is_written_through },
    { "place-that-cannot-be-written-is-named", place_that_cannot_be_written_is_named },
  };
  g_test_init(&argc, &argv, NULL);
  scratch_make("flow");
  for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
    g_autofree char *path = g_strdup_printf("/base/flow/%s", tests[i].name);
    g_test_add_func(path, tests[i].test);
  }
  int status = g_test_run();
  scratch_remove();
  return status;
}
