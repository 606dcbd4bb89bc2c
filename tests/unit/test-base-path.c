/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base-scratch.h"
#include "base/path.h"

#include <signet/error.h>

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void
own_folders_are_absolute(void)
{
  g_autofree char *data = base_path_data();
  g_autofree char *state = base_path_state();
  g_autofree char *config = base_path_config();
  g_autofree char *expected = in_scratch("data/signet");
  g_assert_cmpstr(data, ==, expected);
  g_assert_true(g_path_is_absolute(state));
  g_assert_true(g_path_is_absolute(config));
  g_assert_true(g_path_is_absolute(base_path_system_config()));
}

/* In another process: GLib reads the environment once. */
static void
relative_or_missing_home_is_not_used(void)
{
  if (g_test_subprocess()) {
    g_autofree char *data = base_path_data();
    g_autofree char *state = base_path_state();
    g_autofree char *config = base_path_config();
    g_autofree char *cache = base_path_cache();
    g_assert_true(g_path_is_absolute(cache) && g_str_has_suffix(cache, "/signet"));
    g_assert_true(g_path_is_absolute(data) && g_str_has_suffix(data, "/signet"));
    g_assert_true(g_path_is_absolute(state) && g_str_has_suffix(state, "/signet"));
    g_assert_true(g_path_is_absolute(config) && g_str_has_suffix(config, "/signet"));
    return;
  }
  static const char *const names[] = { "HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME",
                                       "XDG_CACHE_HOME" };
  g_autoptr(GPtrArray) saved = g_ptr_array_new_with_free_func(g_free);
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    g_ptr_array_add(saved, g_strdup(g_getenv(names[i])));
  g_setenv("HOME", "", TRUE);
  g_setenv("XDG_DATA_HOME", "relative/data", TRUE);
  g_unsetenv("XDG_STATE_HOME");
  g_setenv("XDG_CONFIG_HOME", "", TRUE);
  g_setenv("XDG_CACHE_HOME", "cache", TRUE);
  g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (saved->pdata[i])
      g_setenv(names[i], saved->pdata[i], TRUE);
    else
      g_unsetenv(names[i]);
  g_test_trap_assert_passed();
}

static void
written_file_is_whole_with_its_mode(void)
{
  g_autofree char *folder = in_scratch("write");
  g_autofree char *path = in_scratch("write/file");
  g_autoptr(GError) error = NULL;
  struct stat info;

  g_assert_true(base_path_make_folder(folder, &error));
  g_assert_true(base_path_make_folder(folder, &error));
  g_assert_cmpint(stat(folder, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0700);
  g_assert_true(base_path_write(path, "one", 3, 0600, &error));
  g_assert_true(base_path_write(path, "second", 6, 0644, &error));
  g_assert_no_error(error);
  g_assert_cmpint(stat(path, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0644);
  g_autoptr(GBytes) bytes = base_path_read(path, 6, &error);
  bytes_are(bytes, "second", 6);
  g_assert_cmpuint(count_files(folder), ==, 1);
}

static void
folder_over_a_file_is_refused(void)
{
  g_autofree char *file = in_scratch("plain-file");
  g_autofree char *below = in_scratch("plain-file/below");
  g_autoptr(GError) error = NULL;
  g_assert_true(base_path_write(file, "", 0, 0600, NULL));
  g_assert_false(base_path_make_folder(below, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, below));
}

static void
missing_folder_is_an_error(void)
{
  g_autofree char *path = in_scratch("nowhere/file");
  g_autoptr(GError) error = NULL;
  g_assert_false(base_path_write(path, "x", 1, 0600, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, path));
}

/* A limit on the size of files stands for a full disk: half of the bytes fit. */
static void
full_disk_leaves_the_old_file(void)
{
  g_autofree char *folder = in_scratch("full");
  g_autofree char *path = in_scratch("full/file");
  g_autofree char *large = g_strnfill(100000, 'x');
  g_autoptr(GError) error = NULL;
  struct rlimit saved;
  struct rlimit small;

  g_assert_true(base_path_make_folder(folder, NULL));
  g_assert_true(base_path_write(path, "old", 3, 0600, NULL));
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &saved), ==, 0);
  small = saved;
  small.rlim_cur = 50000;
  signal(SIGXFSZ, SIG_IGN);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
  gboolean written = base_path_write(path, large, 100000, 0600, &error);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &saved), ==, 0);
  g_assert_false(written);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_autoptr(GBytes) bytes = base_path_read(path, 100, NULL);
  bytes_are(bytes, "old", 3);
  g_assert_cmpuint(count_files(folder), ==, 1);
}

static void
reading_more_than_allowed_is_too_large(void)
{
  g_autofree char *path = in_scratch("large");
  g_autofree char *large = g_strnfill(200000, 'x');
  g_autoptr(GError) error = NULL;
  g_assert_true(base_path_write(path, large, 200000, 0600, NULL));
  g_autoptr(GBytes) whole = base_path_read(path, 200000, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_bytes_get_size(whole), ==, 200000);
  g_assert_null(base_path_read(path, 199999, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  g_clear_error(&error);
  g_assert_null(base_path_read("/dev/zero", 1000, &error)); /* ends */
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

static void
unreadable_things_are_named(void)
{
  g_autofree char *missing = in_scratch("missing");
  g_autoptr(GError) error = NULL;
  g_assert_null(base_path_read(missing, 10, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_nonnull(strstr(error->message, missing));
  g_clear_error(&error);
  g_assert_null(base_path_read(scratch, 10, &error)); /* a folder */
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
}

static gpointer
write_in_pieces(gpointer data)
{
  int fd = GPOINTER_TO_INT(data);
  for (int i = 0; i < 3; i++) {
    g_usleep(10000);
    g_assert_cmpint(write(fd, "abc", 3), ==, 3);
  }
  close(fd);
  return NULL;
}

static void
nonblocking_pipe_is_read_to_its_end(void)
{
  int ends[2];
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(pipe2(ends, O_NONBLOCK | O_CLOEXEC), ==, 0);
  GThread *writer = g_thread_new("writer", write_in_pieces, GINT_TO_POINTER(ends[1]));
  g_autoptr(GBytes) bytes = base_path_read_fd(ends[0], "the pipe", 100, &error);
  g_thread_join(writer);
  g_assert_no_error(error);
  bytes_are(bytes, "abcabcabc", 9);
  close(ends[0]);
}

static void
socket_lies_in_a_folder_of_ours(void)
{
  g_autofree char *runtime = in_scratch("run");
  g_autofree char *folder = in_scratch("run/signet");
  g_autofree char *expected = in_scratch("run/signet/socket");
  g_autoptr(GError) error = NULL;
  struct stat info;

  g_unsetenv("SIGNET_SOCKET");
  g_setenv("XDG_RUNTIME_DIR", runtime, TRUE);
  g_autofree char *path = base_path_socket(&error);
  g_assert_no_error(error);
  g_assert_cmpstr(path, ==, expected);
  g_assert_cmpint(chmod(folder, 0777), ==, 0); /* is put right */
  g_autofree char *again = base_path_socket(&error);
  g_assert_cmpint(stat(folder, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0700);
}

static void
linked_socket_folder_is_refused(void)
{
  g_autofree char *runtime = in_scratch("linked");
  g_autofree char *folder = in_scratch("linked/signet");
  g_autoptr(GError) error = NULL;
  g_assert_true(base_path_make_folder(runtime, NULL));
  g_assert_cmpint(symlink(scratch, folder), ==, 0);
  g_setenv("XDG_RUNTIME_DIR", runtime, TRUE);
  g_assert_null(base_path_socket(&error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_DENIED);
}

static void
long_socket_path_is_refused(void)
{
  g_autofree char *name = g_strnfill(108, 'x');
  g_autoptr(GError) error = NULL;
  g_setenv("SIGNET_SOCKET", name, TRUE);
  g_assert_null(base_path_socket(&error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  name[107] = '\0';
  g_setenv("SIGNET_SOCKET", name, TRUE);
  g_autofree char *path = base_path_socket(NULL);
  g_assert_cmpstr(path, ==, name);
  g_unsetenv("SIGNET_SOCKET");
}

static void
program_is_found_beside_this_one(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = base_path_program("test-base-path", &error);
  g_assert_no_error(error);
  g_assert_true(g_file_test(path, G_FILE_TEST_IS_EXECUTABLE));
  g_assert_null(base_path_program("signet-no-such-program", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NO_DAEMON);
  g_clear_error(&error);
  g_assert_null(base_path_program(".", &error)); /* a folder is no program */
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NO_DAEMON);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  scratch_make("path");
  g_autofree char *data = in_scratch("data");
  if (!g_test_subprocess())
    g_setenv("XDG_DATA_HOME", data, TRUE);
  g_test_add_func("/base/path/own-folders-are-absolute", own_folders_are_absolute);
  g_test_add_func("/base/path/relative-or-missing-home-is-not-used",
                  relative_or_missing_home_is_not_used);
  g_test_add_func("/base/path/written-file-is-whole-with-its-mode",
                  written_file_is_whole_with_its_mode);
  g_test_add_func("/base/path/folder-over-a-file-is-refused", folder_over_a_file_is_refused);
  g_test_add_func("/base/path/missing-folder-is-an-error", missing_folder_is_an_error);
  g_test_add_func("/base/path/full-disk-leaves-the-old-file", full_disk_leaves_the_old_file);
  g_test_add_func("/base/path/reading-more-than-allowed-is-too-large",
                  reading_more_than_allowed_is_too_large);
  g_test_add_func("/base/path/unreadable-things-are-named", unreadable_things_are_named);
  g_test_add_func("/base/path/nonblocking-pipe-is-read-to-its-end",
                  nonblocking_pipe_is_read_to_its_end);
  g_test_add_func("/base/path/socket-lies-in-a-folder-of-ours", socket_lies_in_a_folder_of_ours);
  g_test_add_func("/base/path/linked-socket-folder-is-refused", linked_socket_folder_is_refused);
  g_test_add_func("/base/path/long-socket-path-is-refused", long_socket_path_is_refused);
  g_test_add_func("/base/path/program-is-found-beside-this-one", program_is_found_beside_this_one);
  int status = g_test_run();
  scratch_remove();
  return status;
}
