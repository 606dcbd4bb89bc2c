/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "daemon/catalogue-internal.h"

#include <string.h>

DaemonDevice *
daemon_catalogue_add_device(DaemonCatalogue *catalogue)
{
  DaemonDevice *device = g_new0(DaemonDevice, 1);
  device->views = g_ptr_array_new();
  device->label = g_strdup("");
  device->serial = g_strdup("");
  device->manufacturer = g_strdup("");
  device->model = g_strdup("");
  device->firmware = g_strdup("");
  device->uri = g_strdup("");
  device->module = g_strdup("");
  device->profile = g_strdup("");
  g_ptr_array_add(catalogue->devices, device);
  return device;
}

void
daemon_catalogue_device_free(gpointer data)
{
  DaemonDevice *device = data;
  g_ptr_array_unref(device->views);
  g_free(device->label);
  g_free(device->serial);
  g_free(device->manufacturer);
  g_free(device->model);
  g_free(device->firmware);
  g_free(device->uri);
  g_free(device->module);
  g_free(device->profile);
  g_free(device);
}

void
daemon_catalogue_drop_device(DaemonCatalogue *catalogue, DaemonDevice *device)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    DaemonKey *key = value;
    DaemonSeen *seen = daemon_catalogue_seen_on(key, device);
    if (seen)
      daemon_list_remove(key->seen, seen);
    g_free(seen);
  }
  g_ptr_array_remove(catalogue->devices, device);
  daemon_catalogue_touch(catalogue);
}

static gint
compare_devices(gconstpointer a, gconstpointer b)
{
  const DaemonDevice *left = *(DaemonDevice *const *)a;
  const DaemonDevice *right = *(DaemonDevice *const *)b;
  DaemonDeviceState left_state = daemon_catalogue_device_state(left);
  DaemonDeviceState right_state = daemon_catalogue_device_state(right);
  if (left_state != right_state)
    return left_state < right_state ? -1 : 1;
  int order = strcmp(left->label, right->label);
  return order ? order : strcmp(left->serial, right->serial);
}

const GPtrArray *
daemon_catalogue_devices(DaemonCatalogue *catalogue)
{
  daemon_catalogue_settle(catalogue);
  g_ptr_array_sort(catalogue->devices, compare_devices);
  return catalogue->devices;
}

DaemonDeviceState
daemon_catalogue_device_state(const DaemonDevice *device)
{
  if (!device->views->len)
    return DAEMON_DEVICE_ABSENT;
  for (guint i = 0; i < device->views->len; i++) {
    const DaemonView *view = g_ptr_array_index(device->views, i);
    if (view->token->flags & WIRE_TOKEN_INITIALIZED)
      return DAEMON_DEVICE_PRESENT;
  }
  return DAEMON_DEVICE_BLANK;
}

gboolean
daemon_catalogue_view_locked(const DaemonView *view)
{
  guint32 flags = view->token->flags;
  return (flags & WIRE_TOKEN_INITIALIZED) && (flags & WIRE_TOKEN_LOGIN_REQUIRED) &&
         !(flags & WIRE_TOKEN_LOGGED_IN);
}

gboolean
daemon_catalogue_device_locked(const DaemonDevice *device)
{
  gboolean locked = FALSE;
  for (guint i = 0; i < device->views->len; i++) {
    const DaemonView *view = g_ptr_array_index(device->views, i);
    if (!(view->token->flags & WIRE_TOKEN_INITIALIZED))
      continue;
    if (!daemon_catalogue_view_locked(view))
      return FALSE;
    locked = TRUE;
  }
  return locked;
}

/* ---- finding one by name ---- */

static gboolean
named(const char *have, const char *name)
{
  return *have && strcmp(have, name) == 0;
}

static gboolean
token_has_name(const WireToken *token, const char *name)
{
  return named(token->label, name) || named(token->serial, name) ||
         (!(token->flags & WIRE_TOKEN_INITIALIZED) && named(token->slot_description, name));
}

static gboolean
view_fits(const DaemonView *view, const char *name, CatalogueUri *uri)
{
  return uri ? daemon_catalogue_uri_fits_token(uri, view->token)
             : token_has_name(view->token, name);
}

static gboolean
device_fits(const DaemonDevice *device, const char *name, CatalogueUri *uri)
{
  if (uri ? daemon_catalogue_uri_fits_device(uri, device)
          : named(device->label, name) || named(device->serial, name))
    return TRUE;
  for (guint i = 0; i < device->views->len; i++) {
    const DaemonView *view = g_ptr_array_index(device->views, i);
    if (uri ? daemon_catalogue_uri_fits_token(uri, view->token) : token_has_name(view->token, name))
      return TRUE;
  }
  return FALSE;
}

static char *
describe_device(const DaemonDevice *device)
{
  static const char *const states[] = { "", ", blank", ", not here now" };
  return g_strdup_printf(
      "\"%s\", serial %s, %s%s%s", device->label, *device->serial ? device->serial : "unknown",
      device->module, states[daemon_catalogue_device_state(device)], device->lost ? ", lost" : "");
}

static DaemonDevice *
only_device(GPtrArray *found, const char *name, GError **error)
{
  if (found->len == 1)
    return g_ptr_array_index(found, 0);
  if (!found->len) {
    base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no token \"%s\"", name);
    base_error_suggest(error, "signet", "token", "list", NULL);
    return NULL;
  }
  base_error_set(error, SIGNET_ERROR_AMBIGUOUS,
                 "%u tokens are called \"%s\": name one by serial or URI", found->len, name);
  g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < found->len; i++)
    g_ptr_array_add(lines, describe_device(g_ptr_array_index(found, i)));
  daemon_catalogue_set_candidates(error, lines);
  return NULL;
}

DaemonDevice *
daemon_catalogue_find_device(DaemonCatalogue *catalogue, const char *name, GError **error)
{
  g_autoptr(CatalogueUri) uri = NULL;
  if (daemon_catalogue_is_uri(name) && !(uri = daemon_catalogue_uri_new(name, error)))
    return NULL;
  daemon_catalogue_settle(catalogue);
  g_autoptr(GPtrArray) here = g_ptr_array_new();
  g_autoptr(GPtrArray) away = g_ptr_array_new();
  for (guint i = 0; i < catalogue->devices->len; i++) {
    DaemonDevice *device = g_ptr_array_index(catalogue->devices, i);
    if (device_fits(device, name, uri))
      g_ptr_array_add(device->views->len ? here : away, device);
  }
  return only_device(here->len ? here : away, name, error);
}

static DaemonView *
best_view(const DaemonDevice *device, const char *name, CatalogueUri *uri)
{
  DaemonView *best = NULL;
  int best_rank = -1;
  for (guint i = 0; i < device->views->len; i++) {
    DaemonView *view = g_ptr_array_index(device->views, i);
    int rank = 2 * view_fits(view, name, uri) + !daemon_catalogue_view_locked(view);
    if (rank <= best_rank)
      continue;
    best = view;
    best_rank = rank;
  }
  return best;
}

DaemonView *
daemon_catalogue_find_view(DaemonCatalogue *catalogue, const char *name, GError **error)
{
  const DaemonDevice *device = daemon_catalogue_find_device(catalogue, name, error);
  if (!device)
    return NULL;
  g_autoptr(CatalogueUri) uri =
      daemon_catalogue_is_uri(name) ? daemon_catalogue_uri_new(name, NULL) : NULL;
  DaemonView *view = best_view(device, name, uri);
  if (view)
    return view;
  base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token \"%s\" is not here; insert it",
                 device->label);
  if (error && *error)
    base_error_details(*error)->token = g_strdup(device->label);
  return NULL;
}

GPtrArray *
daemon_catalogue_device_ids(DaemonCatalogue *catalogue, const DaemonDevice *device)
{
  daemon_catalogue_settle(catalogue);
  GPtrArray *ids = g_ptr_array_new();
  for (guint i = 0; i < catalogue->ids->len; i++) {
    DaemonId *id = g_ptr_array_index(catalogue->ids, i);
    gboolean on = FALSE;
    for (guint j = 0; j < id->keys->len && !on; j++) {
      const DaemonKey *key = g_ptr_array_index(id->keys, j);
      on = daemon_catalogue_location_on(key, device) || daemon_catalogue_seen_on(key, device);
    }
    if (on)
      g_ptr_array_add(ids, id);
  }
  return ids;
}

void
daemon_catalogue_forget_device(DaemonCatalogue *catalogue, DaemonDevice *device)
{
  if (device->views->len)
    return;
  g_autoptr(GPtrArray) keys = daemon_catalogue_device_keys(catalogue, device);
  for (guint i = 0; i < keys->len; i++)
    daemon_catalogue_forget_key(catalogue, ((DaemonKey *)keys->pdata[i])->name, device);
  daemon_catalogue_drop_device(catalogue, device);
  catalogue->unsaved = TRUE;
}

/* ---- lost ---- */

void
daemon_catalogue_set_lost(DaemonCatalogue *catalogue, DaemonDevice *device, gboolean lost)
{
  if (device->lost == lost)
    return;
  device->lost = lost;
  device->remembered = TRUE;
  catalogue->unsaved = TRUE;
  daemon_catalogue_touch(catalogue);
}

gboolean
daemon_catalogue_check_lost(const DaemonDevice *device, GError **error)
{
  if (!device || !device->lost)
    return TRUE;
  base_error_set(error, SIGNET_ERROR_DENIED,
                 "the token \"%s\" was given up as lost: it is not used", device->label);
  base_error_suggest(error, "signet", "token", "lost", device->label, "--found", NULL);
  base_error_name_token(error, device->label);
  return FALSE;
}

GPtrArray *
daemon_catalogue_device_keys(DaemonCatalogue *catalogue, const DaemonDevice *device)
{
  g_autoptr(GPtrArray) ids = daemon_catalogue_device_ids(catalogue, device);
  GPtrArray *keys = g_ptr_array_new();
  for (guint i = 0; i < ids->len; i++) {
    const DaemonId *id = g_ptr_array_index(ids, i);
    for (guint j = 0; j < id->keys->len; j++) {
      DaemonKey *key = g_ptr_array_index(id->keys, j);
      const DaemonSeen *seen = daemon_catalogue_seen_on(key, device);
      if (daemon_catalogue_location_on(key, device) || (seen && !seen->gone))
        g_ptr_array_add(keys, key);
    }
  }
  return keys;
}

gboolean
daemon_catalogue_only_on(const DaemonKey *key, const DaemonDevice *device)
{
  for (guint i = 0; i < key->locations->len; i++)
    if (((DaemonLocation *)g_ptr_array_index(key->locations, i))->view->device != device)
      return FALSE;
  for (guint i = 0; i < key->seen->len; i++) {
    const DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (seen->device != device && !seen->gone && !seen->device->lost)
      return FALSE;
  }
  return TRUE;
}

char *
daemon_catalogue_key_line(const DaemonKey *key)
{
  return g_strdup_printf("key %.16s… (%s)%s%s", key->name, key->kind, key->id ? " of " : "",
                         key->id ? key->id->id : "");
}
