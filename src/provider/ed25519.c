/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Ed25519 (RFC 8032): one-shot, over the message itself. */

#include "base/error.h"
#include "provider/key.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#define SIGNATURE_SIZE 64

/* RFC 8410 3: AlgorithmIdentifier { 1.3.101.112 }, no parameters. */
static const unsigned char algorithm_id[] = { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70 };

typedef struct {
  ProviderContext *context;
  ProviderKey *key;
} Ed25519;

static OSSL_FUNC_signature_newctx_fn ed25519_new;
static OSSL_FUNC_signature_freectx_fn ed25519_free;
static OSSL_FUNC_signature_dupctx_fn ed25519_dup;
static OSSL_FUNC_signature_digest_sign_init_fn ed25519_init;
static OSSL_FUNC_signature_digest_sign_fn ed25519_sign;
static OSSL_FUNC_signature_digest_verify_fn ed25519_verify;
static OSSL_FUNC_signature_get_ctx_params_fn ed25519_get_params;

static void *
ed25519_new(void *context, const char *properties G_GNUC_UNUSED)
{
  Ed25519 *signature = g_new0(Ed25519, 1);
  signature->context = context;
  return signature;
}

static void
ed25519_free(void *data)
{
  Ed25519 *signature = data;
  if (!signature)
    return;
  provider_key_object_free(signature->key);
  g_free(signature);
}

static void *
ed25519_dup(void *data)
{
  const Ed25519 *signature = data;
  Ed25519 *copy = g_memdup2(signature, sizeof *signature);
  if (copy->key)
    provider_key_object_ref(copy->key);
  return copy;
}

static int
ed25519_init(void *data, const char *hash, void *key, const OSSL_PARAM params[] G_GNUC_UNUSED)
{
  Ed25519 *signature = data;
  if (hash && *hash)
    return provider_fail(SIGNET_ERROR_USAGE, "Ed25519 takes no hash");
  if (key) {
    provider_key_object_ref(key);
    provider_key_object_free(signature->key);
    signature->key = key;
  }
  return signature->key && signature->key->public;
}

static int
ed25519_sign(void *data, unsigned char *out, size_t *ret_length, size_t size,
             const unsigned char *message, size_t length)
{
  const Ed25519 *signature = data;
  g_autoptr(GBytes) bytes = NULL;
  if (!out) {
    *ret_length = SIGNATURE_SIZE;
    return 1;
  }
  if (length > PROVIDER_MESSAGE_MAX)
    return provider_fail(SIGNET_ERROR_TOO_LARGE, "Ed25519 on a token signs at most 64 KiB");
  const SignetOperation operation = { .mechanism = SIGNET_EDDSA,
                                      .data = message,
                                      .data_length = length };
  return provider_key_object_operate(signature->key, PROVIDER_SIGN, &operation, &bytes) &&
         provider_copy_out(bytes, out, ret_length, size);
}

static int
ed25519_verify(void *data, const unsigned char *bytes, size_t length, const unsigned char *message,
               size_t message_length)
{
  const Ed25519 *signature = data;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  int good = context &&
             EVP_DigestVerifyInit_ex(context, NULL, NULL, signature->context->libctx,
                                     PROVIDER_PUBLIC, signature->key->public, NULL) > 0 &&
             EVP_DigestVerify(context, bytes, length, message, message_length) == 1;
  EVP_MD_CTX_free(context);
  return good;
}

static int
ed25519_get_params(void *data G_GNUC_UNUSED, OSSL_PARAM params[])
{
  OSSL_PARAM *algorithm = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
  return !algorithm || OSSL_PARAM_set_octet_string(algorithm, algorithm_id, sizeof algorithm_id);
}

static const OSSL_PARAM *
ed25519_gettable(void *signature G_GNUC_UNUSED, void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0), OSSL_PARAM_END
  };
  return params;
}

const OSSL_DISPATCH provider_ed25519_signature[] = {
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, ed25519_new),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, ed25519_free),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DUPCTX, ed25519_dup),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, ed25519_init),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, ed25519_sign),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, ed25519_init),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, ed25519_verify),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, ed25519_get_params),
  PROVIDER_FUNCTION(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, ed25519_gettable),
  PROVIDER_FUNCTIONS_END
};
