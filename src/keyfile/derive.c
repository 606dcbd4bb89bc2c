/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/derive.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define KEY_LENGTH_MAX 256 /* no cipher and no MAC has a longer one */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_KDF, EVP_KDF_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_KDF_CTX, EVP_KDF_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD, EVP_MD_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PBKDF2PARAM, PBKDF2PARAM_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SCRYPT_PARAMS, SCRYPT_PARAMS_free)

static gboolean
malformed(GError **error)
{
  ERR_clear_error();
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                        "the parameters of its encryption are malformed");
}

/* Beyond 64 bits is as large as can be. Zero and below: none. */
static gboolean
number(const ASN1_INTEGER *integer, guint64 *ret_number)
{
  uint64_t value = 0;
  if (ASN1_INTEGER_get_uint64(&value, integer)) {
    *ret_number = value;
    return value > 0;
  }
  ERR_clear_error();
  *ret_number = G_MAXUINT64;
  return ASN1_STRING_type(integer) == V_ASN1_INTEGER;
}

static gboolean
spend(KeyfileReader *reader, const ASN1_INTEGER *integer, guint64 *ret_iterations, GError **error)
{
  *ret_iterations = 1;
  if (integer && !number(integer, ret_iterations))
    return malformed(error);
  return keyfile_reader_spend(reader, *ret_iterations, error);
}

static BaseSecret *
run(KeyfileReader *reader, const char *name, const OSSL_PARAM *params, gsize length, GError **error)
{
  ERR_clear_error();
  g_autoptr(EVP_KDF) kdf = EVP_KDF_fetch(reader->library, name, NULL);
  g_autoptr(EVP_KDF_CTX) context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
  g_autoptr(BaseSecret) key = base_secret_new(length);
  if (!context || !key) {
    base_error_set_openssl(error, SIGNET_ERROR_UNSUPPORTED,
                           "this OpenSSL lacks the key derivation %s", name);
    return NULL;
  }
  if (EVP_KDF_derive(context, base_secret_bytes(key), length, params) != 1) {
    base_error_set_openssl(error, SIGNET_ERROR_UNSUPPORTED, "its key cannot be derived");
    return NULL;
  }
  return g_steal_pointer(&key);
}

static OSSL_PARAM
octets(const char *name, const ASN1_OCTET_STRING *string)
{
  return OSSL_PARAM_construct_octet_string(name, (void *)(gintptr)ASN1_STRING_get0_data(string),
                                           (size_t)ASN1_STRING_length(string));
}

static OSSL_PARAM
secret(BaseSecret *text)
{
  return OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, base_secret_bytes(text),
                                           base_secret_length(text));
}

static OSSL_PARAM
name(const char *key, const char *value)
{
  return OSSL_PARAM_construct_utf8_string(key, (char *)(gintptr)value, 0);
}

/* ---- PKCS #5 version 2 ---- */

static PBKDF2PARAM *
pbkdf2_param(const X509_ALGOR *kdf)
{
  return ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), kdf->parameter);
}

static SCRYPT_PARAMS *
scrypt_param(const X509_ALGOR *kdf)
{
  return ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), kdf->parameter);
}

static const char *
prf_digest(const PBKDF2PARAM *param)
{
  int digest = NID_sha1; /* RFC 8018 A.2: hmacWithSHA1 is the default */
  if (param->prf &&
      !EVP_PBE_find(EVP_PBE_TYPE_PRF, OBJ_obj2nid(param->prf->algorithm), NULL, &digest, NULL))
    return NULL;
  return OBJ_nid2sn(digest);
}

static BaseSecret *
pbkdf2(KeyfileReader *reader, const X509_ALGOR *kdf, BaseSecret *text, gsize length, GError **error)
{
  g_autoptr(PBKDF2PARAM) param = pbkdf2_param(kdf);
  guint64 iterations = 0;
  int unchecked = 1; /* PKCS #5: old files have short salts and few rounds */
  if (!param || !param->salt || param->salt->type != V_ASN1_OCTET_STRING) {
    malformed(error);
    return NULL;
  }
  const char *digest = prf_digest(param);
  if (!digest) {
    ERR_clear_error();
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "its key derivation uses a function that signet does not know");
    return NULL;
  }
  if (!spend(reader, param->iter, &iterations, error))
    return NULL;
  uint64_t rounds = iterations;
  const OSSL_PARAM params[] = { secret(text),
                                octets(OSSL_KDF_PARAM_SALT, param->salt->value.octet_string),
                                OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &rounds),
                                OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &unchecked),
                                name(OSSL_KDF_PARAM_DIGEST, digest),
                                OSSL_PARAM_construct_end() };
  return run(reader, OSSL_KDF_NAME_PBKDF2, params, length, error);
}

/* RFC 7914 2: 128·N·r bytes of memory, and p times that in work. */
static gboolean
spend_scrypt(KeyfileReader *reader, guint64 n, guint64 r, guint64 p, GError **error)
{
  guint64 most = reader->limits->scrypt;
  guint64 memory = n > most || r > most / 128 || n > most / (128 * r) ? 0 : 128 * n * r;
  if (memory == 0)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "%s asks scrypt for more than %" G_GUINT64_FORMAT
                          " bytes of memory (N %" G_GUINT64_FORMAT ", r %" G_GUINT64_FORMAT ")",
                          reader->name, most, n, r);
  return keyfile_reader_spend(reader, p > G_MAXUINT32 ? G_MAXUINT64 : n * r * p, error);
}

static BaseSecret *
scrypt(KeyfileReader *reader, const X509_ALGOR *kdf, BaseSecret *text, gsize length, GError **error)
{
  g_autoptr(SCRYPT_PARAMS) param = scrypt_param(kdf);
  guint64 n = 0, r = 0, p = 0;
  if (!param || !param->salt || !number(param->costParameter, &n) ||
      !number(param->blockSize, &r) || !number(param->parallelizationParameter, &p)) {
    malformed(error);
    return NULL;
  }
  if (!spend_scrypt(reader, n, r, p, error))
    return NULL;
  uint64_t cost = n, memory = 2 * reader->limits->scrypt;
  uint32_t block = (uint32_t)r, lanes = (uint32_t)p;
  const OSSL_PARAM params[] = { secret(text),
                                octets(OSSL_KDF_PARAM_SALT, param->salt),
                                OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &cost),
                                OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &block),
                                OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &lanes),
                                OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
                                OSSL_PARAM_construct_end() };
  return run(reader, "SCRYPT", params, length, error);
}

BaseSecret *
keyfile_derive_pkcs5(KeyfileReader *reader, const X509_ALGOR *kdf, BaseSecret *text, gsize length,
                     GError **error)
{
  char shown[80] = "";
  switch (OBJ_obj2nid(kdf->algorithm)) {
  case NID_id_pbkdf2:
    return pbkdf2(reader, kdf, text, length, error);
  case NID_id_scrypt:
    return scrypt(reader, kdf, text, length, error);
  default:
    OBJ_obj2txt(shown, sizeof shown, kdf->algorithm, 0);
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "its key is derived by %s, which signet does not know", shown);
    return NULL;
  }
}

gsize
keyfile_derive_key_length(const X509_ALGOR *kdf)
{
  int nid = OBJ_obj2nid(kdf->algorithm);
  g_autoptr(PBKDF2PARAM) pbkdf2 = nid == NID_id_pbkdf2 ? pbkdf2_param(kdf) : NULL;
  g_autoptr(SCRYPT_PARAMS) scrypt = nid == NID_id_scrypt ? scrypt_param(kdf) : NULL;
  const ASN1_INTEGER *length = pbkdf2 ? pbkdf2->keylength : scrypt ? scrypt->keyLength : NULL;
  guint64 value = 0;
  if (!length || !number(length, &value))
    return 0;
  return (gsize)MIN(value, KEY_LENGTH_MAX + 1);
}

/* ---- the old ones ---- */

BaseSecret *
keyfile_derive_pbkdf1(KeyfileReader *reader, const KeyfileDerive *derive, BaseSecret *text,
                      gsize length, GError **error)
{
  guint64 iterations = 0;
  if (!spend(reader, derive->iterations, &iterations, error))
    return NULL;
  unsigned int rounds = (unsigned int)iterations;
  const OSSL_PARAM params[] = { secret(text), octets(OSSL_KDF_PARAM_SALT, derive->salt),
                                OSSL_PARAM_construct_uint(OSSL_KDF_PARAM_ITER, &rounds),
                                name(OSSL_KDF_PARAM_DIGEST, derive->digest),
                                OSSL_PARAM_construct_end() };
  return run(reader, OSSL_KDF_NAME_PBKDF1, params, length, error);
}

BaseSecret *
keyfile_derive_pkcs12(KeyfileReader *reader, const KeyfileDerive *derive, int id, BaseSecret *wide,
                      gsize length, GError **error)
{
  guint64 iterations = 0;
  if (!spend(reader, derive->iterations, &iterations, error))
    return NULL;
  uint64_t rounds = iterations;
  const OSSL_PARAM params[] = { secret(wide),
                                octets(OSSL_KDF_PARAM_SALT, derive->salt),
                                OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_ITER, &rounds),
                                OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS12_ID, &id),
                                name(OSSL_KDF_PARAM_DIGEST, derive->digest),
                                OSSL_PARAM_construct_end() };
  return run(reader, "PKCS12KDF", params, length, error);
}
