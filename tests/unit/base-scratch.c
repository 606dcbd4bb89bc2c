/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base-scratch.h"

#include <glib/gstdio.h>
#include <string.h>

char *scratch;

void
scratch_make(const char *name)
{
  g_autofree char *pattern = g_strdup_printf("signet-%s-XXXXXX", name);
  scratch = g_dir_make_tmp(pattern, NULL);
  g_assert_nonnull(scratch);
}

static void
remove_all(const char *path)
{
  g_autoptr(GDir) dir =
      g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
  const char *name = NULL;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *below = g_build_filename(path, name, NULL);
    remove_all(below);
  }
  g_remove(path);
}

void
scratch_remove(void)
{
  remove_all(scratch);
  g_clear_pointer(&scratch, g_free);
}

char *
in_scratch(const char *name)
{
  return g_build_filename(scratch, name, NULL);
}

guint
count_files(const char *folder)
{
  guint n = 0;
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  while (dir && g_dir_read_name(dir))
    n++;
  return n;
}

void
same(gconstpointer bytes, gsize length, gconstpointer expected, gsize size)
{
  g_assert_cmpuint(length, ==, size);
  g_assert_true(length == 0 || memcmp(bytes, expected, length) == 0);
}

void
bytes_are(GBytes *bytes, gconstpointer expected, gsize length)
{
  gsize size = 0;
  gconstpointer data = g_bytes_get_data(bytes, &size);
  same(data, size, expected, length);
}

void
fill(guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    bytes[i] = (guint8)g_test_rand_int();
}
