/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "daemon/catalogue-internal.h"

#include <string.h>

#define PREFIX_MIN 8

const GPtrArray *
daemon_catalogue_ids(DaemonCatalogue *catalogue)
{
  daemon_catalogue_settle(catalogue);
  return catalogue->ids;
}

DaemonId *
daemon_catalogue_find_address(DaemonCatalogue *catalogue, const char *address)
{
  daemon_catalogue_settle(catalogue);
  g_autofree char *normal = base_address_normal(address);
  return normal ? g_hash_table_lookup(catalogue->by_address, normal) : NULL;
}

/* ---- by any other name ---- */

typedef struct {
  const char *name;
  char *prefix; /* (nullable) lower case, when the name can be one of a fingerprint */
  CatalogueUri *uri;
  GPtrArray *ids;
  DaemonCert *cert; /* the one that a fingerprint named */
  guint certs;
} Search;

static void
add_found(Search *search, DaemonId *id)
{
  if (!g_ptr_array_find(search->ids, id, NULL))
    g_ptr_array_add(search->ids, id);
}

static gboolean
uri_fits_key(CatalogueUri *uri, const DaemonKey *key)
{
  for (guint i = 0; i < key->locations->len; i++) {
    const DaemonLocation *location = g_ptr_array_index(key->locations, i);
    if (daemon_catalogue_uri_fits_token(uri, location->view->token) &&
        daemon_catalogue_uri_fits_object(uri, location->label, location->id))
      return TRUE;
  }
  /* Of a key that is away only the token is remembered. */
  for (guint i = 0; i < key->seen->len && !key->locations->len; i++) {
    const DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (!daemon_catalogue_uri_has_object(uri) &&
        daemon_catalogue_uri_fits_device(uri, seen->device))
      return TRUE;
  }
  return FALSE;
}

static void
search_key(Search *search, DaemonId *id, DaemonKey *key)
{
  if (strcmp(key->label, search->name) == 0)
    add_found(search, id);
  for (guint i = 0; i < key->locations->len; i++)
    if (strcmp(((DaemonLocation *)g_ptr_array_index(key->locations, i))->label, search->name) == 0)
      add_found(search, id);
  if (!search->prefix)
    return;
  if (g_str_has_prefix(key->name, search->prefix))
    add_found(search, id);
  for (guint i = 0; i < key->certs->len; i++) {
    DaemonCert *cert = g_ptr_array_index(key->certs, i);
    if (!g_str_has_prefix(cert->fingerprint, search->prefix))
      continue;
    add_found(search, id);
    search->cert = cert;
    search->certs++;
  }
}

static void
search_id(Search *search, DaemonId *id)
{
  if (!search->uri && (strcmp(id->id, search->name) == 0 || g_strcmp0(id->name, search->name) == 0))
    add_found(search, id);
  for (guint i = 0; i < id->keys->len; i++) {
    DaemonKey *key = g_ptr_array_index(id->keys, i);
    if (!search->uri)
      search_key(search, id, key);
    else if (uri_fits_key(search->uri, key))
      add_found(search, id);
  }
}

static gboolean
cert_fits(CatalogueUri *uri, const DaemonView *view, const DaemonKey *key,
          const CatalogueCertPlace *place)
{
  const DaemonLocation *beside = NULL;
  for (guint i = 0; i < key->locations->len && !beside; i++) {
    const DaemonLocation *location = g_ptr_array_index(key->locations, i);
    beside = location->view == view ? location : NULL;
  }
  const char *label = place->label || !beside ? place->label : beside->label;
  return daemon_catalogue_uri_fits_object(uri, label ? label : "",
                                          place->id || !beside ? place->id : beside->id);
}

static void
search_certs_by_uri(DaemonCatalogue *catalogue, Search *search)
{
  for (guint i = 0; i < catalogue->views->len; i++) {
    DaemonView *view = g_ptr_array_index(catalogue->views, i);
    if (!daemon_catalogue_uri_fits_token(search->uri, view->token))
      continue;
    for (guint j = 0; j < view->certs->len; j++) {
      const CatalogueCertPlace *place = g_ptr_array_index(view->certs, j);
      DaemonKey *key = g_hash_table_lookup(catalogue->keys, place->cert->key);
      if (key && key->id && cert_fits(search->uri, view, key, place))
        add_found(search, key->id);
    }
  }
}

/* "3F:2A:…" and "3f2a…" alike. NULL: no prefix of a fingerprint. */
static char *
fingerprint_prefix(const char *name)
{
  GString *hex = g_string_new(NULL);
  gboolean fits = TRUE;
  for (const char *at = name; *at && fits; at++) {
    if (g_ascii_isxdigit(*at))
      g_string_append_c(hex, g_ascii_tolower(*at));
    else
      fits = *at == ':' || *at == ' ';
    fits = fits && hex->len <= 64;
  }
  return g_string_free(hex, !fits || hex->len < PREFIX_MIN);
}

static char *
describe_id(const DaemonId *id)
{
  const DaemonKey *key = g_ptr_array_index(id->keys, 0);
  const DaemonCert *cert = key->certs->len ? g_ptr_array_index(key->certs, 0) : NULL;
  return g_strdup_printf("%s%s%s%s, %s %.16s", id->id, id->name ? " (" : "",
                         id->name ? id->name : "", id->name ? ")" : "",
                         cert ? "certificate" : "key", cert ? cert->fingerprint : key->name);
}

static void
set_ambiguous(const GPtrArray *ids, const char *name, GError **error)
{
  base_error_set(error, SIGNET_ERROR_AMBIGUOUS,
                 "%u IDs are called \"%s\": name one by address or fingerprint", ids->len, name);
  g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < ids->len; i++)
    g_ptr_array_add(lines, describe_id(g_ptr_array_index(ids, i)));
  daemon_catalogue_set_candidates(error, lines);
}

static void
set_not_found(const char *name, GError **error)
{
  if (strchr(name, '@') && !daemon_catalogue_is_uri(name)) {
    base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no ID for %s", name);
    base_error_suggest(error, "signet", "id", "new", name, NULL);
    return;
  }
  base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no ID \"%s\"", name);
  base_error_suggest(error, "signet", "id", "list", NULL);
}

static DaemonId *
only_id(const Search *search, GError **error)
{
  if (search->ids->len == 1)
    return g_ptr_array_index(search->ids, 0);
  if (search->ids->len)
    set_ambiguous(search->ids, search->name, error);
  else
    set_not_found(search->name, error);
  return NULL;
}

DaemonId *
daemon_catalogue_find_id(DaemonCatalogue *catalogue, const char *name, DaemonCert **ret_cert,
                         GError **error)
{
  if (ret_cert)
    *ret_cert = NULL;
  DaemonId *id = daemon_catalogue_find_address(catalogue, name);
  if (id)
    return id;
  g_autoptr(CatalogueUri) uri = NULL;
  if (daemon_catalogue_is_uri(name) && !(uri = daemon_catalogue_uri_new(name, error)))
    return NULL;
  g_autoptr(GPtrArray) ids = g_ptr_array_new();
  g_autofree char *prefix = uri ? NULL : fingerprint_prefix(name);
  Search search = { .name = name, .prefix = prefix, .uri = uri, .ids = ids };
  for (guint i = 0; i < catalogue->ids->len && *name; i++)
    search_id(&search, g_ptr_array_index(catalogue->ids, i));
  if (uri)
    search_certs_by_uri(catalogue, &search);
  id = only_id(&search, error);
  if (id && ret_cert && search.certs == 1)
    *ret_cert = search.cert;
  return id;
}

/* ---- the default ---- */

DaemonId *
daemon_catalogue_default_id(DaemonCatalogue *catalogue)
{
  daemon_catalogue_settle(catalogue);
  for (guint i = 0; i < catalogue->ids->len; i++) {
    DaemonId *id = g_ptr_array_index(catalogue->ids, i);
    if (id->is_default)
      return id;
  }
  return NULL;
}

gboolean
daemon_catalogue_set_default(DaemonCatalogue *catalogue, const char *name, GError **error)
{
  DaemonCert *cert = NULL;
  DaemonId *id = daemon_catalogue_find_id(catalogue, name, &cert, error);
  if (!id)
    return FALSE;
  g_free(catalogue->default_key);
  catalogue->default_key = cert ? g_strdup(cert->key) : NULL;
  const DaemonKey *key = g_ptr_array_index(id->keys, 0);
  g_free(catalogue->default_name);
  catalogue->default_name = g_strdup(id->addresses[0] ? id->addresses[0] : key->name);
  catalogue->unsaved = TRUE;
  daemon_catalogue_touch(catalogue);
  return TRUE;
}
