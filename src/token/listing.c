/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/listing.h"

#include "base/log.h"
#include "token/attribute.h"
#include "token/der.h"

#include <string.h>

#define CERTIFICATE_USUAL 4096 /* one call reads a certificate up to this size */
#define EXPONENT_MAX 64
#define PARAMS_MAX 128
#define POINT_MAX 256

static void
entry_free(TokenEntry *entry)
{
  if (!entry)
    return;
  g_clear_pointer(&entry->id, g_bytes_unref);
  g_clear_pointer(&entry->spki, g_bytes_unref);
  g_clear_pointer(&entry->der, g_bytes_unref);
  g_free(entry->label);
  g_free(entry->name);
  g_free(entry);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TokenEntry, entry_free)

void
token_listing_free(TokenListing *listing)
{
  if (!listing)
    return;
  g_ptr_array_unref(listing->privates);
  g_ptr_array_unref(listing->publics);
  g_ptr_array_unref(listing->certificates);
  g_free(listing);
}

static TokenListing *
listing_new(void)
{
  TokenListing *listing = g_new0(TokenListing, 1);
  listing->privates = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
  listing->publics = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
  listing->certificates = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
  return listing;
}

static void
set_spki(TokenEntry *entry, GBytes *spki)
{
  gsize length = 0;
  gconstpointer der = spki ? g_bytes_get_data(spki, &length) : NULL;
  if (!der)
    return;
  entry->spki = spki;
  entry->name = base_key_name(der, length);
}

static TokenEntry *
entry_new(CK_OBJECT_HANDLE handle, const CK_ATTRIBUTE *id, const CK_ATTRIBUTE *label)
{
  TokenEntry *entry = g_new0(TokenEntry, 1);
  entry->handle = handle;
  entry->curve = BASE_KEY_OTHER;
  gboolean has_id = id->ulValueLen != CK_UNAVAILABLE_INFORMATION;
  gboolean has_label = label->ulValueLen != CK_UNAVAILABLE_INFORMATION;
  entry->id = g_bytes_new(id->pValue, has_id ? id->ulValueLen : 0);
  entry->label = has_label ? token_text(label->pValue, label->ulValueLen) : g_strdup("");
  return entry;
}

static CK_RV
read_rsa(Token *token, CK_SESSION_HANDLE session, TokenEntry *entry)
{
  guint8 modulus[TOKEN_MODULUS_MAX], exponent[EXPONENT_MAX];
  CK_ATTRIBUTE attributes[] = { { CKA_MODULUS, modulus, sizeof modulus },
                                { CKA_PUBLIC_EXPONENT, exponent, sizeof exponent } };
  CK_RV rv = token_attributes_read(token, session, entry->handle, attributes, 2);
  if (rv == CKR_OK && token_attribute_there(&attributes[0], sizeof modulus) &&
      token_attribute_there(&attributes[1], sizeof exponent))
    set_spki(entry, token_spki_rsa(modulus, attributes[0].ulValueLen, exponent,
                                   attributes[1].ulValueLen));
  return rv;
}

/* A private key has no CKA_EC_POINT by the standard; some modules (OpenSC) give it all the
 * same, so it is asked for one on its own when nothing else tells (read_point). */
static CK_RV
read_ec(Token *token, CK_SESSION_HANDLE session, TokenEntry *entry, gboolean with_point)
{
  guint8 params[PARAMS_MAX], point[POINT_MAX];
  CK_ATTRIBUTE attributes[] = { { CKA_EC_PARAMS, params, sizeof params },
                                { CKA_EC_POINT, point, sizeof point } };
  CK_RV rv =
      token_attributes_read(token, session, entry->handle, attributes, with_point ? 2 : 1);
  if (rv != CKR_OK || !token_attribute_there(&attributes[0], sizeof params))
    return rv;
  entry->curve = token_curve(params, attributes[0].ulValueLen);
  if (with_point && token_attribute_there(&attributes[1], sizeof point))
    set_spki(entry,
             token_spki_ec(params, attributes[0].ulValueLen, point, attributes[1].ulValueLen));
  return CKR_OK;
}

static CK_RV
read_public_part(Token *token, CK_SESSION_HANDLE session, TokenEntry *entry, gboolean with_point)
{
  if (entry->type == CKK_RSA)
    return read_rsa(token, session, entry);
  if (entry->type == CKK_EC || entry->type == CKK_EC_EDWARDS)
    return read_ec(token, session, entry, with_point);
  return CKR_OK;
}

/* Attribute, the flag that it gives, and what counts when the module does not say. */
typedef struct {
  CK_ATTRIBUTE_TYPE type;
  guint32 flag;
} FlagRow;

static const FlagRow private_flags[] = {
  { CKA_SIGN, WIRE_KEY_SIGN },
  { CKA_DECRYPT, WIRE_KEY_DECRYPT },
  { CKA_UNWRAP, WIRE_KEY_DECRYPT },
  { CKA_DERIVE, WIRE_KEY_DERIVE },
  { CKA_EXTRACTABLE, WIRE_KEY_EXTRACTABLE },
  { CKA_SENSITIVE, WIRE_KEY_SENSITIVE },
  { CKA_LOCAL, WIRE_KEY_LOCAL },
  { CKA_NEVER_EXTRACTABLE, WIRE_KEY_NEVER_EXTRACTABLE },
  { CKA_ALWAYS_AUTHENTICATE, WIRE_KEY_ALWAYS_AUTH },
};

static const FlagRow public_flags[] = {
  { CKA_VERIFY, WIRE_KEY_SIGN },
  { CKA_ENCRYPT, WIRE_KEY_DECRYPT },
  { CKA_WRAP, WIRE_KEY_DECRYPT },
  { CKA_DERIVE, WIRE_KEY_DERIVE },
  { CKA_LOCAL, WIRE_KEY_LOCAL },
};

static CK_RV
read_key(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle, gboolean private,
         TokenEntry **ret_entry)
{
  const FlagRow *rows = private ? private_flags : public_flags;
  gsize n_rows = private ? G_N_ELEMENTS(private_flags) : G_N_ELEMENTS(public_flags);
  CK_KEY_TYPE type = CK_UNAVAILABLE_INFORMATION;
  CK_BYTE id[TOKEN_ID_MAX], label[TOKEN_TEXT_MAX];
  CK_BBOOL bools[G_N_ELEMENTS(private_flags)] = { CK_FALSE };
  CK_ATTRIBUTE attributes[3 + G_N_ELEMENTS(private_flags)] = {
    { CKA_KEY_TYPE, &type, sizeof type },
    { CKA_ID, id, sizeof id },
    { CKA_LABEL, label, sizeof label },
  };

  for (gsize i = 0; i < n_rows; i++)
    attributes[3 + i] = (CK_ATTRIBUTE){ rows[i].type, &bools[i], sizeof bools[i] };
  CK_RV rv = token_attributes_read(token, session, handle, attributes, 3 + n_rows);
  if (rv != CKR_OK)
    return rv;
  g_autoptr(TokenEntry) entry = entry_new(handle, &attributes[1], &attributes[2]);
  entry->type = token_attribute_ulong(&attributes[0]);
  for (gsize i = 0; i < n_rows; i++)
    if (token_attribute_bool(&attributes[3 + i], FALSE))
      entry->flags |= rows[i].flag;
  rv = read_public_part(token, session, entry, !private);
  if (rv == CKR_OK)
    *ret_entry = g_steal_pointer(&entry);
  return rv;
}

static CK_RV
read_certificate(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
                 TokenEntry **ret_entry)
{
  CK_CERTIFICATE_TYPE type = CK_UNAVAILABLE_INFORMATION;
  CK_BYTE id[TOKEN_ID_MAX], label[TOKEN_TEXT_MAX], value[CERTIFICATE_USUAL];
  CK_ATTRIBUTE attributes[] = { { CKA_CERTIFICATE_TYPE, &type, sizeof type },
                                { CKA_ID, id, sizeof id },
                                { CKA_LABEL, label, sizeof label },
                                { CKA_VALUE, value, sizeof value } };
  CK_RV rv =
      token_attributes_read(token, session, handle, attributes, G_N_ELEMENTS(attributes));
  if (rv != CKR_OK)
    return rv;
  CK_ULONG kind = token_attribute_ulong(&attributes[0]);
  if (kind != CKC_X_509 && kind != CK_UNAVAILABLE_INFORMATION)
    return CKR_OK; /* attribute and WTLS certificates are not for mail */
  g_autoptr(TokenEntry) entry = entry_new(handle, &attributes[1], &attributes[2]);
  if (token_attribute_there(&attributes[3], sizeof value))
    entry->der = g_bytes_new(value, attributes[3].ulValueLen);
  else
    entry->der = token_attribute_bytes(token, session, handle, CKA_VALUE, WIRE_CERTIFICATE_MAX);
  gsize length = 0;
  const guint8 *der = entry->der ? g_bytes_get_data(entry->der, &length) : NULL;
  set_spki(entry, der ? token_spki_of_certificate(der, length) : NULL);
  if (entry->spki)
    *ret_entry = g_steal_pointer(&entry);
  return CKR_OK;
}

/* Reads all objects of one class. One that cannot be read is left out with a note: a single
 * broken object must not take the token away from a person. */
static CK_RV
read_class(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, GPtrArray *entries)
{
  g_autoptr(GArray) handles = NULL;
  CK_RV rv = token_find_class(token, session, class, &handles);

  for (guint i = 0; rv == CKR_OK && i < handles->len; i++) {
    CK_OBJECT_HANDLE handle = g_array_index(handles, CK_OBJECT_HANDLE, i);
    TokenEntry *entry = NULL;
    CK_RV one = class == CKO_CERTIFICATE
                    ? read_certificate(token, session, handle, &entry)
                    : read_key(token, session, handle, class == CKO_PRIVATE_KEY, &entry);
    if (token_rv_is_loss(one) && one != CKR_OBJECT_HANDLE_INVALID) /* that one was just removed */
      return one;
    if (entry)
      g_ptr_array_add(entries, entry);
    else
      base_log("an object of class %lu on the token is left out: %s", class,
               one == CKR_OK ? "it is malformed" : token_rv_name(one));
  }
  return rv;
}

CK_RV
token_listing_read(Token *token, CK_SESSION_HANDLE session, TokenListing **ret_listing)
{
  g_autoptr(TokenListing) listing = listing_new();
  CK_RV rv = read_class(token, session, CKO_PRIVATE_KEY, listing->privates);

  if (rv == CKR_OK)
    rv = read_class(token, session, CKO_PUBLIC_KEY, listing->publics);
  if (rv == CKR_OK)
    rv = read_class(token, session, CKO_CERTIFICATE, listing->certificates);
  if (rv == CKR_OK)
    *ret_listing = g_steal_pointer(&listing);
  return rv;
}

CK_RV
token_listing_read_key(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public,
                       CK_OBJECT_HANDLE private, TokenListing **ret_listing)
{
  g_autoptr(TokenListing) listing = listing_new();
  TokenEntry *entry = NULL;

  CK_RV rv = read_key(token, session, public, FALSE, &entry);
  if (rv != CKR_OK)
    return rv;
  g_ptr_array_add(listing->publics, entry);
  GBytes *spki = entry->spki;
  entry = NULL;
  rv = read_key(token, session, private, TRUE, &entry);
  if (rv != CKR_OK)
    return rv;
  g_ptr_array_add(listing->privates, entry);
  if (!entry->spki && spki)
    set_spki(entry, g_bytes_ref(spki));
  *ret_listing = g_steal_pointer(&listing);
  return CKR_OK;
}

/* ---- pairing ---- */

/* TRUE when `spki` may be the public key of `entry`, which does not tell its own. */
static gboolean
fits(const TokenEntry *entry, GBytes *spki)
{
  TokenSpki facts;
  if (!spki || !token_spki_read(spki, &facts))
    return FALSE;
  if (entry->type == CKK_RSA)
    return facts.kind == BASE_KEY_RSA;
  return facts.kind != BASE_KEY_RSA && facts.kind != BASE_KEY_OTHER &&
         (entry->curve == BASE_KEY_OTHER || facts.kind == entry->curve);
}

static gboolean
take_from(TokenEntry *entry, const TokenEntry *other)
{
  if (!other || !fits(entry, other->spki))
    return FALSE;
  set_spki(entry, g_bytes_ref(other->spki));
  return TRUE;
}

/* id -> first entry with it that fits is found through these */
static GHashTable *
index_by_id(GPtrArray *entries)
{
  GHashTable *index = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, NULL,
                                            (GDestroyNotify)g_ptr_array_unref);
  for (guint i = 0; i < entries->len; i++) {
    TokenEntry *entry = entries->pdata[i];
    if (!g_bytes_get_size(entry->id))
      continue;
    GPtrArray *same = g_hash_table_lookup(index, entry->id);
    if (!same) {
      same = g_ptr_array_new();
      g_hash_table_insert(index, entry->id, same);
    }
    g_ptr_array_add(same, entry);
  }
  return index;
}

static gboolean
pair_by_id(TokenEntry *entry, GHashTable *index)
{
  GPtrArray *same = g_hash_table_lookup(index, entry->id);
  for (guint i = 0; same && i < same->len; i++)
    if (take_from(entry, same->pdata[i]))
      return TRUE;
  return FALSE;
}

/* The key's own attributes: CKA_EC_POINT where a module gives it, CKA_PUBLIC_KEY_INFO (v2.40 4.9.1). */
static gboolean
pair_by_itself(Token *token, CK_SESSION_HANDLE session, TokenEntry *entry)
{
  if (entry->type != CKK_RSA && read_ec(token, session, entry, TRUE) == CKR_OK && entry->spki)
    return TRUE;
  g_autoptr(GBytes) spki =
      token_attribute_bytes(token, session, entry->handle, CKA_PUBLIC_KEY_INFO, 4096);
  if (!fits(entry, spki))
    return FALSE;
  set_spki(entry, g_steal_pointer(&spki));
  return TRUE;
}

/* Last: the only public key with the same label. */
static gboolean
pair_by_label(TokenEntry *entry, GPtrArray *publics)
{
  TokenEntry *found = NULL;
  for (guint i = 0; *entry->label && i < publics->len; i++) {
    TokenEntry *other = publics->pdata[i];
    if (!g_str_equal(other->label, entry->label) || !fits(entry, other->spki))
      continue;
    if (found)
      return FALSE;
    found = other;
  }
  return take_from(entry, found);
}

void
token_listing_pair(Token *token, CK_SESSION_HANDLE session, TokenListing *listing)
{
  g_autoptr(GHashTable) publics = index_by_id(listing->publics);
  g_autoptr(GHashTable) certificates = index_by_id(listing->certificates);

  for (guint i = 0; i < listing->privates->len; i++) {
    TokenEntry *entry = listing->privates->pdata[i];
    if (entry->spki || pair_by_id(entry, publics) || pair_by_itself(token, session, entry) ||
        pair_by_id(entry, certificates) || pair_by_label(entry, listing->publics))
      continue;
    base_log("a private key on the token has no public key to it");
  }
}

TokenListing *
token_listing_get(Token *token, BaseDeadline deadline, guint *ret_epoch, GError **error)
{
  for (int tries = 0;; tries++) {
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    TokenListing *listing = NULL;
    guint epoch = atomic_load(&token->epoch);
    if (!token_session_borrow(token, deadline, &session, error))
      return NULL;
    g_rw_lock_reader_lock(&token->objects);
    CK_RV rv = token_listing_read(token, session, &listing);
    if (rv == CKR_OK)
      token_listing_pair(token, session, listing);
    g_rw_lock_reader_unlock(&token->objects);
    if (rv == CKR_OK) {
      token_session_return(token, session);
      *ret_epoch = epoch;
      return listing;
    }
    token_session_drop(token, session);
    if (tries || !token_rv_is_transient(rv)) {
      token_rv_set(error, rv, "the token's objects cannot be listed");
      return NULL;
    }
    if (!token_recover(token, rv, error))
      return NULL;
  }
}
