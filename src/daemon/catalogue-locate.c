/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/catalogue-internal.h"

#include <string.h>

/* Where each key lies now: what views list, and what locked tokens hide. */

static DaemonLocation *
add_location(DaemonKey *key, DaemonView *view, guint32 flags, const char *label)
{
  DaemonLocation *location = g_new0(DaemonLocation, 1);
  location->view = view;
  location->flags = flags;
  location->label = label;
  daemon_list_add(&key->locations, location);
  return location;
}

static void
locate_listed(DaemonView *view)
{
  for (guint i = 0; i < view->keys->len; i++) {
    CatalogueKeyPlace *place = g_ptr_array_index(view->keys, i);
    DaemonKey *key = place->key;
    DaemonLocation *location = add_location(key, view, place->flags, place->label);
    location->id = place->id;
    if (*place->label && strcmp(key->label, place->label) != 0 && key->locations->len == 1) {
      g_free(key->label);
      key->label = g_strdup(place->label);
    }
  }
}

static DaemonView *
hiding_view(const DaemonDevice *device)
{
  for (guint i = 0; i < device->views->len; i++) {
    DaemonView *view = g_ptr_array_index(device->views, i);
    if (!view->complete && (view->token->flags & WIRE_TOKEN_INITIALIZED))
      return view;
  }
  return NULL;
}

/* A key that was on the device is taken to be there still while the device is here and
 * hides keys; once every view of it was searched unlocked, it is known to be gone. */
static void
locate_remembered(DaemonCatalogue *catalogue, DaemonKey *key)
{
  for (guint i = 0; i < key->seen->len; i++) {
    DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (!seen->device->views->len || seen->device->lost ||
        daemon_catalogue_location_on(key, seen->device))
      continue;
    DaemonView *view = hiding_view(seen->device);
    if (view && !seen->gone)
      add_location(key, view, seen->flags, key->label)->presumed = TRUE;
    if (!view && !seen->gone) {
      seen->gone = TRUE;
      catalogue->unsaved = TRUE;
    }
  }
}

static guint32
flags_by_certificate(const DaemonCert *cert, const char *kind)
{
  guint32 flags = 0;
  if (cert->use & (BASE_USE_SIGN | BASE_USE_AUTH))
    flags |= WIRE_KEY_SIGN;
  if (cert->use & BASE_USE_ENCRYPT)
    flags |= daemon_catalogue_decrypt_flag(kind);
  return flags;
}

/* A person's certificate on a locked token: its key, never seen yet, will be there too. */
static void
presume_by_certificate(DaemonCatalogue *catalogue, DaemonView *view,
                       const CatalogueCertPlace *place)
{
  const DaemonCert *cert = place->cert;
  if ((cert->use & BASE_USE_CA) ||
      !(cert->use & (BASE_USE_SIGN | BASE_USE_ENCRYPT | BASE_USE_AUTH)))
    return;
  DaemonKey *key = g_hash_table_lookup(catalogue->keys, cert->key);
  if (key && (daemon_catalogue_seen_on(key, view->device)))
    return;
  g_autofree char *kind = base_key_kind_text(cert->kind, cert->bits);
  if (!key)
    key = daemon_catalogue_add_key(catalogue, cert->key, kind);
  if (!key)
    return;
  DaemonLocation *location = daemon_catalogue_location_on(key, view->device);
  if (location && location->presumed)
    location->flags |= flags_by_certificate(cert, kind);
  if (location)
    return;
  location = add_location(key, view, flags_by_certificate(cert, kind),
                          place->label ? place->label : key->label);
  location->id = place->id;
  location->presumed = TRUE;
}

static gint
compare_locations(gconstpointer a, gconstpointer b)
{
  const DaemonLocation *left = *(DaemonLocation *const *)a;
  const DaemonLocation *right = *(DaemonLocation *const *)b;
  gboolean left_locked = daemon_catalogue_view_locked(left->view);
  gboolean right_locked = daemon_catalogue_view_locked(right->view);
  if (left_locked != right_locked)
    return left_locked ? 1 : -1;
  if (left->presumed != right->presumed)
    return left->presumed ? 1 : -1;
  if (left->view->host != right->view->host)
    return left->view->host < right->view->host ? -1 : 1;
  return left->view->token->slot < right->view->token->slot ? -1 : 1;
}

static void
finish_key(DaemonKey *key)
{
  daemon_list_sort(key->locations, compare_locations);
  key->flags = 0;
  for (guint i = 0; i < key->locations->len; i++)
    key->flags |= ((DaemonLocation *)g_ptr_array_index(key->locations, i))->flags;
  for (guint i = 0; i < key->seen->len && !key->locations->len; i++)
    key->flags |= ((DaemonSeen *)g_ptr_array_index(key->seen, i))->flags;
}

static gboolean
is_forgotten(gpointer name, gpointer value, gpointer user_data)
{
  (void)name;
  DaemonCatalogue *catalogue = user_data;
  const DaemonKey *key = value;
  gboolean useless =
      !key->locations->len && !key->seen->len && !key->given_addresses && !key->given_name;
  catalogue->spared = catalogue->spared || (useless && catalogue->takings > 0);
  return useless && !catalogue->takings;
}

void
daemon_catalogue_locate_all(DaemonCatalogue *catalogue)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    daemon_list_clear(&((DaemonKey *)value)->locations, g_free);
  for (guint i = 0; i < catalogue->views->len; i++) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    if (!view->device->lost)
      locate_listed(view);
  }
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    locate_remembered(catalogue, value);
  for (guint i = 0; i < catalogue->views->len; i++) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    gboolean hides = !view->complete && !view->device->lost;
    for (guint j = 0; hides && j < view->certs->len; j++)
      presume_by_certificate(catalogue, view, g_ptr_array_index(view->certs, j));
  }
  g_hash_table_iter_init(&iter, catalogue->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    finish_key(value);
  g_hash_table_foreach_remove(catalogue->keys, is_forgotten, catalogue);
}
