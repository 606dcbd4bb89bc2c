/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/stage.h"

#include "base/secret.h"

#include <string.h>

#define GATHER (16 * 1024)

/* All stages here. What they put out is gathered: lines alone cost the next stage more than their
 * bytes do. */
typedef struct {
  BaseSink sink;
  BaseSink *next;
  gboolean owns;     /* `next` */
  gboolean finishes; /* `next` */
  gboolean after_cr; /* the last byte was one */
  gboolean uneven;   /* a line end that is not CRLF came */
  guint8 code[2];    /* of quoted-printable, "=" and what came of its two digits */
  guint have;
  GByteArray *blanks; /* at the end of a line, which may be padding */
  gsize length;
  guint8 bytes[GATHER];
} Stage;

static gboolean
flush(Stage *stage, GError **error)
{
  gsize length = stage->length;
  stage->length = 0;
  return base_sink_write(stage->next, stage->bytes, length, error);
}

static gboolean
put(Stage *stage, const guint8 *bytes, gsize length, GError **error)
{
  if (length > GATHER - stage->length && !flush(stage, error))
    return FALSE;
  if (length > GATHER)
    return base_sink_write(stage->next, bytes, length, error);
  if (length)
    memcpy(stage->bytes + stage->length, bytes, length);
  stage->length += length;
  return TRUE;
}

static gboolean
end(Stage *stage, GError **error)
{
  return flush(stage, error) && (!stage->finishes || base_sink_finish(stage->next, error));
}

static gboolean
stage_finish(BaseSink *sink, GError **error)
{
  return end((Stage *)sink, error);
}

static void
stage_free(BaseSink *sink)
{
  Stage *stage = (Stage *)sink;
  base_wipe(stage->bytes, sizeof stage->bytes);
  if (stage->owns)
    base_sink_free(stage->next);
  if (stage->blanks)
    g_byte_array_unref(stage->blanks);
  g_free(stage);
}

static Stage *
stage_new(const BaseSinkClass *klass, BaseSink *next)
{
  Stage *stage = g_new0(Stage, 1);
  stage->sink.klass = klass;
  stage->next = next;
  return stage;
}

/* ---- passing ---- */

static gboolean
pass_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  return base_sink_write(((Stage *)sink)->next, bytes, length, error);
}

BaseSink *
mime_pass_on(BaseSink *next)
{
  static const BaseSinkClass klass = { pass_write, stage_finish, stage_free };
  return &stage_new(&klass, next)->sink;
}

BaseSink *
mime_pass_new(BaseSink *next)
{
  Stage *stage = (Stage *)mime_pass_on(next);
  stage->owns = stage->finishes = TRUE;
  return &stage->sink;
}

/* ---- line ends ---- */

static gboolean
crlf_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  static const guint8 line_end[] = { '\r', '\n' };
  Stage *stage = (Stage *)sink;
  const guint8 *start = bytes;
  const guint8 *stop = start + length;
  for (const guint8 *at = start; at < stop;) {
    const guint8 *newline = memchr(at, '\n', (gsize)(stop - at));
    if (!newline)
      break;
    gboolean whole = newline > (const guint8 *)bytes ? newline[-1] == '\r' : stage->after_cr;
    at = newline + 1;
    if (whole)
      continue;
    if (!put(stage, start, (gsize)(newline - start), error) ||
        !put(stage, line_end, sizeof line_end, error))
      return FALSE;
    start = at;
  }
  stage->after_cr = stop[-1] == '\r';
  return put(stage, start, (gsize)(stop - start), error);
}

BaseSink *
mime_crlf_new(BaseSink *next)
{
  static const BaseSinkClass klass = { crlf_write, stage_finish, stage_free };
  return &stage_new(&klass, next)->sink;
}

static gboolean
lf_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Stage *stage = (Stage *)sink;
  const guint8 *start = bytes;
  const guint8 *stop = start + length;
  if (stage->after_cr && *start != '\n' && !put(stage, (const guint8 *)"\r", 1, error))
    return FALSE;
  stage->after_cr = FALSE;
  for (const guint8 *at = start; at < stop;) {
    const guint8 *cr = memchr(at, '\r', (gsize)(stop - at));
    if (!cr)
      break;
    at = cr + 1;
    stage->after_cr = at == stop;
    if (at < stop && *at != '\n')
      continue;
    if (!put(stage, start, (gsize)(cr - start), error))
      return FALSE;
    start = at;
  }
  return put(stage, start, (gsize)(stop - start), error);
}

static gboolean
lf_finish(BaseSink *sink, GError **error)
{
  Stage *stage = (Stage *)sink;
  return (!stage->after_cr || put(stage, (const guint8 *)"\r", 1, error)) && end(stage, error);
}

BaseSink *
mime_lf_new(BaseSink *next)
{
  static const BaseSinkClass klass = { lf_write, lf_finish, stage_free };
  return &stage_new(&klass, next)->sink;
}

/* TRUE: in these bytes each LF has its CR, and each CR its LF. */
static gboolean
is_even(const guint8 *at, const guint8 *stop, gboolean after_cr)
{
  if (after_cr && *at++ != '\n')
    return FALSE;
  while (at < stop) {
    const guint8 *newline = memchr(at, '\n', (gsize)(stop - at));
    const guint8 *line = newline ? newline : stop;
    const guint8 *cr = line > at ? memchr(at, '\r', (gsize)(line - at)) : NULL;
    if (cr ? cr + 1 != line : newline != NULL)
      return FALSE;
    at = newline ? newline + 1 : stop;
  }
  return TRUE;
}

static gboolean
ends_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Stage *stage = (Stage *)sink;
  const guint8 *at = bytes;
  stage->uneven = stage->uneven || !is_even(at, at + length, stage->after_cr);
  stage->after_cr = at[length - 1] == '\r';
  return base_sink_write(stage->next, bytes, length, error);
}

BaseSink *
mime_ends_new(BaseSink *next)
{
  static const BaseSinkClass klass = { ends_write, stage_finish, stage_free };
  Stage *stage = stage_new(&klass, next);
  stage->finishes = TRUE;
  return &stage->sink;
}

gboolean
mime_ends_are_crlf(const BaseSink *sink)
{
  const Stage *stage = (const Stage *)sink;
  return !stage->uneven && !stage->after_cr;
}

/* ---- quoted-printable ---- */

static gboolean
put_blanks(Stage *stage, gboolean keep, GError **error)
{
  gsize length = stage->blanks->len;
  gboolean good = !keep || put(stage, stage->blanks->data, length, error);
  g_byte_array_set_size(stage->blanks, 0);
  return good;
}

static gboolean
unquote_code(Stage *stage, guint8 c, GError **error)
{
  if (c == '\n') { /* a soft line end, with blanks or CR before it */
    stage->have = 0;
    return put_blanks(stage, FALSE, error);
  }
  gboolean blank = c == '\r' || c == ' ' || c == '\t';
  if (stage->have == 1 && blank && stage->blanks->len < GATHER) {
    g_byte_array_append(stage->blanks, &c, 1);
    return TRUE;
  }
  if (stage->have == 1 && stage->blanks->len == 0 && g_ascii_isxdigit(c)) {
    stage->code[0] = c;
    stage->have = 2;
    return TRUE;
  }
  guint have = stage->have;
  stage->have = 0;
  if (have == 2 && g_ascii_isxdigit(c)) {
    guint8 byte =
        (guint8)(g_ascii_xdigit_value((char)stage->code[0]) << 4 | g_ascii_xdigit_value((char)c));
    return put(stage, &byte, 1, error);
  }
  return put(stage, (const guint8 *)"=", 1, error) && put(stage, stage->code, have - 1, error) &&
         put_blanks(stage, TRUE, error) && put(stage, &c, 1, error);
}

static gboolean
unquote_byte(Stage *stage, guint8 c, GError **error)
{
  if (stage->have)
    return unquote_code(stage, c, error);
  if (c == ' ' || c == '\t') { /* RFC 2045 6.7 (3): at a line's end they are padding */
    g_byte_array_append(stage->blanks, &c, 1);
    return stage->blanks->len < GATHER || put_blanks(stage, TRUE, error);
  }
  if (!put_blanks(stage, c != '\r' && c != '\n', error))
    return FALSE;
  if (c != '=')
    return put(stage, &c, 1, error);
  stage->have = 1;
  return TRUE;
}

static gboolean
unquote_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Stage *stage = (Stage *)sink;
  const guint8 *at = bytes;
  for (gsize i = 0; i < length; i++)
    if (!unquote_byte(stage, at[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
unquote_finish(BaseSink *sink, GError **error)
{
  Stage *stage = (Stage *)sink;
  guint8 cut[] = { '=', stage->code[0] };
  return (stage->have < 2 || put(stage, cut, sizeof cut, error)) && end(stage, error);
}

BaseSink *
mime_unquote_new(BaseSink *next)
{
  static const BaseSinkClass klass = { unquote_write, unquote_finish, stage_free };
  Stage *stage = stage_new(&klass, next);
  stage->owns = stage->finishes = TRUE;
  stage->blanks = g_byte_array_new();
  return &stage->sink;
}
