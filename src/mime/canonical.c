/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/header.h"

#include <string.h>

static gsize
bare_newlines(const char *bytes, gsize length)
{
  gsize n = 0;
  const char *end = bytes + length;
  for (const char *at = bytes; at < end; at++) {
    at = memchr(at, '\n', (gsize)(end - at));
    if (!at)
      break;
    if (at == bytes || at[-1] != '\r')
      n++;
  }
  return n;
}

gboolean
mime_is_canonical(const char *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++) {
    if (bytes[i] == '\r' && (i + 1 == length || bytes[i + 1] != '\n'))
      return FALSE;
    if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r'))
      return FALSE;
  }
  return TRUE;
}

/* A CR without LF stays: it is content. */
GBytes *
mime_canonical(GBytes *bytes)
{
  gsize length = 0;
  const char *from = g_bytes_get_data(bytes, &length);
  gsize bare = length ? bare_newlines(from, length) : 0;
  if (bare == 0)
    return g_bytes_ref(bytes);
  char *to = g_malloc(length + bare);
  gsize n = 0;
  for (gsize i = 0; i < length; i++) {
    if (from[i] == '\n' && (i == 0 || from[i - 1] != '\r'))
      to[n++] = '\r';
    to[n++] = from[i];
  }
  return g_bytes_new_take(to, n);
}
