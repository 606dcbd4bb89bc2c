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
  if (error || revoked) {
    daemon_call_fail(channel->call, error ? error : revoked);
    g_ptr_array_remove_fast(channels(channel->token->daemon), channel);
    channel_free(channel);
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

void
daemon_channel_open(DaemonCall *call, DaemonToken *token, const char *key, guint32 mask,
                    const char *kind)
{
  Daemon *daemon = token->daemon;
  WirePacker body = { 0 };
  int pair[2];

  if (count_of_host(daemon, token->host) >= WIRE_CHANNELS_MAX) {
    daemon_call_fail_with(call, SIGNET_ERROR_NO_CHANNEL, "%d key channels are open already",
                          WIRE_CHANNELS_MAX);
    return;
  }
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    daemon_call_fail_with(call, SIGNET_ERROR_NO_CHANNEL, "no descriptor is left for a key channel");
    return;
  }
  Channel *channel = g_new0(Channel, 1);
  channel->id = ++daemon->next_channel;
  channel->token = daemon_token_ref(token);
  channel->host_end = fcntl(pair[0], F_DUPFD_CLOEXEC, 3);
  channel->client_end = pair[1];
  channel->call = call;
  channel->kind = g_strdup(kind);
  g_ptr_array_add(channels(daemon), channel);
  daemon_count(daemon, "key channels", 1);

  wire_pack_text(&body, key);
  wire_pack_u32(&body, mask);
  wire_pack_u32(&body, channel->id);
  const DaemonAsk ask = { .kind = WIRE_HOST_OPEN_CHANNEL,
                          .deadline_ms = daemon_token_deadline(token, WIRE_HOST_OPEN_CHANNEL),
                          .token = token,
                          .pass_fd = pair[0],
                          .answer = open_answer,
                          .user_data = channel };
  daemon_host_ask(token->host, &ask, &body);
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
