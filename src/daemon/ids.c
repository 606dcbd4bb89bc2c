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

/* ---- a miss may be a token on its way ---- */

#define AWAIT_MS 1000
#define AWAIT_POLL_MS 25

/* TRUE: the call has ended, which `last` makes sure of. */
typedef gboolean (*Attempt)(DaemonCall *call, gboolean last);

typedef struct {
  DaemonCall *call;
  Attempt attempt;
  gint64 until; /* monotonic */
} Await;

/* It is being asked, or about to be started anew, or what is on a token of it is not known yet. */
static gboolean
host_may_tell_more(const DaemonHost *host)
{
  if (host->state == DAEMON_HOST_DOWN)
    return FALSE;
  if (host->state != DAEMON_HOST_READY || host->restart_wanted || host->listing)
    return TRUE;
  g_autoptr(GPtrArray) views = daemon_catalogue_views(host->daemon->catalogue, host->number);
  for (guint i = 0; i < views->len; i++) {
    const DaemonView *view = g_ptr_array_index(views, i);
    if (!view->listed && (view->token->flags & WIRE_TOKEN_INITIALIZED))
      return TRUE;
  }
  return FALSE;
}

static gboolean
hosts_may_tell_more(Daemon *daemon)
{
  for (guint i = 0; i < daemon->hosts->len; i++)
    if (host_may_tell_more(g_ptr_array_index(daemon->hosts, i)))
      return TRUE;
  return FALSE;
}

static gboolean
await_poll(gpointer user_data)
{
  Await *await = user_data;
  gboolean last = daemon_call_gone(await->call) || g_get_monotonic_time() >= await->until ||
                  !hosts_may_tell_more(daemon_call_daemon(await->call));
  if (!await->attempt(await->call, last))
    return G_SOURCE_CONTINUE;
  g_free(await);
  return G_SOURCE_REMOVE;
}

/* SoftHSM's host sees a token that came back only after it was started anew, 0.4 s later. */
static void
attempt_or_await(DaemonCall *call, Attempt attempt)
{
  if (attempt(call, FALSE))
    return;
  if (!hosts_may_tell_more(daemon_call_daemon(call))) {
    attempt(call, TRUE);
    return;
  }
  Await *await = g_new0(Await, 1);
  await->call = call;
  await->attempt = attempt;
  await->until = g_get_monotonic_time() + AWAIT_MS * 1000;
  g_timeout_add(AWAIT_POLL_MS, await_poll, await);
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

static gboolean
may_get_better(const GError *error)
{
  return g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE) ||
         g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE) ||
         g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
}

static gboolean
choose_now(DaemonCall *call, gboolean last)
{
  g_autoptr(GError) error = NULL;
  Daemon *daemon = daemon_call_daemon(call);
  DaemonWish wish = { 0 };
  DaemonChoice choice;
  if (read_wish(call, &wish, &error) &&
      daemon_catalogue_choose(daemon_catalogue(daemon), &wish, &choice, &error)) {
    daemon_call_reply(call, daemon_catalogue_choice_json(daemon_catalogue(daemon), &choice));
    return TRUE;
  }
  if (!last && may_get_better(error)) {
    if (error->code != SIGNET_ERROR_NOT_FOUND)
      daemon_tokens_look_again(daemon);
    return FALSE;
  }
  daemon_call_fail(call, error);
  return TRUE;
}

static void
choose(DaemonCall *call)
{
  attempt_or_await(call, choose_now);
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
  const char *token = daemon_catalogue_token_label(match->key, match->location);
  const char *problem = match->location ? NULL : daemon_catalogue_problem(match->key, &token);
  wire_json_set_text(object, "token", token);
  json_object_set_new(object, "present", json_boolean(match->location != NULL));
  gint64 seen = match->location ? 0 : daemon_catalogue_last_seen_at(match->key);
  json_object_set_new(object, "last_seen", seen ? json_integer(seen) : json_null());
  if (problem)
    wire_json_set_text(object, "problem", problem);
  return object;
}

static gboolean
any_present(const GArray *matches)
{
  for (guint i = 0; i < matches->len; i++)
    if (g_array_index(matches, DaemonMatch, i).location)
      return TRUE;
  return FALSE;
}

static gboolean
find_recipients_now(DaemonCall *call, gboolean last)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) recipients = g_array_new(FALSE, TRUE, sizeof(DaemonRecipient));
  g_array_set_clear_func(recipients, recipient_clear);
  if (!read_recipients(call, recipients, &error)) {
    daemon_call_fail(call, error);
    return TRUE;
  }
  g_autoptr(GArray) matches = daemon_catalogue_find_recipients(
      daemon_catalogue(daemon_call_daemon(call)),
      (const DaemonRecipient *)(gconstpointer)recipients->data, recipients->len);
  if (!last && !any_present(matches))
    return FALSE;
  json_t *array = json_array();
  for (guint i = 0; i < matches->len; i++)
    json_array_append_new(array, match_json(&g_array_index(matches, DaemonMatch, i)));
  daemon_call_reply(call, json_pack("{s:o}", "matches", array));
  return TRUE;
}

static void
find_recipients(DaemonCall *call)
{
  attempt_or_await(call, find_recipients_now);
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
  (void)daemon;
  return daemon_token_device(token);
}

const DaemonMethod daemon_id_methods[] = {
  { "org.signet.Id.List", list, DAEMON_METHOD_SETTLED | DAEMON_METHOD_FRESH },
  { "org.signet.Id.Describe", describe, DAEMON_METHOD_SETTLED | DAEMON_METHOD_FRESH },
  { "org.signet.Id.Choose", choose, DAEMON_METHOD_SETTLED | DAEMON_METHOD_FRESH },
  { "org.signet.Id.FindRecipients", find_recipients, DAEMON_METHOD_SETTLED | DAEMON_METHOD_FRESH },
  { "org.signet.Id.Generate", daemon_id_generate, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.StoreCertificate", daemon_id_store_certificate, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.Remove", daemon_id_remove, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.SetDefault", set_default, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.SetAddresses", daemon_id_set_addresses, DAEMON_METHOD_SETTLED },
  { "org.signet.Id.SetPolicy", daemon_id_set_policy, DAEMON_METHOD_SETTLED },
  { NULL, NULL, 0 },
};
