/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/gather.h"

#include <string.h>

typedef struct {
  BaseSink sink;
  gboolean after_cr; /* a CR went out last, its LF is still to come */
  BaseGather out;
} CrlfSink;

/* Where CR and LF are next; both are found by memchr() over every byte at most once. */
typedef struct {
  const guint8 *at;
  const guint8 *end;
  const guint8 *newline; /* the next LF at or after `at`, or the end */
} Scan;

static const guint8 *
find(const guint8 *from, const guint8 *end, int byte)
{
  const guint8 *found = from < end ? memchr(from, byte, (gsize)(end - from)) : NULL;
  return found ? found : end;
}

static const guint8 *
next_special(Scan *scan)
{
  if (scan->newline < scan->at)
    scan->newline = find(scan->at, scan->end, '\n');
  return find(scan->at, scan->newline, '\r');
}

/* The bytes before a place where one is missing, and that one. */
static gboolean
put_and_mend(CrlfSink *self, const guint8 *from, const guint8 *to, const char *missing,
             GError **error)
{
  return base_gather_put(&self->out, from, (gsize)(to - from), error) &&
         base_gather_put(&self->out, missing, strlen(missing), error);
}

static gboolean
crlf_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  CrlfSink *self = (CrlfSink *)sink;
  const guint8 *start = bytes;
  Scan scan = { start, start + length, NULL };

  if (self->after_cr && *start == '\n')
    scan.at++;
  else if (self->after_cr && !base_gather_put(&self->out, "\n", 1, error))
    return FALSE;
  self->after_cr = FALSE;
  scan.newline = find(scan.at, scan.end, '\n');
  while (scan.at < scan.end) {
    const guint8 *special = next_special(&scan);
    if (special == scan.end)
      break;
    if (*special == '\r' && special + 1 == scan.end) {
      self->after_cr = TRUE;
      break;
    }
    if (*special == '\r' && special[1] == '\n') {
      scan.at = special + 2;
      continue;
    }
    const guint8 *upto = *special == '\r' ? special + 1 : special;
    if (!put_and_mend(self, start, upto, *special == '\r' ? "\n" : "\r\n", error))
      return FALSE;
    start = scan.at = special + 1;
  }
  return base_gather_put(&self->out, start, (gsize)(scan.end - start), error);
}

static gboolean
crlf_finish(BaseSink *sink, GError **error)
{
  CrlfSink *self = (CrlfSink *)sink;
  return base_gather_put(&self->out, "\n", self->after_cr ? 1 : 0, error) &&
         base_gather_finish(&self->out, error);
}

static void
crlf_free(BaseSink *sink)
{
  CrlfSink *self = (CrlfSink *)sink;
  base_gather_clear(&self->out);
  g_free(self);
}

BaseSink *
base_sink_crlf(BaseSink *next)
{
  static const BaseSinkClass klass = { crlf_write, crlf_finish, crlf_free };
  CrlfSink *self = g_new0(CrlfSink, 1);
  self->sink.klass = &klass;
  self->out.next = next;
  return &self->sink;
}
