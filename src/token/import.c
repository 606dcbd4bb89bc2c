/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/import.h"

#include "token/attribute.h"
#include "token/listing.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define SHA1_LENGTH 20
#define TRIES 4
#define AGAIN_US 20000

typedef struct {
  Token *token;
  TokenImportObject object;
  BaseDeadline deadline;
  gboolean existed;
  gboolean wrote_public; /* or may have: there was none before */
  gboolean wrote_private;
  CK_OBJECT_HANDLE private;
  guint32 flags; /* of the key as it is on the token */
  char *label;
} Importing;

static void
importing_clear(Importing *it)
{
  g_clear_pointer(&it->object.id, g_bytes_unref);
  g_free(it->label);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Importing, importing_clear)

/* ---- what it is ---- */

#define USES ((guint32)(WIRE_KEY_SIGN | WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE))

/* To open mail is to decrypt for one kind and to derive for another; a certificate does not always
 * say it the right way. */
static guint32
uses_of(BaseKeyKind kind, guint32 wanted)
{
  guint32 opens = kind == BASE_KEY_RSA       ? WIRE_KEY_DECRYPT
                  : kind == BASE_KEY_ED25519 ? 0u
                                             : WIRE_KEY_DERIVE;
  guint32 uses = wanted & WIRE_KEY_SIGN;
  if (wanted & (WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE))
    uses |= opens;
  return uses ? uses : WIRE_KEY_SIGN | opens;
}

static gboolean
read_facts(Importing *it, GError **error)
{
  const TokenImport *ask = it->object.ask;
  TokenSpki *facts = &it->object.facts;
  gboolean ok = token_spki_read(ask->spki, facts);

  if (ok && facts->kind == BASE_KEY_ED25519)
    ok = facts->key_length == 32;
  else if (ok && facts->kind != BASE_KEY_RSA)
    ok = facts->field_length && facts->key_length == 1 + 2 * facts->field_length &&
         facts->key[0] == 0x04;
  it->object.flags = uses_of(facts->kind, ask->flags);
  return ok || base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                              "this kind of key cannot be put on a token by signet");
}

/* ---- its id ---- */

static TokenEntry *
find_named(GPtrArray *entries, const char *name)
{
  for (guint i = 0; i < entries->len; i++) {
    TokenEntry *entry = entries->pdata[i];
    if (entry->name && g_str_equal(entry->name, name))
      return entry;
  }
  return NULL;
}

static gboolean
is_of_another(GPtrArray *entries, GBytes *id, const char *name)
{
  for (guint i = 0; i < entries->len; i++) {
    TokenEntry *entry = entries->pdata[i];
    if (g_bytes_equal(entry->id, id) && (!entry->name || !g_str_equal(entry->name, name)))
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_free(const TokenListing *listing, GBytes *id, const char *name)
{
  return !is_of_another(listing->privates, id, name) &&
         !is_of_another(listing->publics, id, name) &&
         !is_of_another(listing->certificates, id, name);
}

static gboolean
take_id(Importing *it, const TokenListing *listing, GBytes *id)
{
  gboolean good = g_bytes_get_size(id) && is_free(listing, id, it->object.ask->name);
  if (good) {
    g_clear_pointer(&it->object.id, g_bytes_unref);
    it->object.id = g_bytes_ref(id);
  }
  return good;
}

/* That of its public key or certificate where one is there, SHA-1 of the public key as everywhere
 * (generate.c), or a random one. */
static gboolean
choose_id(Importing *it, const TokenListing *listing, GError **error)
{
  const TokenImport *ask = it->object.ask;
  TokenEntry *public = find_named(listing->publics, ask->name);
  TokenEntry *certificate = find_named(listing->certificates, ask->name);
  guint8 digest[EVP_MAX_MD_SIZE];
  gsize length = 0;

  if (ask->id_length) {
    g_autoptr(GBytes) asked = g_bytes_new(ask->id, ask->id_length);
    g_autofree char *hex = base_hex(ask->id, ask->id_length);
    return take_id(it, listing, asked) ||
           base_error_set(error, SIGNET_ERROR_REFUSED,
                          "another key with the id %s is on the token already", hex);
  }
  if ((public && take_id(it, listing, public->id)) ||
      (certificate && take_id(it, listing, certificate->id)))
    return TRUE;
  if (!EVP_Q_digest(ask->library, "SHA1", NULL, it->object.facts.key, it->object.facts.key_length,
                    digest, &length))
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no id for the key");
  g_autoptr(GBytes) usual = g_bytes_new(digest, length);
  if (take_id(it, listing, usual))
    return TRUE;
  if (RAND_bytes_ex(ask->library, digest, SHA1_LENGTH, 0) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no random bytes");
  g_autoptr(GBytes) random = g_bytes_new(digest, SHA1_LENGTH);
  return take_id(it, listing, random) ||
         base_error_set(error, SIGNET_ERROR_FAILED, "no id for the key");
}

/* ---- one attempt; the objects' lock is held for writing ---- */

static void
note_key(Importing *it, const TokenEntry *entry)
{
  it->private = entry->handle;
  it->flags = entry->flags;
  g_free(it->label);
  it->label = g_strdup(entry->label);
}

static CK_RV
read_back(Importing *it, CK_SESSION_HANDLE session)
{
  g_autoptr(TokenListing) listing = NULL;
  CK_RV rv = token_listing_read_key(it->token, session, CK_INVALID_HANDLE, it->private, &listing);
  if (rv == CKR_OK)
    note_key(it, listing->privates->pdata[0]);
  return rv;
}

/* A token that keeps no public keys beside private ones is fine. */
static CK_RV
write_pair(Importing *it, CK_SESSION_HANDLE session, const TokenListing *listing)
{
  CK_OBJECT_HANDLE public = CK_INVALID_HANDLE;
  CK_RV rv = CKR_OK;

  if (!find_named(listing->publics, it->object.ask->name)) {
    it->wrote_public = TRUE;
    rv = token_import_public(it->token, session, &it->object, &public);
  }
  if (token_rv_is_transient(rv) || rv == CKR_DEVICE_MEMORY)
    return rv;
  it->wrote_private = TRUE;
  rv = token_import_private(it->token, session, &it->object, &it->private);
  return rv == CKR_OK ? read_back(it, session) : rv;
}

static CK_RV
attempt_in(Importing *it, CK_SESSION_HANDLE session, GError **error)
{
  g_autoptr(TokenListing) listing = NULL;
  CK_RV rv = token_listing_read(it->token, session, &listing);

  if (rv != CKR_OK)
    return rv;
  token_listing_pair(it->token, session, listing);
  TokenEntry *entry = find_named(listing->privates, it->object.ask->name);
  if (entry) {
    it->existed = TRUE;
    it->object.id = g_bytes_ref(entry->id);
    note_key(it, entry);
    return CKR_OK;
  }
  return choose_id(it, listing, error) ? write_pair(it, session, listing) : CKR_CANCEL;
}

/* ---- taking back ---- */

static CK_RV
destroy(Importing *it, CK_SESSION_HANDLE session, GPtrArray *entries, gboolean nameless_too)
{
  CK_RV rv = CKR_OK;
  for (guint i = 0; rv == CKR_OK && i < entries->len; i++) {
    TokenEntry *entry = entries->pdata[i];
    gboolean ours = entry->name ? g_str_equal(entry->name, it->object.ask->name)
                                : nameless_too && g_bytes_equal(entry->id, it->object.id);
    if (ours)
      rv = it->token->module->f->C_DestroyObject(session, entry->handle);
  }
  return rv;
}

/* Private first: what is left of a key that cannot be removed whole is its public half. */
static CK_RV
take_back_in(Importing *it, CK_SESSION_HANDLE session)
{
  g_autoptr(TokenListing) listing = NULL;
  CK_RV rv = token_listing_read(it->token, session, &listing);

  if (rv == CKR_OK)
    token_listing_pair(it->token, session, listing);
  if (rv == CKR_OK && it->wrote_private)
    rv = destroy(it, session, listing->privates, TRUE);
  if (rv == CKR_OK && it->wrote_public)
    rv = destroy(it, session, listing->publics, FALSE);
  return rv;
}

/* By a list of its own: whether a call that failed made its object nobody knows. */
static gboolean
take_back(Importing *it)
{
  CK_RV rv = CKR_CANCEL;
  for (int tries = 0; tries < TRIES && rv != CKR_OK; tries++) {
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    if (tries)
      g_usleep(AGAIN_US);
    if (!token_session_borrow(it->token, it->deadline, &session, NULL))
      break;
    g_rw_lock_writer_lock(&it->token->objects);
    rv = take_back_in(it, session);
    g_rw_lock_writer_unlock(&it->token->objects);
    token_session_drop(it->token, session);
    if (rv != CKR_OK && !token_recover(it->token, rv, NULL))
      break;
  }
  token_keys_forget(it->token);
  it->wrote_private = it->wrote_private && rv != CKR_OK;
  it->wrote_public = it->wrote_public && rv != CKR_OK;
  return rv == CKR_OK;
}

/* Ends with an error in any case. */
static gboolean
undo(Importing *it, GError **error)
{
  if (it->wrote_public || it->wrote_private)
    g_prefix_error(error, "%s",
                   take_back(it) ? "the token was left as it was: "
                                 : "what was written of the key could not be taken back: ");
  return FALSE;
}

/* ---- the whole ---- */

static CK_RV
attempt(Importing *it, GError **error)
{
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;

  if (!token_session_borrow(it->token, it->deadline, &session, error))
    return CKR_CANCEL;
  g_rw_lock_writer_lock(&it->token->objects);
  g_clear_pointer(&it->object.id, g_bytes_unref);
  CK_RV rv = attempt_in(it, session, error);
  g_rw_lock_writer_unlock(&it->token->objects);
  if (rv == CKR_OK)
    token_session_return(it->token, session);
  else
    token_session_drop(it->token, session);
  token_keys_forget(it->token);
  return rv;
}

static gboolean
not_taken(Importing *it, CK_RV rv, GError **error)
{
  g_autofree char *label = token_label(it->token);
  if (rv == CKR_ARGUMENTS_BAD)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "the token \"%s\" does not take this key: it lacks some of its numbers, "
                          "or the token wants others (CKR_ARGUMENTS_BAD)",
                          label);
  return token_rv_set(error, rv, "the token \"%s\" did not take the key", label);
}

static gboolean
write_key(Importing *it, GError **error)
{
  for (int tries = 1;; tries++) {
    g_autoptr(GError) reason = NULL;
    CK_RV rv = attempt(it, &reason);
    if (rv == CKR_OK)
      return TRUE;
    gboolean again = !reason && tries < TRIES && token_rv_is_transient(rv);
    if (!reason)
      not_taken(it, rv, &reason);
    if (!again || ((it->wrote_public || it->wrote_private) && !take_back(it))) {
      undo(it, &reason);
      g_propagate_error(error, g_steal_pointer(&reason));
      return FALSE;
    }
    g_usleep(AGAIN_US);
    if (!token_recover(it->token, rv, error))
      return FALSE;
  }
}

static gboolean
check_sealed(const Importing *it, GError **error)
{
  if (it->existed || (it->object.ask->flags & WIRE_KEY_EXTRACTABLE) ||
      !(it->flags & WIRE_KEY_EXTRACTABLE))
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                        "the token would let the key be backed up all the same");
}

static gboolean
check_works(const Importing *it, GError **error)
{
  if (token_import_prove(it->token, it->object.ask, it->private, it->flags, it->deadline, error))
    return TRUE;
  g_autofree char *label = token_label(it->token);
  g_prefix_error(error,
                 it->existed ? "the key is on the token \"%s\" already, but does not work: "
                             : "the key does not work on the token \"%s\": ",
                 label);
  return FALSE;
}

static WireObject *
describe(const Importing *it)
{
  WireObject *object = g_new0(WireObject, 1);
  object->kind = WIRE_OBJECT_KEY;
  object->key = g_strdup(it->object.ask->name);
  object->label = g_strdup(it->label);
  object->id = g_bytes_ref(it->object.id);
  object->bytes = g_bytes_ref(it->object.ask->spki);
  object->flags = it->flags;
  object->key_kind = base_key_kind_text(it->object.facts.kind, it->object.facts.bits);
  return object;
}

WireObject *
token_import(Token *token, const TokenImport *ask, BaseDeadline deadline, gboolean *ret_existed,
             GError **error)
{
  g_auto(Importing) it = { .token = token, .object = { .ask = ask }, .deadline = deadline };
  g_autoptr(GError) reason = NULL;

  if (!read_facts(&it, error))
    return NULL;
  if (token_needs_login(token)) {
    token_locked_error(token, error);
    return NULL;
  }
  if (!write_key(&it, error))
    return NULL;
  if (!check_sealed(&it, &reason) || !check_works(&it, &reason)) {
    undo(&it, &reason);
    g_propagate_error(error, g_steal_pointer(&reason));
    return NULL;
  }
  *ret_existed = it.existed;
  return describe(&it);
}
