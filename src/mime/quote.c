/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/quote.h"

#include "base/gather.h"
#include "base/secret.h"

#include <string.h>

#define QUOTED_LINE 76 /* RFC 2045 6.7 (5), with the "=" of a soft line end */
#define AHEAD 6        /* bytes to be seen before a byte can be written: "From ", " \r\n" */
#define SEAM 16

typedef struct {
  BaseSink sink;
  const char *eol;
  gsize column;
  guint8 carry[AHEAD];
  gsize carried;
  BaseGather out;
} Quoted;

typedef struct {
  const guint8 *at;
  const guint8 *end;  /* what may be looked at */
  const guint8 *upto; /* what is to be written */
} Text;

static gboolean
is_plain(guint8 c)
{
  return c > 32 && c < 127 && c != '=';
}

static gboolean
is_blank(guint8 c)
{
  return c == ' ' || c == '\t';
}

/* Length of the line end at `at`; 0: none. */
static gsize
line_end(const Text *text, const guint8 *at)
{
  if (at < text->end && *at == '\n')
    return 1;
  return text->end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? 2 : 0;
}

static gboolean
must_quote(const Text *text, gboolean first)
{
  const guint8 *at = text->at;
  if (is_blank(*at))
    return at + 1 == text->end || line_end(text, at + 1) > 0;
  /* Dot: SMTP; "From ": mbox files. */
  if (first && (*at == '.' || (text->end - at >= 5 && memcmp(at, "From ", 5) == 0)))
    return TRUE;
  return !is_plain(*at);
}

/* The bytes from here that stand as they are. */
static gsize
run_length(const Text *text, gsize room)
{
  const guint8 *at = text->at + 1;
  const guint8 *most = text->at + MIN(room, (gsize)(text->upto - text->at));
  while (at < most && (is_plain(*at) || (is_blank(*at) && at + 1 < text->end && is_plain(at[1]))))
    at++;
  return (gsize)(at - text->at);
}

static gboolean
put(Quoted *self, gconstpointer bytes, gsize length, GError **error)
{
  self->column += length;
  return base_gather_put(&self->out, bytes, length, error);
}

static gboolean
break_line(Quoted *self, gboolean soft, GError **error)
{
  if (!base_gather_put(&self->out, "=", soft ? 1 : 0, error) ||
      !base_gather_put(&self->out, self->eol, strlen(self->eol), error))
    return FALSE;
  self->column = 0;
  return TRUE;
}

static gboolean
put_quoted(Quoted *self, guint8 c, GError **error)
{
  static const char digits[] = "0123456789ABCDEF";
  const char code[] = { '=', digits[c >> 4], digits[c & 15] };
  return put(self, code, sizeof code, error);
}

static gboolean
put_some(Quoted *self, Text *text, GError **error)
{
  gsize end = line_end(text, text->at);
  if (end > 0) {
    text->at += end;
    return break_line(self, FALSE, error);
  }
  gboolean quote = must_quote(text, self->column == 0);
  if (self->column + (quote ? 3 : 1) > QUOTED_LINE - 1)
    return break_line(self, TRUE, error);
  gsize run = quote ? 1 : run_length(text, QUOTED_LINE - 1 - self->column);
  const guint8 *at = text->at;
  text->at += run;
  return quote ? put_quoted(self, *at, error) : put(self, at, run, error);
}

/* All but the last bytes, unless they are the `last` of all; *ret_taken of them. */
static gboolean
take(Quoted *self, const guint8 *bytes, gsize length, gboolean last, gsize *ret_taken,
     GError **error)
{
  gsize ahead = last ? 0 : MIN(length, AHEAD);
  Text text = { bytes, bytes + length, bytes + length - ahead };
  while (text.at < text.upto)
    if (!put_some(self, &text, error))
      return FALSE;
  *ret_taken = (gsize)(text.at - bytes);
  return TRUE;
}

static gboolean
quoted_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Quoted *self = (Quoted *)sink;
  const guint8 *at = bytes;
  guint8 seam[AHEAD + SEAM];
  gsize taken = 0;
  gsize more = self->carried ? MIN(length, SEAM) : 0;
  gsize joined = self->carried + more;
  memcpy(seam, self->carry, self->carried);
  memcpy(seam + self->carried, at, more);
  if (joined > 0) {
    if (!take(self, seam, joined, FALSE, &taken, error))
      return FALSE;
    if (taken < self->carried) { /* a few bytes, all of them in `seam` */
      self->carried = joined - taken;
      memcpy(self->carry, seam + taken, self->carried);
      return TRUE;
    }
    at += taken - self->carried;
    length -= taken - self->carried;
  }
  if (!take(self, at, length, FALSE, &taken, error))
    return FALSE;
  self->carried = length - taken;
  memcpy(self->carry, at + taken, self->carried);
  return TRUE;
}

static gboolean
quoted_finish(BaseSink *sink, GError **error)
{
  Quoted *self = (Quoted *)sink;
  gsize taken;
  return take(self, self->carry, self->carried, TRUE, &taken, error) &&
         base_gather_flush(&self->out, error);
}

static void
quoted_free(BaseSink *sink)
{
  Quoted *self = (Quoted *)sink;
  base_wipe(self->carry, sizeof self->carry);
  base_wipe(self->out.bytes, sizeof self->out.bytes);
  g_free(self);
}

BaseSink *
mime_quote_new(gboolean crlf, BaseSink *next)
{
  static const BaseSinkClass klass = { quoted_write, quoted_finish, quoted_free };
  Quoted *self = g_new0(Quoted, 1);
  self->sink.klass = &klass;
  self->eol = crlf ? "\r\n" : "\n";
  self->out.next = next;
  return &self->sink;
}
