/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/attribute.h"
#include "token/der.h"
#include "token/listing.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define SHA1_LENGTH 20

typedef struct {
  Token *token;
  const TokenGenerate *ask;
  CK_SESSION_HANDLE session;
  BaseKeyKind kind;
  int bits;
  guint8 id[TOKEN_ID_MAX];
  gsize id_length;
  CK_OBJECT_HANDLE public;
  CK_OBJECT_HANDLE private;
} Making;

static void
add_names(TokenTemplate *template, const Making *making)
{
  token_template_add(template, CKA_ID, making->id, making->id_length);
  token_template_add(template, CKA_LABEL, making->ask->label, strlen(making->ask->label));
}

/* Not private: the catalogue is to be readable without a PIN. */
static void
fill_public(TokenTemplate *template, const Making *making, const CK_ULONG *bits,
            const guint8 *params, gsize params_length)
{
  static const guint8 f4[] = { 0x01, 0x00, 0x01 };
  guint32 flags = making->ask->flags;

  token_template_add_bool(template, CKA_TOKEN, TRUE);
  token_template_add_bool(template, CKA_PRIVATE, FALSE);
  add_names(template, making);
  token_template_add_bool(template, CKA_VERIFY, (flags & WIRE_KEY_SIGN) != 0);
  if (making->kind == BASE_KEY_RSA) {
    token_template_add(template, CKA_MODULUS_BITS, bits, sizeof *bits);
    token_template_add(template, CKA_PUBLIC_EXPONENT, f4, sizeof f4);
    token_template_add_bool(template, CKA_ENCRYPT, (flags & WIRE_KEY_DECRYPT) != 0);
    token_template_add_bool(template, CKA_WRAP, (flags & WIRE_KEY_DECRYPT) != 0);
  } else {
    token_template_add(template, CKA_EC_PARAMS, params, params_length);
    if (making->kind != BASE_KEY_ED25519)
      token_template_add_bool(template, CKA_DERIVE, (flags & WIRE_KEY_DERIVE) != 0);
  }
}

static void
fill_private(TokenTemplate *template, const Making *making)
{
  guint32 flags = making->ask->flags;

  token_template_add_bool(template, CKA_TOKEN, TRUE);
  token_template_add_bool(template, CKA_PRIVATE, TRUE);
  token_template_add_bool(template, CKA_SENSITIVE, TRUE);
  token_template_add_bool(template, CKA_EXTRACTABLE, (flags & WIRE_KEY_EXTRACTABLE) != 0);
  add_names(template, making);
  token_template_add_bool(template, CKA_SIGN, (flags & WIRE_KEY_SIGN) != 0);
  if (making->kind == BASE_KEY_RSA) {
    token_template_add_bool(template, CKA_DECRYPT, (flags & WIRE_KEY_DECRYPT) != 0);
    token_template_add_bool(template, CKA_UNWRAP, (flags & WIRE_KEY_DECRYPT) != 0);
  } else if (making->kind != BASE_KEY_ED25519) {
    token_template_add_bool(template, CKA_DERIVE, (flags & WIRE_KEY_DERIVE) != 0);
  }
  if (flags & WIRE_KEY_ALWAYS_AUTH)
    token_template_add_bool(template, CKA_ALWAYS_AUTHENTICATE, TRUE);
}

static CK_RV
make_pair(Making *making, const guint8 *params, gsize params_length)
{
  CK_ULONG bits = (CK_ULONG)making->bits;
  CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
  TokenTemplate public = { .count = 0 };
  TokenTemplate private = { .count = 0 };

  if (making->kind == BASE_KEY_RSA)
    mechanism.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
  if (making->kind == BASE_KEY_ED25519)
    mechanism.mechanism = CKM_EC_EDWARDS_KEY_PAIR_GEN;
  fill_public(&public, making, &bits, params, params_length);
  fill_private(&private, making);
  return making->token->module->f->C_GenerateKeyPair(making->session, &mechanism, public.rows,
                                                     public.count, private.rows, private.count,
                                                     &making->public, &making->private);
}

/* Ed25519's CKA_EC_PARAMS is an OID in most modules and a PrintableString by PKCS#11 v3.0 2.3.10. */
static CK_RV
generate(Making *making)
{
  static const guint8 name[] = "\x13\x0c"
                               "edwards25519";
  gsize length = 0;
  const guint8 *params = token_curve_oid(making->kind, &length);
  CK_RV rv = make_pair(making, params, length);

  if (making->kind == BASE_KEY_ED25519 && rv != CKR_OK && !token_rv_is_loss(rv) &&
      rv != CKR_MECHANISM_INVALID)
    rv = make_pair(making, name, sizeof name - 1);
  return rv;
}

/* Nothing half stays behind. */
static void
undo(Making *making)
{
  CK_FUNCTION_LIST *f = making->token->module->f;
  if (making->private != CK_INVALID_HANDLE)
    f->C_DestroyObject(making->session, making->private);
  if (making->public != CK_INVALID_HANDLE)
    f->C_DestroyObject(making->session, making->public);
}

static CK_RV
id_in_use(Making *making, const guint8 *id, gsize length, gboolean *ret_used)
{
  CK_ATTRIBUTE template = { CKA_ID, (gpointer)(gintptr)id, length };
  g_autoptr(GArray) handles = NULL;
  CK_RV rv = token_find_all(making->token, making->session, &template, 1, &handles);
  if (rv == CKR_OK)
    *ret_used = handles->len > 0;
  return rv;
}

/* The id that was asked for, else a random one until the public key is known. */
static gboolean
choose_id(Making *making, GError **error)
{
  gboolean used = FALSE;

  making->id_length = making->ask->id_length;
  if (making->ask->id_length)
    memcpy(making->id, making->ask->id, making->ask->id_length);
  else {
    making->id_length = SHA1_LENGTH;
    if (RAND_bytes(making->id, SHA1_LENGTH) != 1)
      return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no random bytes");
  }
  CK_RV rv = id_in_use(making, making->id, making->id_length, &used);
  if (rv != CKR_OK)
    return token_rv_set(error, rv, "the token's objects cannot be listed");
  g_autofree char *hex = base_hex(making->id, making->id_length);
  return !used || base_error_set(error, SIGNET_ERROR_REFUSED,
                                 "an object with the id %s is on the token already", hex);
}

static gboolean
set_ids(Making *making, const guint8 *id, gsize length)
{
  CK_FUNCTION_LIST *f = making->token->module->f;
  CK_ATTRIBUTE wanted = { CKA_ID, (gpointer)(gintptr)id, length };
  CK_ATTRIBUTE former = { CKA_ID, making->id, making->id_length };

  if (f->C_SetAttributeValue(making->session, making->private, &wanted, 1) != CKR_OK)
    return FALSE;
  if (f->C_SetAttributeValue(making->session, making->public, &wanted, 1) == CKR_OK)
    return TRUE;
  f->C_SetAttributeValue(making->session, making->private, &former, 1);
  return FALSE;
}

/* SHA-1 of the public key's bits (RFC 5280 4.2.1.2, method 1) is what other programs look for. Where a token does not
 * let an id change, the random one does as well. */
static void
improve_id(Making *making, GBytes *spki)
{
  TokenSpki facts;
  guint8 digest[EVP_MAX_MD_SIZE];
  gsize length = 0;
  gboolean used = TRUE;

  if (making->ask->id_length || !token_spki_read(spki, &facts) ||
      !EVP_Q_digest(making->token->module->library, "SHA1", NULL, facts.key, facts.key_length,
                    digest, &length) ||
      id_in_use(making, digest, length, &used) != CKR_OK || used)
    return;
  if (set_ids(making, digest, length)) {
    memcpy(making->id, digest, length);
    making->id_length = length;
  }
}

static WireObject *
describe(Making *making, GError **error)
{
  g_autoptr(TokenListing) listing = NULL;
  CK_RV rv = token_listing_read_key(making->token, making->session, making->public, making->private,
                                    &listing);
  TokenEntry *entry = rv == CKR_OK ? listing->privates->pdata[0] : NULL;
  TokenSpki facts;

  if (!entry || !entry->spki || !token_spki_read(entry->spki, &facts)) {
    token_rv_set(error, rv == CKR_OK ? CKR_FUNCTION_FAILED : rv, "the new key cannot be read back");
    return NULL;
  }
  improve_id(making, entry->spki);
  WireObject *object = g_new0(WireObject, 1);
  object->kind = WIRE_OBJECT_KEY;
  object->key = g_strdup(entry->name);
  object->label = g_strdup(entry->label);
  object->id = g_bytes_new(making->id, making->id_length);
  object->bytes = g_bytes_ref(entry->spki);
  object->flags = entry->flags;
  object->key_kind = base_key_kind_text(facts.kind, facts.bits);
  return object;
}

static WireObject *
generate_locked(Making *making, GError **error)
{
  if (!choose_id(making, error))
    return NULL;
  CK_RV rv = generate(making);
  if (rv != CKR_OK) {
    g_autofree char *label = token_label(making->token);
    token_rv_set(error, rv, "the token \"%s\" made no %s key", label, making->ask->kind);
    return NULL;
  }
  WireObject *object = describe(making, error);
  if (!object)
    undo(making);
  return object;
}

WireObject *
token_generate(Token *token, const TokenGenerate *ask, BaseDeadline deadline, GError **error)
{
  Making making = { .token = token, .ask = ask };

  if (!base_key_kind_parse(ask->kind, &making.kind, &making.bits, error))
    return NULL;
  if (token_needs_login(token)) {
    token_locked_error(token, error);
    return NULL;
  }
  if (!token_session_borrow(token, deadline, &making.session, error))
    return NULL;
  g_rw_lock_writer_lock(&token->objects);
  WireObject *object = generate_locked(&making, error);
  g_rw_lock_writer_unlock(&token->objects);
  if (object)
    token_session_return(token, making.session);
  else
    token_session_drop(token, making.session);
  token_keys_forget(token);
  return object;
}
