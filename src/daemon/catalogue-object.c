/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/catalogue-internal.h"
#include "wire/limits.h"

#include <string.h>

#define SPKI_MAX 4096 /* RSA up to 16384 bits */

/* The objects of one view, taken in. */

void
daemon_catalogue_key_place_free(gpointer data)
{
  CatalogueKeyPlace *place = data;
  g_free(place->label);
  g_clear_pointer(&place->id, g_bytes_unref);
  g_free(place);
}

void
daemon_catalogue_cert_place_free(gpointer data)
{
  CatalogueCertPlace *place = data;
  g_free(place->label);
  g_clear_pointer(&place->id, g_bytes_unref);
  g_free(place);
}

/* SoftHSM gives every key CKA_UNWRAP, TPMs CKA_DERIVE: what the kind of key cannot do at all
 * is not believed. */
static guint32
believable(guint32 flags, const char *kind)
{
  guint32 opens = WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE;
  if (strcmp(kind, "other") == 0)
    return flags;
  return flags & ~(opens & ~daemon_catalogue_decrypt_flag(kind));
}

static void
keep_spki(DaemonKey *key, GBytes *bytes)
{
  gsize length;
  gconstpointer spki = bytes ? g_bytes_get_data(bytes, &length) : NULL;
  if (key->spki || key->certs->len || !spki || length > SPKI_MAX)
    return;
  g_autofree char *name = base_key_name(spki, length);
  if (strcmp(name, key->name) == 0)
    key->spki = g_bytes_ref(bytes);
}

/* A view's objects on their way in. The same key or certificate twice is there once: a hostile
 * token does not get to make long lists of one thing. */
struct DaemonTaking {
  DaemonCatalogue *catalogue;
  GPtrArray *keys;   /* CatalogueKeyPlace */
  GPtrArray *certs;  /* CatalogueCertPlace */
  GHashTable *known; /* DaemonKey -> its place; DaemonCert, a set */
  guint n;
};

static gboolean
same_id(GBytes *a, GBytes *b)
{
  return a == b || (a && b && g_bytes_equal(a, b));
}

static void
add_key_place(DaemonTaking *taking, const WireObject *object)
{
  DaemonCatalogue *catalogue = taking->catalogue;
  if (!daemon_catalogue_is_key_name(object->key)) {
    catalogue->nameless_keys++;
    return;
  }
  DaemonKey *key = daemon_catalogue_add_key(catalogue, object->key, object->key_kind);
  if (!key)
    return;
  CatalogueKeyPlace *place = g_hash_table_lookup(taking->known, key);
  if (place) {
    place->flags |= believable(object->flags, key->kind);
    return;
  }
  place = g_new0(CatalogueKeyPlace, 1);
  g_hash_table_insert(taking->known, key, place);
  place->key = key;
  place->flags = believable(object->flags, key->kind);
  place->label = daemon_catalogue_clean(object->label, DAEMON_CATALOGUE_LABEL_MAX);
  place->id = object->id ? g_bytes_ref(object->id) : NULL;
  keep_spki(key, object->bytes);
  g_ptr_array_add(taking->keys, place);
}

static void
share_with_key(const CatalogueKeyPlace *place /* nullable */, CatalogueCertPlace *cert)
{
  if (place && g_strcmp0(place->label, cert->label) == 0)
    g_clear_pointer(&cert->label, g_free);
  if (place && same_id(place->id, cert->id))
    g_clear_pointer(&cert->id, g_bytes_unref);
}

static void
share_with_known(const DaemonTaking *taking, CatalogueCertPlace *cert)
{
  DaemonKey *key = g_hash_table_lookup(taking->catalogue->keys, cert->cert->key);
  share_with_key(key ? g_hash_table_lookup(taking->known, key) : NULL, cert);
}

/* NULL: it is none. */
static DaemonCert *
take_cert(DaemonCatalogue *catalogue, const WireObject *object)
{
  g_autoptr(GError) error = NULL;
  DaemonCert *cert = object->bytes && g_bytes_get_size(object->bytes) <= WIRE_CERTIFICATE_MAX
                         ? daemon_catalogue_add_cert(catalogue, object->bytes, &error)
                         : NULL;
  /* A person who puts a certificate back wants it back. */
  if (cert && cert->removed) {
    cert->removed = FALSE;
    catalogue->unsaved = TRUE;
  }
  return cert;
}

static CatalogueCertPlace *
cert_place_new(DaemonCert *cert, const WireObject *object)
{
  CatalogueCertPlace *place = g_new0(CatalogueCertPlace, 1);
  place->cert = cert;
  place->label = daemon_catalogue_clean(object->label, DAEMON_CATALOGUE_LABEL_MAX);
  place->id = object->id ? g_bytes_ref(object->id) : NULL;
  return place;
}

static void
add_cert_place(DaemonTaking *taking, const WireObject *object)
{
  DaemonCert *cert = take_cert(taking->catalogue, object);
  if (!cert) {
    taking->catalogue->bad_certificates++;
    return;
  }
  if (!g_hash_table_add(taking->known, cert))
    return;
  CatalogueCertPlace *place = cert_place_new(cert, object);
  share_with_known(taking, place);
  g_ptr_array_add(taking->certs, place);
}

static gboolean
same_key(const CatalogueKeyPlace *old, const CatalogueKeyPlace *new)
{
  return old->key == new->key &&strcmp(old->label, new->label) == 0 && same_id(old->id, new->id);
}

static gboolean
same_cert(const CatalogueCertPlace *old, const CatalogueCertPlace *new)
{
  return old->cert == new->cert &&g_strcmp0(old->label, new->label) == 0 &&
         same_id(old->id, new->id);
}

/* Takes over the old records of what is the same: a thousand new ones between the bytes of
 * the list that is freed next would leave the heap full of holes. A host lists in another
 * order once it is logged in, so equals are found by key. Returns whether all is the same. */
static gboolean
reuse_keys(GPtrArray *old, GPtrArray *new)
{
  gboolean same = old->len == new->len;
  g_autoptr(GHashTable) at = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < old->len; i++)
    g_hash_table_insert(at, ((CatalogueKeyPlace *)g_ptr_array_index(old, i))->key,
                        &g_ptr_array_index(old, i));
  for (guint i = 0; i < new->len; i++) {
    CatalogueKeyPlace *is = g_ptr_array_index(new, i);
    gpointer *slot = g_hash_table_lookup(at, is->key);
    CatalogueKeyPlace *was = slot ? *slot : NULL;
    if (!was || !same_key(was, is)) {
      same = FALSE;
      continue;
    }
    same = same && was->flags == is->flags;
    was->flags = is->flags;
    g_ptr_array_index(new, i) = was;
    *slot = is;
  }
  return same;
}

static gboolean
reuse_certs(GPtrArray *old, GPtrArray *new)
{
  gboolean same = old->len == new->len;
  g_autoptr(GHashTable) at = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < old->len; i++)
    g_hash_table_insert(at, ((CatalogueCertPlace *)g_ptr_array_index(old, i))->cert,
                        &g_ptr_array_index(old, i));
  for (guint i = 0; i < new->len; i++) {
    CatalogueCertPlace *is = g_ptr_array_index(new, i);
    gpointer *slot = g_hash_table_lookup(at, is->cert);
    if (!slot || !same_cert(*slot, is)) {
      same = FALSE;
      continue;
    }
    g_ptr_array_index(new, i) = *slot;
    *slot = is;
  }
  return same;
}

/* Without login a host tells keys by their public halves, and their abilities only by guess:
 * what was seen unlocked is better. */
static void
add_remembered_flags(const DaemonView *view, GPtrArray *places)
{
  for (guint i = 0; i < places->len; i++) {
    CatalogueKeyPlace *place = g_ptr_array_index(places, i);
    const DaemonSeen *seen = daemon_catalogue_seen_on(place->key, view->device);
    if (seen)
      place->flags |= seen->flags;
  }
}

static void
remember_keys(DaemonCatalogue *catalogue, const DaemonView *view)
{
  for (guint i = 0; i < view->keys->len; i++) {
    const CatalogueKeyPlace *place = g_ptr_array_index(view->keys, i);
    DaemonSeen *seen = daemon_catalogue_seen_on(place->key, view->device);
    if (seen && seen->flags == place->flags && !seen->gone)
      continue;
    if (!seen) {
      seen = g_new0(DaemonSeen, 1);
      seen->device = view->device;
      daemon_list_add(&place->key->seen, seen);
    }
    seen->flags = place->flags;
    seen->gone = FALSE;
    catalogue->unsaved = TRUE;
  }
}

DaemonTaking *
daemon_catalogue_take_start(DaemonCatalogue *catalogue)
{
  DaemonTaking *taking = g_new0(DaemonTaking, 1);
  taking->catalogue = catalogue;
  taking->keys = g_ptr_array_new_with_free_func(daemon_catalogue_key_place_free);
  taking->certs = g_ptr_array_new_with_free_func(daemon_catalogue_cert_place_free);
  taking->known = g_hash_table_new(NULL, NULL);
  catalogue->takings++;
  return taking;
}

void
daemon_catalogue_take(DaemonTaking *taking, const WireObject *object)
{
  if (++taking->n > WIRE_OBJECTS_MAX)
    return;
  if (object->kind == WIRE_OBJECT_KEY)
    add_key_place(taking, object);
  else if (object->kind == WIRE_OBJECT_CERTIFICATE)
    add_cert_place(taking, object);
}

void
daemon_catalogue_take_free(DaemonTaking *taking)
{
  if (!taking)
    return;
  DaemonCatalogue *catalogue = taking->catalogue;
  g_clear_pointer(&taking->keys, g_ptr_array_unref);
  g_clear_pointer(&taking->certs, g_ptr_array_unref);
  g_clear_pointer(&taking->known, g_hash_table_unref);
  g_free(taking);
  if (--catalogue->takings == 0 && catalogue->spared) {
    catalogue->spared = FALSE;
    daemon_catalogue_touch(catalogue);
  }
}

/* Returns whether nothing is new. */
static gboolean
replace_places(DaemonView *view, DaemonTaking *taking)
{
  gboolean same_keys = reuse_keys(view->keys, taking->keys);
  gboolean same = reuse_certs(view->certs, taking->certs) && same_keys;
  GPtrArray *old_keys = view->keys;
  GPtrArray *old_certs = view->certs;
  view->keys = g_steal_pointer(&taking->keys);
  view->certs = g_steal_pointer(&taking->certs);
  g_ptr_array_unref(old_keys);
  g_ptr_array_unref(old_certs);
  return same;
}

void
daemon_catalogue_take_end(DaemonTaking *taking, guint host, guint32 slot, guint32 generation,
                          gboolean complete_with_login)
{
  DaemonCatalogue *catalogue = taking->catalogue;
  DaemonView *view = daemon_catalogue_view(catalogue, host, slot, generation);
  if (!view) {
    daemon_catalogue_touch(catalogue); /* what it brought may be of no use to anybody */
    daemon_catalogue_take_free(taking);
    return;
  }
  for (guint i = 0; i < taking->certs->len; i++) /* its key may have come after it */
    share_with_known(taking, g_ptr_array_index(taking->certs, i));
  gboolean complete = complete_with_login || !(view->token->flags & WIRE_TOKEN_LOGIN_REQUIRED);
  if (!complete)
    add_remembered_flags(view, taking->keys);
  gboolean same = replace_places(view, taking);
  daemon_catalogue_take_free(taking);
  if (same && view->listed && view->complete == complete)
    return;
  view->device->changed = view->device->changed || (view->listed && !same);
  view->listed = TRUE;
  view->complete = complete;
  daemon_catalogue_recognise(catalogue, view);
  remember_keys(catalogue, view);
  daemon_catalogue_touch(catalogue);
}

void
daemon_catalogue_set_objects(DaemonCatalogue *catalogue, guint host, guint32 slot,
                             guint32 generation, const GPtrArray *objects,
                             gboolean complete_with_login)
{
  DaemonTaking *taking = daemon_catalogue_take_start(catalogue);
  for (guint i = 0; i < objects->len; i++)
    daemon_catalogue_take(taking, g_ptr_array_index(objects, i));
  daemon_catalogue_take_end(taking, host, slot, generation, complete_with_login);
}

static gboolean
has_cert(const DaemonView *view, const DaemonCert *cert)
{
  for (guint i = 0; i < view->certs->len; i++)
    if (((const CatalogueCertPlace *)g_ptr_array_index(view->certs, i))->cert == cert)
      return TRUE;
  return FALSE;
}

static const CatalogueKeyPlace *
place_of_key(const DaemonView *view, const char *name)
{
  for (guint i = 0; i < view->keys->len; i++) {
    const CatalogueKeyPlace *place = g_ptr_array_index(view->keys, i);
    if (strcmp(place->key->name, name) == 0)
      return place;
  }
  return NULL;
}

gboolean
daemon_catalogue_add_stored(DaemonCatalogue *catalogue, guint host, guint32 slot,
                            guint32 generation, const WireObject *object)
{
  DaemonView *view = daemon_catalogue_view(catalogue, host, slot, generation);
  if (!view || !view->listed || catalogue->takings)
    return FALSE;
  DaemonCert *cert = take_cert(catalogue, object);
  if (!cert)
    return FALSE;
  if (!has_cert(view, cert)) {
    const CatalogueKeyPlace *key = place_of_key(view, cert->key);
    CatalogueCertPlace *place = cert_place_new(cert, object);
    if (key && !place->id && key->id) /* as the host stores it */
      place->id = g_bytes_ref(key->id);
    share_with_key(key, place);
    g_ptr_array_add(view->certs, place);
    view->device->changed = TRUE;
  }
  daemon_catalogue_touch(catalogue);
  return TRUE;
}
