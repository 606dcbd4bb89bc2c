/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/catalogue-internal.h"

/* IDs as org.signet.Id tells them. */

static json_t *
use_json(guint use)
{
  static const struct {
    BaseUse use;
    const char *name;
  } table[] = {
    { BASE_USE_SIGN, "sign" },
    { BASE_USE_ENCRYPT, "encrypt" },
    { BASE_USE_AUTH, "auth" },
    { BASE_USE_CA, "ca" },
  };
  json_t *array = json_array();
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
    if (use & table[i].use)
      json_array_append_new(array, json_string(table[i].name));
  return array;
}

static void
set_der(json_t *object, const char *name, GBytes *der)
{
  gsize length;
  gconstpointer bytes = g_bytes_get_data(der, &length);
  wire_json_set_base64(object, name, bytes, length);
}

static json_t *
cert_json(const DaemonCert *cert, gboolean with_der)
{
  json_t *object = json_object();
  wire_json_set_text(object, "fingerprint", cert->fingerprint);
  wire_json_set_text(object, "subject", cert->subject);
  wire_json_set_text(object, "issuer", cert->issuer);
  wire_json_set_text(object, "serial", cert->serial);
  wire_json_set_text(object, "name", cert->name);
  wire_json_set_strv(object, "addresses", cert->addresses);
  json_object_set_new(object, "not_before", json_integer(cert->not_before));
  json_object_set_new(object, "not_after", json_integer(cert->not_after));
  json_object_set_new(object, "use", use_json(cert->use));
  json_object_set_new(object, "self_signed", json_boolean(cert->self_signed));
  if (with_der)
    set_der(object, "certificate", cert->der);
  else
    wire_json_set_text(object, "certificate", NULL);
  return object;
}

static json_t *
can_json(guint32 flags)
{
  static const struct {
    WireKeyFlags flag;
    const char *name;
  } table[] = {
    { WIRE_KEY_SIGN, "sign" },
    { WIRE_KEY_DECRYPT, "decrypt" },
    { WIRE_KEY_DERIVE, "derive" },
  };
  json_t *array = json_array();
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
    if (flags & table[i].flag)
      json_array_append_new(array, json_string(table[i].name));
  return array;
}

static void
set_places(json_t *object, const DaemonKey *key)
{
  json_t *here = json_array();
  json_t *away = json_array();
  gboolean locked = key->locations->len > 0;
  for (guint i = 0; i < key->locations->len; i++) {
    const DaemonLocation *location = g_ptr_array_index(key->locations, i);
    locked = locked && daemon_catalogue_view_locked(location->view);
    if (daemon_catalogue_location_on(key, location->view->device) == location)
      json_array_append_new(here, json_string(location->view->token->label));
  }
  for (guint i = 0; i < key->seen->len; i++) {
    const DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (!daemon_catalogue_location_on(key, seen->device) && !seen->gone)
      json_array_append_new(away, json_string(seen->device->label));
  }
  json_object_set_new(object, "tokens", here);
  json_object_set_new(object, "absent", away);
  json_object_set_new(object, "locked", json_boolean(locked));
}

static GBytes *
public_key(const DaemonKey *key)
{
  if (key->certs->len)
    return daemon_catalogue_cert_spki(g_ptr_array_index(key->certs, 0));
  return key->spki ? g_bytes_ref(key->spki) : NULL;
}

static json_t *
key_json(const DaemonKey *key, gboolean with_der)
{
  json_t *object = json_object();
  wire_json_set_text(object, "key", key->name);
  wire_json_set_text(object, "kind", key->kind);
  wire_json_set_text(object, "label", key->label);
  set_places(object, key);
  json_object_set_new(object, "can", can_json(key->flags));
  json_object_set_new(object, "always_authenticate",
                      json_boolean(key->flags & WIRE_KEY_ALWAYS_AUTH));
  json_object_set_new(object, "extractable", json_boolean(key->flags & WIRE_KEY_EXTRACTABLE));
  g_autoptr(GBytes) spki = with_der ? public_key(key) : NULL;
  if (spki)
    set_der(object, "public_key", spki);
  else
    wire_json_set_text(object, "public_key", NULL);
  json_t *certificates = json_array();
  for (guint i = 0; i < key->certs->len; i++)
    json_array_append_new(certificates, cert_json(g_ptr_array_index(key->certs, i), with_der));
  json_object_set_new(object, "certificates", certificates);
  return object;
}

json_t *
daemon_catalogue_id_json(const DaemonId *id, gboolean with_der)
{
  json_t *object = json_object();
  wire_json_set_text(object, "id", id->id);
  wire_json_set_text(object, "name", id->name);
  wire_json_set_strv(object, "addresses", id->addresses);
  json_object_set_new(object, "is_default", json_boolean(id->is_default));
  json_t *keys = json_array();
  for (guint i = 0; i < id->keys->len; i++)
    json_array_append_new(keys, key_json(g_ptr_array_index(id->keys, i), with_der));
  json_object_set_new(object, "keys", keys);
  return object;
}

const char *
daemon_catalogue_token_label(const DaemonKey *key, const DaemonLocation *location)
{
  if (location)
    return location->view->token->label;
  const DaemonSeen *best = NULL;
  for (guint i = 0; i < key->seen->len; i++) {
    const DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (!best || (best->gone && !seen->gone))
      best = seen;
  }
  return best ? best->device->label : "";
}

json_t *
daemon_catalogue_choice_json(DaemonCatalogue *catalogue, const DaemonChoice *choice)
{
  json_t *object = json_object();
  wire_json_set_text(object, "id", choice->id->id);
  wire_json_set_text(object, "key", choice->key->name);
  wire_json_set_text(object, "kind", choice->key->kind);
  set_der(object, "certificate", choice->cert->der);
  wire_json_set_text(object, "fingerprint", choice->cert->fingerprint);
  json_t *chain = json_array();
  g_autoptr(GPtrArray) issuers = daemon_catalogue_chain(catalogue, choice->cert);
  for (guint i = 0; i < issuers->len; i++) {
    gsize length;
    const DaemonCert *issuer = g_ptr_array_index(issuers, i);
    const guint8 *der = g_bytes_get_data(issuer->der, &length);
    g_autofree char *base64 = g_base64_encode(der, length);
    json_array_append_new(chain, json_string(base64));
  }
  json_object_set_new(object, "chain", chain);
  const DaemonCert *root = daemon_catalogue_root(catalogue, choice->cert);
  if (root)
    set_der(object, "root", root->der);
  wire_json_set_text(object, "token", daemon_catalogue_token_label(choice->key, choice->location));
  return object;
}
