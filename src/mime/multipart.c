/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/multipart.h"

#include "base/error.h"

#include <string.h>

typedef enum { LINE_TEXT, LINE_NEXT, LINE_LAST } LineKind;

void
mime_parts_clear(MimeParts *parts)
{
  g_clear_pointer(&parts->parts, g_array_unref);
}

/* "--boundary", or "--boundary--"; blanks may follow (RFC 2046 5.1.1). */
static LineKind
classify(const char *line, gsize length, const char *boundary, gsize boundary_length)
{
  if (length < boundary_length + 2 || line[0] != '-' || line[1] != '-' ||
      memcmp(line + 2, boundary, boundary_length) != 0)
    return LINE_TEXT;
  gsize at = boundary_length + 2;
  LineKind kind = LINE_NEXT;
  if (length >= at + 2 && line[at] == '-' && line[at + 1] == '-') {
    kind = LINE_LAST;
    at += 2;
  }
  for (; at < length; at++)
    if (line[at] != ' ' && line[at] != '\t' && line[at] != '\r')
      return LINE_TEXT;
  return kind;
}

/* From `start` to the line end before `end`: that one belongs to the boundary. */
static MimeSpan
span_before(const char *start, const char *end)
{
  if (end > start && end[-1] == '\n')
    end--;
  if (end > start && end[-1] == '\r')
    end--;
  return (MimeSpan){ start, (gsize)(end - start) };
}

static gboolean
close_span(MimeParts *parts, const char *start, const char *line, gboolean first, GError **error)
{
  MimeSpan span = span_before(start, line);
  if (first) {
    parts->preamble = span;
    return TRUE;
  }
  if (parts->parts->len == MIME_PARTS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the mail has over %d parts",
                          MIME_PARTS_MAX);
  g_array_append_val(parts->parts, span);
  return TRUE;
}

gboolean
mime_parts_read(const char *body, gsize length, const char *boundary, MimeParts *ret_parts,
                GError **error)
{
  g_auto(MimeParts) parts = {
    g_array_new(FALSE, FALSE, sizeof(MimeSpan)), { body, 0 }, { body + length, 0 }, FALSE
  };
  gsize boundary_length = strlen(boundary);
  const char *end = body + length;
  const char *start = body;
  gboolean first = TRUE;
  for (const char *line = body; line < end && !parts.closed;) {
    const char *newline = memchr(line, '\n', (gsize)(end - line));
    const char *next = newline ? newline + 1 : end;
    LineKind kind =
        classify(line, (gsize)((newline ? newline : end) - line), boundary, boundary_length);
    if (kind != LINE_TEXT) {
      if (!close_span(&parts, start, line, first, error))
        return FALSE;
      first = FALSE;
      start = next;
      parts.closed = kind == LINE_LAST;
    }
    line = next;
  }
  if (first)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the mail says it has several parts, and has no boundary between them");
  if (parts.closed)
    parts.epilogue = (MimeSpan){ start, (gsize)(end - start) };
  else if (!close_span(&parts, start, end, FALSE, error))
    return FALSE;
  *ret_parts = parts;
  parts.parts = NULL;
  return TRUE;
}
