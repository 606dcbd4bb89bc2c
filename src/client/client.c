/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/client.h"

#include "base/error.h"

#include <string.h>
#include <unistd.h>

static void
start_once(void)
{
  static gsize started;
  if (g_once_init_enter(&started)) {
    wire_json_start();
    g_once_init_leave(&started, 1);
  }
}

SignetClient *
signet_client_connect(const char *address, SignetConnectFlags flags, GError **error)
{
  start_once();
  g_autoptr(SignetClient) client = g_new0(SignetClient, 1);
  client->pid = getpid();
  client->address = g_strdup(address);
  client->flags = flags;
  client->fd = -1;
  client->timeout = CLIENT_TIMEOUT_MS;
  client->may_ask = TRUE;
  if (!client_connection_open(client, base_deadline_in(client->timeout), error))
    return NULL;
  return g_steal_pointer(&client);
}

void
signet_client_free(SignetClient *client)
{
  if (!client)
    return;
  client_connection_close(client);
  g_free(client->address);
  g_free(client);
}

void
signet_client_set_timeout(SignetClient *client, guint milliseconds)
{
  client->timeout = milliseconds;
}

void
signet_client_set_ask(SignetClient *client, gboolean may_ask, SignetAsk ask, gpointer user_data)
{
  client->may_ask = may_ask;
  client->ask = ask;
  client->ask_data = user_data;
}
