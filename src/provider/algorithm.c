/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* AlgorithmIdentifiers of signatures, which CMS_sign, X509_REQ_sign and the like ask of the
 * operation's context. RFC 4055 3.1 and 5, RFC 5758 3.2. */

#include "provider/signature.h"

#include <openssl/asn1t.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define PSS_SALT_DEFAULT 20 /* RFC 8017 A.2.3: DEFAULT values are left out in DER */

static X509_ALGOR *
hash_algorithm(const char *hash)
{
  X509_ALGOR *algorithm = X509_ALGOR_new();
  /* RFC 5754 2: the parameters of SHA-2 are absent; with PSS NULL is the custom, and what
   * OpenSSL itself writes and everybody reads (RFC 4055 2.1). */
  if (algorithm && X509_ALGOR_set0(algorithm, OBJ_nid2obj(OBJ_txt2nid(hash)), V_ASN1_NULL, NULL))
    return algorithm;
  X509_ALGOR_free(algorithm);
  return NULL;
}

static X509_ALGOR *
mask_algorithm(const char *hash)
{
  X509_ALGOR *inner = hash_algorithm(hash);
  X509_ALGOR *mask = X509_ALGOR_new();
  ASN1_STRING *packed = inner ? ASN1_item_pack(inner, ASN1_ITEM_rptr(X509_ALGOR), NULL) : NULL;
  X509_ALGOR_free(inner);
  if (mask && packed && X509_ALGOR_set0(mask, OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, packed))
    return mask;
  ASN1_STRING_free(packed);
  X509_ALGOR_free(mask);
  return NULL;
}

static gboolean
fill_pss(RSA_PSS_PARAMS *pss, const char *hash, const char *mgf_hash, int salt)
{
  if (!g_str_equal(hash, "sha1") && !(pss->hashAlgorithm = hash_algorithm(hash)))
    return FALSE;
  if (!g_str_equal(mgf_hash, "sha1") && !(pss->maskGenAlgorithm = mask_algorithm(mgf_hash)))
    return FALSE;
  if (salt == PSS_SALT_DEFAULT)
    return TRUE;
  pss->saltLength = ASN1_INTEGER_new();
  return pss->saltLength && ASN1_INTEGER_set(pss->saltLength, salt);
}

static gboolean
set_pss(X509_ALGOR *algorithm, const ProviderSignature *signature)
{
  const char *mgf_hash = signature->mgf_hash ? signature->mgf_hash : signature->hash;
  int salt = provider_signature_salt(signature);
  RSA_PSS_PARAMS *pss = RSA_PSS_PARAMS_new();
  ASN1_STRING *packed = NULL;
  if (pss && salt >= 0 && fill_pss(pss, signature->hash, mgf_hash, salt))
    packed = ASN1_item_pack(pss, ASN1_ITEM_rptr(RSA_PSS_PARAMS), NULL);
  RSA_PSS_PARAMS_free(pss);
  if (packed && X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_rsassaPss), V_ASN1_SEQUENCE, packed))
    return TRUE;
  ASN1_STRING_free(packed);
  return FALSE;
}

static gboolean
set_plain(X509_ALGOR *algorithm, const ProviderSignature *signature)
{
  gboolean rsa = provider_signature_is_rsa(signature);
  int nid = NID_undef;
  int key = rsa ? NID_rsaEncryption : NID_X9_62_id_ecPublicKey;
  /* RFC 4055 5: NULL with RSA; RFC 5758 3.2: absent with ECDSA. */
  return OBJ_find_sigid_by_algs(&nid, OBJ_txt2nid(signature->hash), key) &&
         X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL);
}

unsigned char *
provider_signature_algorithm(const ProviderSignature *signature, int *ret_length)
{
  unsigned char *der = NULL;
  if (!signature->key || !signature->hash)
    return NULL;
  gboolean pss =
      provider_signature_is_rsa(signature) && signature->padding == RSA_PKCS1_PSS_PADDING;
  X509_ALGOR *algorithm = X509_ALGOR_new();
  if (algorithm && (pss ? set_pss(algorithm, signature) : set_plain(algorithm, signature))) {
    int length = i2d_X509_ALGOR(algorithm, &der);
    if (length > 0)
      *ret_length = length;
  }
  X509_ALGOR_free(algorithm);
  return der;
}
