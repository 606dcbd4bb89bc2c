/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/import.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define CHALLENGE 32
#define TRIES 8
#define AGAIN_US 50000

typedef struct {
  const TokenImport *ask;
  TokenOperate run;
  EVP_PKEY *public;
  guint8 challenge[CHALLENGE];
  guint8 result[TOKEN_RESULT_MAX];
  gsize length;
} Proof;

static gboolean
has_failed(GError **error)
{
  return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "the new key cannot be tried");
}

/* SoftHSM answers CKR_GENERAL_ERROR while another process, our everyday host too, reads or writes the
 * token's files; a key that does not work fails the last time as well. */
static gboolean
operate(Proof *proof, const WireOperation *operation, GError **error)
{
  GError *failed = NULL;
  gboolean ok = FALSE;
  proof->run.operation = operation;
  for (int tries = 0; !ok && tries < TRIES; tries++) {
    if (failed && failed->code != SIGNET_ERROR_FAILED)
      break;
    if (failed)
      g_usleep(AGAIN_US);
    g_clear_error(&failed);
    ok = token_operate(&proof->run, proof->result, &proof->length, &failed);
  }
  proof->run.operation = NULL;
  if (!ok)
    g_propagate_error(error, failed);
  return ok;
}

static gboolean
is_wrong(GError **error)
{
  return base_error_set(error, SIGNET_ERROR_FAILED,
                        "what the token made of it does not fit the public key");
}

static gboolean
verify_message(Proof *proof)
{
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  gboolean good =
      EVP_DigestVerifyInit_ex(ctx, NULL, NULL, proof->ask->library, NULL, proof->public, NULL) ==
          1 &&
      EVP_DigestVerify(ctx, proof->result, proof->length, proof->challenge, CHALLENGE) == 1;
  EVP_MD_CTX_free(ctx);
  return good;
}

static gboolean
verify_digest(Proof *proof, EVP_PKEY_CTX *ctx)
{
  EVP_MD *sha256 = EVP_MD_fetch(proof->ask->library, "SHA256", NULL);
  gboolean good =
      sha256 && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, sha256) == 1 &&
      EVP_PKEY_verify(ctx, proof->result, proof->length, proof->challenge, CHALLENGE) == 1;
  EVP_MD_free(sha256);
  return good;
}

static gboolean
prove_signing(Proof *proof, EVP_PKEY_CTX *ctx, GError **error)
{
  BaseKeyKind kind = proof->run.key->kind;
  WireOperation operation = { .verb = WIRE_SIGN,
                              .mechanism = kind == BASE_KEY_RSA       ? WIRE_RSA_PKCS1
                                           : kind == BASE_KEY_ED25519 ? WIRE_EDDSA
                                                                      : WIRE_ECDSA,
                              .hash = kind == BASE_KEY_ED25519 ? WIRE_HASH_NONE : WIRE_SHA256,
                              .data = proof->challenge,
                              .data_length = CHALLENGE };
  if (!operate(proof, &operation, error))
    return FALSE;
  gboolean good = kind == BASE_KEY_ED25519 ? verify_message(proof) : verify_digest(proof, ctx);
  return good || is_wrong(error);
}

static gboolean
prove_decrypting(Proof *proof, EVP_PKEY_CTX *ctx, GError **error)
{
  guint8 sealed[TOKEN_MODULUS_MAX];
  gsize length = sizeof sealed;

  if (EVP_PKEY_encrypt_init(ctx) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 ||
      EVP_PKEY_encrypt(ctx, sealed, &length, proof->challenge, CHALLENGE) != 1)
    return has_failed(error);
  WireOperation operation = { .verb = WIRE_DECRYPT,
                              .mechanism = WIRE_RSA_PKCS1,
                              .wanted = CHALLENGE,
                              .data = sealed,
                              .data_length = length };
  if (!operate(proof, &operation, error))
    return FALSE;
  return (proof->length == CHALLENGE &&
          CRYPTO_memcmp(proof->result, proof->challenge, CHALLENGE) == 0) ||
         is_wrong(error);
}

static gboolean
agree_here(Proof *proof, EVP_PKEY *ours, guint8 *secret, gsize *length)
{
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(proof->ask->library, ours, NULL);
  gboolean ok = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, proof->public) == 1 &&
                EVP_PKEY_derive(ctx, secret, length) == 1;
  EVP_PKEY_CTX_free(ctx);
  return ok;
}

static gboolean
prove_deriving_with(Proof *proof, EVP_PKEY *ours, GError **error)
{
  guint8 secret[TOKEN_RESULT_MAX];
  gsize length = sizeof secret;
  guint8 *point = NULL;
  gsize point_length = EVP_PKEY_get1_encoded_public_key(ours, &point);
  WireOperation operation = {
    .verb = WIRE_DERIVE, .mechanism = WIRE_ECDH, .data = point, .data_length = point_length
  };
  gboolean ok = (point_length && agree_here(proof, ours, secret, &length)) || has_failed(error);

  ok = ok && operate(proof, &operation, error);
  OPENSSL_free(point);
  return ok && ((proof->length == length && CRYPTO_memcmp(proof->result, secret, length) == 0) ||
                is_wrong(error));
}

/* `ctx` of a public key lends its curve to the new one. */
static gboolean
prove_deriving(Proof *proof, EVP_PKEY_CTX *ctx, GError **error)
{
  EVP_PKEY *ours = NULL;
  if (EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_generate(ctx, &ours) != 1)
    return has_failed(error);
  gboolean ok = prove_deriving_with(proof, ours, error);
  EVP_PKEY_free(ours);
  return ok;
}

static gboolean
prove(Proof *proof, guint32 flags, GError **error)
{
  gsize length = 0;
  const guint8 *der = g_bytes_get_data(proof->ask->spki, &length);
  OSSL_LIB_CTX *library = proof->ask->library;
  gboolean ok = FALSE;

  proof->public = d2i_PUBKEY_ex(NULL, &der, (long)length, library, NULL);
  EVP_PKEY_CTX *ctx =
      proof->public ? EVP_PKEY_CTX_new_from_pkey(library, proof->public, NULL) : NULL;
  if (!ctx || RAND_bytes_ex(library, proof->challenge, CHALLENGE, 0) != 1)
    has_failed(error);
  else if (flags & WIRE_KEY_SIGN)
    ok = prove_signing(proof, ctx, error);
  else if (flags & WIRE_KEY_DECRYPT)
    ok = prove_decrypting(proof, ctx, error);
  else
    ok = prove_deriving(proof, ctx, error);
  EVP_PKEY_CTX_free(ctx);
  EVP_PKEY_free(proof->public);
  return ok;
}

gboolean
token_import_prove(Token *token, const TokenImport *ask, CK_OBJECT_HANDLE handle, guint32 flags,
                   BaseDeadline deadline, GError **error)
{
  TokenSpki facts;
  if ((flags & WIRE_KEY_ALWAYS_AUTH) ||
      !(flags & (WIRE_KEY_SIGN | WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE)))
    return TRUE;
  if (!token_spki_read(ask->spki, &facts))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the public key is malformed");
  TokenKey key = { .name = (char *)(gintptr)ask->name,
                   .spki = ask->spki,
                   .kind = facts.kind,
                   .bits = facts.bits,
                   .modulus_length = facts.modulus_length,
                   .field_length = facts.field_length };
  atomic_init(&key.refs, 1);
  atomic_init(&key.flags, flags);
  atomic_init(&key.handle, handle);
  atomic_init(&key.epoch, atomic_load(&token->epoch));
  Proof proof = { .ask = ask, .run = { .token = token, .key = &key, .deadline = deadline } };
  gboolean ok = prove(&proof, flags, error);
  base_wipe(proof.result, sizeof proof.result);
  return ok;
}
