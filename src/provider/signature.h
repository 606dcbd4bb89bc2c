/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One signature operation: RSA (PKCS#1 v1.5, PSS) or ECDSA over a digest. */

#include "provider/key.h"

#include <openssl/evp.h>

typedef struct {
  ProviderContext *context;
  ProviderKey *key;
  EVP_MD_CTX *digest;   /* under way, in digest_sign and digest_verify */
  const char *hash;     /* (nullable): "sha256" */
  const char *mgf_hash; /* (nullable): as hash */
  int padding;          /* RSA_PKCS1_PADDING or RSA_PKCS1_PSS_PADDING */
  int salt;             /* bytes, or RSA_PSS_SALTLEN_* */
} ProviderSignature;

gboolean provider_signature_is_rsa(const ProviderSignature *signature);
/* Bytes, with the RSA_PSS_SALTLEN_* words resolved; -1 when the key is too small. */
int provider_signature_salt(const ProviderSignature *signature);
int provider_signature_set_hash(ProviderSignature *signature, const char *name);
/* DER of the AlgorithmIdentifier; NULL when there is none. Free with OPENSSL_free(). */
unsigned char *provider_signature_algorithm(const ProviderSignature *signature, int *ret_length);

int provider_signature_get_params(void *data, OSSL_PARAM params[]);
int provider_signature_set_params(void *data, const OSSL_PARAM params[]);
const OSSL_PARAM *provider_signature_gettable(void *signature, void *context);
const OSSL_PARAM *provider_signature_settable(void *signature, void *context);
