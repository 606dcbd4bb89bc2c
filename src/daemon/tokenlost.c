/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Token.Forget and MarkLost: tokens that are away, or should be. */
#include "base/error.h"
#include "base/log.h"
#include "daemon/catalogue.h"
#include "daemon/events.h"
#include "daemon/tokens.h"
#include "wire/limits.h"

static DaemonDevice *
named_device(DaemonCall *call, GError **error)
{
  const char *name = NULL;
  if (!wire_json_get_text(daemon_call_parameters(call), "token", FALSE, WIRE_NAME_MAX, &name,
                          error))
    return NULL;
  return daemon_catalogue_find_device(daemon_catalogue(daemon_call_daemon(call)), name, error);
}

static json_t *
key_lines(DaemonCatalogue *catalogue, const DaemonDevice *device, gboolean only)
{
  json_t *lines = json_array();
  g_autoptr(GPtrArray) keys = daemon_catalogue_device_keys(catalogue, device);
  for (guint i = 0; i < keys->len; i++) {
    g_autofree char *line = daemon_catalogue_key_line(keys->pdata[i]);
    if (!only || daemon_catalogue_only_on(keys->pdata[i], device))
      json_array_append_new(lines, json_string(line));
  }
  return lines;
}

/* ---- Forget ---- */

static json_t *
forget(DaemonCatalogue *catalogue, DaemonDevice *device)
{
  json_t *lines = key_lines(catalogue, device, FALSE);
  g_autofree char *first = g_strdup_printf("token \"%s\", serial %s", device->label,
                                           *device->serial ? device->serial : "unknown");
  json_array_insert_new(lines, 0, json_string(first));
  base_log("%s is forgotten", first);
  daemon_catalogue_forget_device(catalogue, device);
  return lines;
}

void
daemon_token_forget(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  Daemon *daemon = daemon_call_daemon(call);
  DaemonDevice *device = named_device(call, &error);
  if (device && device->views->len) {
    base_error_set(&error, SIGNET_ERROR_REFUSED,
                   "the token \"%s\" is here: only one that is away can be forgotten",
                   device->label);
    device = NULL;
  }
  if (!device) {
    daemon_call_fail(call, error);
    return;
  }
  json_t *reply = json_object();
  json_object_set_new(reply, "forgotten", forget(daemon->catalogue, device));
  daemon_catalogue_changed(daemon);
  daemon_call_reply(call, reply);
}

/* ---- MarkLost ---- */

static void
lock_views(Daemon *daemon, const DaemonDevice *device)
{
  g_autoptr(GPtrArray) tokens = daemon_token_all(daemon);
  for (guint i = 0; i < tokens->len; i++) {
    DaemonToken *token = tokens->pdata[i];
    if (daemon_token_device(token) == device)
      daemon_login_lock(token, NULL, NULL);
  }
}

static json_t *
loss_json(DaemonCatalogue *catalogue, const DaemonDevice *device)
{
  g_autoptr(GPtrArray) ids = daemon_catalogue_device_ids(catalogue, device);
  json_t *names = json_array();
  for (guint i = 0; i < ids->len; i++)
    json_array_append_new(names, json_string(((DaemonId *)ids->pdata[i])->id));
  json_t *reply = json_object();
  json_object_set_new(reply, "ids", names);
  json_object_set_new(reply, "keys", key_lines(catalogue, device, FALSE));
  json_object_set_new(reply, "only", key_lines(catalogue, device, TRUE));
  return reply;
}

void
daemon_token_mark_lost(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  Daemon *daemon = daemon_call_daemon(call);
  gboolean lost = FALSE;
  DaemonDevice *device = NULL;
  if (!json_is_boolean(json_object_get(daemon_call_parameters(call), "lost")))
    base_error_set(&error, SIGNET_ERROR_USAGE, "the parameter `lost` must be true or false");
  else if (wire_json_get_bool(daemon_call_parameters(call), "lost", FALSE, &lost, &error))
    device = named_device(call, &error);
  if (!device) {
    daemon_call_fail(call, error);
    return;
  }
  json_t *reply = loss_json(daemon->catalogue, device);
  if (device->lost != lost)
    base_log("the token \"%s\" %s", device->label,
             lost ? "is given up as lost" : "was found again");
  daemon_catalogue_set_lost(daemon->catalogue, device, lost);
  if (lost)
    lock_views(daemon, device);
  daemon_catalogue_changed(daemon);
  daemon_catalogue_save_now(daemon); /* a daemon that ends now must not come back trusting it */
  daemon_call_reply(call, reply);
}
