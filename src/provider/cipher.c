/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* RSA decryption: PKCS#1 v1.5 with implicit rejection (which cannot be turned off) and OAEP.
 * Encryption is the public half's. */

#include "base/error.h"
#include "provider/key.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <string.h>

#define SESSION_KEY_MAX 64 /* signet_key_decrypt() */
#define LABEL_MAX 1024

static OSSL_FUNC_asym_cipher_newctx_fn cipher_new;
static OSSL_FUNC_asym_cipher_freectx_fn cipher_free;
static OSSL_FUNC_asym_cipher_dupctx_fn cipher_dup;
static OSSL_FUNC_asym_cipher_decrypt_init_fn cipher_init;
static OSSL_FUNC_asym_cipher_decrypt_fn cipher_decrypt;
static OSSL_FUNC_asym_cipher_encrypt_fn cipher_encrypt;
static OSSL_FUNC_asym_cipher_get_ctx_params_fn cipher_get_params;
static OSSL_FUNC_asym_cipher_set_ctx_params_fn cipher_set_params;

typedef struct {
  ProviderContext *context;
  ProviderKey *key;
  int padding;
  const char *hash;     /* (nullable): of OAEP, sha1 */
  const char *mgf_hash; /* (nullable): as hash */
  GBytes *label;        /* (nullable) */
  gsize wanted;         /* 0: not said */
} Cipher;

static void *
cipher_new(void *context)
{
  Cipher *cipher = g_new0(Cipher, 1);
  cipher->context = context;
  cipher->padding = RSA_PKCS1_PADDING;
  return cipher;
}

static void
cipher_free(void *data)
{
  Cipher *cipher = data;
  if (!cipher)
    return;
  provider_key_object_free(cipher->key);
  g_clear_pointer(&cipher->label, g_bytes_unref);
  g_free(cipher);
}

static void *
cipher_dup(void *data)
{
  Cipher *copy = g_memdup2(data, sizeof *copy);
  if (copy->key)
    provider_key_object_ref(copy->key);
  if (copy->label)
    g_bytes_ref(copy->label);
  return copy;
}

static int
cipher_init(void *data, void *key, const OSSL_PARAM params[])
{
  Cipher *cipher = data;
  if (key) {
    provider_key_object_ref(key);
    provider_key_object_free(cipher->key);
    cipher->key = key;
  }
  return cipher->key && cipher->key->public && cipher_set_params(cipher, params);
}

static const guint8 *
label_of(const Cipher *cipher, gsize *ret_length)
{
  *ret_length = 0;
  return cipher->label ? g_bytes_get_data(cipher->label, ret_length) : NULL;
}

/* A bigger buffer says nothing of the session key: callers give one of the modulus' size. */
static gsize
wanted_length(const Cipher *cipher, const unsigned char *out, size_t size)
{
  if (cipher->wanted)
    return cipher->wanted;
  if (cipher->key->wanted)
    return cipher->key->wanted;
  return out && size <= SESSION_KEY_MAX ? size : 0;
}

static int
cipher_decrypt(void *data, unsigned char *out, size_t *ret_length, size_t size,
               const unsigned char *in, size_t length)
{
  const Cipher *cipher = data;
  g_autoptr(GBytes) bytes = NULL;
  gboolean oaep = cipher->padding == RSA_PKCS1_OAEP_PADDING;
  SignetOperation operation = { .mechanism = oaep ? SIGNET_RSA_OAEP : SIGNET_RSA_PKCS1,
                                .data = in,
                                .data_length = length };
  if (oaep) {
    operation.hash = cipher->hash;
    operation.mgf_hash = cipher->mgf_hash;
    operation.label = label_of(cipher, &operation.label_length);
  } else {
    operation.wanted = wanted_length(cipher, out, size);
  }
  if (!out) {
    *ret_length =
        operation.wanted ? operation.wanted : (size_t)EVP_PKEY_get_size(cipher->key->public);
    return 1;
  }
  if (!oaep && !operation.wanted)
    return provider_fail(SIGNET_ERROR_USAGE, "RSA v1.5 decryption needs the session key's length; "
                                             "set " PROVIDER_PARAM_WANTED_LENGTH);
  return provider_key_object_operate(cipher->key, PROVIDER_DECRYPT, &operation, &bytes) &&
         provider_copy_out(bytes, out, ret_length, size);
}

/* ---- encryption ---- */

static int
set_hash_of(EVP_PKEY_CTX *context, const Cipher *cipher, const char *name,
            int (*set)(EVP_PKEY_CTX *context, const EVP_MD *md))
{
  EVP_MD *md = EVP_MD_fetch(cipher->context->libctx, name, PROVIDER_PUBLIC);
  int done = md && set(context, md) > 0;
  EVP_MD_free(md);
  return done;
}

static int
set_label(EVP_PKEY_CTX *context, const Cipher *cipher)
{
  gsize length = 0;
  const guint8 *bytes = label_of(cipher, &length);
  void *copy = length ? OPENSSL_memdup(bytes, length) : NULL;
  if (!copy)
    return length == 0;
  if (EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, (int)length) > 0)
    return 1;
  OPENSSL_free(copy);
  return 0;
}

static int
prepare_encrypt(EVP_PKEY_CTX *context, const Cipher *cipher)
{
  if (EVP_PKEY_encrypt_init(context) <= 0 ||
      EVP_PKEY_CTX_set_rsa_padding(context, cipher->padding) <= 0)
    return 0;
  if (cipher->padding != RSA_PKCS1_OAEP_PADDING)
    return 1;
  return (!cipher->hash ||
          set_hash_of(context, cipher, cipher->hash, EVP_PKEY_CTX_set_rsa_oaep_md)) &&
         (!cipher->mgf_hash ||
          set_hash_of(context, cipher, cipher->mgf_hash, EVP_PKEY_CTX_set_rsa_mgf1_md)) &&
         set_label(context, cipher);
}

static int
cipher_encrypt(void *data, unsigned char *out, size_t *ret_length, size_t size,
               const unsigned char *in, size_t length)
{
  const Cipher *cipher = data;
  EVP_PKEY_CTX *context = provider_key_object_public_context(cipher->key);
  *ret_length = size;
  int done = context && prepare_encrypt(context, cipher) &&
             EVP_PKEY_encrypt(context, out, ret_length, in, length) > 0;
  EVP_PKEY_CTX_free(context);
  return done;
}

/* ---- parameters ---- */

static int
set_padding(Cipher *cipher, const OSSL_PARAM *param)
{
  int padding = 0;
  const char *word = NULL;
  if (param->data_type != OSSL_PARAM_UTF8_STRING)
    OSSL_PARAM_get_int(param, &padding);
  else if (OSSL_PARAM_get_utf8_string_ptr(param, &word))
    padding = g_str_equal(word, OSSL_PKEY_RSA_PAD_MODE_OAEP)      ? RSA_PKCS1_OAEP_PADDING
              : g_str_equal(word, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) ? RSA_PKCS1_PADDING
                                                                  : 0;
  if (padding != RSA_PKCS1_PADDING && padding != RSA_PKCS1_OAEP_PADDING)
    return provider_fail(SIGNET_ERROR_UNSUPPORTED,
                         "keys on tokens decrypt with PKCS#1 v1.5 or OAEP padding only");
  cipher->padding = padding;
  return 1;
}

static int
set_hash(const char **ret_hash, const OSSL_PARAM *param)
{
  const char *name = NULL;
  const char *hash = OSSL_PARAM_get_utf8_string_ptr(param, &name) ? provider_hash_name(name) : NULL;
  if (!hash)
    return provider_fail(SIGNET_ERROR_UNSUPPORTED, "OAEP on tokens takes SHA-1 and SHA-2 only");
  *ret_hash = hash;
  return 1;
}

static int
take_label(Cipher *cipher, const OSSL_PARAM *param)
{
  const void *label = NULL;
  size_t length = 0;
  if (!OSSL_PARAM_get_octet_string_ptr(param, &label, &length) || length > LABEL_MAX)
    return provider_fail(SIGNET_ERROR_TOO_LARGE, "the OAEP label is longer than 1024 bytes");
  g_clear_pointer(&cipher->label, g_bytes_unref);
  if (length)
    cipher->label = g_bytes_new(label, length);
  return 1;
}

static int
cipher_set_params(void *data, const OSSL_PARAM params[])
{
  Cipher *cipher = data;
  const OSSL_PARAM *padding = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_PAD_MODE);
  const OSSL_PARAM *hash = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST);
  const OSSL_PARAM *mgf = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST);
  const OSSL_PARAM *label = OSSL_PARAM_locate_const(params, OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL);
  const OSSL_PARAM *wanted = OSSL_PARAM_locate_const(params, PROVIDER_PARAM_WANTED_LENGTH);
  return (!padding || set_padding(cipher, padding)) && (!hash || set_hash(&cipher->hash, hash)) &&
         (!mgf || set_hash(&cipher->mgf_hash, mgf)) && (!label || take_label(cipher, label)) &&
         (!wanted || OSSL_PARAM_get_size_t(wanted, &cipher->wanted));
}

static int
get_padding(const Cipher *cipher, OSSL_PARAM *param)
{
  gboolean oaep = cipher->padding == RSA_PKCS1_OAEP_PADDING;
  if (param->data_type != OSSL_PARAM_UTF8_STRING)
    return OSSL_PARAM_set_int(param, cipher->padding);
  return OSSL_PARAM_set_utf8_string(param, oaep ? OSSL_PKEY_RSA_PAD_MODE_OAEP
                                                : OSSL_PKEY_RSA_PAD_MODE_PKCSV15);
}

static int
get_label(const Cipher *cipher, OSSL_PARAM *param)
{
  gsize length = 0;
  const guint8 *label = label_of(cipher, &length);
  return OSSL_PARAM_set_octet_ptr(param, label, length);
}

static int
cipher_get_params(void *data, OSSL_PARAM params[])
{
  const Cipher *cipher = data;
  const char *name = cipher->hash ? cipher->hash : "sha1";
  OSSL_PARAM *padding = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_PAD_MODE);
  OSSL_PARAM *hash = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST);
  OSSL_PARAM *mgf = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST);
  OSSL_PARAM *label = OSSL_PARAM_locate(params, OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL);
  return (!padding || get_padding(cipher, padding)) &&
         (!hash || OSSL_PARAM_set_utf8_string(hash, name)) &&
         (!mgf || OSSL_PARAM_set_utf8_string(mgf, cipher->mgf_hash ? cipher->mgf_hash : name)) &&
         (!label || get_label(cipher, label));
}

static const OSSL_PARAM *
cipher_settable(void *cipher G_GNUC_UNUSED, void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, NULL, 0),
    OSSL_PARAM_size_t(PROVIDER_PARAM_WANTED_LENGTH, NULL),
    OSSL_PARAM_END
  };
  return params;
}

static const OSSL_PARAM *
cipher_gettable(void *cipher G_GNUC_UNUSED, void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, NULL, 0),
    OSSL_PARAM_DEFN(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, OSSL_PARAM_OCTET_PTR, NULL, 0),
    OSSL_PARAM_END
  };
  return params;
}

static const OSSL_DISPATCH cipher_functions[] = {
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_NEWCTX, cipher_new),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_FREECTX, cipher_free),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_DUPCTX, cipher_dup),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, cipher_init),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_DECRYPT, cipher_decrypt),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_ENCRYPT_INIT, cipher_init),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_ENCRYPT, cipher_encrypt),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_GET_CTX_PARAMS, cipher_get_params),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_GETTABLE_CTX_PARAMS, cipher_gettable),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS, cipher_set_params),
  PROVIDER_FUNCTION(OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS, cipher_settable),
  PROVIDER_FUNCTIONS_END
};

const OSSL_ALGORITHM provider_cipher_table[] = { { "RSA:rsaEncryption:1.2.840.113549.1.1.1",
                                                   PROVIDER_PROPERTIES, cipher_functions, NULL },
                                                 { NULL, NULL, NULL, NULL } };
