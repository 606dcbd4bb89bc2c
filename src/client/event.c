/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "client/client.h"
#include "client/record.h"

typedef struct {
  SignetEventFunc func;
  gpointer user_data;
  gboolean stopped;
} Watch;

typedef struct {
  char *event;
  char *token;
  char *serial;
  char *module;
  gboolean locked;
  gboolean initial;
  gint64 time;
} Event;

#define FIELD(member, kind)                                          \
  {                                                                  \
    .name = #member, .type = kind, .offset = offsetof(Event, member) \
  }
static const ClientField event_fields[] = {
  FIELD(event, CLIENT_TEXT),  FIELD(token, CLIENT_TEXT),  FIELD(serial, CLIENT_TEXT),
  FIELD(module, CLIENT_TEXT), FIELD(locked, CLIENT_BOOL), FIELD(initial, CLIENT_BOOL),
  FIELD(time, CLIENT_TIME),
};
#undef FIELD
static const ClientShape event_shape = CLIENT_SHAPE(Event, event_fields, NULL);

static gboolean
event_arrived(const json_t *parameters, gpointer data, GError **error)
{
  Watch *watch = data;
  Event *event = client_record_from(&event_shape, parameters, "event", error);
  if (!event)
    return FALSE;
  const SignetEvent told = { event->event,  event->token,   event->serial, event->module,
                             event->locked, event->initial, event->time };
  watch->stopped = !watch->func(&told, watch->user_data);
  client_record_free(&event_shape, event);
  return !watch->stopped;
}

gboolean
signet_token_watch(SignetClient *client, SignetEventFunc func, gpointer user_data, GError **error)
{
  if (!client_check_process(client, error))
    return FALSE;
  /* A connection of its own: `func` may use the client. */
  g_autoptr(SignetClient) own = signet_client_connect(client->address, client->flags, error);
  if (!own)
    return FALSE;
  own->timeout = client->timeout;
  Watch watch = { .func = func, .user_data = user_data };
  ClientCall call = { .method = "org.signet.Event.Watch",
                      .flags = CLIENT_ENDLESS,
                      .item = event_arrived,
                      .item_data = &watch };
  if (!client_call(own, &call, NULL, error))
    return FALSE;
  return watch.stopped ||
         base_error_set(error, SIGNET_ERROR_NO_DAEMON, "signetd stopped telling of events");
}
