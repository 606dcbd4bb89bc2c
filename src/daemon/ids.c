/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Id: lists, choices, and what changes an ID (idgenerate.c, idstore.c, idremove.c). */
#include "daemon/ids.h"

#include "base/error.h"
#include "daemon/events.h"
#include "daemon/token.h"
#include "wire/limits.h"

#include <string.h>

#define ISSUER_MAX (32 * 1024) /* DER of a Name */
#define SERIAL_MAX 128         /* hex digits; RFC 5280 4.1.2.2 allows 40 */

gboolean
daemon_id_text(DaemonCall *call, const char *name, gboolean optional, const char **ret_text,
               GError **error)
{
  return wire_json_get_text(daemon_call_parameters(call), name, optional, WIRE_NAME_MAX, ret_text,
                            error);
}

/* ---- List, Describe ---- */

typedef struct {
  char (*keys)[65]; /* the first key's name of each ID, since IDs themselves come and go */
  guint n;
  guint next;
  gboolean with_der;
} Listing;

static void
listing_free(gpointer data)
{
  Listing *listing = data;
  g_free(listing->keys);
  g_free(listing);
}

static json_t *
listing_next(Daemon *daemon, gpointer state, GError **error)
{
  (void)error;
  Listing *listing = state;
  while (listing->next < listing->n) {
    const char *name = listing->keys[listing->next++];
    const DaemonKey *key = daemon_catalogue_key(daemon_catalogue(daemon), name);
    if (key && key->id)
      return json_pack("{s:o}", "id", daemon_catalogue_id_json(key->id, listing->with_der));
  }
  return NULL;
}

static void
list(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  gboolean with_der;
  if (!wire_json_get_bool(daemon_call_parameters(call), "certificates", FALSE, &with_der, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  const GPtrArray *ids = daemon_catalogue_ids(daemon_catalogue(daemon_call_daemon(call)));
  Listing *listing = g_new0(Listing, 1);
  listing->keys = g_malloc_n(ids->len, sizeof listing->keys[0]);
  listing->n = ids->len;
  listing->with_der = with_der;
  for (guint i = 0; i < ids->len; i++) {
    const DaemonId *id = g_ptr_array_index(ids, i);
    const DaemonKey *key = g_ptr_array_index(id->keys, 0);
    memcpy(listing->keys[i], key->name, sizeof key->name);
  }
  daemon_call_stream(call, listing_next, listing, listing_free);
}

static void
describe(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  const char *name;
  gboolean with_der;
  const DaemonId *id = NULL;
  if (daemon_id_text(call, "id", FALSE, &name, &error) &&
      wire_json_get_bool(daemon_call_parameters(call), "certificates", FALSE, &with_der, &error))
    id = daemon_catalogue_find_id(daemon_catalogue(daemon_call_daemon(call)), name, NULL, &error);
  if (!id) {
    daemon_call_fail(call, error);
    return;
  }
  daemon_call_reply(call, json_pack("{s:o}", "id", daemon_catalogue_id_json(id, with_der)));
}

/* ---- Choose ---- */

static gboolean
read_wish(DaemonCall *call, DaemonWish *wish, GError **error)
{
  const char *purpose;
  if (!daemon_id_text(call, "purpose", FALSE, &purpose, error) ||
      !daemon_id_text(call, "id", TRUE, &wish->id, error) ||
      !daemon_id_text(call, "address", TRUE, &wish->address, error))
    return FALSE;
  gboolean sign = strcmp(purpose, "sign") == 0;
  if (!sign && strcmp(purpose, "encrypt") != 0)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`purpose` must be sign or encrypt");
  wish->use = sign ? BASE_USE_SIGN : BASE_USE_ENCRYPT;
  wish->now = g_get_real_time() / G_USEC_PER_SEC;
  return TRUE;
}

static void
choose(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  DaemonCatalogue *catalogue = daemon_catalogue(daemon_call_daemon(call));
  DaemonWish wish = { 0 };
  DaemonChoice choice;
  if (!read_wish(call, &wish, &error) ||
      !daemon_catalogue_choose(catalogue, &wish, &choice, &error)) {
    if (g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE))
      daemon_tokens_look_again(daemon_call_daemon(call)); /* the next call may fare better */
    daemon_call_fail(call, error);
    return;
  }
  daemon_call_reply(call, daemon_catalogue_choice_json(catalogue, &choice));
}

/* ---- FindRecipients ---- */

static void
recipient_clear(gpointer data)
{
  DaemonRecipient *recipient = data;
  g_clear_pointer(&recipient->issuer, g_bytes_unref);
  g_clear_pointer(&recipient->serial, g_free);
  g_clear_pointer(&recipient->key_id, g_free);
}

static gboolean
read_recipient(const json_t *object, DaemonRecipient *recipient, GError **error)
{
  const char *serial;
  const char *key_id;
  if (!json_is_object(object))
    return base_error_set(error, SIGNET_ERROR_USAGE, "each of `recipients` must be an object");
  if (!wire_json_get_text(object, "serial", TRUE, SERIAL_MAX, &serial, error) ||
      !wire_json_get_text(object, "key_id", TRUE, WIRE_NAME_MAX, &key_id, error) ||
      !wire_json_get_base64(object, "issuer", TRUE, ISSUER_MAX, &recipient->issuer, error))
    return FALSE;
  recipient->serial = g_strdup(serial);
  recipient->key_id = g_strdup(key_id);
  return TRUE;
}

static gboolean
read_recipients(DaemonCall *call, GArray *recipients, GError **error)
{
  const json_t *array = json_object_get(daemon_call_parameters(call), "recipients");
  if (!json_is_array(array))
    return base_error_set(error, SIGNET_ERROR_USAGE, "the parameter `recipients` must be an array");
  if (json_array_size(array) > WIRE_RECIPIENTS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "more than %d recipients in one call",
                          WIRE_RECIPIENTS_MAX);
  for (size_t i = 0; i < json_array_size(array); i++) {
    g_array_set_size(recipients, (guint)i + 1);
    if (!read_recipient(json_array_get(array, i), &g_array_index(recipients, DaemonRecipient, i),
                        error))
      return FALSE;
  }
  return TRUE;
}

static json_t *
match_json(const DaemonMatch *match)
{
  json_t *object = json_object();
  json_object_set_new(object, "index", json_integer(match->index));
  wire_json_set_text(object, "key", match->key->name);
  wire_json_set_text(object, "kind", match->key->kind);
  wire_json_set_text(object, "certificate", match->cert->fingerprint);
  wire_json_set_text(object, "id", match->key->id->id);
  wire_json_set_text(object, "token", daemon_catalogue_token_label(match->key, match->location));
  json_object_set_new(object, "present", json_boolean(match->location != NULL));
  return object;
}

static void
find_recipients(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) recipients = g_array_new(FALSE, TRUE, sizeof(DaemonRecipient));
  g_array_set_clear_func(recipients, recipient_clear);
  if (!read_recipients(call, recipients, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  g_autoptr(GArray) matches = daemon_catalogue_find_recipients(
      daemon_catalogue(daemon_call_daemon(call)),
      (const DaemonRecipient *)(gconstpointer)recipients->data, recipients->len);
  json_t *array = json_array();
  for (guint i = 0; i < matches->len; i++)
    json_array_append_new(array, match_json(&g_array_index(matches, DaemonMatch, i)));
  daemon_call_reply(call, json_pack("{s:o}", "matches", array));
}

/* ---- SetDefault ---- */

static void
set_default(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  Daemon *daemon = daemon_call_daemon(call);
  const char *id;
  if (!daemon_id_text(call, "id", FALSE, &id, &error) ||
      !daemon_catalogue_set_default(daemon_catalogue(daemon), id, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  daemon_catalogue_changed(daemon);
  daemon_call_reply(call, NULL);
}

/* ---- tokens, for what writes ---- */

DaemonToken *
daemon_id_token_of_view(Daemon *daemon, const DaemonView *view)
{
  DaemonToken *token = daemon_token_at(daemon, view->host, view->token->slot);
  if (!token || daemon_token_record(token)->generation != view->token->generation)
    return NULL;
  return daemon_token_ref(token);
}

DaemonDevice *
daemon_id_device_of(Daemon *daemon, DaemonToken *token)
{
  const WireToken *record = daemon_token_record(token);
  DaemonView *view =
      daemon_catalogue_view(daemon_catalogue(daemon), daemon_host_number(daemon_token_host(token)),
                            record->slot, record->generation);
  return view ? view->device : NULL;
}

const DaemonMethod daemon_id_methods[] = {
  { "org.signet.Id.List", list, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.Describe", describe, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.Choose", choose, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.FindRecipients", find_recipients, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.Generate", daemon_id_generate, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.StoreCertificate", daemon_id_store_certificate, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.Remove", daemon_id_remove, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.SetDefault", set_default, DAEMON_METHOD_SETTLED },
  { NULL, NULL, 0 },
};
