/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/pack.h"

#include "base/error.h"
#include "base/secret.h"

#include <string.h>

#define PACKER_FIRST 256

/* Grown by hand and not by realloc(): what is left behind is wiped. */
static guint8 *
packer_room(WirePacker *packer, gsize want)
{
  if (packer->size - packer->length < want) {
    gsize size = MAX(MAX(packer->size * 2, PACKER_FIRST), packer->length + want);
    guint8 *bytes = g_malloc(size);
    if (packer->length)
      memcpy(bytes, packer->bytes, packer->length);
    base_wipe(packer->bytes, packer->length);
    g_free(packer->bytes);
    packer->bytes = bytes;
    packer->size = size;
  }
  guint8 *room = packer->bytes + packer->length;
  packer->length += want;
  return room;
}

void
wire_packer_clear(WirePacker *packer)
{
  base_wipe(packer->bytes, packer->length);
  g_free(packer->bytes);
  memset(packer, 0, sizeof *packer);
}

void
wire_pack_u8(WirePacker *packer, guint8 value)
{
  *packer_room(packer, 1) = value;
}

void
wire_pack_u32(WirePacker *packer, guint32 value)
{
  guint32 little = GUINT32_TO_LE(value);
  memcpy(packer_room(packer, sizeof little), &little, sizeof little);
}

void
wire_pack_u64(WirePacker *packer, guint64 value)
{
  guint64 little = GUINT64_TO_LE(value);
  memcpy(packer_room(packer, sizeof little), &little, sizeof little);
}

void
wire_pack_raw(WirePacker *packer, gconstpointer bytes, gsize length)
{
  if (length)
    memcpy(packer_room(packer, length), bytes, length);
}

void
wire_pack_bytes(WirePacker *packer, gconstpointer bytes, gsize length)
{
  g_assert(length <= G_MAXUINT32);
  wire_pack_u32(packer, (guint32)length);
  wire_pack_raw(packer, bytes, length);
}

void
wire_pack_text(WirePacker *packer, const char *text)
{
  wire_pack_bytes(packer, text, text ? strlen(text) : 0);
}

void
wire_reader_start(WireReader *reader, gconstpointer bytes, gsize length)
{
  reader->at = bytes;
  reader->end = (const guint8 *)bytes + length;
  reader->failed = FALSE;
}

static const guint8 *
reader_take(WireReader *reader, gsize length)
{
  if (reader->failed || (gsize)(reader->end - reader->at) < length) {
    reader->failed = TRUE;
    return NULL;
  }
  const guint8 *taken = reader->at;
  reader->at += length;
  return taken;
}

guint8
wire_read_u8(WireReader *reader)
{
  const guint8 *at = reader_take(reader, 1);
  return at ? *at : 0;
}

guint32
wire_read_u32(WireReader *reader)
{
  guint32 little = 0;
  const guint8 *at = reader_take(reader, sizeof little);
  if (at)
    memcpy(&little, at, sizeof little);
  return GUINT32_FROM_LE(little);
}

guint64
wire_read_u64(WireReader *reader)
{
  guint64 little = 0;
  const guint8 *at = reader_take(reader, sizeof little);
  if (at)
    memcpy(&little, at, sizeof little);
  return GUINT64_FROM_LE(little);
}

const guint8 *
wire_read_bytes(WireReader *reader, gsize max, gsize *ret_length)
{
  guint32 length = wire_read_u32(reader);
  if (length > max)
    reader->failed = TRUE;
  const guint8 *at = reader_take(reader, length);
  *ret_length = at ? length : 0;
  return at;
}

char *
wire_read_text(WireReader *reader, gsize max)
{
  gsize length = 0;
  const guint8 *at = wire_read_bytes(reader, max, &length);
  if (!at)
    return NULL;
  if (!g_utf8_validate_len((const char *)at, length, NULL)) { /* refuses NUL too */
    reader->failed = TRUE;
    return NULL;
  }
  return g_strndup((const char *)at, length);
}

gboolean
wire_reader_done(const WireReader *reader, const char *what, GError **error)
{
  if (!reader->failed && reader->at == reader->end)
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s is malformed: %s", what,
                        reader->failed ? "a field is cut off, too long or no text"
                                       : "bytes are left over");
}
