/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RSA_padding_check_PKCS1_OAEP_mgf1() has no successor in 3.0 that works without the private key. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "token/operate.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#define SESSION_KEY_MAX 64 /* as wire_operation_check() has it */
#define BLOCK 32           /* of HMAC-SHA-256 */

gboolean
token_decrypt_check(const TokenOperate *ask, GError **error)
{
  const WireOperation *operation = ask->operation;

  /* RFC 8017 7.1.2 and 7.2.2, step 1. The length is public, so this tells nothing. */
  if (operation->data_length != ask->key->modulus_length)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the encrypted key has %zu bytes; for this key it must have %zu",
                          operation->data_length, ask->key->modulus_length);
  if (operation->mechanism == WIRE_RSA_PKCS1 &&
      (operation->wanted < 1 || operation->wanted > SESSION_KEY_MAX))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "say how long the session key is: 1 to %d bytes", SESSION_KEY_MAX);
  return TRUE;
}

/* ---- PKCS#1 v1.5, without an oracle ----
 *
 * Whoever can tell good padding from bad can decrypt anything, with some ten thousand questions
 * (Bleichenbacher 1998). So a bad one gets an answer too: bytes that depend on the
 * ciphertext and on a secret of the broker, the same each time. They are made before the
 * token is asked, so the time that takes says nothing, and chosen without a branch.
 * What the token itself takes longer for is its own, and not hidden here. */

static gboolean
hmac(const TokenRun *run, const guint8 *key, gsize key_length, const guint8 *data, gsize length,
     guint8 out[BLOCK])
{
  OSSL_LIB_CTX *library = run->ask->token->module->library;
  gsize out_length = 0;
  return EVP_Q_mac(library, "HMAC", NULL, "SHA256", NULL, key, key_length, data, length, out, BLOCK,
                   &out_length) != NULL &&
         out_length == BLOCK;
}

/* HKDF's shape (RFC 5869): PRK = HMAC(secret, key name | ciphertext), T(n) = HMAC(PRK, n). */
static gboolean
rejection_key(const TokenRun *run, guint8 out[SESSION_KEY_MAX])
{
  const TokenOperate *ask = run->ask;
  BaseSecret *secret = ask->token->module->rejection;
  guint8 input[64 + TOKEN_MODULUS_MAX];
  guint8 prk[BLOCK];
  gsize name_length = strlen(ask->key->name);

  if (!secret || name_length > 64 || ask->operation->data_length > TOKEN_MODULUS_MAX)
    return FALSE;
  memcpy(input, ask->key->name, name_length);
  memcpy(input + name_length, ask->operation->data, ask->operation->data_length);
  gboolean ok = hmac(run, base_secret_bytes(secret), base_secret_length(secret), input,
                     name_length + ask->operation->data_length, prk);
  for (guint8 n = 0; ok && n < SESSION_KEY_MAX / BLOCK; n++)
    ok = hmac(run, prk, sizeof prk, &n, 1, out + n * BLOCK);
  base_wipe(prk, sizeof prk);
  return ok;
}

/* All ones when a equals b, else zero, without a branch. */
static guint8
equal_mask(gulong a, gulong b)
{
  volatile gulong different = a ^ b;
  gulong bits = different | (0 - different);
  return (guint8)((bits >> (sizeof bits * 8 - 1)) - 1);
}

static CK_RV
decrypt_pkcs1(TokenRun *run)
{
  const WireOperation *operation = run->ask->operation;
  CK_FUNCTION_LIST *f = run->ask->token->module->f;
  CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
  guint8 plain[TOKEN_MODULUS_MAX] = { 0 };
  guint8 rejected[SESSION_KEY_MAX];
  CK_ULONG length = sizeof plain;

  if (!rejection_key(run, rejected))
    return CKR_HOST_MEMORY;
  CK_RV rv = f->C_DecryptInit(run->session, &mechanism, run->handle);
  if (rv == CKR_OK)
    rv = token_context_login(run);
  if (rv != CKR_OK)
    return rv; /* the ciphertext was not looked at yet */
  rv = f->C_Decrypt(run->session, token_input(operation->data), operation->data_length, plain,
                    &length);
  gboolean lost = token_rv_is_loss(rv);
  guint8 good = equal_mask(rv, CKR_OK) & equal_mask(length, operation->wanted);
  for (gsize i = 0; i < operation->wanted; i++)
    run->result[i] = (guint8)((plain[i] & good) | (rejected[i] & (guint8)~good));
  run->length = operation->wanted;
  base_wipe(plain, sizeof plain);
  base_wipe(rejected, sizeof rejected);
  return lost ? rv : CKR_OK;
}

/* ---- OAEP ---- */

/* One word for every way a ciphertext can be wrong (RFC 8017 7.1.2 step 3g, Manger 2001). */
static CK_RV
oaep_failed(CK_RV rv)
{
  return token_rv_is_loss(rv) ? rv : CKR_ENCRYPTED_DATA_INVALID;
}

static CK_RV
decrypt_oaep_native(TokenRun *run, gboolean *started)
{
  const WireOperation *operation = run->ask->operation;
  CK_FUNCTION_LIST *f = run->ask->token->module->f;
  CK_RSA_PKCS_OAEP_PARAMS params = { token_hash_mechanism(operation->hash),
                                     token_hash_mgf(operation->mgf_hash), CKZ_DATA_SPECIFIED,
                                     operation->label_length ? token_input(operation->label) : NULL,
                                     operation->label_length };
  CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &params, sizeof params };
  CK_ULONG length = TOKEN_RESULT_MAX;

  CK_RV rv = f->C_DecryptInit(run->session, &mechanism, run->handle);
  if (rv == CKR_OK)
    rv = token_context_login(run);
  *started = rv == CKR_OK;
  if (rv != CKR_OK)
    return rv;
  rv = f->C_Decrypt(run->session, token_input(operation->data), operation->data_length, run->result,
                    &length);
  if (rv != CKR_OK || length > run->ask->key->modulus_length)
    return oaep_failed(rv);
  run->length = length;
  return CKR_OK;
}

static CK_RV
unpad_oaep(TokenRun *run, const guint8 *block, gsize modulus)
{
  const WireOperation *operation = run->ask->operation;
  OSSL_LIB_CTX *library = run->ask->token->module->library;
  EVP_MD *hash = EVP_MD_fetch(library, wire_hash_name(operation->hash), NULL);
  EVP_MD *mgf = EVP_MD_fetch(library, wire_hash_name(operation->mgf_hash), NULL);
  int length = -1;

  if (hash && mgf)
    length = RSA_padding_check_PKCS1_OAEP_mgf1(run->result, TOKEN_RESULT_MAX, block, (int)modulus,
                                               (int)modulus, operation->label,
                                               (int)operation->label_length, hash, mgf);
  EVP_MD_free(hash);
  EVP_MD_free(mgf);
  if (length < 0)
    return CKR_ENCRYPTED_DATA_INVALID;
  run->length = (gsize)length;
  return CKR_OK;
}

/* The bare RSA operation on the token, the padding here. */
static CK_RV
decrypt_oaep_raw(TokenRun *run)
{
  const WireOperation *operation = run->ask->operation;
  CK_FUNCTION_LIST *f = run->ask->token->module->f;
  CK_MECHANISM mechanism = { CKM_RSA_X_509, NULL, 0 };
  guint8 block[TOKEN_MODULUS_MAX] = { 0 };
  gsize modulus = run->ask->key->modulus_length;
  CK_ULONG length = sizeof block;

  CK_RV rv = f->C_DecryptInit(run->session, &mechanism, run->handle);
  if (rv == CKR_OK)
    rv = token_context_login(run);
  if (rv != CKR_OK)
    return rv;
  rv = f->C_Decrypt(run->session, token_input(operation->data), operation->data_length, block,
                    &length);
  if (rv == CKR_OK && length <= modulus) {
    if (length < modulus) { /* some modules leave leading zeros out */
      memmove(block + (modulus - length), block, length);
      memset(block, 0, modulus - length);
    }
    rv = unpad_oaep(run, block, modulus);
  } else {
    rv = oaep_failed(rv);
  }
  base_wipe(block, sizeof block);
  return rv;
}

/* The profile lists the hashes that a family really does: SoftHSM 2.6.1 takes any and
 * decrypts to garbage. */
static gboolean
is_native(const TokenRun *run)
{
  const WireOperation *operation = run->ask->operation;
  const char *const *hashes = (const char *const *)run->ask->token->module->profile->oaep;
  return operation->hash == operation->mgf_hash && hashes &&
         g_strv_contains(hashes, wire_hash_name(operation->hash));
}

static CK_RV
decrypt_oaep(TokenRun *run)
{
  gboolean raw = run->ask->token->module->profile->raw_rsa;
  gboolean started = FALSE;
  /* Labels are seldom done by modules (SoftHSM refuses them), and no mail uses one. */
  gboolean native = is_native(run) && !(raw && run->ask->operation->label_length);

  if (!native)
    return raw ? decrypt_oaep_raw(run) : CKR_MECHANISM_PARAM_INVALID;
  CK_RV rv = decrypt_oaep_native(run, &started);
  if (started || !raw || run->pin_tried || token_rv_is_transient(rv) || rv == CKR_OK)
    return rv;
  return decrypt_oaep_raw(run);
}

CK_RV
token_decrypt(TokenRun *run)
{
  return run->ask->operation->mechanism == WIRE_RSA_PKCS1 ? decrypt_pkcs1(run) : decrypt_oaep(run);
}
