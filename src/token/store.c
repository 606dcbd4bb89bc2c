/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/attribute.h"
#include "token/der.h"
#include "token/listing.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#define SHA1_LENGTH 20

typedef struct {
  const TokenCertificate *ask;
  guint8 *subject;
  int subject_length;
  guint8 *issuer;
  int issuer_length;
  guint8 *serial; /* DER INTEGER, as CKA_SERIAL_NUMBER has it (v2.40 4.6.3) */
  int serial_length;
  GBytes *spki;
  char *key;
  GBytes *id;
} Parsed;

static void
parsed_clear(Parsed *parsed)
{
  OPENSSL_free(parsed->subject);
  OPENSSL_free(parsed->issuer);
  OPENSSL_free(parsed->serial);
  g_clear_pointer(&parsed->spki, g_bytes_unref);
  g_clear_pointer(&parsed->id, g_bytes_unref);
  g_free(parsed->key);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Parsed, parsed_clear)

static gboolean
parse(const TokenCertificate *ask, Parsed *parsed, GError **error)
{
  const guint8 *der = ask->der;
  X509 *x509 =
      ask->der_length <= WIRE_CERTIFICATE_MAX ? d2i_X509(NULL, &der, (long)ask->der_length) : NULL;

  parsed->ask = ask;
  if (x509 && der == ask->der + ask->der_length) {
    parsed->subject_length = i2d_X509_NAME(X509_get_subject_name(x509), &parsed->subject);
    parsed->issuer_length = i2d_X509_NAME(X509_get_issuer_name(x509), &parsed->issuer);
    parsed->serial_length = i2d_ASN1_INTEGER(X509_get0_serialNumber(x509), &parsed->serial);
    parsed->spki = token_spki_of_certificate(ask->der, ask->der_length);
  }
  X509_free(x509);
  ERR_clear_error();
  if (!parsed->spki || parsed->subject_length <= 0 || parsed->issuer_length <= 0 ||
      parsed->serial_length <= 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "this is no X.509 certificate");
  gsize length = 0;
  gconstpointer spki = g_bytes_get_data(parsed->spki, &length);
  parsed->key = base_key_name(spki, length);
  return TRUE;
}

static gboolean
is_on_token(const TokenListing *listing, const TokenCertificate *ask)
{
  for (guint i = 0; i < listing->certificates->len; i++) {
    gsize length = 0;
    TokenEntry *entry = listing->certificates->pdata[i];
    gconstpointer der = g_bytes_get_data(entry->der, &length);
    if (length == ask->der_length && memcmp(der, ask->der, length) == 0)
      return TRUE;
  }
  return FALSE;
}

static GBytes *
id_of_key(GPtrArray *entries, const char *key)
{
  for (guint i = 0; i < entries->len; i++) {
    TokenEntry *entry = entries->pdata[i];
    if (entry->name && g_str_equal(entry->name, key) && g_bytes_get_size(entry->id))
      return g_bytes_ref(entry->id);
  }
  return NULL;
}

/* Given, of its key, or SHA-1 of the public key as for a key made here. */
static GBytes *
choose_id(Token *token, const Parsed *parsed, const TokenListing *listing)
{
  TokenSpki facts;
  guint8 digest[EVP_MAX_MD_SIZE];
  gsize length = 0;

  if (parsed->ask->id_length)
    return g_bytes_new(parsed->ask->id, parsed->ask->id_length);
  GBytes *id = id_of_key(listing->privates, parsed->key);
  if (!id)
    id = id_of_key(listing->publics, parsed->key);
  if (!id && token_spki_read(parsed->spki, &facts) &&
      EVP_Q_digest(token->module->library, "SHA1", NULL, facts.key, facts.key_length, digest,
                   &length))
    id = g_bytes_new(digest, length);
  return id ? id : g_bytes_new(NULL, 0);
}

static CK_RV
create(Token *token, CK_SESSION_HANDLE session, const Parsed *parsed)
{
  CK_OBJECT_CLASS class = CKO_CERTIFICATE;
  CK_CERTIFICATE_TYPE type = CKC_X_509;
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  gsize id_length = 0;
  gconstpointer id = g_bytes_get_data(parsed->id, &id_length);
  CK_ATTRIBUTE template[] = {
    { CKA_CLASS, &class, sizeof class },
    { CKA_CERTIFICATE_TYPE, &type, sizeof type },
    { CKA_TOKEN, &yes, sizeof yes },
    { CKA_PRIVATE, &no, sizeof no },
    { CKA_LABEL, (gpointer)(gintptr)parsed->ask->label, strlen(parsed->ask->label) },
    { CKA_SUBJECT, parsed->subject, (CK_ULONG)parsed->subject_length },
    { CKA_ISSUER, parsed->issuer, (CK_ULONG)parsed->issuer_length },
    { CKA_SERIAL_NUMBER, parsed->serial, (CK_ULONG)parsed->serial_length },
    { CKA_VALUE, (gpointer)(gintptr)parsed->ask->der, parsed->ask->der_length },
    { CKA_ID, (gpointer)(gintptr)id, id_length },
  };
  return token->module->f->C_CreateObject(session, template,
                                          G_N_ELEMENTS(template) - (id_length ? 0 : 1), &object);
}

/* A listing, and then changes, in one session and under the writer's lock. */
typedef CK_RV (*Change)(Token *token, CK_SESSION_HANDLE session, TokenListing *listing,
                        gpointer data);

static CK_RV
change_once(Token *token, BaseDeadline deadline, Change change, gpointer data, GError **error)
{
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  g_autoptr(TokenListing) listing = NULL;

  if (!token_session_borrow(token, deadline, &session, error))
    return CKR_CANCEL;
  g_rw_lock_writer_lock(&token->objects);
  CK_RV rv = token_listing_read(token, session, &listing);
  if (rv == CKR_OK) {
    token_listing_pair(token, session, listing);
    rv = change(token, session, listing, data);
  }
  g_rw_lock_writer_unlock(&token->objects);
  if (rv == CKR_OK)
    token_session_return(token, session);
  else
    token_session_drop(token, session);
  token_keys_forget(token);
  return rv;
}

static CK_RV
store(Token *token, CK_SESSION_HANDLE session, TokenListing *listing, gpointer data)
{
  Parsed *parsed = data;
  if (is_on_token(listing, parsed->ask))
    return CKR_OK;
  parsed->id = choose_id(token, parsed, listing);
  return create(token, session, parsed);
}

gboolean
token_store_certificate(Token *token, const TokenCertificate *certificate, BaseDeadline deadline,
                        GError **error)
{
  g_auto(Parsed) parsed = { .ask = NULL };
  g_autoptr(GError) reason = NULL;

  if (!parse(certificate, &parsed, error))
    return FALSE;
  CK_RV rv = change_once(token, deadline, store, &parsed, &reason);
  if (reason) {
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
  }
  if (rv == CKR_USER_NOT_LOGGED_IN || (rv == CKR_SESSION_READ_ONLY && token_needs_login(token)))
    return token_locked_error(token, error);
  g_autofree char *label = token_label(token);
  return rv == CKR_OK || token_rv_set(error, rv, "the certificate was not stored on \"%s\"", label);
}

/* ---- removing ---- */

typedef struct {
  const char *key;
  const char *fingerprint;
  guint32 count;
} Removal;

static CK_RV
remove_named(Token *token, CK_SESSION_HANDLE session, GPtrArray *entries, Removal *removal)
{
  CK_RV rv = CKR_OK;
  for (guint i = 0; rv == CKR_OK && i < entries->len; i++) {
    TokenEntry *entry = entries->pdata[i];
    if (!entry->name || !g_str_equal(entry->name, removal->key))
      continue;
    rv = token->module->f->C_DestroyObject(session, entry->handle);
    removal->count += rv == CKR_OK;
  }
  return rv;
}

static CK_RV
remove_certificates(Token *token, CK_SESSION_HANDLE session, GPtrArray *entries, Removal *removal)
{
  CK_RV rv = CKR_OK;
  for (guint i = 0; rv == CKR_OK && i < entries->len; i++) {
    TokenEntry *entry = entries->pdata[i];
    g_autofree char *fingerprint = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, entry->der);
    if (!g_str_equal(fingerprint, removal->fingerprint))
      continue;
    rv = token->module->f->C_DestroyObject(session, entry->handle);
    removal->count += rv == CKR_OK;
  }
  return rv;
}

/* The private key first: if that fails, the rest stays beside it. */
static CK_RV
do_remove(Token *token, CK_SESSION_HANDLE session, TokenListing *listing, gpointer data)
{
  Removal *removal = data;
  CK_RV rv = CKR_OK;

  if (*removal->key) {
    rv = remove_named(token, session, listing->privates, removal);
    if (rv == CKR_OK)
      rv = remove_named(token, session, listing->publics, removal);
  }
  if (rv == CKR_OK && *removal->fingerprint)
    rv = remove_certificates(token, session, listing->certificates, removal);
  return rv;
}

gboolean
token_remove(Token *token, const char *key, const char *fingerprint, BaseDeadline deadline,
             guint32 *ret_count, GError **error)
{
  Removal removal = { key, fingerprint, 0 };
  g_autoptr(GError) reason = NULL;

  if (!*key && !*fingerprint)
    return base_error_set(error, SIGNET_ERROR_USAGE, "say what to remove");
  if (token_needs_login(token)) /* a hidden private key would stay when its public key goes */
    return token_locked_error(token, error);
  CK_RV rv = change_once(token, deadline, do_remove, &removal, &reason);
  if (reason) {
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
  }
  if (rv != CKR_OK)
    return token_rv_set(error, rv, "not everything was removed (%u objects were)", removal.count);
  if (!removal.count)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND, "there is no such object on the token");
  *ret_count = removal.count;
  return TRUE;
}
