/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

static char *
put(const char *name, const char *text, gssize length)
{
  char *path = g_build_filename(folder, name, NULL);
  g_assert_true(g_file_set_contents(path, text, length, NULL));
  return path;
}

static void
file_is_read_whole(void)
{
  g_autofree char *long_text = g_strnfill(300000, 'x');
  g_autofree char *path = put("long", long_text, -1);
  g_autoptr(GError) error = NULL;
  g_autoptr(TransferSource) source = transfer_source_file(path, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_bytes_get_size(source->bytes), ==, 300000);
  g_assert_cmpstr(source->path, ==, path);
}

static void
too_long_file_is_refused(void)
{
  g_autofree char *path = put("too-long", "", 0);
  g_assert_cmpint(truncate(path, 8 * 1024 * 1024 + 1), ==, 0);
  g_autoptr(GError) error = NULL;
  g_assert_null(transfer_source_file(path, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

static void
folder_is_no_file(void)
{
  g_autoptr(GError) error = NULL;
  g_assert_null(transfer_source_file(folder, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

static void
shredded_file_is_gone(void)
{
  g_autofree char *path = put("secret", "the key", -1);
  g_autoptr(GError) error = NULL;
  g_autoptr(TransferSource) source = transfer_source_file(path, &error);
  g_assert_true(transfer_shred(source, &error));
  g_assert_no_error(error);
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void
refused(const char *path, TransferSource *source)
{
  g_autoptr(GError) error = NULL;
  g_assert_false(transfer_shred(source, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_REFUSED);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "the key");
}

static void
hard_link_is_left_alone(void)
{
  g_autofree char *path = put("linked", "the key", -1);
  g_autofree char *other = g_build_filename(folder, "other-name", NULL);
  g_assert_cmpint(link(path, other), ==, 0);
  g_autoptr(TransferSource) source = transfer_source_file(path, NULL);
  refused(path, source);
}

static void
symbolic_link_is_left_alone(void)
{
  g_autofree char *path = put("target", "the key", -1);
  g_autofree char *other = g_build_filename(folder, "symbolic", NULL);
  g_assert_cmpint(symlink(path, other), ==, 0);
  g_autoptr(TransferSource) source = transfer_source_file(other, NULL);
  refused(path, source);
}

static void
changed_file_is_left_alone(void)
{
  static const char *const before[] = { "the kez", "the ke", "the key and more" };
  for (gsize i = 0; i < G_N_ELEMENTS(before); i++) {
    g_autofree char *path = put("changed", before[i], -1);
    g_autoptr(TransferSource) source = transfer_source_file(path, NULL);
    FILE *file = fopen(path, "w"); /* the same inode */
    g_assert_cmpint(fputs("the key", file), >=, 0);
    g_assert_cmpint(fclose(file), ==, 0);
    refused(path, source);
  }
}

static void
another_file_of_that_name_is_left_alone(void)
{
  g_autofree char *path = put("replaced", "before", -1);
  g_autoptr(TransferSource) source = transfer_source_file(path, NULL);
  g_autofree char *newer = put("newer", "the key", -1);
  g_assert_cmpint(g_rename(newer, path), ==, 0);
  refused(path, source);
}

static void
child_tells_and_takes_its_line(void)
{
  static const char *const argv[] = { "sh", "-c", "cat <&3; echo oops >&2", NULL };
  g_autoptr(BaseSecret) line = base_secret_new_from("the line", 8);
  const TransferChild child = { argv, line, 20000, 1000 };
  g_autofree char *errors = NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(GByteArray) output = transfer_child_run(&child, &errors, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(output->len, ==, 9);
  g_assert_cmpint(memcmp(output->data, "the line\n", 9), ==, 0);
  g_assert_cmpstr(errors, ==, "oops\n");
}

static void
child_inherits_nothing(void)
{
  static const char *const argv[] = { "sh", "-c", "ls /proc/self/fd | wc -l", NULL };
  int open_fd = dup(0); /* without close-on-exec, as --passphrase-fd comes */
  const TransferChild child = { argv, NULL, 20000, 1000 };
  g_autoptr(GByteArray) output = transfer_child_run(&child, NULL, NULL);
  g_byte_array_append(output, (const guint8 *)"", 1);
  /* 0 to 2, 3 for the line, and ls's own for the folder */
  g_assert_cmpint(g_ascii_strtoll((const char *)output->data, NULL, 10), <=, 5);
  close(open_fd);
}

static void
child_that_hangs_is_ended(void)
{
  static const char *const argv[] = { "sleep", "100", NULL };
  const TransferChild child = { argv, NULL, 200, 1000 };
  g_autoptr(GError) error = NULL;
  g_assert_null(transfer_child_run(&child, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TIMEOUT);
}

static void
child_that_floods_is_ended(void)
{
  static const char *const argv[] = { "yes", NULL };
  const TransferChild child = { argv, NULL, 20000, 100000 };
  g_autoptr(GError) error = NULL;
  g_assert_null(transfer_child_run(&child, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

static void
missing_program_is_said(void)
{
  static const char *const argv[] = { "no-such-program-of-signet", NULL };
  const TransferChild child = { argv, NULL, 20000, 1000 };
  g_autoptr(GError) error = NULL;
  g_assert_null(transfer_child_run(&child, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED);
}

static void
remove_folder(void)
{
  g_autoptr(GDir) inside = g_dir_open(folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name(inside))) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    unlink(path);
  }
  rmdir(folder);
  g_free(folder);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  folder = g_dir_make_tmp("signet-source-XXXXXX", NULL);
#define T(path, function) g_test_add_func("/transfer/source/" path, function)
  T("file-is-read-whole", file_is_read_whole);
  T("too-long-is-refused", too_long_file_is_refused);
  T("folder-is-no-file", folder_is_no_file);
  T("shredded-is-gone", shredded_file_is_gone);
  T("hard-link-is-left-alone", hard_link_is_left_alone);
  T("symbolic-link-is-left-alone", symbolic_link_is_left_alone);
  T("changed-is-left-alone", changed_file_is_left_alone);
  T("another-of-that-name-is-left-alone", another_file_of_that_name_is_left_alone);
#undef T
#define T(path, function) g_test_add_func("/transfer/child/" path, function)
  T("tells-and-takes-its-line", child_tells_and_takes_its_line);
  T("inherits-nothing", child_inherits_nothing);
  T("that-hangs-is-ended", child_that_hangs_is_ended);
  T("that-floods-is-ended", child_that_floods_is_ended);
  T("missing-is-said", missing_program_is_said);
#undef T
  int status = g_test_run();
  remove_folder();
  return status;
}
