/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "daemon/catalogue-internal.h"

#include <string.h>

/* Labels come from tokens and end on terminals: what steers a terminal has no place in them. */
char *
daemon_catalogue_clean(const char *text, gsize max)
{
  g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
  GString *clean = g_string_new(NULL);
  for (char *at = valid, *next; *at; at = next) {
    next = g_utf8_next_char(at);
    gunichar c = g_utf8_get_char(at);
    gboolean control = g_unichar_iscntrl(c) || g_unichar_type(c) == G_UNICODE_FORMAT ||
                       g_unichar_type(c) == G_UNICODE_LINE_SEPARATOR;
    gsize length = control ? 1 : (gsize)(next - at);
    if (clean->len + length > max)
      break;
    g_string_append_len(clean, control ? "?" : at, (gssize)length);
  }
  return g_string_free(clean, FALSE);
}

char *
daemon_catalogue_day(gint64 seconds)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seconds);
  return time ? g_date_time_format(time, "%Y-%m-%d") : g_strdup("a date out of range");
}

void
daemon_catalogue_set_candidates(GError **error, GPtrArray *lines)
{
  SignetErrorDetails *details = error && *error ? base_error_details(*error) : NULL;
  if (!details)
    return;
  g_autoptr(GPtrArray) shown = g_ptr_array_new();
  guint n = MIN(lines->len, DAEMON_CATALOGUE_CANDIDATES_MAX);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add(shown, g_strdup(g_ptr_array_index(lines, i)));
  if (lines->len > n)
    g_ptr_array_add(shown, g_strdup_printf("and %u more", lines->len - n));
  g_ptr_array_add(shown, NULL);
  g_strfreev(details->candidates);
  details->candidates = (char **)g_ptr_array_free(g_steal_pointer(&shown), FALSE);
}

char *
daemon_catalogue_join(const GPtrArray *words)
{
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < words->len; i++) {
    if (i)
      g_string_append(text, i + 1 == words->len ? " and " : ", ");
    g_string_append(text, g_ptr_array_index(words, i));
  }
  return g_string_free(text, FALSE);
}
