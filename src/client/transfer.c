/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/transfer.h"

#include "base/error.h"
#include "client/client.h"
#include "client/record.h"
#include "wire/host.h"
#include "wire/limits.h"

#include <signet/transfer.h>

#include <string.h>

#define LINE_MAX_BYTES 1024 /* of what was left out, and why */

struct SignetTransfer {
  SignetClient *client;
  char *name;  /* (nullable) of the token, as asked for */
  char *token; /* (nullable) what it is called */
  WireChannel channel;
  guint32 serial;
  GBytes *sent;     /* (nullable) the file whose parts are at the other side, not read yet */
  GPtrArray *kinds; /* char: of the keys read, by index */
};

/* ---- open and close ---- */

static json_t *
naming(const char *token)
{
  json_t *parameters = json_object();
  if (token)
    wire_json_set_text(parameters, "token", token);
  return parameters;
}

static void
transfer_close(SignetTransfer *transfer)
{
  if (transfer->channel.fd >= 0)
    wire_channel_clear(&transfer->channel);
  g_clear_pointer(&transfer->sent, g_bytes_unref);
}

/* No repetition: each time costs a try of the PIN in a new process. */
static gboolean
transfer_connect(SignetTransfer *transfer, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  const char *token = NULL;
  int fd = -1;
  ClientCall call = { .method = "org.signet.Transfer.Open",
                      .parameters = naming(transfer->name),
                      .flags = CLIENT_UNLOCKS | CLIENT_PERSON,
                      .operation = "store keys",
                      .ret_fd = &fd };
  transfer_close(transfer);
  if (!client_call(transfer->client, &call, &reply, error))
    return FALSE;
  if (fd < 0)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "this connection to signetd carries no descriptors (it is forwarded): "
                          "open the file on signetd's own machine");
  wire_channel_start(&transfer->channel, fd);
  if (!client_reply_text(reply, "token", &token, error))
    return FALSE;
  g_free(transfer->token);
  transfer->token = g_strdup(token);
  return TRUE;
}

SignetTransfer *
signet_transfer_open(SignetClient *client, const char *token, GError **error)
{
  g_autoptr(SignetTransfer) transfer = g_new0(SignetTransfer, 1);
  transfer->client = client;
  transfer->name = g_strdup(token);
  transfer->channel.fd = -1;
  transfer->kinds = g_ptr_array_new_with_free_func(g_free);
  return transfer_connect(transfer, error) ? g_steal_pointer(&transfer) : NULL;
}

void
signet_transfer_free(SignetTransfer *transfer)
{
  if (!transfer)
    return;
  transfer_close(transfer);
  g_ptr_array_unref(transfer->kinds);
  g_free(transfer->name);
  g_free(transfer->token);
  g_free(transfer);
}

/* ---- one request ---- */

/* FALSE: *error is set, and unless the other side itself said no, the channel is of no more use. */
static gboolean
broke(SignetTransfer *transfer, GError *failure, GError **error)
{
  transfer_close(transfer);
  if (g_error_matches(failure, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE)) {
    base_error_set(error, SIGNET_ERROR_FAILED,
                   "the process that opens files ended%s; try again, and see signetd's log",
                   transfer->token ? " (was the token locked or removed?)" : "");
    g_error_free(failure);
  } else {
    g_propagate_error(error, failure);
  }
  return FALSE;
}

static gboolean
ask(SignetTransfer *transfer, WireTransferKind kind, const WirePacker *body, guint timeout,
    GError **error)
{
  GError *failure = NULL;
  if (!client_check_process(transfer->client, error))
    return FALSE;
  if (transfer->channel.fd < 0)
    return base_error_set(error, SIGNET_ERROR_USAGE, "the transfer is over");
  if (++transfer->serial == 0)
    transfer->serial = 1;
  const WireHeader header = { .length = (guint32)body->length,
                              .serial = transfer->serial,
                              .kind = (guint16)kind,
                              .deadline = timeout };
  return wire_channel_send(&transfer->channel, &header, body->bytes, base_deadline_in(timeout),
                           &failure) ||
         broke(transfer, failure, error);
}

/* One frame of the answer, to be read by `reader`. */
static gboolean
receive(SignetTransfer *transfer, BaseDeadline deadline, gboolean *ret_more, WireReader *reader,
        GError **error)
{
  GError *failure = NULL;
  WireChannel *channel = &transfer->channel;
  if (!wire_channel_receive(channel, NULL, deadline, &failure))
    return broke(transfer, failure, error);
  if (channel->header.serial == transfer->serial && channel->header.kind == WIRE_ERROR) {
    wire_error_unpack(channel->bytes, channel->header.length, error);
    return FALSE;
  }
  if (channel->header.serial != transfer->serial ||
      (channel->header.kind != WIRE_OK && channel->header.kind != WIRE_MORE)) {
    base_error_set(&failure, SIGNET_ERROR_BAD_INPUT,
                   "the process that opens files answers nonsense");
    return broke(transfer, failure, error);
  }
  *ret_more = channel->header.kind == WIRE_MORE;
  wire_reader_start(reader, channel->bytes, channel->header.length);
  return TRUE;
}

/* What must be the whole answer. */
static gboolean
receive_last(SignetTransfer *transfer, guint timeout, WireReader *reader, GError **error)
{
  gboolean more = FALSE;
  GError *failure = NULL;
  if (!receive(transfer, base_deadline_in(timeout), &more, reader, error))
    return FALSE;
  if (!more)
    return TRUE;
  base_error_set(&failure, SIGNET_ERROR_BAD_INPUT, "the process that opens files answers twice");
  return broke(transfer, failure, error);
}

static gboolean
finish_reading(SignetTransfer *transfer, const WireReader *reader, GError **error)
{
  GError *failure = NULL;
  return wire_reader_done(reader, "an answer of the process that opens files", &failure) ||
         broke(transfer, failure, error);
}

/* ---- reading ---- */

static void
item_free(gpointer data)
{
  SignetTransferItem *item = data;
  g_free(item->key);
  g_free(item->label);
  g_free(item->kind);
  g_clear_pointer(&item->bytes, g_bytes_unref);
  g_free(item);
}

void
signet_transfer_contents_free(SignetTransferContents *contents)
{
  if (!contents)
    return;
  g_free(contents->format);
  g_clear_pointer(&contents->items, g_ptr_array_unref);
  g_strfreev(contents->skipped);
  g_free(contents);
}

static SignetTransferItem *
item_new(WireItem *item)
{
  SignetTransferItem *made = g_new0(SignetTransferItem, 1);
  made->index = item->index;
  made->is_key = item->kind == WIRE_ITEM_KEY;
  made->key = g_steal_pointer(&item->key);
  made->label = *item->label ? g_steal_pointer(&item->label) : NULL;
  made->kind = g_steal_pointer(&item->key_kind);
  made->bytes = g_steal_pointer(&item->bytes);
  return made;
}

static gboolean
read_items(SignetTransfer *transfer, WireReader *reader, GPtrArray *items, GError **error)
{
  GError *failure = NULL;
  guint32 n = wire_read_u32(reader);
  for (guint32 i = 0; i < n && !reader->failed; i++) {
    g_autoptr(WireItem) item = wire_item_unpack(reader);
    if (item && items->len < WIRE_TRANSFER_ITEMS_MAX) {
      g_ptr_array_add(items, item_new(item));
    } else if (item) {
      base_error_set(&failure, SIGNET_ERROR_TOO_LARGE,
                     "the file holds more than %d keys and certificates", WIRE_TRANSFER_ITEMS_MAX);
      return broke(transfer, failure, error);
    }
  }
  return finish_reading(transfer, reader, error);
}

static gboolean
read_end(SignetTransfer *transfer, WireReader *reader, SignetTransferContents *contents,
         GError **error)
{
  g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
  contents->format = wire_read_text(reader, WIRE_NAME_MAX);
  guint32 n = wire_read_u32(reader);
  for (guint32 i = 0; i < n && !reader->failed && i < CLIENT_STRINGS_MAX; i++)
    g_ptr_array_add(lines, wire_read_text(reader, LINE_MAX_BYTES));
  if (!finish_reading(transfer, reader, error))
    return FALSE;
  g_ptr_array_add(lines, NULL);
  contents->skipped = (char **)g_ptr_array_free(g_steal_pointer(&lines), FALSE);
  return TRUE;
}

/* Stable: within keys, and within certificates, the file's order stays. */
static void
sort_keys_first(SignetTransferContents *contents)
{
  GPtrArray *sorted = g_ptr_array_new_with_free_func(item_free);
  for (int keys = 1; keys >= 0; keys--)
    for (guint i = 0; i < contents->items->len; i++) {
      SignetTransferItem *item = g_ptr_array_index(contents->items, i);
      if (item && item->is_key == (keys == 1))
        g_ptr_array_add(sorted, g_steal_pointer(&g_ptr_array_index(contents->items, i)));
    }
  g_ptr_array_set_free_func(contents->items, NULL);
  g_ptr_array_unref(contents->items);
  contents->items = sorted;
}

static void
note_kinds(SignetTransfer *transfer, const SignetTransferContents *contents)
{
  g_ptr_array_set_size(transfer->kinds, 0);
  for (guint i = 0; i < contents->items->len; i++) {
    const SignetTransferItem *item = g_ptr_array_index(contents->items, i);
    if (!item->is_key || item->index >= WIRE_TRANSFER_ITEMS_MAX)
      continue;
    if (item->index >= transfer->kinds->len)
      g_ptr_array_set_size(transfer->kinds, (gint)item->index + 1);
    g_free(transfer->kinds->pdata[item->index]);
    transfer->kinds->pdata[item->index] = g_strdup(item->kind);
  }
}

static SignetTransferContents *
receive_contents(SignetTransfer *transfer, GError **error)
{
  g_autoptr(SignetTransferContents) contents = g_new0(SignetTransferContents, 1);
  BaseDeadline deadline = base_deadline_in(WIRE_TRANSFER_READ_MS);
  gboolean more = TRUE;
  contents->items = g_ptr_array_new_with_free_func(item_free);
  while (more) {
    WireReader reader;
    if (!receive(transfer, deadline, &more, &reader, error) ||
        !(more ? read_items(transfer, &reader, contents->items, error)
               : read_end(transfer, &reader, contents, error)))
      return NULL;
  }
  sort_keys_first(contents);
  note_kinds(transfer, contents);
  return g_steal_pointer(&contents);
}

/* `passphrase` may be NULL. */
static SignetTransferContents *
read_kind(SignetTransfer *transfer, WireTransferKind kind, const char *name, const char *passphrase,
          GError **error)
{
  g_auto(WirePacker) body = { 0 };
  gsize length = passphrase ? strlen(passphrase) : 0;
  if (length > WIRE_TRANSFER_PASSPHRASE_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "a passphrase is longer than %d bytes",
                   WIRE_TRANSFER_PASSPHRASE_MAX);
    return NULL;
  }
  wire_pack_text(&body, name);
  wire_pack_u8(&body, passphrase != NULL);
  wire_pack_bytes(&body, passphrase, length);
  return ask(transfer, kind, &body, WIRE_TRANSFER_READ_MS, error)
             ? receive_contents(transfer, error)
             : NULL;
}

static gboolean
send_parts(SignetTransfer *transfer, GBytes *file, GError **error)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(file, &length);
  guint timeout = transfer->client->timeout;
  for (gsize at = 0; at < length; at += WIRE_TRANSFER_PART_MAX) {
    g_auto(WirePacker) body = { 0 };
    WireReader reader;
    wire_pack_bytes(&body, bytes + at, MIN(length - at, WIRE_TRANSFER_PART_MAX));
    if (!ask(transfer, WIRE_TRANSFER_DATA, &body, timeout, error) ||
        !receive_last(transfer, timeout, &reader, error) ||
        !finish_reading(transfer, &reader, error))
      return FALSE;
  }
  return TRUE;
}

/* Parts that were not read stay at the other side: those of this very file are sent once; those of
 * another go with their process. */
static gboolean
send_file(SignetTransfer *transfer, GBytes *file, GError **error)
{
  if (transfer->sent && g_bytes_equal(transfer->sent, file))
    return TRUE;
  if (transfer->sent && !transfer_connect(transfer, error))
    return FALSE;
  transfer->sent = g_bytes_ref(file);
  return send_parts(transfer, file, error);
}

/* Messages name the file; what cannot be shown of the name is not needed. */
static char *
bounded(const char *name)
{
  g_autofree char *valid = g_utf8_make_valid(name ? name : "", -1);
  const char *end = NULL;
  g_utf8_validate_len(valid, MIN(strlen(valid), WIRE_NAME_MAX), &end);
  return g_strndup(valid, (gsize)(end - valid));
}

SignetTransferContents *
signet_transfer_read(SignetTransfer *transfer, GBytes *file, const char *name,
                     const char *passphrase, GError **error)
{
  g_autofree char *shown = bounded(name);
  if (g_bytes_get_size(file) > WIRE_TRANSFER_FILE_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s is larger than the %d MiB that are read",
                   shown, WIRE_TRANSFER_FILE_MAX / (1024 * 1024));
    return NULL;
  }
  if (g_bytes_get_size(file) == 0) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s is empty", shown);
    return NULL;
  }
  if (!send_file(transfer, file, error))
    return NULL;
  SignetTransferContents *contents =
      read_kind(transfer, WIRE_TRANSFER_READ, shown, passphrase, error);
  if (contents)
    g_clear_pointer(&transfer->sent, g_bytes_unref);
  return contents;
}

SignetTransferContents *
signet_transfer_read_nss(SignetTransfer *transfer, const char *folder, const char *password,
                         GError **error)
{
  if (strlen(folder) > WIRE_NAME_MAX || !g_utf8_validate(folder, -1, NULL)) {
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "the folder's name is longer than %d bytes, or no UTF-8", WIRE_NAME_MAX);
    return NULL;
  }
  return read_kind(transfer, WIRE_TRANSFER_READ_NSS, folder, password, error);
}

/* ---- storing ---- */

static guint32
flags_of_kind(const char *kind)
{
  if (kind && g_str_has_prefix(kind, "rsa:"))
    return WIRE_KEY_SIGN | WIRE_KEY_DECRYPT;
  if (kind && g_str_has_prefix(kind, "ec:"))
    return WIRE_KEY_SIGN | WIRE_KEY_DERIVE;
  return WIRE_KEY_SIGN;
}

static guint32
store_flags(const SignetTransfer *transfer, const SignetTransferStore *store)
{
  guint32 flags = 0;
  if (store->can == 0)
    flags = flags_of_kind(store->index < transfer->kinds->len ? transfer->kinds->pdata[store->index]
                                                              : NULL);
  if (store->can & SIGNET_CAN_SIGN)
    flags |= WIRE_KEY_SIGN;
  if (store->can & SIGNET_CAN_DECRYPT)
    flags |= WIRE_KEY_DECRYPT;
  if (store->can & SIGNET_CAN_DERIVE)
    flags |= WIRE_KEY_DERIVE;
  return store->never_export ? flags : flags | WIRE_KEY_EXTRACTABLE;
}

gboolean
signet_transfer_store(SignetTransfer *transfer, const SignetTransferStore *store,
                      gboolean *ret_existed, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  WireReader reader;
  guint timeout = MAX(transfer->client->timeout, WIRE_GENERATE_MS);
  g_autofree char *label = bounded(store->label);
  if (!transfer->token)
    return base_error_set(error, SIGNET_ERROR_USAGE, "the transfer was not opened for a token");
  wire_pack_u32(&body, store->index);
  wire_pack_text(&body, label);
  wire_pack_bytes(&body, NULL, 0);
  wire_pack_u32(&body, store_flags(transfer, store));
  if (!ask(transfer, WIRE_TRANSFER_STORE, &body, timeout, error) ||
      !receive_last(transfer, timeout, &reader, error))
    return FALSE;
  gboolean existed = wire_read_u8(&reader) != 0;
  g_autoptr(WireObject) object = wire_object_unpack(&reader);
  if (!finish_reading(transfer, &reader, error))
    return FALSE;
  if (ret_existed)
    *ret_existed = existed;
  return TRUE;
}

gboolean
signet_transfer_finish(SignetTransfer *transfer, GError **error)
{
  if (!transfer->token)
    return base_error_set(error, SIGNET_ERROR_USAGE, "the transfer was not opened for a token");
  if (!client_check_process(transfer->client, error))
    return FALSE;
  transfer_close(transfer);
  return client_call_plain(transfer->client, "org.signet.Transfer.Finish", naming(transfer->name),
                           CLIENT_REPEATABLE, error);
}
