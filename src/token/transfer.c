/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/transfer.h"

#include "base/log.h"
#include "token/import.h"
#include "token/watchdog.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define SEND_MS 30000

/* Held while a key is written: the end of the channel does not come between its two objects. */
static GMutex writing;

void
token_transfer_send(TokenTransfer *transfer, guint16 kind, const WirePacker *body)
{
  WireHeader header = { (guint32)body->length, transfer->channel.header.serial, kind, 0 };
  g_autoptr(GError) error = NULL;
  if (!wire_channel_send(&transfer->channel, &header, body->bytes, base_deadline_in(SEND_MS),
                         &error))
    _exit(TOKEN_EXIT_BROKER_GONE); /* nobody is there to serve */
}

/* ---- STORE ---- */

static GBytes *
subject_of(const TokenContents *contents, const char *key)
{
  for (guint i = 0; i < contents->items->len; i++) {
    TokenItem *item = contents->items->pdata[i];
    if (item->kind != WIRE_ITEM_CERTIFICATE || !g_str_equal(item->key, key))
      continue;
    g_autoptr(BaseCert) cert = base_cert_new(item->bytes, NULL);
    if (cert)
      return g_bytes_ref(cert->subject_der);
  }
  return NULL;
}

static TokenItem *
find_key(const TokenTransfer *transfer, guint32 index, GError **error)
{
  const TokenContents *contents = transfer->contents;
  TokenItem *item = contents && index < contents->items->len ? contents->items->pdata[index] : NULL;

  if (item && item->kind == WIRE_ITEM_KEY && item->pkey)
    return item;
  base_error_set(error, SIGNET_ERROR_NOT_FOUND, "no key with the number %u was read", index);
  return NULL;
}

static gboolean
store(TokenTransfer *transfer, WireReader *in, WirePacker *out, BaseDeadline deadline,
      GError **error)
{
  guint32 index = wire_read_u32(in);
  g_autofree char *label = wire_read_text(in, WIRE_NAME_MAX);
  TokenImport ask = { .library = transfer->library };
  gboolean existed = FALSE;

  ask.id = wire_read_bytes(in, TOKEN_ID_MAX, &ask.id_length);
  ask.flags = wire_read_u32(in);
  if (!wire_reader_done(in, "the request", error))
    return FALSE;
  if (!transfer->token)
    return base_error_set(error, SIGNET_ERROR_USAGE, "no token was named to put the key on");
  TokenItem *item = find_key(transfer, index, error);
  if (!item)
    return FALSE;
  g_autoptr(GBytes) subject = subject_of(transfer->contents, item->key);
  ask.pkey = item->pkey;
  ask.spki = item->bytes;
  ask.name = item->key;
  ask.label = *label ? label : item->label;
  ask.subject = subject;
  g_mutex_lock(&writing);
  g_autoptr(WireObject) object = token_import(transfer->token, &ask, deadline, &existed, error);
  g_mutex_unlock(&writing);
  if (!object)
    return FALSE;
  wire_pack_u8(out, existed != FALSE);
  wire_object_pack(object, out);
  return TRUE;
}

/* ---- serving ---- */

static const struct {
  WireTransferKind kind;
  guint milliseconds; /* where the asker names no deadline */
  TokenTransferHandler handler;
} request_table[] = {
  { WIRE_TRANSFER_BIND, WIRE_HOST_START_MS + WIRE_PERSON_MS, token_transfer_bind },
  { WIRE_TRANSFER_DATA, WIRE_OPERATION_MS, token_transfer_data },
  { WIRE_TRANSFER_READ, WIRE_TRANSFER_READ_MS, token_transfer_read_file },
  { WIRE_TRANSFER_READ_NSS, WIRE_TRANSFER_READ_MS, token_transfer_read_nss },
  { WIRE_TRANSFER_STORE, WIRE_PERSON_MS, store },
};

static gboolean
handle(TokenTransfer *transfer, TokenWatch *watch, WirePacker *out, GError **error)
{
  const WireHeader *header = &transfer->channel.header;
  WireReader in;

  for (gsize i = 0; i < G_N_ELEMENTS(request_table); i++) {
    if (request_table[i].kind != header->kind)
      continue;
    guint wanted = header->deadline ? header->deadline : request_table[i].milliseconds;
    BaseDeadline deadline = base_deadline_in(MIN(wanted, WIRE_TRANSFER_LIFE_MS));
    wire_reader_start(&in, transfer->channel.bytes, header->length);
    token_watch_arm(watch, deadline);
    gboolean ok = request_table[i].handler(transfer, &in, out, deadline, error);
    token_watch_disarm(watch);
    return ok;
  }
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "no request has the number %u",
                        header->kind);
}

static void
serve_one(TokenTransfer *transfer, TokenWatch *watch)
{
  g_auto(WirePacker) out = { 0 };
  g_autoptr(GError) error = NULL;

  gboolean ok = handle(transfer, watch, &out, &error);
  base_wipe(transfer->channel.bytes, transfer->channel.header.length);
  if (ok) {
    token_transfer_send(transfer, WIRE_OK, &out);
    return;
  }
  gsize length = 0;
  g_autoptr(GBytes) told = wire_error_pack(error);
  gconstpointer bytes = g_bytes_get_data(told, &length);
  wire_packer_clear(&out);
  wire_pack_raw(&out, bytes, length);
  token_transfer_send(transfer, WIRE_ERROR, &out);
}

static gpointer
wait_for_end(gpointer data)
{
  struct pollfd end = { GPOINTER_TO_INT(data), POLLRDHUP, 0 };

  while (poll(&end, 1, -1) < 0 || !end.revents)
    continue;
  g_mutex_lock(&writing);
  _exit(TOKEN_EXIT_BROKER_GONE);
}

/* Future pages only where nothing limits them: with a limit the next large allocation of a module
 * or of a key derivation would fail. */
static void
lock_memory(void)
{
  struct rlimit limit = { 0, 0 };
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_MEMLOCK, &limit);
  }
  if (limit.rlim_cur == RLIM_INFINITY)
    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

void
token_transfer_run(const TokenTransferStart *start)
{
  TokenTransfer *transfer = g_new0(TokenTransfer, 1); /* lives as long as the process */
  g_autoptr(GError) error = NULL;

  lock_memory();
  signal(SIGALRM, SIG_DFL);
  alarm(WIRE_TRANSFER_LIFE_MS / 1000);
  transfer->start = start;
  wire_channel_start(&transfer->channel, start->fd);
  token_watchdog_start();
  g_thread_unref(g_thread_new("end", wait_for_end, GINT_TO_POINTER(start->fd)));
  TokenWatch *watch = token_watch_new();
  while (wire_channel_receive(&transfer->channel, NULL, BASE_DEADLINE_NEVER, &error))
    serve_one(transfer, watch);
  if (!g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE))
    base_log("the transfer's channel: %s", error->message);
  _exit(TOKEN_EXIT_BROKER_GONE);
}
