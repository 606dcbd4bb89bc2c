/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/keyfile.h"
#include "token/transfer.h"

#include <string.h>
#include <sys/mman.h>

#define ITEMS_FRAME (64 * 1024)
#define SKIPPED_FRAME (128 * 1024)
#define PATH_MAX_BYTES 4096

static void
free_wiped(gpointer data)
{
  GBytes *part = data;
  gsize length = 0;
  guint8 *bytes = g_bytes_unref_to_data(part, &length); /* its only reference */
  base_wipe(bytes, length);
  g_free(bytes);
}

static void
forget_parts(TokenTransfer *transfer)
{
  g_clear_pointer(&transfer->parts, g_ptr_array_unref);
  transfer->parts_length = 0;
  transfer->parts_read = FALSE;
}

gboolean
token_transfer_data(TokenTransfer *transfer, WireReader *in, WirePacker *out, BaseDeadline deadline,
                    GError **error)
{
  gsize length = 0;
  const guint8 *bytes = wire_read_bytes(in, WIRE_TRANSFER_PART_MAX, &length);

  (void)out;
  (void)deadline;
  if (!wire_reader_done(in, "the part of a file", error))
    return FALSE;
  if (transfer->parts_read)
    forget_parts(transfer);
  if (transfer->parts_length + length > WIRE_TRANSFER_FILE_MAX) {
    forget_parts(transfer);
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the file has more than %d bytes",
                          WIRE_TRANSFER_FILE_MAX);
  }
  if (!transfer->parts)
    transfer->parts = g_ptr_array_new_with_free_func(free_wiped);
  if (length)
    g_ptr_array_add(transfer->parts, g_bytes_new(bytes, length));
  transfer->parts_length += length;
  return TRUE;
}

typedef struct {
  guint8 *bytes;
  gsize length;
} Whole;

static void
whole_free(gpointer data)
{
  Whole *whole = data;
  base_wipe(whole->bytes, whole->length);
  munlock(whole->bytes, whole->length);
  g_free(whole->bytes);
  g_free(whole);
}

static GBytes *
join_parts(const TokenTransfer *transfer)
{
  Whole *whole = g_new0(Whole, 1);
  gsize at = 0;

  whole->length = transfer->parts_length;
  whole->bytes = g_malloc(whole->length + 1);
  (void)!mlock(whole->bytes, whole->length); /* where all of the memory could not be */
  for (guint i = 0; transfer->parts && i < transfer->parts->len; i++) {
    gsize length = 0;
    gconstpointer bytes = g_bytes_get_data(transfer->parts->pdata[i], &length);
    memcpy(whole->bytes + at, bytes, length);
    at += length;
  }
  return g_bytes_new_with_free_func(whole->bytes, whole->length, whole_free, whole);
}

static gboolean
need_library(TokenTransfer *transfer, GError **error)
{
  if (!transfer->library)
    transfer->library = keyfile_library_new(error);
  return transfer->library != NULL;
}

static void
pack_item(const TokenItem *from, guint index, WirePacker *packer)
{
  const WireItem item = { .index = index,
                          .kind = from->kind,
                          .key = from->key,
                          .label = from->label,
                          .key_kind = from->key_kind,
                          .bytes = from->bytes };
  wire_item_pack(&item, packer);
}

static gsize
size_of(const TokenItem *item)
{
  return g_bytes_get_size(item->bytes) + 2 * TOKEN_TEXT_MAX;
}

/* Items `from` and on that fit into one frame. Returns where the next begins. */
static guint
send_items(TokenTransfer *transfer, guint from)
{
  GPtrArray *items = transfer->contents->items;
  g_auto(WirePacker) frame = { 0 };
  guint to = from;
  gsize size = 0;

  do
    size += size_of(items->pdata[to++]);
  while (to < items->len && size + size_of(items->pdata[to]) <= ITEMS_FRAME);
  wire_pack_u32(&frame, to - from);
  for (guint i = from; i < to; i++)
    pack_item(items->pdata[i], i, &frame);
  token_transfer_send(transfer, WIRE_MORE, &frame);
  return to;
}

static void
pack_skipped(const GPtrArray *skipped, WirePacker *out)
{
  guint count = 0;
  gsize size = 0;

  while (count < skipped->len && size < SKIPPED_FRAME)
    size += strlen(skipped->pdata[count++]) + 4;
  wire_pack_u32(out, count);
  for (guint i = 0; i < count; i++)
    wire_pack_text(out, skipped->pdata[i]);
}

static gboolean
send_contents(TokenTransfer *transfer, TokenContents *contents, WirePacker *out)
{
  if (!contents)
    return FALSE;
  transfer->contents = contents;
  for (guint at = 0; at < contents->items->len;)
    at = send_items(transfer, at);
  wire_pack_text(out, contents->format);
  pack_skipped(contents->skipped, out);
  return TRUE;
}

/* NULL: none is given. */
static BaseSecret *
read_passphrase(WireReader *in)
{
  gsize length = 0;
  guint8 given = wire_read_u8(in);
  const guint8 *bytes = wire_read_bytes(in, WIRE_TRANSFER_PASSPHRASE_MAX, &length);
  return given ? base_secret_new_from(bytes, length) : NULL;
}

gboolean
token_transfer_read_file(TokenTransfer *transfer, WireReader *in, WirePacker *out,
                         BaseDeadline deadline, GError **error)
{
  g_autofree char *name = wire_read_text(in, PATH_MAX_BYTES);
  g_autoptr(BaseSecret) passphrase = read_passphrase(in);

  (void)deadline; /* the watchdog's: nothing in there can be stopped half way */
  if (!wire_reader_done(in, "the request", error) || !need_library(transfer, error))
    return FALSE;
  g_clear_pointer(&transfer->contents, token_contents_free);
  transfer->parts_read = TRUE;
  g_autoptr(GBytes) file = join_parts(transfer);
  if (!send_contents(transfer,
                     token_contents_read(transfer->library, file, name, passphrase, error), out))
    return FALSE;
  forget_parts(transfer);
  return TRUE;
}

gboolean
token_transfer_read_nss(TokenTransfer *transfer, WireReader *in, WirePacker *out,
                        BaseDeadline deadline, GError **error)
{
  g_autofree char *folder = wire_read_text(in, PATH_MAX_BYTES);
  g_autoptr(BaseSecret) password = read_passphrase(in);

  if (!wire_reader_done(in, "the request", error) || !need_library(transfer, error))
    return FALSE;
  g_clear_pointer(&transfer->contents, token_contents_free);
  return send_contents(
      transfer, token_contents_read_nss(transfer->library, folder, password, deadline, error), out);
}
