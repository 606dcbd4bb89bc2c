/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/look.h"

#include <string.h>

/* Sixteen bytes at once: every byte of a large mail is looked at, so that a branch for each
 * would cost more than hashing it does. */
typedef guint8 Block __attribute__((vector_size(16)));

#define BLOCK sizeof(Block)
#define RUN_MAX 255 /* blocks whose matches a byte can count */
#define FROM_MARK "\nFrom "
#define FROM_MARK_LENGTH (sizeof FROM_MARK - 1)

typedef struct {
  BaseSink sink;
  MimeLook look;
  MimeLook *ret_look;
  gboolean lines;
  gint64 column;                     /* bytes since the last line end */
  guint8 tail[FROM_MARK_LENGTH - 1]; /* the last bytes, and at first the line end before the body */
  gsize tail_length;
} Look;

typedef struct {
  Block line_ends;
  Block lone_lf;
  Block lone_cr;
  Block nul;
  Block high;
  Block from;
} Counts;

static Block
load(const guint8 *at)
{
  Block block;
  memcpy(&block, at, BLOCK);
  return block;
}

static Block
all(guint8 byte)
{
  Block block;
  memset(&block, byte, BLOCK);
  return block;
}

static gint64
sum(Block block)
{
  gint64 n = 0;
  for (gsize i = 0; i < BLOCK; i++)
    n += block[i];
  return n;
}

static gboolean
any(Block block)
{
  guint64 words[BLOCK / sizeof(guint64)];
  memcpy(words, &block, BLOCK);
  return (words[0] | words[1]) != 0;
}

/* ---- bytes ---- */

/* `at[-1]` is there. A match is a byte of ones, that is -1. */
static Counts
count_blocks(const guint8 *at, gsize blocks)
{
  Counts counts = { 0 };
  for (const guint8 *end = at + blocks * BLOCK; at < end; at += BLOCK) {
    Block now = load(at);
    Block before = load(at - 1);
    Block line_end = (Block)(now == all('\n'));
    Block after_cr = (Block)(before == all('\r'));
    counts.line_ends -= line_end;
    counts.lone_lf -= line_end & ~after_cr;
    counts.lone_cr |= after_cr & ~line_end;
    counts.from |= (Block)(now == all('F')) & (Block)(before == all('\n'));
    counts.nul |= (Block)(now == all('\0'));
    counts.high |= now;
  }
  return counts;
}

static void
look_at_byte(MimeLook *look, guint8 before, guint8 now)
{
  look->line_ends += now == '\n';
  look->lone_lf += now == '\n' && before != '\r';
  look->lone_cr |= now != '\n' && before == '\r';
  look->nul |= now == '\0';
  look->eight_bit |= now >= 0x80;
}

static gboolean
has_from_line(const guint8 *at, gsize length)
{
  return memmem(at, length, FROM_MARK, FROM_MARK_LENGTH) != NULL;
}

/* The first byte was looked at. */
static void
look_at_bytes(Look *self, const guint8 *bytes, gsize length)
{
  MimeLook *look = &self->look;
  const guint8 *at = bytes + 1;
  const guint8 *end = bytes + length;
  while ((gsize)(end - at) >= BLOCK) {
    gsize blocks = MIN((gsize)(end - at) / BLOCK, RUN_MAX);
    Counts counts = count_blocks(at, blocks);
    look->line_ends += sum(counts.line_ends);
    look->lone_lf += sum(counts.lone_lf);
    look->lone_cr |= any(counts.lone_cr);
    look->nul |= any(counts.nul);
    look->eight_bit |= any(counts.high & all(0x80));
    gsize upto = MIN(blocks * BLOCK + FROM_MARK_LENGTH, (gsize)(end - at) + 1);
    if (self->lines && !look->from_line && any(counts.from))
      look->from_line = has_from_line(at - 1, upto);
    at += blocks * BLOCK;
  }
  if (self->lines && !look->from_line)
    look->from_line = has_from_line(at - 1, (gsize)(end - at) + 1);
  for (; at < end; at++)
    look_at_byte(look, at[-1], *at);
}

/* ---- across pieces ---- */

/* A "From " line that begins in what came before. */
static void
look_at_seam(Look *self, const guint8 *bytes, gsize length)
{
  guint8 seam[2 * FROM_MARK_LENGTH];
  gsize more = MIN(length, FROM_MARK_LENGTH - 1);
  memcpy(seam, self->tail, self->tail_length);
  memcpy(seam + self->tail_length, bytes, more);
  if (self->lines && has_from_line(seam, self->tail_length + more))
    self->look.from_line = TRUE;
}

static void
keep_tail(Look *self, const guint8 *bytes, gsize length)
{
  gsize fresh = MIN(length, sizeof self->tail);
  gsize old = MIN(self->tail_length, sizeof self->tail - fresh);
  memmove(self->tail, self->tail + self->tail_length - old, old);
  memcpy(self->tail + old, bytes + length - fresh, fresh);
  self->tail_length = old + fresh;
}

/* ---- lines ---- */

/* From the start of a line to a line end at `last`: whether one between is too long. Goes from a
 * line end to the last one within reach, so that most are not looked at. */
static gboolean
has_long_line(const guint8 *start, const guint8 *last)
{
  while (last - start > MIME_LINE_MAX) {
    gsize reach = (gsize)MIN(last - start + 1, MIME_LINE_MAX + 2);
    const guint8 *found = memrchr(start, '\n', reach);
    if (found && found - start == MIME_LINE_MAX + 1 && found[-1] != '\r')
      found = memrchr(start, '\n', MIME_LINE_MAX + 1);
    if (!found)
      return TRUE;
    start = found + 1;
  }
  return FALSE;
}

static void
look_at_lines(Look *self, const guint8 *bytes, gsize length)
{
  const guint8 *first = memchr(bytes, '\n', length);
  if (!first) {
    self->column += (gint64)length;
    /* A CR may be the last of it. */
    self->look.long_line |= self->column > MIME_LINE_MAX + 1;
    return;
  }
  guint8 before = first > bytes ? first[-1] : self->tail[self->tail_length - 1];
  gint64 text = self->column + (first - bytes) - (before == '\r');
  const guint8 *last = memrchr(bytes, '\n', length);
  self->look.long_line |= text > MIME_LINE_MAX || has_long_line(first + 1, last);
  self->column = bytes + length - (last + 1);
  self->look.long_line |= self->column > MIME_LINE_MAX + 1;
}

/* ---- the sink ---- */

static gboolean
look_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Look *self = (Look *)sink;
  const guint8 *at = bytes;
  (void)error;
  look_at_byte(&self->look, self->tail[self->tail_length - 1], at[0]);
  look_at_bytes(self, at, length);
  if (self->lines && !self->look.long_line)
    look_at_lines(self, at, length);
  look_at_seam(self, at, length);
  keep_tail(self, at, length);
  self->look.length += (gint64)length;
  return TRUE;
}

static gboolean
look_finish(BaseSink *sink, GError **error)
{
  Look *self = (Look *)sink;
  (void)error;
  self->look.lone_cr |= self->tail[self->tail_length - 1] == '\r';
  self->look.long_line |= self->column > MIME_LINE_MAX;
  *self->ret_look = self->look;
  return TRUE;
}

static void
look_free(BaseSink *sink)
{
  g_free(sink);
}

BaseSink *
mime_look_new(gboolean lines, MimeLook *ret_look)
{
  static const BaseSinkClass klass = { look_write, look_finish, look_free };
  Look *self = g_new0(Look, 1);
  self->sink.klass = &klass;
  self->lines = lines;
  self->ret_look = ret_look;
  self->tail[0] = '\n';
  self->tail_length = 1;
  return &self->sink;
}

gboolean
mime_look_is_fragile(const MimeLook *look)
{
  return look->eight_bit || look->nul || look->lone_cr || look->long_line || look->from_line;
}
