/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "token/host.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A key channel: one thread, one descriptor, one key. What a warm operation costs beside the
 * module: one recv, one send, two looks at the clock, one mutex twice; nothing is
 * allocated and no attribute is read. */

#define CHANNEL_STACK (256 * 1024)
#define BUFFER_FIRST 4096
#define BUFFER_MAX (WIRE_HEADER_SIZE + WIRE_SIGN_DATA_MAX + WIRE_LABEL_MAX + 64)
#define REPORT_EVERY_US 200000
#define ALL_VERBS (1u << WIRE_SIGN | 1u << WIRE_DECRYPT | 1u << WIRE_DERIVE)

typedef struct {
  TokenHost *host;
  Token *token;
  TokenKey *key;
  guint32 verbs;
  guint32 id;
  int fd;
  TokenWatch *watch;
  atomic_uint used;
  atomic_uint failed;
  guint8 *in;
  gsize in_size;
  gsize have;  /* bytes in `in` */
  guint8 *out; /* WIRE_HEADER_SIZE + TOKEN_RESULT_MAX, locked in memory */
} Channel;

#define OUT_SIZE (WIRE_HEADER_SIZE + TOKEN_RESULT_MAX)

struct TokenChannels {
  TokenHost *host;
  GMutex lock;
  GCond changed;
  GPtrArray *open; /* (element-type Channel) */
};

/* ---- frames ---- */

static gboolean
send_all(Channel *channel, const guint8 *bytes, gsize length)
{
  while (length) {
    ssize_t done = send(channel->fd, bytes, length, MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return FALSE;
    bytes += done;
    length -= (gsize)done;
  }
  return TRUE;
}

static gboolean
send_error(Channel *channel, guint32 serial, const GError *error)
{
  gsize length = 0;
  g_autoptr(GBytes) body = wire_error_pack(error);
  gconstpointer bytes = g_bytes_get_data(body, &length);
  WireHeader header = { (guint32)length, serial, WIRE_ERROR, 0 };
  g_autofree guint8 *frame = g_malloc(WIRE_HEADER_SIZE + length);

  wire_header_pack(&header, frame);
  memcpy(frame + WIRE_HEADER_SIZE, bytes, length);
  return send_all(channel, frame, WIRE_HEADER_SIZE + length);
}

/* FALSE: the end of the channel. */
static gboolean
receive_more(Channel *channel)
{
  for (;;) {
    ssize_t got =
        recv(channel->fd, channel->in + channel->have, channel->in_size - channel->have, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return FALSE;
    channel->have += (gsize)got;
    return TRUE;
  }
}

static void
make_room(Channel *channel, gsize size)
{
  if (channel->in_size >= size)
    return;
  guint8 *bytes = g_malloc(size);
  memcpy(bytes, channel->in, channel->have);
  g_free(channel->in);
  channel->in = bytes;
  channel->in_size = size;
}

/* One whole frame at the start of `in`. FALSE: end of file, or `error` for garbage. */
static gboolean
receive_frame(Channel *channel, WireHeader *header, GError **error)
{
  while (channel->have < WIRE_HEADER_SIZE)
    if (!receive_more(channel))
      return FALSE;
  if (!wire_header_unpack(channel->in, header, error))
    return FALSE;
  gsize size = WIRE_HEADER_SIZE + header->length;
  if (size > BUFFER_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "a request on a key channel is too large");
  make_room(channel, size);
  while (channel->have < size)
    if (!receive_more(channel))
      return FALSE;
  return TRUE;
}

static void
drop_frame(Channel *channel, const WireHeader *header)
{
  gsize size = WIRE_HEADER_SIZE + header->length;
  channel->have -= size;
  if (channel->have) /* the client asked the next one already */
    memmove(channel->in, channel->in + size, channel->have);
}

/* ---- one request ---- */

static gboolean
operate(Channel *channel, const WireHeader *header, const WireOperation *operation,
        gsize *ret_length, GError **error)
{
  guint milliseconds =
      header->deadline ? header->deadline : channel->host->module->profile->operation_ms;
  TokenOperate ask = { channel->token, channel->key, operation, NULL,
                       base_deadline_in(MIN(milliseconds, WIRE_GENERATE_MS)) };

  if (!(channel->verbs & 1u << operation->verb))
    return base_error_set(error, SIGNET_ERROR_DENIED, "this channel was not opened to %s",
                          wire_verb_name(operation->verb));
  token_watch_arm(channel->watch, ask.deadline);
  gboolean ok = token_operate(&ask, channel->out + WIRE_HEADER_SIZE, ret_length, error);
  token_watch_disarm(channel->watch);
  return ok;
}

/* Session keys leave no copy here; signatures are public. */
static void
wipe_result(Channel *channel, const WireOperation *operation, gsize length)
{
  if (operation->verb != WIRE_SIGN)
    base_wipe(channel->out + WIRE_HEADER_SIZE, length);
}

/* Key or token is not there any more, as far as this process can tell. Only signetd can look at the
 * folder of a SoftHSM and start this process anew, so the channel ends without an answer: a client
 * that asks for the next one is told what came of it. */
static gboolean
is_in_doubt(const GError *error)
{
  return g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND) ||
         g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
}

static gboolean
answer(Channel *channel, const WireHeader *header, const WireOperation *operation)
{
  g_autoptr(GError) error = NULL;
  gsize length = 0;

  gboolean ok = operate(channel, header, operation, &length, &error);
  atomic_fetch_add_explicit(&channel->used, 1, memory_order_relaxed);
  if (!ok) {
    atomic_fetch_add_explicit(&channel->failed, 1, memory_order_relaxed);
    return !is_in_doubt(error) && send_error(channel, header->serial, error);
  }
  WireHeader reply = { (guint32)length, header->serial, WIRE_OK, 0 };
  wire_header_pack(&reply, channel->out);
  gboolean sent = send_all(channel, channel->out, WIRE_HEADER_SIZE + length);
  wipe_result(channel, operation, length);
  return sent;
}

/* FALSE: the channel is over. Bad parameters are the caller's mistake and get an answer;
 * what is no frame of a known kind gets one too, and then the end. */
static gboolean
serve_one(Channel *channel)
{
  g_autoptr(GError) error = NULL;
  WireHeader header = { 0 };
  WireOperation operation = { 0 };
  WireReader reader;

  if (!receive_frame(channel, &header, &error)) {
    if (error)
      send_error(channel, 0, error);
    return FALSE;
  }
  if (header.kind != WIRE_HOST_OPERATE) {
    base_error_set(&error, SIGNET_ERROR_BAD_INPUT, "a key channel only takes operations");
    send_error(channel, header.serial, error);
    return FALSE;
  }
  wire_reader_start(&reader, channel->in + WIRE_HEADER_SIZE, header.length);
  gboolean good = wire_operation_unpack(&reader, &operation, &error);
  gboolean garbage = !good && g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  gboolean go_on = good ? answer(channel, &header, &operation)
                        : send_error(channel, header.serial, error) && !garbage;
  drop_frame(channel, &header);
  return go_on;
}

/* ---- its life ---- */

static void
report(Channel *channel)
{
  guint used = atomic_exchange(&channel->used, 0);
  guint failed = atomic_exchange(&channel->failed, 0);
  g_auto(WirePacker) packer = { 0 };

  if (!used)
    return;
  wire_pack_u32(&packer, channel->id);
  wire_pack_u32(&packer, used);
  wire_pack_u32(&packer, failed);
  token_host_send(channel->host, WIRE_HOST_USED, 0, packer.bytes, packer.length);
}

static void
channel_free(Channel *channel)
{
  token_watch_free(channel->watch);
  token_unref(channel->token);
  token_key_unref(channel->key);
  if (channel->fd >= 0)
    close(channel->fd);
  g_free(channel->in);
  if (channel->out) {
    base_wipe(channel->out, OUT_SIZE);
    munmap(channel->out, OUT_SIZE);
  }
  g_free(channel);
}

static gpointer
run(gpointer data)
{
  Channel *channel = data;
  TokenChannels *channels = channel->host->channels;
  g_auto(WirePacker) packer = { 0 };

  while (serve_one(channel))
    continue;
  g_mutex_lock(&channels->lock);
  g_ptr_array_remove_fast(channels->open, channel);
  g_mutex_unlock(&channels->lock);
  report(channel);
  wire_pack_u32(&packer, channel->id);
  token_host_send(channel->host, WIRE_HOST_CHANNEL_CLOSED, 0, packer.bytes, packer.length);
  channel_free(channel);
  return NULL;
}

static gboolean
start_thread(Channel *channel, GError **error)
{
  pthread_attr_t attributes;
  pthread_t thread;

  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, CHANNEL_STACK);
  int failed = pthread_create(&thread, &attributes, run, channel);
  pthread_attr_destroy(&attributes);
  return !failed || base_error_set_errno(error, failed, "no thread for a key channel");
}

static Channel *
channel_new(TokenChannels *channels, Token *token, TokenKey *key, int fd)
{
  Channel *channel = g_new0(Channel, 1);
  channel->host = channels->host;
  channel->token = token_ref(token);
  channel->key = token_key_ref(key);
  channel->fd = fd;
  channel->watch = token_watch_new();
  channel->in_size = BUFFER_FIRST;
  channel->in = g_malloc(channel->in_size);
  gpointer out = mmap(NULL, OUT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (out == MAP_FAILED)
    g_error("out of memory");
  mlock(out, OUT_SIZE); /* session keys pass through; where the limit is low, wiping must do */
  channel->out = out;
  return channel;
}

/* TRUE: a place is taken. */
static gboolean
enter(TokenChannels *channels, Channel *channel)
{
  g_mutex_lock(&channels->lock);
  gboolean room = channels->open->len < WIRE_CHANNELS_MAX;
  if (room) {
    g_ptr_array_add(channels->open, channel);
    g_cond_signal(&channels->changed);
  }
  g_mutex_unlock(&channels->lock);
  return room;
}

gboolean
token_channels_open(TokenChannels *channels, Token *token, TokenKey *key, guint32 verbs, guint32 id,
                    int fd, GError **error)
{
  Channel *channel = channel_new(channels, token, key, fd);
  channel->verbs = verbs & ALL_VERBS;
  channel->id = id;
  if (!enter(channels, channel)) {
    channel_free(channel);
    return base_error_set(error, SIGNET_ERROR_NO_CHANNEL, "all %d key channels are in use",
                          WIRE_CHANNELS_MAX);
  }
  if (start_thread(channel, error))
    return TRUE;
  g_mutex_lock(&channels->lock);
  g_ptr_array_remove_fast(channels->open, channel);
  g_mutex_unlock(&channels->lock);
  channel_free(channel);
  return FALSE;
}

void
token_channels_close(TokenChannels *channels, Token *token)
{
  g_mutex_lock(&channels->lock);
  for (guint i = 0; i < channels->open->len; i++) {
    Channel *channel = channels->open->pdata[i];
    if (channel->token == token)
      shutdown(channel->fd,
               SHUT_RD); /* an answer under way still goes out; then its thread ends it */
  }
  g_mutex_unlock(&channels->lock);
}

/* Sleeps while no channel is open. */
static gpointer
run_reporter(gpointer data)
{
  TokenChannels *channels = data;
  g_autoptr(GArray) counts = g_array_new(FALSE, FALSE, sizeof(guint32) * 3);

  for (;;) {
    g_mutex_lock(&channels->lock);
    while (!channels->open->len)
      g_cond_wait(&channels->changed, &channels->lock);
    for (guint i = 0; i < channels->open->len; i++) {
      Channel *channel = channels->open->pdata[i];
      guint32 row[3] = { channel->id, atomic_exchange(&channel->used, 0), 0 };
      row[2] = row[1] ? atomic_exchange(&channel->failed, 0) : 0;
      if (row[1])
        g_array_append_val(counts, row);
    }
    g_mutex_unlock(&channels->lock); /* sending may wait for the broker */
    for (guint i = 0; i < counts->len; i++) {
      const guint32 *row = (const guint32 *)(gpointer)counts->data + 3 * i;
      g_auto(WirePacker) packer = { 0 };
      for (int field = 0; field < 3; field++)
        wire_pack_u32(&packer, row[field]);
      token_host_send(channels->host, WIRE_HOST_USED, 0, packer.bytes, packer.length);
    }
    g_array_set_size(counts, 0);
    g_usleep(REPORT_EVERY_US);
  }
  return NULL;
}

TokenChannels *
token_channels_new(TokenHost *host)
{
  TokenChannels *channels = g_new0(TokenChannels, 1);
  channels->host = host;
  g_mutex_init(&channels->lock);
  g_cond_init(&channels->changed);
  channels->open = g_ptr_array_new();
  g_thread_unref(g_thread_new("reporter", run_reporter, channels));
  return channels;
}
