/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/events.h"

#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/catalogue.h"
#include "daemon/token.h"
#include "daemon/tokenjson.h"
#include "wire/limits.h"

#include <string.h>

#define SAVE_MS 2000

static json_t *
event_json(const DaemonCatalogueEvent *event, gboolean initial)
{
  json_t *one = json_object();
  wire_json_set_text(one, "event", event->event);
  wire_json_set_text(one, "token", event->token ? event->token : "");
  wire_json_set_text(one, "serial", event->serial ? event->serial : "");
  wire_json_set_text(one, "module", event->module ? event->module : "");
  json_object_set_new(one, "locked", json_boolean(event->locked));
  json_object_set_new(one, "initial", json_boolean(initial));
  json_object_set_new(one, "time", json_integer(g_get_real_time() / G_USEC_PER_SEC));
  json_t *parameters = json_object();
  json_object_set_new(parameters, "event", one);
  return parameters;
}

void
daemon_catalogue_save_now(Daemon *daemon)
{
  g_autoptr(GError) error = NULL;
  daemon_timer_clear(&daemon->save_timer);
  if (daemon_catalogue_unsaved(daemon->catalogue) &&
      !daemon_catalogue_save(daemon->catalogue, daemon->catalogue_path, &error))
    base_log("%s", error->message);
}

static gboolean
save_later(gpointer user_data)
{
  Daemon *daemon = user_data;
  daemon->save_timer = 0;
  daemon_catalogue_save_now(daemon);
  return G_SOURCE_REMOVE;
}

/* The spare slot of signet's own SoftHSM is nobody's token. */
static gboolean
is_spare(const DaemonCatalogueEvent *event)
{
  return (!event->token || !*event->token) && g_strcmp0(event->module, DAEMON_SOFT) == 0;
}

/* A host that was started anew may number its slots anew: a token that went and came in one
 * breath was never away. */
static gboolean
is_undone(const GPtrArray *events, guint index)
{
  const DaemonCatalogueEvent *event = events->pdata[index];
  gboolean out = strcmp(event->event, "out") == 0;
  if (!out && strcmp(event->event, "in") != 0)
    return FALSE;
  for (guint i = 0; i < events->len; i++) {
    const DaemonCatalogueEvent *other = events->pdata[i];
    if ((out ? i > index : i < index) && strcmp(other->event, out ? "in" : "out") == 0 &&
        g_strcmp0(event->token, other->token) == 0 && g_strcmp0(event->serial, other->serial) == 0)
      return TRUE;
  }
  return FALSE;
}

void
daemon_catalogue_changed(Daemon *daemon)
{
  g_autoptr(GPtrArray) events = daemon_catalogue_take_events(daemon->catalogue);
  for (guint i = 0; i < events->len; i++) {
    if (is_spare(events->pdata[i]) || is_undone(events, i))
      continue;
    /* Pushing may drop a watcher that does not read, so the list is walked from its end. */
    for (guint w = daemon->watchers->len; w > 0; w--)
      daemon_call_push(daemon->watchers->pdata[w - 1], event_json(events->pdata[i], FALSE));
  }
  if (!daemon->save_timer && daemon_catalogue_unsaved(daemon->catalogue))
    daemon_timer_set(&daemon->save_timer, SAVE_MS, save_later, daemon);
}

static void
watcher_gone(DaemonCall *call, gpointer user_data)
{
  Daemon *daemon = user_data;
  g_ptr_array_remove(daemon->watchers, call);
  daemon_call_reply(call, NULL); /* read by nobody; frees it */
}

/* Tells what is there. FALSE: the client left meanwhile. */
static gboolean
push_initial(Daemon *daemon, DaemonCall *call)
{
  const GPtrArray *devices = daemon_catalogue_devices(daemon->catalogue);
  for (guint i = 0; i < devices->len; i++) {
    const DaemonDevice *device = devices->pdata[i];
    if (daemon_catalogue_device_state(device) != DAEMON_DEVICE_PRESENT)
      continue;
    const DaemonCatalogueEvent event = { .event = "in",
                                         .token = device->label,
                                         .serial = device->serial,
                                         .module = device->module,
                                         .locked = daemon_catalogue_device_locked(device) };
    daemon_call_push(call, event_json(&event, TRUE));
    if (daemon->watchers->len == 0 || daemon->watchers->pdata[daemon->watchers->len - 1] != call)
      return FALSE;
  }
  return TRUE;
}

static void
watch(DaemonCall *call)
{
  Daemon *daemon = daemon_call_daemon(call);
  if (daemon->watchers->len >= WIRE_WATCHERS_MAX) {
    daemon_call_fail_with(call, SIGNET_ERROR_TOO_LARGE, "%d programs watch already",
                          WIRE_WATCHERS_MAX);
    return;
  }
  daemon_catalogue_changed(daemon); /* what is still to be told goes to the others first */
  g_ptr_array_add(daemon->watchers, call);
  daemon_call_on_gone(call, watcher_gone, daemon);
  push_initial(daemon, call);
}

const DaemonMethod daemon_event_methods[] = {
  { "org.signet.Event.Watch", watch, DAEMON_METHOD_MORE | DAEMON_METHOD_SETTLED },
  { NULL, NULL, 0 },
};
