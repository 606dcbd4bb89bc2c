/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hashes and signature algorithms: their identifiers in a message, made and understood,
 * and checking a signature with a public key. */

#include "cms/asn1.h"
#include "cms/cms.h"

typedef struct {
  int nid;
  const char *name; /* "sha256", as signet/key.h has it */
  gboolean weak;
} CmsHash;

/* NULL when not known */
const CmsHash *cms_hash_of_nid(int nid);
const CmsHash *cms_hash_of_name(const char *name);
const CmsHash *cms_hash_of_algorithm(const X509_ALGOR *algorithm);
/* Of a mask generation function: SHA-1 when absent (RFC 4055 2.2), NULL when it is no MGF1. */
const CmsHash *cms_hash_of_mgf(const X509_ALGOR *mgf);
const EVP_MD *cms_hash_md(const CmsHash *hash);
GBytes *cms_hash_digest(const CmsHash *hash, gconstpointer bytes, gsize length);

typedef enum { CMS_RSA_PKCS1, CMS_RSA_PSS, CMS_ECDSA, CMS_EDDSA, CMS_DSA } CmsScheme;

/* One way to sign, taken from a SignerInfo or chosen for a key. */
typedef struct {
  CmsScheme scheme;
  const CmsHash *hash;     /* of the attributes (or of the content without attributes) */
  const CmsHash *mgf_hash; /* PSS */
  int salt_length;         /* PSS */
} CmsScheming;

const char *cms_scheme_name(CmsScheme scheme); /* "rsa-pkcs1" */

/* FALSE with a reason (transfer full) when unknown or contradictory; `hash` is the digestAlgorithm's. */
gboolean cms_scheming_read(const X509_ALGOR *algorithm, const CmsHash *hash,
                           CmsScheming *ret_scheming, gboolean *ret_unknown, char **ret_reason);

/* The AlgorithmIdentifier to write for it, into an existing one. */
gboolean cms_scheming_write(const CmsScheming *scheming, X509_ALGOR *algorithm, GError **error);

/* Of `message`, whose digest is `digest` (pure Ed25519 takes the message, the others the digest).
 * FALSE: not by this key. */
gboolean cms_scheming_verify(const CmsScheming *scheming, EVP_PKEY *key, GBytes *message,
                             GBytes *digest, const ASN1_OCTET_STRING *signature);

/* (nullable) why nobody should rely on it any more: "it was made with SHA-1, which is broken" */
char *cms_scheming_weakness(const CmsScheming *scheming, EVP_PKEY *key);
