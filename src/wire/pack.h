/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Binary fields, little-endian, no padding: u8, u32, u64, and byte strings with
 * a u32 length. A reader never reads past its end: the first bad field makes it
 * fail for good, and wire_reader_done() says so once at the end. */

#include <glib.h>

typedef struct {
  guint8 *bytes;
  gsize length;
  gsize size;
} WirePacker;

void wire_packer_clear(WirePacker *packer); /* wipes and frees */
void wire_pack_u8(WirePacker *packer, guint8 value);
void wire_pack_u32(WirePacker *packer, guint32 value);
void wire_pack_u64(WirePacker *packer, guint64 value);
void wire_pack_bytes(WirePacker *packer, gconstpointer bytes, gsize length);
/* NULL is stored as empty. */
void wire_pack_text(WirePacker *packer, const char *text);
/* No length before it. */
void wire_pack_raw(WirePacker *packer, gconstpointer bytes, gsize length);

typedef struct {
  const guint8 *at;
  const guint8 *end;
  gboolean failed;
} WireReader;

void wire_reader_start(WireReader *reader, gconstpointer bytes, gsize length);
guint8 wire_read_u8(WireReader *reader);
guint32 wire_read_u32(WireReader *reader);
guint64 wire_read_u64(WireReader *reader);
/* In place; NULL and 0 on failure. */
const guint8 *wire_read_bytes(WireReader *reader, gsize max, gsize *ret_length);
/* A copy; fails on NUL or bad UTF-8; never NULL unless failed. */
char *wire_read_text(WireReader *reader, gsize max);
/* TRUE when nothing failed and nothing is left; else BAD_INPUT naming `what`. */
gboolean wire_reader_done(const WireReader *reader, const char *what, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WirePacker, wire_packer_clear)
