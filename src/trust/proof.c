/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/proof.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#define WHOLE_MAX (1024 * 1024) /* for Ed25519, which hashes everything twice */
#define SALT_MAX 512
#define BITS_MIN 112 /* of strength: no SHA-1, RSA from 2,048 */

struct TrustProof {
  EVP_MD_CTX *context;
  GByteArray *whole; /* (nullable) */
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RSA_PSS_PARAMS, RSA_PSS_PARAMS_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_ALGOR, X509_ALGOR_free)

void
trust_proof_free(TrustProof *proof)
{
  if (!proof)
    return;
  EVP_MD_CTX_free(proof->context);
  if (proof->whole)
    g_byte_array_unref(proof->whole);
  g_free(proof);
}

static const EVP_MD *
digest_of(const X509_ALGOR *algorithm)
{
  const ASN1_OBJECT *object;
  X509_ALGOR_get0(&object, NULL, NULL, algorithm);
  return EVP_get_digestbyobj(object);
}

typedef struct {
  const EVP_MD *digest;
  const EVP_MD *mask;
  int salt;
} Pss;

/* RFC 4055 3.1; the defaults are SHA-1, which is not taken. */
static gboolean
read_pss(const X509_ALGOR *algorithm, Pss *ret_pss)
{
  int type;
  const void *value;
  X509_ALGOR_get0(NULL, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE)
    return FALSE;
  g_autoptr(RSA_PSS_PARAMS) pss = ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
  if (!pss || !pss->hashAlgorithm || !pss->maskGenAlgorithm)
    return FALSE;
  const ASN1_OBJECT *object;
  X509_ALGOR_get0(&object, &type, &value, pss->maskGenAlgorithm);
  if (OBJ_obj2nid(object) != NID_mgf1 || type != V_ASN1_SEQUENCE)
    return FALSE;
  g_autoptr(X509_ALGOR) mask = ASN1_item_unpack(value, ASN1_ITEM_rptr(X509_ALGOR));
  long salt = pss->saltLength ? ASN1_INTEGER_get(pss->saltLength) : 20;
  if (!mask || salt < 0 || salt > SALT_MAX)
    return FALSE;
  *ret_pss = (Pss){ digest_of(pss->hashAlgorithm), digest_of(mask), (int)salt };
  return ret_pss->digest && ret_pss->mask;
}

static gboolean
start(TrustProof *proof, const EVP_MD *digest, const Pss *pss, EVP_PKEY *key)
{
  EVP_PKEY_CTX *context = NULL;
  proof->context = EVP_MD_CTX_new();
  if (!proof->context || EVP_DigestVerifyInit(proof->context, &context, digest, NULL, key) != 1)
    return FALSE;
  return !pss || (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_rsa_mgf1_md(context, pss->mask) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(context, pss->salt) == 1);
}

static gboolean
is_weak(const EVP_MD *digest)
{
  return EVP_MD_get_size(digest) * 4 < BITS_MIN;
}

TrustProof *
trust_proof_new(const X509_ALGOR *algorithm, EVP_PKEY *key, char **ret_why)
{
  const ASN1_OBJECT *object;
  int digest_id, key_id;
  Pss pss = { 0 };
  g_autoptr(TrustProof) proof = g_new0(TrustProof, 1);
  X509_ALGOR_get0(&object, NULL, NULL, algorithm);
  if (!key || EVP_PKEY_get_security_bits(key) < BITS_MIN) {
    *ret_why = g_strdup("the issuer's key is too short");
    return NULL;
  }
  if (!OBJ_find_sigid_algs(OBJ_obj2nid(object), &digest_id, &key_id)) {
    *ret_why = g_strdup("it is signed by an algorithm that signet does not know");
    return NULL;
  }
  gboolean is_pss = key_id == NID_rsassaPss;
  gboolean fits = is_pss ? EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")
                         : EVP_PKEY_get_base_id(key) == key_id;
  const EVP_MD *digest = digest_id == NID_undef ? NULL : EVP_get_digestbynid(digest_id);
  if (is_pss && fits)
    fits = read_pss(algorithm, &pss);
  digest = is_pss ? pss.digest : digest;
  gboolean needs_digest =
      key_id == NID_rsaEncryption || key_id == NID_X9_62_id_ecPublicKey || is_pss;
  if (!fits || (needs_digest && !digest))
    *ret_why = g_strdup("its signature does not fit the issuer's key");
  else if (digest && (is_weak(digest) || (is_pss && is_weak(pss.mask))))
    *ret_why = g_strdup("it is signed with a broken hash");
  else if (!start(proof, digest, is_pss ? &pss : NULL, key))
    *ret_why = g_strdup("its signature could not be checked");
  ERR_clear_error();
  if (*ret_why)
    return NULL;
  if (!digest)
    proof->whole = g_byte_array_new();
  return g_steal_pointer(&proof);
}

gboolean
trust_proof_take(TrustProof *proof, gconstpointer bytes, gsize length)
{
  if (!proof->whole)
    return EVP_DigestVerifyUpdate(proof->context, bytes, length) == 1;
  if (length > WHOLE_MAX - proof->whole->len)
    return FALSE;
  g_byte_array_append(proof->whole, bytes, (guint)length);
  return TRUE;
}

gboolean
trust_proof_holds(TrustProof *proof, gconstpointer signature, gsize length)
{
  int good = proof->whole ? EVP_DigestVerify(proof->context, signature, length, proof->whole->data,
                                             proof->whole->len)
                          : EVP_DigestVerifyFinal(proof->context, signature, length);
  ERR_clear_error();
  return good == 1;
}
