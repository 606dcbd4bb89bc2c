/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/window.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define HEAD_MAX 6

void
trust_window_clear(TrustWindow *window)
{
  g_free(window->buffer);
}

/* Many small steps are one large piece. */
gboolean
trust_window_flush(TrustWindow *window)
{
  const guint8 *from = window->fd < 0 ? window->bytes + window->passed
                                      : window->buffer + (window->passed - window->from);
  gsize length = (gsize)(window->at - window->passed);
  window->passed = window->at;
  return !window->pass || length == 0 || window->pass(from, length, window->data);
}

static gboolean
load(TrustWindow *window)
{
  if (window->pass && !trust_window_flush(window))
    return FALSE;
  if (!window->buffer)
    window->buffer = g_malloc(TRUST_WINDOW);
  window->from = window->at;
  window->have = 0;
  while (window->have < TRUST_WINDOW) {
    ssize_t got = pread(window->fd, window->buffer + window->have, TRUST_WINDOW - window->have,
                        window->from + (goffset)window->have);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return got == 0;
    window->have += (gsize)got;
  }
  return TRUE;
}

const guint8 *
trust_window_see(TrustWindow *window, gsize length)
{
  if (length > TRUST_WINDOW || (goffset)length > window->length - window->at)
    return NULL;
  if (window->fd < 0)
    return window->bytes + window->at;
  goffset inside = window->at - window->from;
  gboolean there = window->buffer && inside >= 0 && inside <= (goffset)window->have &&
                   length <= window->have - (gsize)inside;
  if (!there) {
    if (!load(window) || length > window->have)
      return NULL;
    inside = 0;
  }
  return window->buffer + inside;
}

gboolean
trust_window_skip(TrustWindow *window, goffset length)
{
  if (length < 0 || length > window->length - window->at)
    return FALSE;
  while (window->pass && window->fd >= 0 && length > 0) {
    if (!trust_window_see(window, 1))
      return FALSE;
    goffset there = window->from + (goffset)window->have - window->at;
    goffset piece = MIN(length, there);
    window->at += piece;
    length -= piece;
  }
  window->at += length;
  return TRUE;
}

gboolean
trust_element_read(const guint8 *bytes, gsize length, TrustElement *ret_element)
{
  if (length < 2 || (bytes[0] & 0x1f) == 0x1f)
    return FALSE;
  TrustElement element = { bytes[0], 2, bytes[1] };
  if (bytes[1] & 0x80) {
    guint count = bytes[1] & 0x7f;
    if (count < 1 || count > HEAD_MAX - 2 || length < 2 + count)
      return FALSE;
    guint64 value = 0;
    for (guint i = 0; i < count; i++)
      value = value << 8 | bytes[2 + i];
    if (value < 0x80 || bytes[2] == 0)
      return FALSE;
    element.head += count;
    element.length = (goffset)value;
  }
  *ret_element = element;
  return TRUE;
}

gboolean
trust_window_element(TrustWindow *window, goffset end, TrustElement *ret_element)
{
  TrustElement element;
  goffset left = MIN(end, window->length) - window->at;
  gsize seen = (gsize)CLAMP(left, 0, HEAD_MAX);
  const guint8 *bytes = trust_window_see(window, seen);
  if (!bytes || !trust_element_read(bytes, seen, &element) ||
      element.length > left - (goffset)element.head)
    return FALSE;
  *ret_element = element;
  return TRUE;
}
