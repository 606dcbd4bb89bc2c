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

/* Attribute and the flag that it gives, on a private key and on a public one. */
static const struct {
  CK_ATTRIBUTE_TYPE type;
  guint32 private;
  guint32 public;
} flag_table[] = {
  { CKA_SIGN, WIRE_KEY_SIGN, 0 },
  { CKA_VERIFY, 0, WIRE_KEY_SIGN },
  { CKA_DECRYPT, WIRE_KEY_DECRYPT, 0 },
  { CKA_UNWRAP, WIRE_KEY_DECRYPT, 0 },
  { CKA_ENCRYPT, 0, WIRE_KEY_DECRYPT },
  { CKA_WRAP, 0, WIRE_KEY_DECRYPT },
  { CKA_DERIVE, WIRE_KEY_DERIVE, WIRE_KEY_DERIVE },
  { CKA_LOCAL, WIRE_KEY_LOCAL, WIRE_KEY_LOCAL },
  { CKA_EXTRACTABLE, WIRE_KEY_EXTRACTABLE, 0 },
  { CKA_SENSITIVE, WIRE_KEY_SENSITIVE, 0 },
  { CKA_NEVER_EXTRACTABLE, WIRE_KEY_NEVER_EXTRACTABLE, 0 },
  { CKA_ALWAYS_AUTHENTICATE, WIRE_KEY_ALWAYS_AUTH, 0 },
};

enum { CLASS, TYPE, ID, LABEL, MODULUS, EXPONENT, PARAMS, POINT, FLAGS };
#define ATTRIBUTES (FLAGS + G_N_ELEMENTS(flag_table))

/* Room for whatever an object of any class answers. Never CKA_VALUE: that of a key is not
 * wanted here. */
typedef struct {
  CK_OBJECT_CLASS class;
  CK_KEY_TYPE type;
  CK_BYTE id[TOKEN_ID_MAX];
  CK_BYTE label[TOKEN_TEXT_MAX];
  CK_BYTE modulus[TOKEN_MODULUS_MAX];
  CK_BYTE exponent[EXPONENT_MAX];
  CK_BYTE params[PARAMS_MAX];
  CK_BYTE point[POINT_MAX];
  CK_BBOOL flags[G_N_ELEMENTS(flag_table)];
  CK_ATTRIBUTE rows[ATTRIBUTES];
} Object;

static void
object_prepare(Object *object)
{
  const CK_ATTRIBUTE rows[FLAGS] = {
    [CLASS] = { CKA_CLASS, &object->class, sizeof object->class },
    [TYPE] = { CKA_KEY_TYPE, &object->type, sizeof object->type },
    [ID] = { CKA_ID, object->id, sizeof object->id },
    [LABEL] = { CKA_LABEL, object->label, sizeof object->label },
    [MODULUS] = { CKA_MODULUS, object->modulus, sizeof object->modulus },
    [EXPONENT] = { CKA_PUBLIC_EXPONENT, object->exponent, sizeof object->exponent },
    [PARAMS] = { CKA_EC_PARAMS, object->params, sizeof object->params },
    [POINT] = { CKA_EC_POINT, object->point, sizeof object->point },
  };
  memcpy(object->rows, rows, sizeof rows);
  for (gsize i = 0; i < G_N_ELEMENTS(flag_table); i++)
    object->rows[FLAGS + i] =
        (CK_ATTRIBUTE){ flag_table[i].type, &object->flags[i], sizeof object->flags[i] };
}

static gboolean
has(const Object *object, int row)
{
  return object->rows[row].ulValueLen != CK_UNAVAILABLE_INFORMATION;
}

/* Modules set what nobody asked for to true (SoftHSM: CKA_UNWRAP of EC keys); a kind of key
 * does only so much. */
static guint32
flags_of_type(CK_KEY_TYPE type, guint32 flags)
{
  if (type == CKK_RSA)
    return flags & ~(guint32)WIRE_KEY_DERIVE;
  if (type == CKK_EC)
    return flags & ~(guint32)WIRE_KEY_DECRYPT;
  return flags & ~(guint32)(WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE);
}

/* A private EC key has no CKA_EC_POINT by the standard; some modules (OpenSC) give it one. */
static TokenEntry *
key_of(const Object *object, CK_OBJECT_HANDLE handle)
{
  TokenEntry *entry = entry_new(handle, &object->rows[ID], &object->rows[LABEL]);
  const CK_ATTRIBUTE *rows = object->rows;

  entry->type = token_attribute_ulong(&rows[TYPE]);
  for (gsize i = 0; i < G_N_ELEMENTS(flag_table); i++)
    if (token_attribute_bool(&rows[FLAGS + i], FALSE))
      entry->flags |=
          object->class == CKO_PRIVATE_KEY ? flag_table[i].private : flag_table[i].public;
  entry->flags = flags_of_type(entry->type, entry->flags);
  if (entry->type == CKK_RSA && has(object, MODULUS) && has(object, EXPONENT))
    set_spki(entry, token_spki_rsa(object->modulus, rows[MODULUS].ulValueLen, object->exponent,
                                   rows[EXPONENT].ulValueLen));
  if ((entry->type != CKK_EC && entry->type != CKK_EC_EDWARDS) || !has(object, PARAMS))
    return entry;
  entry->curve = token_curve(object->params, rows[PARAMS].ulValueLen);
  if (has(object, POINT))
    set_spki(entry, token_spki_ec(object->params, rows[PARAMS].ulValueLen, object->point,
                                  rows[POINT].ulValueLen));
  return entry;
}

/* NULL: none for mail, or broken. */
static TokenEntry *
certificate_of(Token *token, CK_SESSION_HANDLE session, const Object *object,
               CK_OBJECT_HANDLE handle)
{
  CK_CERTIFICATE_TYPE type = CK_UNAVAILABLE_INFORMATION;
  CK_BYTE value[CERTIFICATE_USUAL];
  CK_ATTRIBUTE rows[] = { { CKA_CERTIFICATE_TYPE, &type, sizeof type },
                          { CKA_VALUE, value, sizeof value } };
  g_autoptr(TokenEntry) entry = entry_new(handle, &object->rows[ID], &object->rows[LABEL]);
  gsize length = 0;

  if (token_attributes_read(token, session, handle, rows, G_N_ELEMENTS(rows)) != CKR_OK)
    return NULL;
  CK_ULONG kind = token_attribute_ulong(&rows[0]);
  if (kind != CKC_X_509 && kind != CK_UNAVAILABLE_INFORMATION)
    return NULL; /* attribute and WTLS certificates */
  if (token_attribute_there(&rows[1], sizeof value))
    entry->der = g_bytes_new(value, rows[1].ulValueLen);
  else
    entry->der = token_attribute_bytes(token, session, handle, CKA_VALUE, WIRE_CERTIFICATE_MAX);
  const guint8 *der = entry->der ? g_bytes_get_data(entry->der, &length) : NULL;
  set_spki(entry, der ? token_spki_of_certificate(der, length) : NULL);
  return entry->spki ? g_steal_pointer(&entry) : NULL;
}

/* Files one object under its class. One that cannot be read is left out with a note: a single
 * broken object must not take the token away from a person. */
static CK_RV
read_object(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle, TokenListing *listing)
{
  Object object;
  TokenEntry *certificate = NULL;

  object_prepare(&object);
  CK_RV rv = token_attributes_read(token, session, handle, object.rows, ATTRIBUTES);
  if (rv == CKR_OBJECT_HANDLE_INVALID) /* that one was just removed */
    return CKR_OK;
  if (rv != CKR_OK || !has(&object, CLASS)) {
    base_log("an object on the token is left out: %s",
             rv == CKR_OK ? "it tells no class" : token_rv_name(rv));
    return token_rv_is_loss(rv) ? rv : CKR_OK;
  }
  switch (token_attribute_ulong(&object.rows[CLASS])) {
  case CKO_PRIVATE_KEY:
    g_ptr_array_add(listing->privates, key_of(&object, handle));
    break;
  case CKO_PUBLIC_KEY:
    g_ptr_array_add(listing->publics, key_of(&object, handle));
    break;
  case CKO_CERTIFICATE:
    certificate = certificate_of(token, session, &object, handle);
    if (certificate)
      g_ptr_array_add(listing->certificates, certificate);
    else
      base_log("a certificate on the token is left out: it is malformed");
    break;
  default: /* data, secret keys, mechanisms */
    break;
  }
  return CKR_OK;
}

/* One find and one C_GetAttributeValue for each object: SoftHSM 2.6.1 opens two files per object
 * in each, whatever is asked. */
CK_RV
token_listing_read(Token *token, CK_SESSION_HANDLE session, TokenListing **ret_listing)
{
  g_autoptr(TokenListing) listing = listing_new();
  g_autoptr(GArray) handles = NULL;
  CK_RV rv = token_find_all(token, session, NULL, 0, &handles);

  for (guint i = 0; rv == CKR_OK && i < handles->len; i++)
    rv = read_object(token, session, g_array_index(handles, CK_OBJECT_HANDLE, i), listing);
  if (rv == CKR_OK)
    *ret_listing = g_steal_pointer(&listing);
  return rv;
}

CK_RV
token_listing_read_key(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public,
                       CK_OBJECT_HANDLE private, TokenListing **ret_listing)
{
  g_autoptr(TokenListing) listing = listing_new();
  gboolean alone = public == CK_INVALID_HANDLE;
  CK_RV rv = alone ? CKR_OK : read_object(token, session, public, listing);

  if (rv == CKR_OK)
    rv = read_object(token, session, private, listing);
  if (rv == CKR_OK && ((!alone && !listing->publics->len) || !listing->privates->len))
    rv = CKR_FUNCTION_FAILED;
  if (rv != CKR_OK || alone) {
    *ret_listing = rv == CKR_OK ? g_steal_pointer(&listing) : NULL;
    return rv;
  }
  TokenEntry *entry = listing->privates->pdata[0];
  TokenEntry *other = listing->publics->pdata[0];
  if (!entry->spki && other->spki)
    set_spki(entry, g_bytes_ref(other->spki));
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
  GHashTable *index =
      g_hash_table_new_full(g_bytes_hash, g_bytes_equal, NULL, (GDestroyNotify)g_ptr_array_unref);
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

/* CKA_PUBLIC_KEY_INFO, v2.40 4.9.1. */
static gboolean
pair_by_itself(Token *token, CK_SESSION_HANDLE session, TokenEntry *entry)
{
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
