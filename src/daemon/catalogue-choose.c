/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "daemon/catalogue-internal.h"

#include <string.h>

/* Which key and certificate an operation uses, and why not the others. */

typedef struct {
  DaemonCatalogue *catalogue;
  BaseUse use;
  gint64 now;
  const DaemonCert *wanted; /* (nullable) named by fingerprint */
  GPtrArray *reasons;       /* one line for each that cannot */
} Choosing;

static const char *
use_words(BaseUse use)
{
  return use == BASE_USE_SIGN ? "sign mail" : "receive sealed mail";
}

static char *
reason_of_use(const DaemonCert *cert, BaseUse use)
{
  if (use == BASE_USE_ENCRYPT && cert->kind == BASE_KEY_ED25519)
    return g_strdup("Ed25519 cannot receive sealed mail");
  if (cert->use & BASE_USE_CA)
    return g_strdup("a certification authority's");
  if (cert->use & use)
    return NULL;
  if (use == BASE_USE_ENCRYPT && (cert->use & BASE_USE_SIGN))
    return g_strdup("for signing only");
  if (use == BASE_USE_SIGN && (cert->use & BASE_USE_ENCRYPT))
    return g_strdup("for encryption only");
  if (cert->use & BASE_USE_AUTH)
    return g_strdup("for authentication only");
  return g_strdup("not for mail");
}

static char *
reason_of_time(const DaemonCert *cert, gint64 now)
{
  g_autofree char *from = daemon_catalogue_day(cert->not_before);
  g_autofree char *until = daemon_catalogue_day(cert->not_after);
  if (now > cert->not_after)
    return g_strdup_printf("expired on %s", until);
  return now < cert->not_before ? g_strdup_printf("not valid before %s", from) : NULL;
}

static guint32
needed_flag(const DaemonKey *key, BaseUse use)
{
  return use == BASE_USE_SIGN ? WIRE_KEY_SIGN : daemon_catalogue_decrypt_flag(key->kind);
}

/* Sealing to oneself takes only the certificate; the key may be in the drawer. It must be
 * able to open it one day, though. */
static char *
reason_of_key(const Choosing *choosing, const DaemonKey *key, DaemonLocation **ret_location)
{
  guint32 flag = needed_flag(key, choosing->use);
  *ret_location = flag ? daemon_catalogue_locate(choosing->catalogue, key, flag, NULL) : NULL;
  if (*ret_location)
    return NULL;
  if (key->locations->len) {
    const DaemonLocation *location = g_ptr_array_index(key->locations, 0);
    return g_strdup_printf("its key on \"%s\" cannot %s", location->view->token->label,
                           choosing->use == BASE_USE_SIGN ? "sign" : "decrypt");
  }
  if (choosing->use == BASE_USE_ENCRYPT && (key->flags & flag))
    return NULL;
  if (choosing->use == BASE_USE_ENCRYPT)
    return g_strdup("its key cannot decrypt");
  g_autofree char *where = daemon_catalogue_last_seen(key);
  return g_strdup_printf("its key is not on any token now (last seen on %s)", where);
}

static char *
reason_against(const Choosing *choosing, const DaemonKey *key, const DaemonCert *cert,
               DaemonLocation **ret_location)
{
  char *reason = reason_of_use(cert, choosing->use);
  if (!reason)
    reason = reason_of_time(cert, choosing->now);
  return reason ? reason : reason_of_key(choosing, key, ret_location);
}

/* ---- one ID ---- */

static GPtrArray *
certs_of(const DaemonId *id, const DaemonCert *first)
{
  GPtrArray *certs = g_ptr_array_new();
  for (guint i = 0; i < id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    for (guint j = 0; j < key->certs->len; j++)
      g_ptr_array_add(certs, g_ptr_array_index(key->certs, j));
  }
  g_ptr_array_sort(certs, daemon_catalogue_compare_certs);
  if (first && g_ptr_array_remove(certs, (gpointer)(gintptr)first))
    g_ptr_array_insert(certs, 0, (gpointer)(gintptr)first);
  return certs;
}

static void
add_keys_without_certificate(const Choosing *choosing, const DaemonId *id)
{
  for (guint i = 0; i < id->keys->len; i++) {
    const DaemonKey *key = g_ptr_array_index(id->keys, i);
    if (!key->certs->len)
      g_ptr_array_add(choosing->reasons, g_strdup_printf("%s, key %.16s: it has no certificate yet",
                                                         id->id, key->name));
  }
}

static gboolean
choose_in_id(const Choosing *choosing, DaemonId *id, DaemonChoice *ret_choice)
{
  g_autoptr(GPtrArray) certs = certs_of(id, choosing->wanted);
  for (guint i = 0; i < certs->len; i++) {
    DaemonCert *cert = g_ptr_array_index(certs, i);
    DaemonKey *key = g_hash_table_lookup(choosing->catalogue->keys, cert->key);
    DaemonLocation *location = NULL;
    g_autofree char *reason = reason_against(choosing, key, cert, &location);
    if (reason) {
      g_ptr_array_add(choosing->reasons, g_strdup_printf("%s, certificate %.16s: %s", id->id,
                                                         cert->fingerprint, reason));
      continue;
    }
    *ret_choice = (DaemonChoice){ .id = id, .key = key, .cert = cert, .location = location };
    return TRUE;
  }
  add_keys_without_certificate(choosing, id);
  return FALSE;
}

static const char *
bare_reason(const char *line)
{
  const char *colon = strstr(line, ": ");
  return colon ? colon + 2 : line;
}

static gboolean
set_none_usable(const Choosing *choosing, const DaemonId *id, GError **error)
{
  const GPtrArray *reasons = choosing->reasons;
  if (id && reasons->len == 1)
    base_error_set(error, SIGNET_ERROR_NONE_USABLE, "%s cannot %s: %s", id->id,
                   use_words(choosing->use), bare_reason(g_ptr_array_index(reasons, 0)));
  else
    base_error_set(error, SIGNET_ERROR_NONE_USABLE, "no certificate of %s can %s",
                   id ? id->id : "any ID", use_words(choosing->use));
  daemon_catalogue_set_candidates(error, choosing->reasons);
  const DaemonKey *key = id ? g_ptr_array_index(id->keys, 0) : NULL;
  if (key && !key->certs->len)
    base_error_suggest(error, "signet", "id", "request", id->id, NULL);
  else if (id)
    base_error_suggest(error, "signet", "id", "show", id->id, NULL);
  return FALSE;
}

/* ---- without a name ---- */

static gboolean
set_which_one(const GPtrArray *usable, BaseUse use, GError **error)
{
  base_error_set(error, SIGNET_ERROR_AMBIGUOUS,
                 "%u IDs can %s and none is the default: name one, or set the default", usable->len,
                 use_words(use));
  g_autoptr(GPtrArray) lines = g_ptr_array_new();
  for (guint i = 0; i < usable->len; i++)
    g_ptr_array_add(lines, (gpointer)(gintptr)((DaemonId *)g_ptr_array_index(usable, i))->id);
  daemon_catalogue_set_candidates(error, lines);
  base_error_suggest(error, "signet", "id", "default", g_ptr_array_index(lines, 0), NULL);
  return FALSE;
}

static gboolean
choose_only(const Choosing *choosing, DaemonChoice *ret_choice, GError **error)
{
  const GPtrArray *ids = choosing->catalogue->ids;
  if (!ids->len) {
    base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no digital ID here yet");
    base_error_suggest(error, "signet", "id", "new", "ADDRESS", NULL);
    return FALSE;
  }
  g_autoptr(GPtrArray) usable = g_ptr_array_new();
  DaemonChoice choice = { 0 };
  for (guint i = 0; i < ids->len; i++)
    if (choose_in_id(choosing, g_ptr_array_index(ids, i), &choice))
      g_ptr_array_add(usable, g_ptr_array_index(ids, i));
  if (usable->len > 1)
    return set_which_one(usable, choosing->use, error);
  if (!usable->len)
    return set_none_usable(choosing, ids->len == 1 ? g_ptr_array_index(ids, 0) : NULL, error);
  *ret_choice = choice;
  return TRUE;
}

static gboolean
find_named(Choosing *choosing, const DaemonWish *wish, DaemonId **ret_id, GError **error)
{
  DaemonId *id = NULL;
  if (wish->id) {
    DaemonCert *cert = NULL;
    id = daemon_catalogue_find_id(choosing->catalogue, wish->id, &cert, error);
    choosing->wanted = cert;
  } else if (wish->address) {
    id = daemon_catalogue_find_address(choosing->catalogue, wish->address);
    if (!id) {
      base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no ID for %s", wish->address);
      base_error_suggest(error, "signet", "id", "new", wish->address, NULL);
    }
  } else {
    *ret_id = daemon_catalogue_default_id(choosing->catalogue);
    return TRUE;
  }
  *ret_id = id;
  return id != NULL;
}

gboolean
daemon_catalogue_choose(DaemonCatalogue *catalogue, const DaemonWish *wish,
                        DaemonChoice *ret_choice, GError **error)
{
  daemon_catalogue_settle(catalogue);
  g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
  Choosing choosing = {
    .catalogue = catalogue, .use = wish->use, .now = wish->now, .reasons = reasons
  };
  DaemonId *id = NULL;
  if (!find_named(&choosing, wish, &id, error))
    return FALSE;
  if (!id)
    return choose_only(&choosing, ret_choice, error);
  return choose_in_id(&choosing, id, ret_choice) || set_none_usable(&choosing, id, error);
}
