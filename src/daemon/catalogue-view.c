/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/catalogue-internal.h"
#include "wire/limits.h"

#include <string.h>

/* Views come and go as hosts tell; each belongs to the device that it shows. */

void
daemon_catalogue_view_free(gpointer data)
{
  DaemonView *view = data;
  g_ptr_array_unref(view->keys);
  g_ptr_array_unref(view->certs);
  wire_token_free(view->token);
  g_free(view->module);
  g_free(view->profile);
  g_free(view);
}

static WireToken *
copy_token(const WireToken *token)
{
  WireToken *copy = g_new0(WireToken, 1);
  copy->slot = token->slot;
  copy->generation = token->generation;
  copy->flags = token->flags;
  copy->min_pin = token->min_pin;
  copy->max_pin = token->max_pin;
  copy->label = daemon_catalogue_clean(token->label, DAEMON_CATALOGUE_LABEL_MAX);
  copy->manufacturer = daemon_catalogue_clean(token->manufacturer, DAEMON_CATALOGUE_LABEL_MAX);
  copy->model = daemon_catalogue_clean(token->model, DAEMON_CATALOGUE_LABEL_MAX);
  copy->serial = daemon_catalogue_clean(token->serial, DAEMON_CATALOGUE_LABEL_MAX);
  copy->firmware = daemon_catalogue_clean(token->firmware, DAEMON_CATALOGUE_LABEL_MAX);
  copy->hardware = daemon_catalogue_clean(token->hardware, DAEMON_CATALOGUE_LABEL_MAX);
  copy->slot_description =
      daemon_catalogue_clean(token->slot_description, DAEMON_CATALOGUE_LABEL_MAX);
  copy->uri = daemon_catalogue_clean(token->uri, WIRE_NAME_MAX);
  return copy;
}

/* ---- which device a view shows ---- */

/* A blank serial, one repeated character (tpm2-pkcs11: all zeros) or one that the whole
 * family shares identifies nothing. */
static gboolean
serial_identifies(const WireToken *token, const BaseProfile *profile)
{
  const char *serial = token->serial;
  if (strlen(serial) < 4 || strspn(serial, (char[]){ serial[0], ' ', 0 }) == strlen(serial))
    return FALSE;
  return strcmp(serial, token->model) != 0 &&
         !(profile && g_strcmp0(profile->pin_scope, "tpm") == 0);
}

static gboolean
same_family(const DaemonDevice *device, const WireToken *token)
{
  return strcmp(device->manufacturer, token->manufacturer) == 0 &&
         strcmp(device->model, token->model) == 0;
}

static gboolean
has_view_of_host(const DaemonDevice *device, guint host, const DaemonView *except)
{
  for (guint i = 0; i < device->views->len; i++) {
    const DaemonView *view = g_ptr_array_index(device->views, i);
    if (view->host == host && view != except)
      return TRUE;
  }
  return FALSE;
}

static DaemonDevice *
find_by_serial(DaemonCatalogue *catalogue, const WireToken *token)
{
  for (guint i = 0; i < catalogue->devices->len; i++) {
    DaemonDevice *device = g_ptr_array_index(catalogue->devices, i);
    if (device->serial_identifies && same_family(device, token) &&
        strcmp(device->serial, token->serial) == 0)
      return device;
  }
  return NULL;
}

/* Without a serial: the label, until its keys are known (see daemon_catalogue_recognise()). Only
 * for a device that is away: two such tokens in one module are two. */
static DaemonDevice *
find_by_label(DaemonCatalogue *catalogue, const WireToken *token)
{
  for (guint i = 0; i < catalogue->devices->len && *token->label; i++) {
    DaemonDevice *device = g_ptr_array_index(catalogue->devices, i);
    if (!device->serial_identifies && !device->views->len && same_family(device, token) &&
        strcmp(device->label, token->label) == 0)
      return device;
  }
  return NULL;
}

static void
set_text(DaemonCatalogue *catalogue, char **field, const char *text)
{
  if (!*text || strcmp(*field, text) == 0)
    return;
  g_free(*field);
  *field = g_strdup(text);
  catalogue->unsaved = TRUE;
}

/* The first view speaks for the device; a second one adds only what was not known. */
static void
copy_facts(DaemonCatalogue *catalogue, DaemonDevice *device, const DaemonView *view)
{
  const WireToken *token = view->token;
  if (device->views->len && g_ptr_array_index(device->views, 0) != view)
    return;
  set_text(catalogue, &device->label, token->label);
  set_text(catalogue, &device->serial, token->serial);
  set_text(catalogue, &device->manufacturer, token->manufacturer);
  set_text(catalogue, &device->model, token->model);
  set_text(catalogue, &device->firmware, token->firmware);
  set_text(catalogue, &device->uri, token->uri);
  set_text(catalogue, &device->module, view->module);
  set_text(catalogue, &device->profile, view->profile);
  if ((token->flags & WIRE_TOKEN_INITIALIZED) && !device->remembered) {
    device->remembered = TRUE;
    catalogue->unsaved = TRUE;
  }
}

static void
queue_event(DaemonCatalogue *catalogue, const char *name, const DaemonDevice *device)
{
  DaemonCatalogueEvent *event = g_new0(DaemonCatalogueEvent, 1);
  event->event = name;
  event->token = g_strdup(device->label);
  event->serial = g_strdup(device->serial);
  event->module = g_strdup(device->module);
  event->locked = daemon_catalogue_device_locked(device);
  g_queue_push_tail(&catalogue->events, event);
}

static void
attach(DaemonCatalogue *catalogue, DaemonView *view, DaemonDevice *device, gboolean told)
{
  gboolean came = !device->views->len;
  view->device = device;
  g_ptr_array_add(device->views, view);
  device->last_seen = 0;
  copy_facts(catalogue, device, view);
  if (!came)
    return;
  device->told_locked = daemon_catalogue_device_locked(device);
  if (told)
    queue_event(catalogue, "in", device);
}

static void
detach(DaemonCatalogue *catalogue, DaemonView *view, gboolean told)
{
  DaemonDevice *device = view->device;
  view->device = NULL;
  g_ptr_array_remove(device->views, view);
  if (device->views->len)
    return;
  device->last_seen = g_get_real_time() / G_USEC_PER_SEC;
  if (told)
    queue_event(catalogue, "out", device);
  if (device->remembered)
    catalogue->unsaved = TRUE;
  else
    daemon_catalogue_drop_device(catalogue, device);
}

/* Those longest away go first, and only ones on which no key was ever seen. */
static void
make_room(DaemonCatalogue *catalogue)
{
  if (catalogue->devices->len < DAEMON_CATALOGUE_DEVICES_MAX)
    return;
  DaemonDevice *oldest = NULL;
  for (guint i = 0; i < catalogue->devices->len; i++) {
    DaemonDevice *device = g_ptr_array_index(catalogue->devices, i);
    if (!device->views->len && !device->lost &&
        (!oldest || device->last_seen < oldest->last_seen)) {
      g_autoptr(GPtrArray) ids = daemon_catalogue_device_ids(catalogue, device);
      oldest = ids->len ? oldest : device;
    }
  }
  if (oldest)
    daemon_catalogue_forget_device(catalogue, oldest);
}

static void
add_view(DaemonCatalogue *catalogue, guint host, const char *name, const BaseProfile *profile,
         const WireToken *token)
{
  make_room(catalogue);
  DaemonView *view = g_new0(DaemonView, 1);
  view->host = host;
  view->module = g_strdup(name);
  view->profile = g_strdup(profile ? profile->name : "");
  view->token = copy_token(token);
  view->keys = g_ptr_array_new_with_free_func(daemon_catalogue_key_place_free);
  view->certs = g_ptr_array_new_with_free_func(daemon_catalogue_cert_place_free);
  g_ptr_array_add(catalogue->views, view);

  gboolean identified = serial_identifies(view->token, profile);
  DaemonDevice *device = NULL;
  if (identified)
    device = find_by_serial(catalogue, view->token);
  else if (view->token->flags & WIRE_TOKEN_INITIALIZED)
    device = find_by_label(catalogue, view->token);
  if (!device) {
    device = daemon_catalogue_add_device(catalogue);
    device->serial_identifies = identified;
  }
  attach(catalogue, view, device, TRUE);
  daemon_catalogue_touch(catalogue);
}

static void
drop_view(DaemonCatalogue *catalogue, DaemonView *view)
{
  detach(catalogue, view, TRUE);
  g_ptr_array_remove(catalogue->views, view);
  daemon_catalogue_touch(catalogue);
}

static gboolean
shares_key(const DaemonView *view, const DaemonDevice *device)
{
  for (guint i = 0; i < view->keys->len; i++) {
    const CatalogueKeyPlace *place = g_ptr_array_index(view->keys, i);
    if (daemon_catalogue_seen_on(place->key, device))
      return TRUE;
  }
  return FALSE;
}

static gboolean
ever_held_keys(DaemonCatalogue *catalogue, const DaemonDevice *device)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    if (daemon_catalogue_seen_on(value, device))
      return TRUE;
  return FALSE;
}

/* A token whose serial says nothing is the device of its family and label with which it
 * has a key in common; one that has other keys is another device. */
void
daemon_catalogue_recognise(DaemonCatalogue *catalogue, DaemonView *view)
{
  DaemonDevice *device = view->device;
  if (device->serial_identifies || !view->keys->len || shares_key(view, device))
    return;
  DaemonDevice *right = NULL;
  for (guint i = 0; i < catalogue->devices->len && !right; i++) {
    DaemonDevice *other = g_ptr_array_index(catalogue->devices, i);
    if (other != device && !other->serial_identifies && same_family(other, view->token) &&
        strcmp(other->label, view->token->label) == 0 &&
        !has_view_of_host(other, view->host, view) && shares_key(view, other))
      right = other;
  }
  if (!right && (!view->complete || !ever_held_keys(catalogue, device)))
    return;
  if (!right)
    right = daemon_catalogue_add_device(catalogue);
  gboolean fresh = !ever_held_keys(catalogue, device);
  if (fresh && device->views->len == 1)
    device->remembered = FALSE; /* it was made for this view a moment ago */
  detach(catalogue, view, FALSE);
  attach(catalogue, view, right, FALSE);
}

/* ---- what hosts tell ---- */

DaemonView *
daemon_catalogue_view(DaemonCatalogue *catalogue, guint host, guint32 slot, guint32 generation)
{
  for (guint i = 0; i < catalogue->views->len; i++) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    if (view->host == host && view->token->slot == slot && view->token->generation == generation)
      return view;
  }
  return NULL;
}

GPtrArray *
daemon_catalogue_views(DaemonCatalogue *catalogue, guint host)
{
  GPtrArray *views = g_ptr_array_new();
  for (guint i = 0; i < catalogue->views->len; i++) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    if (view->host == host)
      g_ptr_array_add(views, view);
  }
  return views;
}

static gboolean
is_listed(const GPtrArray *tokens, const DaemonView *view)
{
  for (guint i = 0; i < tokens->len; i++) {
    const WireToken *token = g_ptr_array_index(tokens, i);
    if (token->slot == view->token->slot && token->generation == view->token->generation)
      return TRUE;
  }
  return FALSE;
}

static void
update_view(DaemonCatalogue *catalogue, DaemonView *view, const WireToken *token)
{
  if (view->token->flags != token->flags || strcmp(view->token->label, token->label) != 0)
    daemon_catalogue_touch(catalogue);
  wire_token_free(view->token);
  view->token = copy_token(token);
  copy_facts(catalogue, view->device, view);
}

void
daemon_catalogue_set_tokens(DaemonCatalogue *catalogue, guint host, const char *name,
                            const BaseProfile *profile, const GPtrArray *tokens)
{
  for (guint i = catalogue->views->len; i-- > 0;) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    if (view->host == host && !is_listed(tokens, view))
      drop_view(catalogue, view);
  }
  for (guint i = 0; i < tokens->len && i < WIRE_TOKENS_MAX; i++) {
    const WireToken *token = g_ptr_array_index(tokens, i);
    DaemonView *view = daemon_catalogue_view(catalogue, host, token->slot, token->generation);
    if (view)
      update_view(catalogue, view, token);
    else
      add_view(catalogue, host, name, profile, token);
  }
}

void
daemon_catalogue_set_logged_in(DaemonCatalogue *catalogue, guint host, guint32 slot,
                               guint32 generation, gboolean logged_in)
{
  DaemonView *view = daemon_catalogue_view(catalogue, host, slot, generation);
  guint32 flag = logged_in ? WIRE_TOKEN_LOGGED_IN : 0;
  if (!view || (view->token->flags & WIRE_TOKEN_LOGGED_IN) == flag)
    return;
  view->token->flags = (view->token->flags & ~(guint32)WIRE_TOKEN_LOGGED_IN) | flag;
  daemon_catalogue_touch(catalogue);
}

void
daemon_catalogue_drop_host(DaemonCatalogue *catalogue, guint host)
{
  for (guint i = catalogue->views->len; i-- > 0;) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    if (view->host == host)
      drop_view(catalogue, view);
  }
}
