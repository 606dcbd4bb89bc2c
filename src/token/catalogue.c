/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/der.h"
#include "token/listing.h"

#include <openssl/x509v3.h>
#include <string.h>

#define CONFIRM_AFTER_US 20000

TokenKey *
token_key_ref(TokenKey *key)
{
  atomic_fetch_add(&key->refs, 1);
  return key;
}

void
token_key_unref(TokenKey *key)
{
  if (!key || atomic_fetch_sub(&key->refs, 1) != 1)
    return;
  g_clear_pointer(&key->spki, g_bytes_unref);
  g_clear_pointer(&key->id, g_bytes_unref);
  g_free(key->name);
  g_free(key->label);
  g_free(key);
}

static TokenKey *
key_new(const TokenEntry *entry, const TokenSpki *facts)
{
  TokenKey *key = g_new0(TokenKey, 1);
  atomic_init(&key->refs, 1);
  key->name = g_strdup(entry->name);
  key->spki = g_bytes_ref(entry->spki);
  key->label = g_strdup(entry->label);
  key->id = g_bytes_ref(entry->id);
  key->kind = facts->kind;
  key->bits = facts->bits;
  key->modulus_length = facts->modulus_length;
  key->field_length = facts->field_length;
  return key;
}

/* ---- the keys that operations use ---- */

static void
hide_key(TokenKey *key, guint epoch)
{
  atomic_store(&key->handle, CK_INVALID_HANDLE);
  atomic_store(&key->epoch, epoch);
}

static void
publish_key_locked(Token *token, const TokenEntry *entry, guint epoch, GHashTable *seen)
{
  TokenSpki facts;
  if (!entry->spki || !token_spki_read(entry->spki, &facts))
    return;
  TokenKey *key = g_hash_table_lookup(token->keys, entry->name);
  if (!key) {
    key = key_new(entry, &facts);
    g_hash_table_insert(token->keys, key->name, key);
  }
  if (!g_hash_table_add(seen, key->name))
    return;                                  /* the same key twice: the first one serves */
  atomic_store(&key->handle, entry->handle); /* before the epoch: readers look at that first */
  atomic_store(&key->flags, entry->flags);
  atomic_store(&key->epoch, epoch);
}

/* The table is only grown and renewed: channels hold keys of it for long. */
static void
publish(Token *token, const TokenListing *listing, guint epoch)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer value = NULL;

  g_mutex_lock(&token->lock);
  for (guint i = 0; i < listing->privates->len; i++)
    publish_key_locked(token, listing->privates->pdata[i], epoch, seen);
  g_hash_table_iter_init(&iter, token->keys);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    if (!g_hash_table_contains(seen, ((TokenKey *)value)->name))
      hide_key(value, epoch);
  g_mutex_unlock(&token->lock);
}

/* A private key that was seen lately is not in the list, although nobody logged out. */
static gboolean
misses_a_key(Token *token, const TokenListing *listing)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer value = NULL;
  gboolean misses = FALSE;

  if (token_needs_login(token))
    return FALSE;
  for (guint i = 0; i < listing->privates->len; i++) {
    TokenEntry *entry = listing->privates->pdata[i];
    if (entry->name)
      g_hash_table_add(seen, entry->name);
  }
  g_mutex_lock(&token->lock);
  g_hash_table_iter_init(&iter, token->keys);
  while (!misses && g_hash_table_iter_next(&iter, NULL, &value)) {
    TokenKey *key = value;
    misses =
        atomic_load(&key->handle) != CK_INVALID_HANDLE && !g_hash_table_contains(seen, key->name);
  }
  g_mutex_unlock(&token->lock);
  return misses;
}

/* A list that lacks a key is believed when a second one, of fresh sessions, lacks it too and the
 * token itself is there before and after: modules leave out what another process is just writing,
 * hide keys when they lost a login, and SoftHSM finds nothing on a token that was moved away. */
static TokenListing *
list_twice(Token *token, BaseDeadline deadline, guint *ret_epoch, GError **error)
{
  g_autoptr(TokenListing) listing = token_listing_get(token, deadline, ret_epoch, error);
  if (!listing || !misses_a_key(token, listing))
    return g_steal_pointer(&listing);
  g_usleep(CONFIRM_AFTER_US);
  if (!token_surely_there(token, error) || !token_recover(token, CKR_GENERAL_ERROR, error))
    return NULL;
  g_autoptr(TokenListing) second = token_listing_get(token, deadline, ret_epoch, error);
  if (second && misses_a_key(token, second) && !token_surely_there(token, error))
    return NULL;
  return g_steal_pointer(&second);
}

static TokenListing *
enumerate_locked(Token *token, BaseDeadline deadline, GError **error)
{
  guint epoch = 0;
  TokenListing *listing = list_twice(token, deadline, &epoch, error);
  if (!listing)
    return NULL;
  publish(token, listing, epoch);
  token->keys_epoch = epoch;
  token->keys_known = TRUE;
  return listing;
}

void
token_keys_forget(Token *token)
{
  atomic_fetch_add(&token->epoch, 1);
}

static gboolean
refresh_keys(Token *token, BaseDeadline deadline, GError **error)
{
  gboolean ok = TRUE;
  g_mutex_lock(&token->catalogue_lock);
  if (!token->keys_known || token->keys_epoch != atomic_load(&token->epoch)) {
    g_autoptr(TokenListing) listing = enumerate_locked(token, deadline, error);
    ok = listing != NULL;
  }
  g_mutex_unlock(&token->catalogue_lock);
  return ok;
}

/* The last word on a key that no list shows. The next one who asks for it gets a new list. */
static gboolean
missing(Token *token, const char *words, GError **error)
{
  g_mutex_lock(&token->catalogue_lock);
  token->keys_known = FALSE;
  g_mutex_unlock(&token->catalogue_lock);
  if (token_needs_login(token))
    return token_locked_error(token, error);
  return token_surely_there(token, error) &&
         base_error_set(error, SIGNET_ERROR_NOT_FOUND, "%s", words);
}

static gboolean
is_good(Token *token, TokenKey *key)
{
  return atomic_load(&key->epoch) == atomic_load(&token->epoch) &&
         atomic_load(&key->handle) != CK_INVALID_HANDLE;
}

gboolean
token_key_renew(Token *token, TokenKey *key, BaseDeadline deadline, GError **error)
{
  if (is_good(token, key))
    return TRUE;
  if (!refresh_keys(token, deadline, error))
    return FALSE;
  if (atomic_load(&key->handle) != CK_INVALID_HANDLE)
    return TRUE;
  return missing(token, "the key is no longer on the token", error);
}

TokenKey *
token_key_find(Token *token, const char *name, BaseDeadline deadline, GError **error)
{
  TokenKey *key = NULL;

  for (int tries = 0; !key && tries < 2; tries++) {
    g_mutex_lock(&token->lock);
    key = g_hash_table_lookup(token->keys, name);
    if (key)
      token_key_ref(key);
    g_mutex_unlock(&token->lock);
    if (!key && !tries && !refresh_keys(token, deadline, error))
      return NULL;
  }
  g_autoptr(TokenKey) found = key;
  if (!found) {
    missing(token, "the key is not on the token", error);
    return NULL;
  }
  return token_key_renew(token, found, deadline, error) ? g_steal_pointer(&found) : NULL;
}

/* ---- the list that people see ---- */

static WireObject *
object_of_key(const TokenEntry *entry)
{
  WireObject *object = g_new0(WireObject, 1);
  TokenSpki facts = { .kind = BASE_KEY_OTHER };

  if (entry->spki)
    token_spki_read(entry->spki, &facts);
  object->kind = WIRE_OBJECT_KEY;
  object->key = g_strdup(entry->name ? entry->name : "");
  object->label = g_strdup(entry->label);
  object->id = g_bytes_ref(entry->id);
  object->bytes = entry->spki ? g_bytes_ref(entry->spki) : g_bytes_new(NULL, 0);
  object->flags = entry->flags;
  object->key_kind =
      facts.kind == BASE_KEY_OTHER ? g_strdup("other") : base_key_kind_text(facts.kind, facts.bits);
  return object;
}

static WireObject *
object_of_certificate(const TokenEntry *entry)
{
  WireObject *object = g_new0(WireObject, 1);
  object->kind = WIRE_OBJECT_CERTIFICATE;
  object->key = g_strdup(entry->name);
  object->label = g_strdup(entry->label);
  object->id = g_bytes_ref(entry->id);
  object->bytes = g_bytes_ref(entry->der);
  object->key_kind = g_strdup("");
  return object;
}

/* What a certificate on a locked token says of the key that must lie beside it. A CA's or another
 * person's certificate has no CKA_ID there, or is a CA's. */
static gboolean
guess_key(const TokenEntry *certificate, guint32 *ret_flags)
{
  gsize length = 0;
  const guint8 *der = g_bytes_get_data(certificate->der, &length);
  X509 *x509 = g_bytes_get_size(certificate->id) ? d2i_X509(NULL, &der, (long)length) : NULL;
  gboolean own = x509 && X509_check_ca(x509) == 0;
  guint32 usage = own ? X509_get_key_usage(x509) : 0;

  if (own)
    *ret_flags = (usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION) ? WIRE_KEY_SIGN : 0u) |
                 (usage & (KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT) ? WIRE_KEY_DECRYPT : 0u) |
                 (usage & KU_KEY_AGREEMENT ? WIRE_KEY_DERIVE : 0u);
  X509_free(x509);
  return own;
}

/* A locked token hides its private keys; their public keys and certificates stand in for them,
 * so that the catalogue can be read without a PIN. */
static void
add_hidden_keys(const TokenListing *listing, GPtrArray *objects, GHashTable *seen)
{
  for (guint i = 0; i < listing->publics->len; i++) {
    TokenEntry *entry = listing->publics->pdata[i];
    if (entry->name && g_hash_table_add(seen, entry->name))
      g_ptr_array_add(objects, object_of_key(entry));
  }
  for (guint i = 0; i < listing->certificates->len; i++) {
    TokenEntry *entry = listing->certificates->pdata[i];
    guint32 flags = 0;
    if (g_hash_table_contains(seen, entry->name) || !guess_key(entry, &flags))
      continue;
    WireObject *object = object_of_key(entry);
    object->flags = flags;
    g_hash_table_add(seen, entry->name);
    g_ptr_array_add(objects, object);
  }
}

static GPtrArray *
objects_of(Token *token, const TokenListing *listing)
{
  GPtrArray *objects = g_ptr_array_new_with_free_func((GDestroyNotify)wire_object_free);
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

  for (guint i = 0; i < listing->privates->len; i++) {
    TokenEntry *entry = listing->privates->pdata[i];
    if (!entry->name || g_hash_table_add(seen, entry->name))
      g_ptr_array_add(objects, object_of_key(entry));
  }
  if (token_needs_login(token))
    add_hidden_keys(listing, objects, seen);
  for (guint i = 0; i < listing->certificates->len; i++)
    g_ptr_array_add(objects, object_of_certificate(listing->certificates->pdata[i]));
  return objects;
}

GPtrArray *
token_catalogue(Token *token, BaseDeadline deadline, GError **error)
{
  g_mutex_lock(&token->catalogue_lock);
  g_autoptr(TokenListing) listing = enumerate_locked(token, deadline, error);
  /* signetd takes this for all there is; a token that is away has nothing. */
  gboolean sure = listing && token_surely_there(token, error);
  token->keys_known = token->keys_known && sure;
  g_mutex_unlock(&token->catalogue_lock);
  return sure ? objects_of(token, listing) : NULL;
}
