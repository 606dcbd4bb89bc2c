/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "daemon/catalogue-internal.h"

#include <string.h>

DaemonCatalogue *
daemon_catalogue_new(void)
{
  DaemonCatalogue *catalogue = g_new0(DaemonCatalogue, 1);
  catalogue->devices = g_ptr_array_new_with_free_func(daemon_catalogue_device_free);
  catalogue->views = g_ptr_array_new_with_free_func(daemon_catalogue_view_free);
  catalogue->keys = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, daemon_catalogue_key_free);
  catalogue->certs = g_hash_table_new(g_str_hash, g_str_equal);
  catalogue->names =
      g_hash_table_new_full(g_bytes_hash, g_bytes_equal, NULL, daemon_catalogue_name_free);
  catalogue->ids = g_ptr_array_new_with_free_func(daemon_catalogue_id_free);
  catalogue->texts = g_ptr_array_new_with_free_func(g_free);
  catalogue->by_address = g_hash_table_new(g_str_hash, g_str_equal);
  catalogue->by_issuer_serial = g_hash_table_new(g_str_hash, g_str_equal);
  catalogue->by_key_id = g_hash_table_new(g_str_hash, g_str_equal);
  g_queue_init(&catalogue->events);
  return catalogue;
}

static void
event_free(gpointer data)
{
  DaemonCatalogueEvent *event = data;
  g_free(event->token);
  g_free(event->serial);
  g_free(event->module);
  g_free(event);
}

void
daemon_catalogue_free(DaemonCatalogue *catalogue)
{
  if (!catalogue)
    return;
  g_hash_table_unref(catalogue->by_address);
  g_hash_table_unref(catalogue->by_issuer_serial);
  g_hash_table_unref(catalogue->by_key_id);
  g_ptr_array_unref(catalogue->ids);
  g_ptr_array_unref(catalogue->texts);
  g_ptr_array_unref(catalogue->views);
  g_ptr_array_unref(catalogue->devices);
  g_hash_table_unref(catalogue->keys);
  g_autoptr(GList) certs = g_hash_table_get_values(catalogue->certs);
  for (GList *at = certs; at; at = at->next)
    daemon_catalogue_drop_cert(catalogue, at->data);
  g_hash_table_unref(catalogue->certs);
  g_hash_table_unref(catalogue->names);
  g_queue_clear_full(&catalogue->events, event_free);
  g_free(catalogue->default_name);
  g_free(catalogue->default_key);
  g_free(catalogue);
}

void
daemon_catalogue_touch(DaemonCatalogue *catalogue)
{
  catalogue->stale = TRUE;
}

void
daemon_catalogue_settle(DaemonCatalogue *catalogue)
{
  if (!catalogue->stale)
    return;
  daemon_catalogue_group(catalogue);
  catalogue->stale = FALSE; /* what grouping itself adds is in */
}

/* ---- keys ---- */

gboolean
daemon_catalogue_is_key_name(const char *text)
{
  return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* A closed set, so the text can be shared and a token's own words go no further. */
static const char *
shared_kind(const char *text)
{
  static const char *const curves[] = { "ec:p256", "ec:p384", "ec:p521", "ed25519" };
  for (gsize i = 0; i < G_N_ELEMENTS(curves); i++)
    if (g_strcmp0(text, curves[i]) == 0)
      return curves[i];
  if (!text || !g_str_has_prefix(text, "rsa:"))
    return "other";
  gsize digits = strspn(text + 4, "0123456789");
  return digits > 0 && digits <= 5 && !text[4 + digits] ? g_intern_string(text) : "other";
}

DaemonKey *
daemon_catalogue_add_key(DaemonCatalogue *catalogue, const char *name, const char *kind)
{
  DaemonKey *key = g_hash_table_lookup(catalogue->keys, name);
  if (key && kind && strcmp(key->kind, "other") == 0)
    key->kind = shared_kind(kind);
  if (key || g_hash_table_size(catalogue->keys) >= DAEMON_CATALOGUE_KEYS_MAX)
    return key;
  key = g_new0(DaemonKey, 1);
  g_strlcpy(key->name, name, sizeof key->name);
  key->kind = shared_kind(kind);
  key->label = g_strdup("");
  key->locations = daemon_list_new();
  key->seen = daemon_list_new();
  key->certs = daemon_list_new();
  g_hash_table_insert(catalogue->keys, key->name, key);
  daemon_catalogue_touch(catalogue);
  return key;
}

void
daemon_catalogue_key_free(gpointer data)
{
  DaemonKey *key = data;
  g_free(key->label);
  g_clear_pointer(&key->spki, g_bytes_unref);
  daemon_list_free(key->locations, g_free);
  daemon_list_free(key->seen, g_free);
  daemon_list_free(key->certs, NULL);
  g_strfreev(key->given_addresses);
  g_free(key->given_name);
  g_free(key);
}

DaemonLocation *
daemon_catalogue_location_on(const DaemonKey *key, const DaemonDevice *device)
{
  for (guint i = 0; i < key->locations->len; i++) {
    DaemonLocation *location = g_ptr_array_index(key->locations, i);
    if (location->view->device == device)
      return location;
  }
  return NULL;
}

DaemonSeen *
daemon_catalogue_seen_on(const DaemonKey *key, const DaemonDevice *device)
{
  for (guint i = 0; i < key->seen->len; i++) {
    DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (seen->device == device)
      return seen;
  }
  return NULL;
}

guint32
daemon_catalogue_decrypt_flag(const char *kind)
{
  if (g_str_has_prefix(kind, "rsa:"))
    return WIRE_KEY_DECRYPT;
  return g_str_has_prefix(kind, "ec:") ? WIRE_KEY_DERIVE : 0;
}

DaemonKey *
daemon_catalogue_key(DaemonCatalogue *catalogue, const char *name)
{
  daemon_catalogue_settle(catalogue);
  return name ? g_hash_table_lookup(catalogue->keys, name) : NULL;
}

static const char *
ability_words(guint32 flags)
{
  if (flags & (WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE))
    return "decrypt";
  return "sign";
}

/* Every device that may have it is lost. (nullable) */
static const DaemonDevice *
lost_with(const DaemonKey *key)
{
  const DaemonDevice *lost = NULL;
  for (guint i = 0; i < key->seen->len; i++) {
    const DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (!seen->gone && !seen->device->lost)
      return NULL;
    if (seen->device->lost && !lost)
      lost = seen->device;
  }
  return lost;
}

static gboolean
set_not_located(const DaemonKey *key, guint32 flags, GError **error)
{
  const DaemonDevice *lost = key->locations->len ? NULL : lost_with(key);
  if (lost)
    return daemon_catalogue_check_lost(lost, error);
  if (key->locations->len) {
    const DaemonLocation *location = g_ptr_array_index(key->locations, 0);
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "the key on \"%s\" cannot %s",
                   location->view->token->label, ability_words(flags));
    return FALSE;
  }
  g_autofree char *where = daemon_catalogue_last_seen(key);
  if (!*where)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND, "key %.16s… is on no token", key->name);
  base_error_set(error, SIGNET_ERROR_TOKEN_GONE,
                 "the key is on no token that is here now; it was last seen on %s: insert it",
                 where);
  const DaemonSeen *seen = g_ptr_array_index(key->seen, 0);
  if (error && *error)
    base_error_details(*error)->token = g_strdup(seen->device->label);
  return FALSE;
}

DaemonLocation *
daemon_catalogue_locate(DaemonCatalogue *catalogue, const DaemonKey *key, guint32 flags,
                        GError **error)
{
  daemon_catalogue_settle(catalogue);
  for (guint i = 0; i < key->locations->len; i++) {
    DaemonLocation *location = g_ptr_array_index(key->locations, i);
    if ((location->flags & flags) == flags)
      return location;
  }
  set_not_located(key, flags, error);
  return NULL;
}

static gboolean
was_removed(const DaemonKey *key)
{
  for (guint i = 0; i < key->seen->len; i++)
    if (!((DaemonSeen *)g_ptr_array_index(key->seen, i))->gone)
      return FALSE;
  return key->seen->len > 0;
}

const char *
daemon_catalogue_problem(const DaemonKey *key, const char **ret_token)
{
  const DaemonLocation *here = key->locations->len ? g_ptr_array_index(key->locations, 0) : NULL;
  const DaemonDevice *lost = here ? NULL : lost_with(key);
  *ret_token = lost ? lost->label : daemon_catalogue_token_label(key, here);
  if (here)
    return "unable";
  if (lost)
    return "lost";
  return was_removed(key) ? "removed" : NULL;
}

guint
daemon_catalogue_copies(const DaemonKey *key)
{
  guint copies = 0;
  for (guint i = 0; i < key->locations->len; i++) {
    const DaemonLocation *location = g_ptr_array_index(key->locations, i);
    gboolean counted = location->presumed;
    for (guint j = 0; j < i && !counted; j++) {
      const DaemonLocation *before = g_ptr_array_index(key->locations, j);
      counted = !before->presumed && before->view->device == location->view->device;
    }
    copies += !counted;
  }
  return copies;
}

static void
add_seen_labels(const DaemonKey *key, gboolean gone, GPtrArray *labels)
{
  for (guint i = 0; i < key->seen->len; i++) {
    const DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (!seen->gone == !gone && !daemon_catalogue_location_on(key, seen->device))
      g_ptr_array_add(labels, g_strdup_printf("\"%s\"", seen->device->label));
  }
}

gint64
daemon_catalogue_last_seen_at(const DaemonKey *key)
{
  gint64 latest = 0;
  for (guint i = 0; i < key->seen->len; i++) {
    const DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (!seen->gone)
      latest = MAX(latest, seen->device->last_seen);
  }
  return latest;
}

char *
daemon_catalogue_last_seen(const DaemonKey *key)
{
  g_autoptr(GPtrArray) labels = g_ptr_array_new_with_free_func(g_free);
  add_seen_labels(key, FALSE, labels);
  if (!labels->len)
    add_seen_labels(key, TRUE, labels);
  return daemon_catalogue_join(labels);
}

void
daemon_catalogue_name_key(DaemonCatalogue *catalogue, const char *name,
                          const char *const *addresses, const char *person)
{
  if (!daemon_catalogue_is_key_name(name))
    return;
  DaemonKey *key = daemon_catalogue_add_key(catalogue, name, NULL);
  if (!key)
    return;
  if (addresses) {
    g_autoptr(GPtrArray) normal = g_ptr_array_new();
    for (gsize i = 0; addresses[i] && i < DAEMON_CATALOGUE_ADDRESSES_MAX; i++) {
      char *address = base_address_normal(addresses[i]);
      if (address)
        g_ptr_array_add(normal, address);
    }
    gboolean any = normal->len > 0;
    g_ptr_array_add(normal, NULL);
    g_strfreev(key->given_addresses);
    key->given_addresses = (char **)g_ptr_array_free(g_steal_pointer(&normal), FALSE);
    if (!any)
      g_clear_pointer(&key->given_addresses, g_strfreev);
  }
  if (person) {
    g_free(key->given_name);
    key->given_name = daemon_catalogue_clean(person, DAEMON_CATALOGUE_LABEL_MAX);
  }
  catalogue->unsaved = TRUE;
  daemon_catalogue_touch(catalogue);
}

void
daemon_catalogue_forget_key(DaemonCatalogue *catalogue, const char *name,
                            const DaemonDevice *device)
{
  DaemonKey *key = g_hash_table_lookup(catalogue->keys, name);
  if (!key)
    return;
  for (guint i = 0; i < catalogue->views->len; i++) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    for (guint j = view->device == device ? view->keys->len : 0; j-- > 0;)
      if (((CatalogueKeyPlace *)g_ptr_array_index(view->keys, j))->key == key)
        g_ptr_array_remove_index(view->keys, j);
  }
  DaemonSeen *seen = daemon_catalogue_seen_on(key, device);
  if (seen)
    daemon_list_remove(key->seen, seen);
  g_free(seen);
  if (!key->seen->len) {
    g_clear_pointer(&key->given_addresses, g_strfreev);
    g_clear_pointer(&key->given_name, g_free);
  }
  catalogue->unsaved = TRUE;
  daemon_catalogue_touch(catalogue);
}

/* ---- events and counts ---- */

static void
queue_event(GPtrArray *events, const char *name, const DaemonDevice *device)
{
  DaemonCatalogueEvent *event = g_new0(DaemonCatalogueEvent, 1);
  event->event = name;
  event->token = g_strdup(device->label);
  event->serial = g_strdup(device->serial);
  event->module = g_strdup(device->module);
  event->locked = daemon_catalogue_device_locked(device);
  g_ptr_array_add(events, event);
}

GPtrArray *
daemon_catalogue_take_events(DaemonCatalogue *catalogue)
{
  GPtrArray *events = g_ptr_array_new_with_free_func(event_free);
  for (gpointer event; (event = g_queue_pop_head(&catalogue->events));)
    g_ptr_array_add(events, event);
  for (guint i = 0; i < catalogue->devices->len; i++) {
    DaemonDevice *device = g_ptr_array_index(catalogue->devices, i);
    if (!device->views->len)
      continue;
    gboolean locked = daemon_catalogue_device_locked(device);
    if (locked != device->told_locked)
      queue_event(events, locked ? "locked" : "unlocked", device);
    if (device->changed)
      queue_event(events, "changed", device);
    device->told_locked = locked;
    device->changed = FALSE;
  }
  return events;
}

DaemonCatalogueCounts
daemon_catalogue_counts(DaemonCatalogue *catalogue)
{
  daemon_catalogue_settle(catalogue);
  DaemonCatalogueCounts counts = {
    .ids = catalogue->ids->len,
    .keys = g_hash_table_size(catalogue->keys),
    .certificates = g_hash_table_size(catalogue->certs),
    .bad_certificates = catalogue->bad_certificates,
    .nameless_keys = catalogue->nameless_keys,
  };
  for (guint i = 0; i < catalogue->devices->len; i++)
    counts.devices += ((DaemonDevice *)g_ptr_array_index(catalogue->devices, i))->views->len > 0;
  return counts;
}
