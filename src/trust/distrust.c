/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/distrust.h"

#include "base/error.h"
#include "base/path.h"
#include "trust/store.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME "distrust"
#define FILE_MAX ((gsize)1024 * 1024)
#define FINGERPRINT_DIGITS 64

/* (nullable) the fingerprint that a line begins with; colons and capitals as other tools print it. */
static char *
fingerprint_of(const char *line)
{
  g_autoptr(GString) hex = g_string_new(NULL);
  for (; *line && !g_ascii_isspace(*line); line++)
    if (*line != ':')
      g_string_append_c(hex, g_ascii_tolower(*line));
  if (hex->len != FINGERPRINT_DIGITS || strspn(hex->str, "0123456789abcdef") != hex->len)
    return NULL;
  return g_string_free(g_steal_pointer(&hex), FALSE);
}

static gboolean
is_remark(const char *line)
{
  line += strspn(line, " \t\r");
  return *line == '#' || *line == '\0';
}

static char *
path_in(const char *folder)
{
  return g_build_filename(folder, FILE_NAME, NULL);
}

/* *ret_text: "" where there is no file. */
static gboolean
read_text(const char *path, char **ret_text, GError **error)
{
  if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
    *ret_text = g_strdup("");
    return TRUE;
  }
  g_autoptr(GBytes) bytes = base_path_read(path, FILE_MAX, error);
  if (!bytes)
    return FALSE;
  gsize length = 0;
  const char *data = g_bytes_get_data(bytes, &length); /* NULL for an empty file */
  *ret_text = g_strndup(data ? data : "", length);
  return TRUE;
}

gboolean
trust_distrust_read(const char *folder, GHashTable *all, GError **error)
{
  g_autofree char *path = path_in(folder);
  g_autofree char *text = NULL;
  if (!read_text(path, &text, error))
    return FALSE;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (int i = 0; lines[i]; i++) {
    if (is_remark(lines[i]))
      continue;
    char *fingerprint = fingerprint_of(g_strstrip(lines[i]));
    if (!fingerprint)
      return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                            "%s, line %d, is no SHA-256 fingerprint (64 hex digits)", path, i + 1);
    g_hash_table_insert(all, fingerprint, g_strdup(path));
  }
  return TRUE;
}

static gboolean
write_text(const char *path, const char *text, GError **error)
{
  g_autofree char *real = realpath(path, NULL); /* a link stays one */
  return base_path_write(real ? real : path, text, strlen(text), 0600, error);
}

gboolean
trust_distrust_add(const BaseCert *root, char **ret_path, GError **error)
{
  g_autofree char *folder = trust_store_user_folder();
  g_autofree char *path = path_in(folder);
  g_autofree char *text = NULL;
  g_autoptr(GHashTable) there = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  if (!base_path_make_folder(folder, error) || !trust_distrust_read(folder, there, error) ||
      !read_text(path, &text, error))
    return FALSE;
  const char *newline = *text && !g_str_has_suffix(text, "\n") ? "\n" : "";
  g_autofree char *longer =
      g_strdup_printf("%s%s%s  # %s\n", text, newline, root->fingerprint, root->subject);
  if (!g_hash_table_contains(there, root->fingerprint) && !write_text(path, longer, error))
    return FALSE;
  if (ret_path)
    *ret_path = g_steal_pointer(&path);
  return TRUE;
}

gboolean
trust_distrust_drop(const char *fingerprint, GError **error)
{
  g_autofree char *folder = trust_store_user_folder();
  g_autofree char *path = path_in(folder);
  g_autofree char *text = NULL;
  g_autoptr(GString) rest = g_string_new(NULL);
  if (!read_text(path, &text, error))
    return FALSE;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  gboolean found = FALSE;
  for (int i = 0; lines[i]; i++) {
    g_autofree char *bare = g_strstrip(g_strdup(lines[i]));
    g_autofree char *of = is_remark(bare) ? NULL : fingerprint_of(bare);
    if (g_strcmp0(of, fingerprint) == 0)
      found = TRUE;
    else
      g_string_append_printf(rest, "%s%s", lines[i], lines[i + 1] ? "\n" : "");
  }
  return !found || write_text(path, rest->str, error);
}
