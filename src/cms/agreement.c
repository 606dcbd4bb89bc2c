/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/recipient.h"

#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

/* ECDH as RFC 5753 has it. The token gives the shared x coordinate only; the KDF (X9.63) and the
 * key unwrap (RFC 3394) are done here, since few tokens know them and none of them all. */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EC_GROUP, EC_GROUP_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EC_POINT, EC_POINT_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_KDF, EVP_KDF_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_KDF_CTX, EVP_KDF_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_ALGOR, X509_ALGOR_free)

#define KEK_MAX 32
#define WRAPPED_MAX 128

static const struct {
  int nid;
  const char *hash;
} scheme_table[] = {
  { NID_dhSinglePass_stdDH_sha1kdf_scheme, "SHA1" },
  { NID_dhSinglePass_stdDH_sha224kdf_scheme, "SHA2-224" },
  { NID_dhSinglePass_stdDH_sha256kdf_scheme, "SHA2-256" },
  { NID_dhSinglePass_stdDH_sha384kdf_scheme, "SHA2-384" },
  { NID_dhSinglePass_stdDH_sha512kdf_scheme, "SHA2-512" },
  /* The cofactor of the P curves is 1, so these are the same. */
  { NID_dhSinglePass_cofactorDH_sha1kdf_scheme, "SHA1" },
  { NID_dhSinglePass_cofactorDH_sha224kdf_scheme, "SHA2-224" },
  { NID_dhSinglePass_cofactorDH_sha256kdf_scheme, "SHA2-256" },
  { NID_dhSinglePass_cofactorDH_sha384kdf_scheme, "SHA2-384" },
  { NID_dhSinglePass_cofactorDH_sha512kdf_scheme, "SHA2-512" },
};

static const struct {
  int nid;
  gsize length;
  const EVP_CIPHER *(*evp)(void);
} wrap_table[] = {
  { NID_id_aes128_wrap, 16, EVP_aes_128_wrap },
  { NID_id_aes192_wrap, 24, EVP_aes_192_wrap },
  { NID_id_aes256_wrap, 32, EVP_aes_256_wrap },
  { NID_id_smime_alg_CMS3DESwrap, 24, EVP_des_ede3_wrap },
};

static const char *
scheme_hash(int nid)
{
  for (gsize i = 0; i < G_N_ELEMENTS(scheme_table); i++)
    if (scheme_table[i].nid == nid)
      return scheme_table[i].hash;
  return NULL;
}

/* What one agreement needs besides the shared secret. */
typedef struct {
  const char *hash;
  X509_ALGOR *wrap_algorithm;
  const EVP_CIPHER *wrap;
  gsize kek_length;
} Terms;

static void
terms_clear(Terms *terms)
{
  X509_ALGOR_free(terms->wrap_algorithm);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Terms, terms_clear)

static gboolean
terms_read(const CmsAsnAgreement *agreement, Terms *terms)
{
  const void *value = NULL;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(NULL, &type, &value, agreement->algorithm);
  terms->hash = scheme_hash(OBJ_obj2nid(agreement->algorithm->algorithm));
  if (!terms->hash || type != V_ASN1_SEQUENCE)
    return FALSE;
  const ASN1_STRING *der = value;
  terms->wrap_algorithm = cms_asn_decode(ASN1_STRING_get0_data(der), (gsize)ASN1_STRING_length(der),
                                         ASN1_ITEM_rptr(X509_ALGOR));
  int nid = terms->wrap_algorithm ? OBJ_obj2nid(terms->wrap_algorithm->algorithm) : NID_undef;
  for (gsize i = 0; i < G_N_ELEMENTS(wrap_table); i++)
    if (wrap_table[i].nid == nid) {
      terms->wrap = wrap_table[i].evp();
      terms->kek_length = wrap_table[i].length;
    }
  return terms->wrap != NULL;
}

/* The sender's point as 04||X||Y. It must lie on the curve of our key: a token may not check,
 * and tell its key bit by bit through points that do not. */
static GBytes *
peer_point(const CmsAsnAgreement *agreement, const char *kind, GError **error)
{
  int nid = strcmp(kind, "ec:p256") == 0   ? NID_X9_62_prime256v1
            : strcmp(kind, "ec:p384") == 0 ? NID_secp384r1
            : strcmp(kind, "ec:p521") == 0 ? NID_secp521r1
                                           : NID_undef;
  g_autoptr(EC_GROUP) group = nid == NID_undef ? NULL : EC_GROUP_new_by_curve_name(nid);
  g_autoptr(EC_POINT) point = group ? EC_POINT_new(group) : NULL;
  if (!point) {
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "cannot agree on a key with a key of kind %s",
                   kind);
    return NULL;
  }
  const ASN1_BIT_STRING *bits = agreement->originator->d.public_key->key;
  guint8 bytes[256];
  gsize length = 0;
  if (EC_POINT_oct2point(group, point, ASN1_STRING_get0_data(bits), (gsize)ASN1_STRING_length(bits),
                         NULL) == 1 &&
      !EC_POINT_is_at_infinity(group, point))
    length =
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes, sizeof bytes, NULL);
  if (length == 0) {
    ERR_clear_error();
    base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                   "cannot decrypt: the sender's public key does not fit yours");
    return NULL;
  }
  return g_bytes_new(bytes, length);
}

static BaseSecret *
derive_kek(const CmsAsnAgreement *agreement, const Terms *terms, GBytes *shared)
{
  guint8 *info = NULL;
  int info_length =
      CMS_SharedInfo_encode(&info, terms->wrap_algorithm, agreement->ukm, (int)terms->kek_length);
  g_autoptr(EVP_KDF) kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_X963KDF, NULL);
  g_autoptr(EVP_KDF_CTX) context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
  g_autoptr(BaseSecret) kek = base_secret_new(terms->kek_length);
  gsize secret_length = 0;
  gconstpointer secret = g_bytes_get_data(shared, &secret_length);
  gboolean good = FALSE;
  if (context && kek && info_length > 0) {
    /* OSSL_PARAM has no const, and only reads these. */
    OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(guintptr)terms->hash, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(guintptr)secret,
                                        secret_length),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, (gsize)info_length),
      OSSL_PARAM_construct_end(),
    };
    good = EVP_KDF_derive(context, base_secret_bytes(kek), terms->kek_length, params) == 1;
  }
  OPENSSL_free(info);
  ERR_clear_error();
  return good ? g_steal_pointer(&kek) : NULL;
}

static BaseSecret *
unwrap(const Terms *terms, BaseSecret *kek, const ASN1_OCTET_STRING *wrapped, gsize wanted)
{
  g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
  g_autoptr(BaseSecret) key = base_secret_new(WRAPPED_MAX);
  int length = ASN1_STRING_length(wrapped);
  int done = 0;
  if (!context || !key || length <= 0 || length > WRAPPED_MAX - 16)
    return NULL;
  EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  gboolean good =
      EVP_DecryptInit_ex(context, terms->wrap, NULL, base_secret_bytes(kek), NULL) == 1 &&
      EVP_DecryptUpdate(context, base_secret_bytes(key), &done, ASN1_STRING_get0_data(wrapped),
                        length) == 1;
  ERR_clear_error();
  if (!good || done < 0 || (gsize)done != wanted)
    return NULL;
  base_secret_truncate(key, wanted);
  return g_steal_pointer(&key);
}

BaseSecret *
cms_agreement_open(const CmsRecipient *recipient, const CmsKeys *keys, const SignetMatch *match,
                   gsize wanted, GError **error)
{
  const CmsAsnAgreement *agreement = recipient->agreement;
  g_auto(Terms) terms = { NULL, NULL, NULL, 0 };
  if (agreement->originator->type != CMS_ASN_PUBLIC_KEY || !terms_read(agreement, &terms)) {
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "the key agreement of this message is of a kind signet does not know");
    return NULL;
  }
  g_autoptr(GBytes) point = peer_point(agreement, match->kind, error);
  if (!point)
    return NULL;
  SignetOperation operation = { .mechanism = SIGNET_ECDH };
  operation.data = g_bytes_get_data(point, &operation.data_length);
  g_autoptr(GBytes) shared = keys->derive(keys->data, match->key, &operation, error);
  if (!shared)
    return NULL;
  g_autoptr(BaseSecret) kek = derive_kek(agreement, &terms, shared);
  BaseSecret *key = kek ? unwrap(&terms, kek, recipient->key->key, wanted) : NULL;
  if (!key)
    base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                   "cannot decrypt: the sealed key is damaged, or is for another key");
  return key;
}
