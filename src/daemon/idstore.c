/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Id.StoreCertificate: a certificate goes beside its key. */
#include "base/error.h"
#include "base/log.h"
#include "daemon/events.h"
#include "daemon/ids.h"
#include "wire/limits.h"

#include <string.h>

typedef struct {
  DaemonCall *call;
  Daemon *daemon;
  DaemonToken *token;
  BaseCert *cert;
  gboolean chain;
} Store;

static void
store_free(Store *self)
{
  g_clear_pointer(&self->token, daemon_token_unref);
  base_cert_free(self->cert);
  g_free(self);
}

static void
fail(Store *self, const GError *error)
{
  daemon_call_fail(self->call, error);
  store_free(self);
}

static void
reply(Store *self, gboolean stored, gboolean kept)
{
  const DaemonKey *key = daemon_catalogue_key(daemon_catalogue(self->daemon), self->cert->key);
  json_t *object = json_object();
  wire_json_set_text(object, "id", key && key->id && !self->chain ? key->id->id : NULL);
  wire_json_set_text(object, "token", daemon_token_label(self->token));
  json_object_set_new(object, "stored", json_boolean(stored));
  json_object_set_new(object, "kept", json_boolean(kept));
  daemon_catalogue_changed(self->daemon);
  daemon_call_reply(self->call, object);
  store_free(self);
}

static gboolean
read_certificate(Store *self, GError **error)
{
  g_autoptr(GBytes) der = NULL;
  if (!wire_json_get_base64(daemon_call_parameters(self->call), "certificate", FALSE,
                            WIRE_CERTIFICATE_MAX, &der, error) ||
      !wire_json_get_bool(daemon_call_parameters(self->call), "chain", FALSE, &self->chain, error))
    return FALSE;
  self->cert = base_cert_new(der, error);
  if (self->cert && self->chain && !(self->cert->use & BASE_USE_CA))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the certificate of %s is no issuer's (CA) certificate",
                          self->cert->subject);
  return self->cert != NULL;
}

/* ---- where its key is ---- */

static gboolean
set_no_key(const Store *self, const DaemonKey *key, GError **error)
{
  g_autofree char *where = key ? daemon_catalogue_last_seen(key) : g_strdup("");
  if (*where)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                          "the key of the certificate of %s was last seen on %s: insert it",
                          self->cert->subject, where);
  return base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                        "the key of the certificate of %s is on no token here",
                        self->cert->subject);
}

static gboolean
find_key_token(Store *self, GError **error)
{
  const DaemonKey *key = daemon_catalogue_key(daemon_catalogue(self->daemon), self->cert->key);
  if (!key || !key->locations->len)
    return set_no_key(self, key, error);
  const DaemonDevice *wanted = self->token ? daemon_id_device_of(self->daemon, self->token) : NULL;
  DaemonToken *found = NULL;
  for (guint i = 0; i < key->locations->len && !found; i++) {
    const DaemonLocation *location = g_ptr_array_index(key->locations, i);
    if (!self->token || location->view->device == wanted)
      found = daemon_id_token_of_view(self->daemon, location->view);
  }
  if (!found && self->token)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                          "the key of the certificate of %s is not on \"%s\"", self->cert->subject,
                          daemon_token_label(self->token));
  if (!found)
    return set_no_key(self, key, error);
  daemon_token_unref(self->token);
  self->token = found;
  return TRUE;
}

static gboolean
find_token(Store *self, GError **error)
{
  const char *name;
  if (!daemon_id_text(self->call, "token", TRUE, &name, error))
    return FALSE;
  if (self->chain && !name)
    return base_error_set(error, SIGNET_ERROR_USAGE, "name the token for an issuer's certificate");
  if (name && !(self->token = daemon_token_find(self->daemon, name, error)))
    return FALSE;
  return self->chain || find_key_token(self, error);
}

static gboolean
is_kept(const Store *self)
{
  const DaemonCert *cert =
      daemon_catalogue_cert(daemon_catalogue(self->daemon), self->cert->fingerprint);
  return cert && cert->kept && !cert->removed;
}

static gboolean
is_there(const Store *self)
{
  DaemonCatalogue *catalogue = daemon_catalogue(self->daemon);
  const DaemonCert *cert = daemon_catalogue_cert(catalogue, self->cert->fingerprint);
  if (!cert || cert->removed)
    return FALSE;
  const DaemonDevice *device = daemon_id_device_of(self->daemon, self->token);
  g_autoptr(GPtrArray) views = daemon_catalogue_cert_views(catalogue, cert);
  for (guint i = 0; i < views->len; i++)
    if (((DaemonView *)g_ptr_array_index(views, i))->device == device)
      return TRUE;
  return FALSE;
}

/* ---- the steps ---- */

/* A card that takes no certificate: the person's key still gets it, in signet's own file. */
static void
keep(Store *self)
{
  g_autoptr(GError) error = NULL;
  if (daemon_catalogue_keep_cert(daemon_catalogue(self->daemon), self->cert->der, &error))
    reply(self, TRUE, TRUE);
  else
    fail(self, error);
}

static void
refreshed(gpointer user_data, const GError *error)
{
  (void)error;
  reply(user_data, TRUE, FALSE);
}

static char *
object_label(const BaseCert *cert)
{
  const char *text = cert->common_name ? cert->common_name : cert->subject;
  if (cert->addresses[0])
    text = cert->addresses[0];
  const char *end;
  g_utf8_validate_len(text, MIN(strlen(text), DAEMON_CATALOGUE_LABEL_MAX), &end);
  return g_strndup(text, (gsize)(end - text));
}

/* Without a list of the whole token for each of many certificates: that comes once, after the last. */
static gboolean
add_to_catalogue(const Store *self)
{
  const WireToken *record = daemon_token_record(self->token);
  g_autofree char *label = object_label(self->cert);
  const WireObject object = { .kind = WIRE_OBJECT_CERTIFICATE,
                              .key = self->cert->key,
                              .label = label,
                              .bytes = self->cert->der };
  return daemon_catalogue_add_stored(daemon_catalogue(self->daemon),
                                     daemon_host_number(daemon_token_host(self->token)),
                                     record->slot, record->generation, &object);
}

static void
stored(gpointer user_data, WireReader *body, const GError *error)
{
  (void)body;
  Store *self = user_data;
  if (!error && daemon_token_present(self->token) && add_to_catalogue(self)) {
    daemon_token_refresh_soon(self->token);
    reply(self, TRUE, FALSE);
    return;
  }
  if (!error) {
    daemon_token_refresh(self->token, refreshed, self);
    return;
  }
  if (error->code != SIGNET_ERROR_UNSUPPORTED && error->code != SIGNET_ERROR_FAILED) {
    fail(self, error);
    return;
  }
  base_log("a certificate is kept in signet's own store: %s", error->message);
  keep(self);
}

static void
logged_in(gpointer user_data, const GError *error)
{
  Store *self = user_data;
  if (error) {
    fail(self, error);
    return;
  }
  gsize length;
  gconstpointer der = g_bytes_get_data(self->cert->der, &length);
  g_autofree char *label = object_label(self->cert);
  WirePacker rest = { 0 };
  wire_pack_bytes(&rest, der, length);
  wire_pack_text(&rest, label);
  wire_pack_bytes(&rest, NULL, 0);
  daemon_token_request(self->token, WIRE_HOST_STORE_CERTIFICATE, 0, &rest, stored, self);
}

void
daemon_id_store_certificate(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  Store *self = g_new0(Store, 1);
  self->call = call;
  self->daemon = daemon_call_daemon(call);
  if (!read_certificate(self, &error) || !find_token(self, &error)) {
    fail(self, error);
    return;
  }
  guint32 abilities = daemon_token_abilities(self->token);
  if (is_there(self))
    reply(self, FALSE, FALSE);
  else if (is_kept(self))
    reply(self, FALSE, TRUE);
  else if ((daemon_token_record(self->token)->flags & WIRE_TOKEN_READ_ONLY) ||
           (abilities && !(abilities & WIRE_CAN_WRITE)))
    keep(self);
  else
    daemon_token_login(self->token, logged_in, self);
}
