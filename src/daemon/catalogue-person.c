/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/catalogue-internal.h"

#include <string.h>

/* Whether two certificates can be one person's, by their names: CAs write them as they like. */

/* Of a name, what tells people apart: no initials, no numbers, and no address. */
static GHashTable *
name_words(const char *name)
{
  GHashTable *words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  gboolean is_name = name && !strchr(name, '@');
  g_auto(GStrv) all = g_str_tokenize_and_fold(is_name ? name : "", NULL, NULL);
  for (char **word = all; *word; word++)
    if (g_utf8_strlen(*word, -1) > 1 && !g_ascii_isdigit(**word))
      g_hash_table_add(words, g_strdup(*word));
  return words;
}

static gboolean
holds_all(GHashTable *words, GHashTable *of)
{
  GHashTableIter iter;
  gpointer word;
  g_hash_table_iter_init(&iter, of);
  while (g_hash_table_iter_next(&iter, &word, NULL))
    if (!g_hash_table_contains(words, word))
      return FALSE;
  return TRUE;
}

/* "Alice Example" and "EXAMPLE.ALICE.M.1234" are one, and what does not say is nobody else. */
gboolean
daemon_catalogue_same_person(const DaemonCert *left, const DaemonCert *right)
{
  g_autoptr(GHashTable) left_words = name_words(left->name);
  g_autoptr(GHashTable) right_words = name_words(right->name);
  return holds_all(left_words, right_words) || holds_all(right_words, left_words);
}
