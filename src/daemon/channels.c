/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/channels.h"

#include "base/error.h"
#include "wire/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
  guint32 id;
  DaemonToken *token;
  int host_end; /* our duplicate; a duplicate of the client's would hide its leaving from the host */
  int client_end; /* until the client has it */
  DaemonCall *call;
  char *kind;
  gboolean open;
  DaemonDone done;
  gpointer user_data;
} Channel;

static GPtrArray *
channels(Daemon *daemon)
{
  return daemon->channels;
}

static void
channel_free(Channel *channel)
{
  if (channel->host_end >= 0)
    close(channel->host_end);
  if (channel->client_end >= 0)
    close(channel->client_end);
  daemon_token_unref(channel->token);
  g_free(channel->kind);
  g_free(channel);
}

/* shutdown(2) reaches every duplicate, the client's and the host's: both read the end. */
static void
channel_end(Channel *channel)
{
  shutdown(channel->host_end, SHUT_RDWR);
  close(channel->host_end);
  channel->host_end = -1;
  if (!channel->open)
    return; /* the answer to OPEN_CHANNEL frees it */
  g_ptr_array_remove_fast(channels(channel->token->daemon), channel);
  channel_free(channel);
}

static void
open_answer(gpointer user_data, WireReader *body G_GNUC_UNUSED, const GError *error)
{
  Channel *channel = user_data;
  g_autoptr(GError) revoked = NULL;
  if (!error && channel->host_end < 0)
    daemon_login_required(channel->token, &revoked);
  DaemonDone done = channel->done;
  gpointer done_data = channel->user_data;
  if (error || revoked) {
    g_ptr_array_remove_fast(channels(channel->token->daemon), channel);
    channel_free(channel);
    done(done_data, error ? error : revoked);
    return;
  }
  json_t *reply = json_object();
  wire_json_set_text(reply, "kind", channel->kind);
  int fd = channel->client_end;
  channel->client_end = -1;
  channel->open = TRUE;
  DaemonCall *call = channel->call;
  channel->call = NULL;
  daemon_token_used(channel->token);
  daemon_call_reply_fd(call, reply, fd); /* a client that left closes it, and the host tells us */
  done(done_data, NULL);
}

static guint
count_of_host(Daemon *daemon, const DaemonHost *host)
{
  guint n = 0;
  for (guint i = 0; i < channels(daemon)->len; i++) {
    const Channel *channel = channels(daemon)->pdata[i];
    n += channel->token->host == host;
  }
  return n;
}

typedef struct {
  DaemonDone done;
  gpointer user_data;
  GError *error;
} Refusal;

static gboolean
refuse(gpointer user_data)
{
  g_autofree Refusal *refusal = user_data;
  g_autoptr(GError) error = refusal->error;
  refusal->done(refusal->user_data, error);
  return G_SOURCE_REMOVE;
}

static void
refuse_later(const DaemonChannelAsk *ask, GError *error)
{
  Refusal *refusal = g_new0(Refusal, 1);
  *refusal = (Refusal){ ask->done, ask->user_data, error };
  g_idle_add_full(G_PRIORITY_DEFAULT, refuse, refusal, NULL);
}

static gboolean
make_pair(Daemon *daemon, const DaemonHost *host, int pair[2], GError **error)
{
  if (count_of_host(daemon, host) >= WIRE_CHANNELS_MAX)
    return base_error_set(error, SIGNET_ERROR_NO_CHANNEL, "%d key channels are open already",
                          WIRE_CHANNELS_MAX);
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 ||
         base_error_set(error, SIGNET_ERROR_NO_CHANNEL, "no descriptor is left for a key channel");
}

static Channel *
channel_new(const DaemonChannelAsk *ask, const int pair[2])
{
  Daemon *daemon = ask->token->daemon;
  Channel *channel = g_new0(Channel, 1);
  channel->id = ++daemon->next_channel;
  channel->token = daemon_token_ref(ask->token);
  channel->host_end = fcntl(pair[0], F_DUPFD_CLOEXEC, 3);
  channel->client_end = pair[1];
  channel->call = ask->call;
  channel->kind = g_strdup(ask->kind);
  channel->done = ask->done;
  channel->user_data = ask->user_data;
  g_ptr_array_add(channels(daemon), channel);
  return channel;
}

void
daemon_channel_open(const DaemonChannelAsk *ask)
{
  DaemonToken *token = ask->token;
  WirePacker body = { 0 };
  GError *refused = NULL;
  int pair[2];

  if (!make_pair(token->daemon, token->host, pair, &refused)) {
    refuse_later(ask, refused);
    return;
  }
  Channel *channel = channel_new(ask, pair);
  daemon_count(token->daemon, "key channels", 1);
  wire_pack_text(&body, ask->key);
  wire_pack_u32(&body, ask->mask);
  wire_pack_u32(&body, channel->id);
  const DaemonAsk request = { .kind = WIRE_HOST_OPEN_CHANNEL,
                              .deadline_ms = daemon_token_deadline(token, WIRE_HOST_OPEN_CHANNEL),
                              .token = token,
                              .pass_fd = pair[0],
                              .answer = open_answer,
                              .user_data = channel };
  daemon_host_ask(token->host, &request, &body);
}

void
daemon_channels_revoke(DaemonToken *token)
{
  GPtrArray *all = channels(token->daemon);
  for (guint i = all->len; i > 0; i--) {
    Channel *channel = all->pdata[i - 1];
    if (channel->token == token && channel->host_end >= 0)
      channel_end(channel);
  }
}

void
daemon_channels_host_died(DaemonHost *host)
{
  GPtrArray *all = channels(host->daemon);
  for (guint i = all->len; i > 0; i--) {
    Channel *channel = all->pdata[i - 1];
    if (channel->token->host == host && channel->host_end >= 0)
      channel_end(channel);
  }
}

static Channel *
find(DaemonHost *host, guint32 id)
{
  GPtrArray *all = channels(host->daemon);
  for (guint i = 0; i < all->len; i++) {
    Channel *channel = all->pdata[i];
    if (channel->id == id && channel->token->host == host && channel->open)
      return channel;
  }
  return NULL;
}

void
daemon_channel_used(DaemonHost *host, guint32 id, guint32 operations)
{
  Channel *channel = find(host, id);
  daemon_count(host->daemon, "channel operations", operations);
  if (channel)
    daemon_token_used(channel->token);
}

void
daemon_channel_closed(DaemonHost *host, guint32 id)
{
  Channel *channel = find(host, id);
  if (channel)
    channel_end(channel);
}
