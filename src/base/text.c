/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"

#define ZERO_WIDTH_NON_JOINER 0x200c /* Persian names need it */
#define ZERO_WIDTH_JOINER 0x200d

gboolean
base_text_is_plain(gunichar c)
{
  switch (g_unichar_type(c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
  case G_UNICODE_SURROGATE:
    return FALSE;
  case G_UNICODE_FORMAT: /* among them the bidirectional overrides, U+202A to U+202E */
    return c == ZERO_WIDTH_NON_JOINER || c == ZERO_WIDTH_JOINER;
  default:
    return TRUE;
  }
}

char *
base_text_shown(const char *text, gssize length)
{
  if (!text)
    return NULL;
  g_autofree char *valid = g_utf8_make_valid(text, length);
  GString *shown = g_string_sized_new(64);
  for (const char *at = valid; *at;) {
    const char *next = at + g_utf8_skip[(guchar)*at];
    if (base_text_is_plain(g_utf8_get_char(at)))
      g_string_append_len(shown, at, next - at);
    else
      for (const char *byte = at; byte < next; byte++)
        g_string_append_printf(shown, "\\%02X", (guint)(guchar)*byte);
    at = next;
  }
  return g_string_free(shown, FALSE);
}
