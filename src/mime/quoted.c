/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/header.h"

#include <string.h>

#define LINE_MAX_MAIL 998 /* RFC 5322 2.1.1, without CRLF */
#define QUOTED_LINE 76

gboolean
mime_is_fragile(GBytes *text)
{
  gsize length = 0;
  const char *bytes = g_bytes_get_data(text, &length);
  gsize start = 0;
  for (gsize i = 0; i < length; i++) {
    if ((bytes[i] & 0x80) || bytes[i] == '\0')
      return TRUE;
    if (bytes[i] == '\r' && (i + 1 == length || bytes[i + 1] != '\n'))
      return TRUE;
    if (bytes[i] == '\n')
      start = i + 1;
    else if (i - start >= LINE_MAX_MAIL && bytes[i] != '\r')
      return TRUE;
    if (i == start && length - i >= 5 && memcmp(bytes + i, "From ", 5) == 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
at_line_end(const char *bytes, gsize length, gsize i)
{
  return i >= length || (bytes[i] == '\r' && i + 1 < length && bytes[i + 1] == '\n');
}

static gboolean
must_quote(const char *bytes, gsize length, gsize i, gboolean first)
{
  guchar c = (guchar)bytes[i];
  if (c == ' ' || c == '\t')
    return at_line_end(bytes, length, i + 1);
  if (first && (c == '.' || (length - i >= 5 && memcmp(bytes + i, "From ", 5) == 0)))
    return TRUE;
  return c < 33 || c > 126 || c == '=';
}

GBytes *
mime_quoted(GBytes *text)
{
  gsize length = 0;
  const char *bytes = g_bytes_get_data(text, &length);
  GString *out = g_string_sized_new(length + length / 8);
  gsize column = 0;
  for (gsize i = 0; i < length; i++) {
    if (at_line_end(bytes, length, i)) {
      g_string_append(out, "\r\n");
      column = 0;
      i++;
      continue;
    }
    gboolean quote = must_quote(bytes, length, i, column == 0);
    if (column + (quote ? 3 : 1) > QUOTED_LINE - 1) {
      g_string_append(out, "=\r\n");
      column = 0;
      quote = must_quote(bytes, length, i, TRUE);
    }
    if (quote)
      g_string_append_printf(out, "=%02X", (guchar)bytes[i]);
    else
      g_string_append_c(out, bytes[i]);
    column += quote ? 3 : 1;
  }
  return g_string_free_to_bytes(out);
}
