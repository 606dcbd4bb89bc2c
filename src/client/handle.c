/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "client/channel.h"
#include "client/client.h"

#include <unistd.h>

struct SignetKeyHandle {
  SignetClient *client;
  char *key;
  guint can;
  gboolean methods_only; /* the daemon gives no channel to this key, or none can get through */
  ClientChannel channel;
};

static const struct {
  SignetCan can;
  const char *name;
} operations[] = {
  { SIGNET_CAN_SIGN, "sign" },
  { SIGNET_CAN_DECRYPT, "decrypt" },
  { SIGNET_CAN_DERIVE, "derive" },
};

static json_t *
open_parameters(const SignetKeyHandle *handle)
{
  json_t *list = json_array();
  for (gsize i = 0; i < G_N_ELEMENTS(operations); i++)
    if (handle->can & operations[i].can)
      json_array_append_new(list, json_string(operations[i].name));
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "key", handle->key);
  json_object_set_new(parameters, "operations", list);
  return parameters;
}

/* A key without a channel, and a socket that carries no descriptors (one that
 * was forwarded), are served by the methods. */
static gboolean
open_channel(SignetKeyHandle *handle, GError **error)
{
  g_autoptr(GError) refused = NULL;
  int fd = -1;
  ClientCall call = { .method = "org.signet.Key.OpenChannel",
                      .parameters = open_parameters(handle),
                      .flags = CLIENT_REPEATABLE | CLIENT_UNLOCKS,
                      .operation = "use the key",
                      .ret_fd = &fd };
  gboolean opened = client_call(handle->client, &call, NULL, &refused);
  if (opened && fd >= 0) {
    client_channel_attach(&handle->channel, fd);
    return TRUE;
  }
  if (opened || g_error_matches(refused, SIGNET_ERROR, SIGNET_ERROR_NO_CHANNEL)) {
    handle->methods_only = TRUE;
    return TRUE;
  }
  g_propagate_error(error, g_steal_pointer(&refused));
  return FALSE;
}

SignetKeyHandle *
signet_key_open(SignetClient *client, const char *key, guint can, GError **error)
{
  g_autoptr(SignetKeyHandle) handle = g_new0(SignetKeyHandle, 1);
  handle->client = client;
  handle->key = g_strdup(key);
  handle->can = can;
  client_channel_start(&handle->channel);
  if (!open_channel(handle, error))
    return NULL;
  return g_steal_pointer(&handle);
}

void
signet_key_close(SignetKeyHandle *handle)
{
  if (!handle)
    return;
  client_channel_clear(&handle->channel);
  g_free(handle->key);
  g_free(handle);
}

gboolean
signet_key_has_channel(const SignetKeyHandle *handle)
{
  return handle->channel.fd >= 0;
}

/* The host found the token locked: the methods know how to unlock it. */
static GBytes *
finish_failed(SignetKeyHandle *handle, const WireOperation *operation, GError *failure,
              GError **error)
{
  if (g_error_matches(failure, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED)) {
    client_channel_close(&handle->channel);
    g_error_free(failure);
    return client_key_call(handle->client, handle->key, operation, error);
  }
  g_propagate_error(error, failure);
  return NULL;
}

/* A closed channel means: open again, which tells why when it does not work, and do
 * the operation once more. */
static GBytes *
operate_by_channel(SignetKeyHandle *handle, const WireOperation *operation, GError **error)
{
  for (int tries = 0; tries < 2; tries++) {
    GBytes *result = NULL;
    GError *failure = NULL;
    if (handle->channel.fd < 0 && !handle->methods_only && !open_channel(handle, error))
      return NULL;
    if (handle->methods_only)
      return client_key_call(handle->client, handle->key, operation, error);
    switch (client_channel_operate(&handle->channel, operation, handle->client->timeout, &result,
                                   &failure)) {
    case CLIENT_CHANNEL_DONE:
      return result;
    case CLIENT_CHANNEL_FAILED:
      return finish_failed(handle, operation, failure, error);
    case CLIENT_CHANNEL_CLOSED:
      break;
    }
  }
  base_error_set(error, SIGNET_ERROR_TOKEN_DOWN,
                 "the token's host ended twice during one operation; see: signet token modules");
  return NULL;
}

GBytes *
signet_key_operate(SignetKeyHandle *handle, SignetCan what, const SignetOperation *operation,
                   GError **error)
{
  WireOperation wire = { 0 };
  if (!client_check_process(handle->client, error) ||
      !client_operation_read(what, operation, &wire, error))
    return NULL;
  if (!(handle->can & (guint)what)) {
    base_error_set(error, SIGNET_ERROR_USAGE, "the key was not opened to %s",
                   wire_verb_name(wire.verb));
    return NULL;
  }
  return operate_by_channel(handle, &wire, error);
}
