/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/pem.h"

#include "keyfile/wiped.h"

#include <string.h>

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"
#define LABEL_MAX 64
#define LINE_LENGTH_MAX 256 /* of a header or an attribute that we read */

typedef struct {
  const char *start;
  const char *end;
} Span;

static const char *
find(Span span, const char *what)
{
  return memmem(span.start, (gsize)(span.end - span.start), what, strlen(what));
}

/* Without its line break; moves span->start behind it. FALSE at the end. */
static gboolean
next_line(Span *span, Span *ret_line)
{
  if (span->start >= span->end)
    return FALSE;
  const char *newline = memchr(span->start, '\n', (gsize)(span->end - span->start));
  ret_line->start = span->start;
  ret_line->end = newline ? newline : span->end;
  span->start = newline ? newline + 1 : span->end;
  while (ret_line->end > ret_line->start && g_ascii_isspace(ret_line->end[-1]))
    ret_line->end--;
  while (ret_line->start < ret_line->end && g_ascii_isspace(*ret_line->start))
    ret_line->start++;
  return TRUE;
}

/* The value of "name: value"; NULL when the line is none. */
static char *
value_of(Span line, const char *name)
{
  gsize length = strlen(name);
  gsize all = (gsize)(line.end - line.start);
  if (all <= length || all > LINE_LENGTH_MAX ||
      g_ascii_strncasecmp(line.start, name, length) != 0 || line.start[length] != ':')
    return NULL;
  return g_strstrip(g_strndup(line.start + length + 1, all - length - 1));
}

/* ---- base64 ---- */

static int
digit(char c)
{
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

GBytes *
keyfile_pem_base64(const char *text, gsize length)
{
  guint8 *out = g_malloc(length / 4 * 3 + 3);
  gsize n = 0;
  guint32 bits = 0;
  guint count = 0, padding = 0;
  gboolean good = TRUE;
  for (gsize i = 0; good && i < length; i++) {
    int value = digit(text[i]);
    if (g_ascii_isspace(text[i]))
      continue;
    if (text[i] == '=')
      good = ++padding <= 2;
    else
      good = value >= 0 && padding == 0;
    bits = (bits << 6 | (guint32)MAX(value, 0)) & 0xffffff;
    if (++count % 4 == 0) {
      out[n++] = (guint8)(bits >> 16);
      out[n++] = (guint8)(bits >> 8);
      out[n++] = (guint8)bits;
    }
  }
  GBytes *bytes = keyfile_wiped_new(out, n);
  if (good && count % 4 == 0 && n > padding) {
    GBytes *cut = g_bytes_new_from_bytes(bytes, 0, n - padding);
    g_bytes_unref(bytes);
    return cut;
  }
  g_bytes_unref(bytes);
  return NULL;
}

/* ---- blocks ---- */

/* RFC 1421 headers, which end with an empty line; what is left is base64. */
static void
take_headers(KeyfilePem *pem, Span *body)
{
  Span rest = *body, line;
  while (next_line(&rest, &line)) {
    if (line.start == line.end) {
      *body = rest;
      continue; /* before the headers, after them, or between lines of base64 */
    }
    if (!memchr(line.start, ':', (gsize)(line.end - line.start)))
      return;
    if (!pem->info)
      pem->info = value_of(line, "DEK-Info");
    *body = rest;
  }
}

static char *
friendly_name(Span before)
{
  char *name = NULL;
  Span line;
  while (next_line(&before, &line)) {
    char *value = value_of(line, "friendlyName");
    if (!value)
      continue;
    g_free(name);
    name = value;
  }
  return name;
}

/* "LABEL-----": NULL when it is none; *at moves behind it. */
static char *
take_label(Span *at)
{
  Span line = { at->start, MIN(at->end, at->start + LABEL_MAX + strlen(DASHES)) };
  const char *end = find(line, DASHES);
  if (!end || end == at->start)
    return NULL;
  for (const char *c = at->start; c < end; c++)
    if (!g_ascii_isprint(*c))
      return NULL;
  char *label = g_strndup(at->start, (gsize)(end - at->start));
  at->start = end + strlen(DASHES);
  return label;
}

/* From behind the BEGIN line; at->start moves behind the block, or to where the next begins. */
static void
take_body(KeyfilePem *pem, Span *at)
{
  /* This order, so that a file full of BEGINs is not searched to its end for each. */
  const char *begin = find(*at, BEGIN);
  const char *limit = begin ? begin : at->end;
  const char *end = find((Span){ at->start, limit }, END);
  Span body = { at->start, end };
  if (!end) {
    at->start = limit;
    return;
  }
  at->start = end + strlen(END);
  g_autofree char *label = take_label(at);
  if (g_strcmp0(label, pem->label) != 0)
    return;
  take_headers(pem, &body);
  pem->bytes = keyfile_pem_base64(body.start, (gsize)(body.end - body.start));
}

KeyfilePem *
keyfile_pem_next(const char *text, gsize length, gsize *offset)
{
  Span at = { text + *offset, text + length };
  const char *from = at.start;
  for (const char *begin; (begin = find(at, BEGIN));) {
    at.start = begin + strlen(BEGIN);
    char *label = take_label(&at);
    if (!label)
      continue;
    KeyfilePem *pem = g_new0(KeyfilePem, 1);
    pem->label = label;
    pem->friendly = friendly_name((Span){ from, begin });
    take_body(pem, &at);
    *offset = (gsize)(at.start - text);
    return pem;
  }
  *offset = length;
  return NULL;
}

void
keyfile_pem_free(KeyfilePem *pem)
{
  if (!pem)
    return;
  g_free(pem->label);
  g_free(pem->info);
  g_free(pem->friendly);
  g_clear_pointer(&pem->bytes, g_bytes_unref);
  g_free(pem);
}
