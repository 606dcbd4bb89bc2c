/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Parameters of signatures. OpenSSL 3.0 sends paddings and salt lengths as text or as numbers,
 * as the caller came by EVP_PKEY_CTX_ctrl or by OSSL_PARAM, so both are taken and given. */

#include "base/error.h"
#include "provider/signature.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  int value;
  const char *word;
} Word;

static const Word paddings[] = { { RSA_PKCS1_PADDING, OSSL_PKEY_RSA_PAD_MODE_PKCSV15 },
                                 { RSA_PKCS1_PSS_PADDING, OSSL_PKEY_RSA_PAD_MODE_PSS } };
static const Word salts[] = { { RSA_PSS_SALTLEN_DIGEST, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST },
                              { RSA_PSS_SALTLEN_MAX, OSSL_PKEY_RSA_PSS_SALT_LEN_MAX },
                              { RSA_PSS_SALTLEN_AUTO, OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO } };

static gboolean
read_word(const OSSL_PARAM *param, const Word *words, gsize n, int *ret_value)
{
  if (param->data_type != OSSL_PARAM_UTF8_STRING)
    return OSSL_PARAM_get_int(param, ret_value);
  for (gsize i = 0; i < n; i++)
    if (strcmp(words[i].word, param->data) == 0) {
      *ret_value = words[i].value;
      return TRUE;
    }
  guint64 number = 0;
  if (!g_ascii_string_to_unsigned(param->data, 10, 0, PROVIDER_OUTPUT_MAX, &number, NULL))
    return FALSE;
  *ret_value = (int)number;
  return TRUE;
}

static int
write_word(OSSL_PARAM *param, const Word *words, gsize n, int value)
{
  char number[16];
  if (param->data_type != OSSL_PARAM_UTF8_STRING)
    return OSSL_PARAM_set_int(param, value);
  for (gsize i = 0; i < n; i++)
    if (words[i].value == value)
      return OSSL_PARAM_set_utf8_string(param, words[i].word);
  g_snprintf(number, sizeof number, "%d", value);
  return OSSL_PARAM_set_utf8_string(param, number);
}

static int
set_padding(ProviderSignature *signature, const OSSL_PARAM *param)
{
  int padding = 0;
  if (!read_word(param, paddings, G_N_ELEMENTS(paddings), &padding) ||
      (padding != RSA_PKCS1_PADDING && padding != RSA_PKCS1_PSS_PADDING))
    return provider_fail(SIGNET_ERROR_UNSUPPORTED,
                         "keys on tokens sign with PKCS#1 v1.5 or PSS only");
  signature->padding = padding;
  return 1;
}

static int
set_salt(ProviderSignature *signature, const OSSL_PARAM *param)
{
  int salt = 0;
  if (!read_word(param, salts, G_N_ELEMENTS(salts), &salt) || salt < RSA_PSS_SALTLEN_MAX)
    return provider_fail(SIGNET_ERROR_USAGE, "no such PSS salt length");
  signature->salt = salt;
  return 1;
}

static int
set_mgf_hash(ProviderSignature *signature, const OSSL_PARAM *param)
{
  const char *name = NULL;
  signature->mgf_hash =
      OSSL_PARAM_get_utf8_string_ptr(param, &name) ? provider_hash_name(name) : NULL;
  return signature->mgf_hash ||
         provider_fail(SIGNET_ERROR_UNSUPPORTED, "PSS on tokens masks with SHA-1 and SHA-2 only");
}

int
provider_signature_set_params(void *data, const OSSL_PARAM params[])
{
  ProviderSignature *signature = data;
  const OSSL_PARAM *hash = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_DIGEST);
  const OSSL_PARAM *padding = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
  const OSSL_PARAM *salt = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
  const OSSL_PARAM *mgf = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
  const char *name = NULL;
  return (!hash || (OSSL_PARAM_get_utf8_string_ptr(hash, &name) &&
                    provider_signature_set_hash(signature, name))) &&
         (!padding || set_padding(signature, padding)) && (!salt || set_salt(signature, salt)) &&
         (!mgf || set_mgf_hash(signature, mgf));
}

static int
get_algorithm(const ProviderSignature *signature, OSSL_PARAM *param)
{
  int length = 0;
  unsigned char *der = provider_signature_algorithm(signature, &length);
  int written = der && OSSL_PARAM_set_octet_string(param, der, (size_t)length);
  OPENSSL_free(der);
  return written;
}

int
provider_signature_get_params(void *data, OSSL_PARAM params[])
{
  const ProviderSignature *signature = data;
  const char *hash = signature->hash ? signature->hash : "";
  OSSL_PARAM *algorithm = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
  OSSL_PARAM *digest = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_DIGEST);
  OSSL_PARAM *padding = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
  OSSL_PARAM *salt = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
  OSSL_PARAM *mgf = OSSL_PARAM_locate(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
  return (!algorithm || get_algorithm(signature, algorithm)) &&
         (!digest || OSSL_PARAM_set_utf8_string(digest, hash)) &&
         (!padding || write_word(padding, paddings, G_N_ELEMENTS(paddings), signature->padding)) &&
         (!salt || write_word(salt, salts, G_N_ELEMENTS(salts), signature->salt)) &&
         (!mgf ||
          OSSL_PARAM_set_utf8_string(mgf, signature->mgf_hash ? signature->mgf_hash : hash));
}

#define RSA_PARAMS                                                       \
  OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),          \
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),    \
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0), \
      OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0)

const OSSL_PARAM *
provider_signature_gettable(void *signature G_GNUC_UNUSED, void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0), RSA_PARAMS, OSSL_PARAM_END
  };
  return params;
}

const OSSL_PARAM *
provider_signature_settable(void *signature G_GNUC_UNUSED, void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = { RSA_PARAMS, OSSL_PARAM_END };
  return params;
}
