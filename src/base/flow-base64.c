/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/gather.h"

#include <string.h>

/* RFC 4648 4. GLib's step functions look at each character on its own; these take words. */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define NO_DIGIT 0x80000000u

/* A digit's six bits, already where they belong for each place in a group of four. */
typedef struct {
  guint32 place[4][256];
} DecodeTable;

static const DecodeTable *
decode_table(void)
{
  static DecodeTable table;
  static gsize ready = 0;
  if (g_once_init_enter(&ready)) {
    memset(&table, 0xff, sizeof table);
    for (guint32 value = 0; value < 64; value++)
      for (guint i = 0; i < 4; i++)
        table.place[i][(guint8)digits[value]] = value << (18 - 6 * i);
    g_once_init_leave(&ready, 1);
  }
  return &table;
}

typedef struct {
  BaseSink sink;
  const DecodeTable *table;
  guint32 group; /* the digits of a group that is not whole */
  guint have;    /* how many */
  guint padding;
  guint64 line; /* lines that ended */
  BaseGather out;
} DecodeSink;

static inline guint32
group_of(const DecodeTable *table, const guint8 *at)
{
  return table->place[0][at[0]] | table->place[1][at[1]] | table->place[2][at[2]] |
         table->place[3][at[3]];
}

/* As many whole groups as there are, and room for; returns where it stopped. */
static const guint8 *
decode_groups(DecodeSink *self, const guint8 *at, const guint8 *end)
{
  const DecodeTable *table = self->table;
  guint8 *out = self->out.bytes + self->out.length;
  const guint8 *out_end = self->out.bytes + BASE_GATHER_SIZE - 6;
  while (end - at >= 8 && out <= out_end) {
    guint32 high = group_of(table, at);
    guint32 low = group_of(table, at + 4);
    if ((high | low) & NO_DIGIT)
      break;
    guint64 word = GUINT64_TO_BE((guint64)high << 40 | (guint64)low << 16);
    memcpy(out, &word, sizeof word); /* two more than are counted: the slack */
    out += 6;
    at += 8;
  }
  if (end - at >= 4 && out <= out_end) {
    guint32 group = group_of(table, at);
    if (!(group & NO_DIGIT)) {
      guint32 word = GUINT32_TO_BE(group << 8);
      memcpy(out, &word, sizeof word);
      out += 3;
      at += 4;
    }
  }
  self->out.length = (gsize)(out - self->out.bytes);
  return at;
}

static gboolean
bad(DecodeSink *self, const char *what, GError **error)
{
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "line %" G_GUINT64_FORMAT ": %s",
                        self->line + 1, what);
}

static gboolean
put_group(DecodeSink *self, GError **error)
{
  const guint8 bytes[3] = { (guint8)(self->group >> 16), (guint8)(self->group >> 8),
                            (guint8)self->group };
  guint count = self->have - 1;
  self->group = 0;
  self->have = 0;
  return base_gather_put(&self->out, bytes, count, error);
}

static gboolean
pad(DecodeSink *self, GError **error)
{
  self->padding++;
  if (self->have + self->padding == 4 && self->have >= 2)
    return put_group(self, error);
  return self->have == 2 ? TRUE : bad(self, "base64 is padded where it cannot end", error);
}

static gboolean
decode_one(DecodeSink *self, guint8 c, GError **error)
{
  guint32 value = self->table->place[3][c];
  if (value & NO_DIGIT) {
    return c == '=' ? pad(self, error) : bad(self, "not base64", error);
  }
  if (self->padding)
    return bad(self, "base64 goes on after its end", error);
  self->group |= value << (18 - 6 * self->have);
  return ++self->have < 4 ? TRUE : put_group(self, error);
}

static const guint8 *
pass_blanks(DecodeSink *self, const guint8 *at, const guint8 *end)
{
  for (; at < end; at++) {
    if (*at == '\n')
      self->line++;
    else if (*at != '\r' && *at != ' ' && *at != '\t' && *at != '\f')
      break;
  }
  return at;
}

static gboolean
decode_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  DecodeSink *self = (DecodeSink *)sink;
  const guint8 *at = bytes;
  const guint8 *end = at + length;
  while (at < end) {
    if (self->have == 0 && self->padding == 0)
      at = decode_groups(self, at, end);
    if (self->out.length > BASE_GATHER_SIZE - 6 && !base_gather_flush(&self->out, error))
      return FALSE;
    const guint8 *digit = pass_blanks(self, at, end);
    if (digit == at && at < end && !decode_one(self, *digit++, error))
      return FALSE;
    at = digit;
  }
  return TRUE;
}

static gboolean
decode_finish(BaseSink *sink, GError **error)
{
  DecodeSink *self = (DecodeSink *)sink;
  if (self->have)
    return bad(self, "base64 is cut short", error);
  return base_gather_finish(&self->out, error);
}

static void
decode_free(BaseSink *sink)
{
  DecodeSink *self = (DecodeSink *)sink;
  base_gather_clear(&self->out);
  g_free(self);
}

BaseSink *
base_sink_base64_decode(BaseSink *next)
{
  static const BaseSinkClass klass = { decode_write, decode_finish, decode_free };
  DecodeSink *self = g_new0(DecodeSink, 1);
  self->sink.klass = &klass;
  self->table = decode_table();
  self->out.next = next;
  return &self->sink;
}

/* ---- encode ---- */

/* Two digits for twelve bits. */
typedef struct {
  guint8 pair[4096][2];
} EncodeTable;

static const EncodeTable *
encode_table(void)
{
  static EncodeTable table;
  static gsize ready = 0;
  if (g_once_init_enter(&ready)) {
    for (guint i = 0; i < 4096; i++) {
      table.pair[i][0] = (guint8)digits[i >> 6];
      table.pair[i][1] = (guint8)digits[i & 63];
    }
    g_once_init_leave(&ready, 1);
  }
  return &table;
}

typedef struct {
  BaseSink sink;
  const EncodeTable *table;
  guint groups_a_line; /* 0: one line without end */
  guint groups;        /* in this line */
  gboolean crlf;
  guint8 rest[3]; /* bytes of a group that is not whole */
  guint have;
  BaseGather out;
} EncodeSink;

/* Six bytes by one load, eight digits by one store; reads two bytes more than it takes. */
static inline void
encode_two_groups(const EncodeTable *table, const guint8 *at, guint8 *out)
{
  guint64 word;
  memcpy(&word, at, sizeof word);
  word = GUINT64_FROM_BE(word);
  memcpy(out, table->pair[word >> 52], 2);
  memcpy(out + 2, table->pair[word >> 40 & 0xfff], 2);
  memcpy(out + 4, table->pair[word >> 28 & 0xfff], 2);
  memcpy(out + 6, table->pair[word >> 16 & 0xfff], 2);
}

static inline void
encode_group(const EncodeTable *table, const guint8 *at, guint8 *out)
{
  guint32 group = (guint32)at[0] << 16 | (guint32)at[1] << 8 | at[2];
  memcpy(out, table->pair[group >> 12], 2);
  memcpy(out + 2, table->pair[group & 0xfff], 2);
}

static gboolean
end_line(EncodeSink *self, GError **error)
{
  self->groups = 0;
  return base_gather_put(&self->out, self->crlf ? "\r\n" : "\n", self->crlf ? 2 : 1, error);
}

/* `count` whole groups, from three bytes each. */
static gboolean
encode_groups(EncodeSink *self, const guint8 *at, gsize count, GError **error)
{
  while (count) {
    if (BASE_GATHER_SIZE - self->out.length < 4 && !base_gather_flush(&self->out, error))
      return FALSE;
    gsize now = MIN(count, (BASE_GATHER_SIZE - self->out.length) / 4);
    if (self->groups_a_line)
      now = MIN(now, self->groups_a_line - self->groups);
    guint8 *out = self->out.bytes + self->out.length;
    gsize i = 0;
    for (; i + 3 <= now; i += 2)
      encode_two_groups(self->table, at + 3 * i, out + 4 * i);
    for (; i < now; i++)
      encode_group(self->table, at + 3 * i, out + 4 * i);
    self->out.length += 4 * now;
    at += 3 * now;
    count -= now;
    if (self->groups_a_line) {
      self->groups += (guint)now;
      if (self->groups == self->groups_a_line && !end_line(self, error))
        return FALSE;
    }
  }
  return TRUE;
}

static gboolean
encode_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  EncodeSink *self = (EncodeSink *)sink;
  const guint8 *at = bytes;
  while (self->have && length) {
    self->rest[self->have++] = *at++;
    length--;
    if (self->have < 3)
      continue;
    self->have = 0;
    if (!encode_groups(self, self->rest, 1, error))
      return FALSE;
  }
  if (!encode_groups(self, at, length / 3, error))
    return FALSE;
  at += length / 3 * 3;
  for (gsize left = length % 3; left; left--)
    self->rest[self->have++] = *at++;
  return TRUE;
}

static gboolean
encode_finish(BaseSink *sink, GError **error)
{
  EncodeSink *self = (EncodeSink *)sink;
  if (self->have) {
    guint8 last[4];
    memset(self->rest + self->have, 0, 3 - self->have);
    encode_group(self->table, self->rest, last);
    memset(last + self->have + 1, '=', 3 - self->have);
    self->groups++;
    if (!base_gather_put(&self->out, last, sizeof last, error))
      return FALSE;
  }
  if (self->groups_a_line && self->groups && !end_line(self, error))
    return FALSE;
  return base_gather_finish(&self->out, error);
}

static void
encode_free(BaseSink *sink)
{
  EncodeSink *self = (EncodeSink *)sink;
  base_gather_clear(&self->out);
  memset(self->rest, 0, sizeof self->rest);
  g_free(self);
}

BaseSink *
base_sink_base64_encode(BaseSink *next, guint line, gboolean crlf)
{
  static const BaseSinkClass klass = { encode_write, encode_finish, encode_free };
  g_assert(line % 4 == 0);
  EncodeSink *self = g_new0(EncodeSink, 1);
  self->sink.klass = &klass;
  self->table = encode_table();
  self->groups_a_line = line / 4;
  self->crlf = crlf;
  self->out.next = next;
  return &self->sink;
}
