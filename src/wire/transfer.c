/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/transfer.h"

#include "wire/limits.h"

#define KEY_NAME_MAX 64
#define KIND_MAX 32

void
wire_item_pack(const WireItem *item, WirePacker *packer)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(item->bytes, &length);
  wire_pack_u32(packer, item->index);
  wire_pack_u8(packer, (guint8)item->kind);
  wire_pack_text(packer, item->key);
  wire_pack_text(packer, item->label);
  wire_pack_text(packer, item->key_kind);
  wire_pack_bytes(packer, bytes, length);
}

WireItem *
wire_item_unpack(WireReader *reader)
{
  g_autoptr(WireItem) item = g_new0(WireItem, 1);
  gsize length = 0;
  item->index = wire_read_u32(reader);
  guint8 kind = wire_read_u8(reader);
  item->key = wire_read_text(reader, KEY_NAME_MAX);
  item->label = wire_read_text(reader, WIRE_NAME_MAX);
  item->key_kind = wire_read_text(reader, KIND_MAX);
  const guint8 *bytes = wire_read_bytes(reader, WIRE_CERTIFICATE_MAX, &length);
  if (kind != WIRE_ITEM_KEY && kind != WIRE_ITEM_CERTIFICATE)
    reader->failed = TRUE;
  if (reader->failed)
    return NULL;
  item->kind = (WireItemKind)kind;
  item->bytes = g_bytes_new(bytes, length);
  return g_steal_pointer(&item);
}

void
wire_item_free(WireItem *item)
{
  if (!item)
    return;
  g_free(item->key);
  g_free(item->label);
  g_free(item->key_kind);
  g_clear_pointer(&item->bytes, g_bytes_unref);
  g_free(item);
}
