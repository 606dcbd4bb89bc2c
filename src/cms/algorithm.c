/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/algorithm.h"

#include "base/error.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RSA_PSS_PARAMS, RSA_PSS_PARAMS_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_STRING, ASN1_STRING_free)

#define RSA_WEAK_BELOW 2048
#define EC_WEAK_BELOW 224

static const CmsHash hash_table[] = {
  { NID_md5, "md5", TRUE },
  { NID_sha1, "sha1", TRUE },
  { NID_sha224, "sha224", FALSE },
  { NID_sha256, "sha256", FALSE },
  { NID_sha384, "sha384", FALSE },
  { NID_sha512, "sha512", FALSE },
  { NID_sha3_256, "sha3-256", FALSE },
  { NID_sha3_384, "sha3-384", FALSE },
  { NID_sha3_512, "sha3-512", FALSE },
};

const CmsHash *
cms_hash_of_nid(int nid)
{
  for (gsize i = 0; i < G_N_ELEMENTS(hash_table); i++)
    if (hash_table[i].nid == nid)
      return &hash_table[i];
  return NULL;
}

const CmsHash *
cms_hash_of_name(const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS(hash_table); i++)
    if (strcmp(hash_table[i].name, name) == 0)
      return &hash_table[i];
  return NULL;
}

const CmsHash *
cms_hash_of_algorithm(const X509_ALGOR *algorithm)
{
  const ASN1_OBJECT *object = NULL;
  X509_ALGOR_get0(&object, NULL, NULL, algorithm);
  return cms_hash_of_nid(OBJ_obj2nid(object));
}

const CmsHash *
cms_hash_of_mgf(const X509_ALGOR *mgf)
{
  const ASN1_OBJECT *object = NULL;
  const void *value = NULL;
  int type = V_ASN1_UNDEF;
  if (!mgf)
    return cms_hash_of_nid(NID_sha1);
  X509_ALGOR_get0(&object, &type, &value, mgf);
  if (OBJ_obj2nid(object) != NID_mgf1 || type != V_ASN1_SEQUENCE)
    return NULL;
  const ASN1_STRING *der = value;
  X509_ALGOR *inner = cms_asn_decode(ASN1_STRING_get0_data(der), (gsize)ASN1_STRING_length(der),
                                     ASN1_ITEM_rptr(X509_ALGOR));
  const CmsHash *hash = inner ? cms_hash_of_algorithm(inner) : NULL;
  X509_ALGOR_free(inner);
  return hash;
}

const EVP_MD *
cms_hash_md(const CmsHash *hash)
{
  return EVP_get_digestbynid(hash->nid);
}

GBytes *
cms_hash_digest(const CmsHash *hash, gconstpointer bytes, gsize length)
{
  guint8 digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (!EVP_Digest(bytes, length, digest, &size, cms_hash_md(hash), NULL)) {
    ERR_clear_error();
    return NULL;
  }
  return g_bytes_new(digest, size);
}

const char *
cms_scheme_name(CmsScheme scheme)
{
  static const char *const names[] = { "rsa-pkcs1", "rsa-pss", "ecdsa", "eddsa", "dsa" };
  return names[scheme];
}

/* ---- reading ---- */

static const struct {
  int nid;
  CmsScheme scheme;
  int hash; /* NID_undef: the digestAlgorithm's */
} signature_table[] = {
  { NID_rsaEncryption, CMS_RSA_PKCS1, NID_undef },
  { NID_md5WithRSAEncryption, CMS_RSA_PKCS1, NID_md5 },
  { NID_sha1WithRSAEncryption, CMS_RSA_PKCS1, NID_sha1 },
  { NID_sha1WithRSA, CMS_RSA_PKCS1, NID_sha1 },
  { NID_sha224WithRSAEncryption, CMS_RSA_PKCS1, NID_sha224 },
  { NID_sha256WithRSAEncryption, CMS_RSA_PKCS1, NID_sha256 },
  { NID_sha384WithRSAEncryption, CMS_RSA_PKCS1, NID_sha384 },
  { NID_sha512WithRSAEncryption, CMS_RSA_PKCS1, NID_sha512 },
  { NID_RSA_SHA3_256, CMS_RSA_PKCS1, NID_sha3_256 },
  { NID_RSA_SHA3_384, CMS_RSA_PKCS1, NID_sha3_384 },
  { NID_RSA_SHA3_512, CMS_RSA_PKCS1, NID_sha3_512 },
  { NID_rsassaPss, CMS_RSA_PSS, NID_undef },
  { NID_X9_62_id_ecPublicKey, CMS_ECDSA, NID_undef }, /* older senders name the key here */
  { NID_ecdsa_with_SHA1, CMS_ECDSA, NID_sha1 },
  { NID_ecdsa_with_SHA224, CMS_ECDSA, NID_sha224 },
  { NID_ecdsa_with_SHA256, CMS_ECDSA, NID_sha256 },
  { NID_ecdsa_with_SHA384, CMS_ECDSA, NID_sha384 },
  { NID_ecdsa_with_SHA512, CMS_ECDSA, NID_sha512 },
  { NID_ecdsa_with_SHA3_256, CMS_ECDSA, NID_sha3_256 },
  { NID_ecdsa_with_SHA3_384, CMS_ECDSA, NID_sha3_384 },
  { NID_ecdsa_with_SHA3_512, CMS_ECDSA, NID_sha3_512 },
  { NID_ED25519, CMS_EDDSA, NID_undef },
  { NID_dsa, CMS_DSA, NID_undef },
  { NID_dsaWithSHA1, CMS_DSA, NID_sha1 },
  { NID_dsa_with_SHA224, CMS_DSA, NID_sha224 },
  { NID_dsa_with_SHA256, CMS_DSA, NID_sha256 },
};

/* RFC 4055 3.1; the defaults are SHA-1, MGF1 with SHA-1, 20 bytes, trailer 1. */
static gboolean
pss_read(const X509_ALGOR *algorithm, CmsScheming *scheming)
{
  const void *value = NULL;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(NULL, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE)
    return FALSE;
  const ASN1_STRING *der = value;
  g_autoptr(RSA_PSS_PARAMS) params = cms_asn_decode(
      ASN1_STRING_get0_data(der), (gsize)ASN1_STRING_length(der), ASN1_ITEM_rptr(RSA_PSS_PARAMS));
  if (!params)
    return FALSE;
  scheming->hash = params->hashAlgorithm ? cms_hash_of_algorithm(params->hashAlgorithm)
                                         : cms_hash_of_nid(NID_sha1);
  scheming->mgf_hash = cms_hash_of_mgf(params->maskGenAlgorithm);
  gint64 salt = 20;
  gint64 trailer = 1;
  if (params->saltLength && !ASN1_INTEGER_get_int64(&salt, params->saltLength))
    return FALSE;
  if (params->trailerField && !ASN1_INTEGER_get_int64(&trailer, params->trailerField))
    return FALSE;
  scheming->salt_length = (int)salt;
  return scheming->hash && scheming->mgf_hash && salt >= 0 && salt <= 2048 && trailer == 1;
}

gboolean
cms_scheming_read(const X509_ALGOR *algorithm, const CmsHash *hash, CmsScheming *ret_scheming,
                  gboolean *ret_unknown, char **ret_reason)
{
  const ASN1_OBJECT *object = NULL;
  X509_ALGOR_get0(&object, NULL, NULL, algorithm);
  int nid = OBJ_obj2nid(object);
  gsize row = 0;
  while (row < G_N_ELEMENTS(signature_table) &&
         (nid == NID_undef || signature_table[row].nid != nid))
    row++;
  *ret_unknown = row == G_N_ELEMENTS(signature_table);
  if (*ret_unknown) {
    *ret_reason = g_strdup("its algorithm is not known to signet");
    return FALSE;
  }
  CmsScheming scheming = { signature_table[row].scheme, hash, NULL, 0 };
  if (scheming.scheme == CMS_RSA_PSS && !pss_read(algorithm, &scheming)) {
    ERR_clear_error();
    *ret_reason = g_strdup("its RSASSA-PSS parameters are malformed");
    return FALSE;
  }
  int named = signature_table[row].hash;
  if ((named != NID_undef && named != hash->nid) || scheming.hash != hash) {
    *ret_reason = g_strdup("its algorithms contradict each other");
    return FALSE;
  }
  *ret_scheming = scheming;
  return TRUE;
}

/* ---- writing ---- */

static gboolean
pss_write(const CmsScheming *scheming, X509_ALGOR *algorithm)
{
  g_autoptr(RSA_PSS_PARAMS) params = RSA_PSS_PARAMS_new();
  ASN1_STRING *mgf = NULL;
  ASN1_STRING *packed = NULL;
  X509_ALGOR *mgf_hash = X509_ALGOR_new();
  if (!params || !mgf_hash)
    return FALSE;
  params->hashAlgorithm = X509_ALGOR_new();
  params->maskGenAlgorithm = X509_ALGOR_new();
  params->saltLength = ASN1_INTEGER_new();
  X509_ALGOR_set_md(params->hashAlgorithm, cms_hash_md(scheming->hash));
  X509_ALGOR_set_md(mgf_hash, cms_hash_md(scheming->mgf_hash));
  ASN1_INTEGER_set(params->saltLength, scheming->salt_length);
  ASN1_item_pack(mgf_hash, ASN1_ITEM_rptr(X509_ALGOR), &mgf);
  X509_ALGOR_free(mgf_hash);
  X509_ALGOR_set0(params->maskGenAlgorithm, OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, mgf);
  if (!ASN1_item_pack(params, ASN1_ITEM_rptr(RSA_PSS_PARAMS), &packed))
    return FALSE;
  return X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rsassaPss), V_ASN1_SEQUENCE, packed);
}

static int
ecdsa_nid(const CmsHash *hash)
{
  for (gsize i = 0; i < G_N_ELEMENTS(signature_table); i++)
    if (signature_table[i].scheme == CMS_ECDSA && signature_table[i].hash == hash->nid)
      return signature_table[i].nid;
  return NID_undef;
}

gboolean
cms_scheming_write(const CmsScheming *scheming, X509_ALGOR *algorithm, GError **error)
{
  gboolean good = FALSE;
  switch (scheming->scheme) {
  case CMS_RSA_PKCS1: /* what mailers expect (RFC 3370 3.2), the hash being said elsewhere */
    good = X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rsaEncryption), V_ASN1_NULL, NULL);
    break;
  case CMS_RSA_PSS:
    good = pss_write(scheming, algorithm);
    break;
  case CMS_ECDSA: /* RFC 5754 3.3: no parameters */
    good = X509_ALGOR_set0(algorithm, OBJ_nid2obj(ecdsa_nid(scheming->hash)), V_ASN1_UNDEF, NULL);
    break;
  case CMS_EDDSA: /* RFC 8419 2.2: no parameters */
    good = X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_ED25519), V_ASN1_UNDEF, NULL);
    break;
  case CMS_DSA:
    break;
  }
  return good || base_error_set_openssl(error, SIGNET_ERROR_FAILED,
                                        "cannot name the signature algorithm in the message");
}

/* ---- checking ---- */

static gboolean
key_fits(const CmsScheming *scheming, EVP_PKEY *key)
{
  switch (scheming->scheme) {
  case CMS_RSA_PKCS1:
    return EVP_PKEY_is_a(key, "RSA");
  case CMS_RSA_PSS:
    return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
  case CMS_ECDSA:
    return EVP_PKEY_is_a(key, "EC");
  case CMS_EDDSA:
    return EVP_PKEY_is_a(key, "ED25519");
  case CMS_DSA:
    return EVP_PKEY_is_a(key, "DSA");
  }
  return FALSE;
}

static gboolean
verify_digest(const CmsScheming *scheming, EVP_PKEY *key, GBytes *digest, const guint8 *signature,
              gsize length)
{
  g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new(key, NULL);
  if (!context || EVP_PKEY_verify_init(context) <= 0)
    return FALSE;
  if (scheming->scheme == CMS_RSA_PSS) {
    if (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) <= 0 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(context, cms_hash_md(scheming->mgf_hash)) <= 0 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(context, scheming->salt_length) <= 0)
      return FALSE;
  } else if (scheming->scheme == CMS_RSA_PKCS1) {
    if (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) <= 0)
      return FALSE;
  }
  if (EVP_PKEY_CTX_set_signature_md(context, cms_hash_md(scheming->hash)) <= 0)
    return FALSE;
  return EVP_PKEY_verify(context, signature, length, g_bytes_get_data(digest, NULL),
                         g_bytes_get_size(digest)) == 1;
}

static gboolean
verify_message(EVP_PKEY *key, GBytes *message, const guint8 *signature, gsize length)
{
  g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
  return context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
         EVP_DigestVerify(context, signature, length, g_bytes_get_data(message, NULL),
                          g_bytes_get_size(message)) == 1;
}

gboolean
cms_scheming_verify(const CmsScheming *scheming, EVP_PKEY *key, GBytes *message, GBytes *digest,
                    const ASN1_OCTET_STRING *signature)
{
  if (!key_fits(scheming, key))
    return FALSE;
  const guint8 *bytes = ASN1_STRING_get0_data(signature);
  gsize length = (gsize)ASN1_STRING_length(signature);
  gboolean good = scheming->scheme == CMS_EDDSA
                      ? verify_message(key, message, bytes, length)
                      : verify_digest(scheming, key, digest, bytes, length);
  ERR_clear_error();
  return good;
}

/* A person's name for it: "SHA-1". */
static const char *
weak_name(const CmsHash *hash)
{
  return hash->nid == NID_md5 ? "MD5" : "SHA-1";
}

char *
cms_scheming_weakness(const CmsScheming *scheming, EVP_PKEY *key)
{
  int bits = EVP_PKEY_get_bits(key);
  gboolean curve = EVP_PKEY_is_a(key, "EC");
  gboolean edwards = EVP_PKEY_is_a(key, "ED25519");
  if (scheming->hash->weak)
    return g_strdup_printf("it was made with %s, which is broken", weak_name(scheming->hash));
  if (scheming->mgf_hash && scheming->mgf_hash->nid == NID_md5)
    return g_strdup("it was made with MD5, which is broken");
  if (!edwards && bits < (curve ? EC_WEAK_BELOW : RSA_WEAK_BELOW))
    return g_strdup_printf("its key of %d bits is too short", bits);
  return NULL;
}
