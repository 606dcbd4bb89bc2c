/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include <signet/error.h>

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *scratch;
static char *path;

static char *
contents(void)
{
  char *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  return text;
}

static void
line_has_time_program_and_text(void)
{
  struct stat info;
  base_log_start("test");
  g_assert_true(base_log_to_file(path, NULL));
  base_log("started with %d %s", 2, "tokens");
  g_autofree char *text = contents();
  g_assert_true(g_regex_match_simple(
      "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ test\\[\\d+\\]: started with 2 tokens\\n$", text,
      0, 0));
  g_assert_cmpint(stat(path, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
}

static void
control_characters_stay_on_one_line(void)
{
  base_log("label %s", "x\n2020-01-01 forged\x1b[2J\xc2\x9b");
  g_autofree char *text = contents();
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_assert_cmpuint(g_strv_length(lines), ==, 3); /* two, and the empty one at the end */
  g_assert_nonnull(strstr(lines[1], "label x\\0A2020-01-01 forged\\1B[2J\\C2\\9B"));
}

static void
large_file_starts_anew_while_running(void)
{
  g_autofree char *filler = g_strnfill(4000, 'x');
  struct stat info;
  for (int i = 0; i < 400; i++) { /* 1.6 MB */
    base_log("%s", filler);
    g_assert_cmpint(stat(path, &info), ==, 0);
    g_assert_cmpint(info.st_size, <, 1024 * 1024 + 5000);
  }
}

static void
errno_stays(void)
{
  errno = EXDEV;
  base_log("x");
  g_assert_cmpint(errno, ==, EXDEV);
}

/* /dev/full fails each write; somebody's link is not followed. */
static void
unusable_files_are_survived_or_refused(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *link = g_build_filename(scratch, "link", NULL);
  g_assert_cmpint(symlink(path, link), ==, 0);
  g_assert_false(base_log_to_file(link, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_remove(link);
  g_assert_true(base_log_to_file("/dev/full", NULL));
  base_log("goes nowhere");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  scratch = g_dir_make_tmp("signet-log-XXXXXX", NULL);
  path = g_build_filename(scratch, "log", NULL);
  g_test_add_func("/base/log/line-has-time-program-and-text", line_has_time_program_and_text);
  g_test_add_func("/base/log/control-characters-stay-on-one-line",
                  control_characters_stay_on_one_line);
  g_test_add_func("/base/log/large-file-starts-anew-while-running",
                  large_file_starts_anew_while_running);
  g_test_add_func("/base/log/errno-stays", errno_stays);
  g_test_add_func("/base/log/unusable-files-are-survived-or-refused",
                  unusable_files_are_survived_or_refused);
  int status = g_test_run();
  g_remove(path);
  g_rmdir(scratch);
  g_free(path);
  g_free(scratch);
  return status;
}
