/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "provider/signature.h"

#include "base/error.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <string.h>

static OSSL_FUNC_signature_newctx_fn signature_new;
static OSSL_FUNC_signature_freectx_fn signature_free;
static OSSL_FUNC_signature_dupctx_fn signature_dup;
static OSSL_FUNC_signature_sign_init_fn signature_init;
static OSSL_FUNC_signature_sign_fn signature_sign;
static OSSL_FUNC_signature_verify_fn signature_verify;
static OSSL_FUNC_signature_digest_sign_init_fn digest_init;
static OSSL_FUNC_signature_digest_sign_update_fn digest_update;
static OSSL_FUNC_signature_digest_sign_final_fn digest_sign_final;
static OSSL_FUNC_signature_digest_verify_final_fn digest_verify_final;

static void *
signature_new(void *context, const char *properties G_GNUC_UNUSED)
{
  ProviderSignature *signature = g_new0(ProviderSignature, 1);
  signature->context = context;
  signature->padding = RSA_PKCS1_PADDING;
  signature->salt = RSA_PSS_SALTLEN_AUTO;
  return signature;
}

static void
signature_free(void *data)
{
  ProviderSignature *signature = data;
  if (!signature)
    return;
  provider_key_object_free(signature->key);
  EVP_MD_CTX_free(signature->digest);
  g_free(signature);
}

/* CMS copies the context to sign the signed attributes (EVP_MD_CTX_copy_ex). */
static void *
signature_dup(void *data)
{
  const ProviderSignature *signature = data;
  ProviderSignature *copy = g_memdup2(signature, sizeof *signature);
  copy->key = signature->key ? provider_key_object_ref(signature->key) : NULL;
  copy->digest = signature->digest ? EVP_MD_CTX_new() : NULL;
  if (copy->digest && !EVP_MD_CTX_copy_ex(copy->digest, signature->digest)) {
    signature_free(copy);
    return NULL;
  }
  return copy;
}

gboolean
provider_signature_is_rsa(const ProviderSignature *signature)
{
  return signature->key && signature->key->public && EVP_PKEY_is_a(signature->key->public, "RSA");
}

int
provider_signature_set_hash(ProviderSignature *signature, const char *name)
{
  const char *hash = provider_hash_name(name);
  if (!hash)
    return provider_fail(SIGNET_ERROR_UNSUPPORTED, "keys on tokens sign SHA-1 and SHA-2 only");
  signature->hash = hash;
  return 1;
}

/* A NULL key keeps the one that is set. */
static int
signature_init(void *data, void *key, const OSSL_PARAM params[])
{
  ProviderSignature *signature = data;
  if (key) {
    provider_key_object_ref(key);
    provider_key_object_free(signature->key);
    signature->key = key;
  }
  return signature->key && provider_signature_set_params(signature, params);
}

static EVP_MD *
fetch_hash(const ProviderSignature *signature)
{
  return EVP_MD_fetch(signature->context->libctx, signature->hash, PROVIDER_PUBLIC);
}

int
provider_signature_salt(const ProviderSignature *signature)
{
  EVP_MD *md = fetch_hash(signature);
  int hash = md ? EVP_MD_get_size(md) : -1;
  /* RFC 8017 9.1.1: emLen - hLen - 2, emLen for modulus bits - 1. */
  int most = (EVP_PKEY_get_bits(signature->key->public) - 1 + 7) / 8 - hash - 2;
  EVP_MD_free(md);
  int salt = signature->salt;
  if (salt == RSA_PSS_SALTLEN_MAX)
    salt = most;
  else if (salt < 0) /* DIGEST; and AUTO, as many tokens take no other length */
    salt = hash;
  return hash > 0 && salt <= most ? salt : -1;
}

static SignetOperation
operation_for(const ProviderSignature *signature, const unsigned char *digest, gsize length)
{
  SignetOperation operation = { .hash = signature->hash, .data = digest, .data_length = length };
  if (!provider_signature_is_rsa(signature)) {
    operation.mechanism = SIGNET_ECDSA;
  } else if (signature->padding == RSA_PKCS1_PSS_PADDING) {
    operation.mechanism = SIGNET_RSA_PSS;
    operation.mgf_hash = signature->mgf_hash;
    operation.salt_length = provider_signature_salt(signature);
  } else {
    operation.mechanism = SIGNET_RSA_PKCS1;
  }
  return operation;
}

static int
signature_sign(void *data, unsigned char *out, size_t *ret_length, size_t size,
               const unsigned char *digest, size_t length)
{
  const ProviderSignature *signature = data;
  g_autoptr(GBytes) bytes = NULL;
  if (!out) {
    *ret_length = (size_t)EVP_PKEY_get_size(signature->key->public);
    return 1;
  }
  SignetOperation operation = operation_for(signature, digest, length);
  if (operation.mechanism == SIGNET_RSA_PSS && (!signature->hash || operation.salt_length < 0))
    return provider_fail(SIGNET_ERROR_USAGE, "RSA-PSS needs a hash and a salt that fit the key");
  return provider_key_object_operate(signature->key, PROVIDER_SIGN, &operation, &bytes) &&
         provider_copy_out(bytes, out, ret_length, size);
}

static int
prepare_verify(const ProviderSignature *signature, EVP_PKEY_CTX *context)
{
  EVP_MD *md = signature->hash ? fetch_hash(signature) : NULL;
  EVP_MD *mgf = signature->mgf_hash
                    ? EVP_MD_fetch(signature->context->libctx, signature->mgf_hash, PROVIDER_PUBLIC)
                    : NULL;
  gboolean pss =
      provider_signature_is_rsa(signature) && signature->padding == RSA_PKCS1_PSS_PADDING;
  int ready = (!signature->hash || (md && EVP_PKEY_CTX_set_signature_md(context, md) > 0)) &&
              (!pss || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0) &&
              (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(context, signature->salt) > 0) &&
              (!pss || !mgf || EVP_PKEY_CTX_set_rsa_mgf1_md(context, mgf) > 0);
  EVP_MD_free(md);
  EVP_MD_free(mgf);
  return ready;
}

static int
signature_verify(void *data, const unsigned char *bytes, size_t length, const unsigned char *digest,
                 size_t digest_length)
{
  const ProviderSignature *signature = data;
  EVP_PKEY_CTX *context = provider_key_object_public_context(signature->key);
  int good = context && EVP_PKEY_verify_init(context) > 0 && prepare_verify(signature, context) &&
             EVP_PKEY_verify(context, bytes, length, digest, digest_length) == 1;
  EVP_PKEY_CTX_free(context);
  return good;
}

/* ---- with the digest ---- */

static int
set_default_hash(ProviderSignature *signature)
{
  char name[64];
  return EVP_PKEY_get_default_digest_name(signature->key->public, name, sizeof name) > 0 &&
         provider_signature_set_hash(signature, name);
}

static int
digest_init(void *data, const char *hash, void *key, const OSSL_PARAM params[])
{
  ProviderSignature *signature = data;
  if (!signature_init(signature, key, NULL) || !signature->key->public)
    return 0;
  int named = hash && *hash     ? provider_signature_set_hash(signature, hash)
              : signature->hash ? 1
                                : set_default_hash(signature);
  if (!named || !provider_signature_set_params(signature, params))
    return 0;
  EVP_MD *md = fetch_hash(signature);
  if (!signature->digest)
    signature->digest = EVP_MD_CTX_new();
  int begun = md && signature->digest && EVP_DigestInit_ex2(signature->digest, md, NULL);
  EVP_MD_free(md);
  return begun;
}

static int
digest_update(void *data, const unsigned char *bytes, size_t length)
{
  const ProviderSignature *signature = data;
  return signature->digest && EVP_DigestUpdate(signature->digest, bytes, length);
}

static int
digest_sign_final(void *data, unsigned char *out, size_t *ret_length, size_t size)
{
  const ProviderSignature *signature = data;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (!out) /* only the size is asked for: the digest goes on */
    return signature_sign(data, NULL, ret_length, size, NULL, 0);
  return signature->digest && EVP_DigestFinal_ex(signature->digest, digest, &length) &&
         signature_sign(data, out, ret_length, size, digest, length);
}

static int
digest_verify_final(void *data, const unsigned char *bytes, size_t length)
{
  const ProviderSignature *signature = data;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned digest_length = 0;
  return signature->digest && EVP_DigestFinal_ex(signature->digest, digest, &digest_length) &&
         signature_verify(data, bytes, length, digest, digest_length);
}

static const OSSL_DISPATCH signature_functions[] = {
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DUPCTX, signature_dup),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_SIGN_INIT, signature_init),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_SIGN, signature_sign),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_VERIFY_INIT, signature_init),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_VERIFY, signature_verify),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, digest_init),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, digest_update),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, digest_sign_final),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, digest_init),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE, digest_update),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL, digest_verify_final),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, provider_signature_get_params),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, provider_signature_gettable),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, provider_signature_set_params),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, provider_signature_settable),
  PROVIDER_FUNCTIONS_END
};

const OSSL_ALGORITHM provider_signature_table[] = {
  { "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROVIDER_PROPERTIES, signature_functions, NULL },
  { "ECDSA", PROVIDER_PROPERTIES, signature_functions, NULL },
  { "ED25519:1.3.101.112", PROVIDER_PROPERTIES, provider_ed25519_signature, NULL },
  { NULL, NULL, NULL, NULL }
};
