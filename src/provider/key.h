/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Objects of the provider: the context that OpenSSL loads it into, and keys. */

#include "provider/operations.h"

#include <openssl/core.h>
#include <openssl/core_dispatch.h>

#define PROVIDER_NAME "signet"
#define PROVIDER_PROPERTIES "provider=signet"
#define PROVIDER_PUBLIC \
  "provider=default"                     /* who does the work with public keys, digests and KDFs */
#define PROVIDER_KEY_NAME_LENGTH 64      /* hex digits of a SHA-256 */
#define PROVIDER_OUTPUT_MAX 2048         /* bytes: RSA up to 16384 bits */
#define PROVIDER_MESSAGE_MAX (64 * 1024) /* Ed25519 signs the message itself */

typedef struct {
  OSSL_LIB_CTX *libctx;
  const ProviderOperations *operations;
  gpointer data;
} ProviderContext;

/* The public half is an ordinary EVP_PKEY of the default provider, which answers for all
 * that needs no private key. A key without a name is a peer's (EC), made by OpenSSL itself. */
typedef struct {
  int references; /* atomic */
  ProviderContext *context;
  char *name;       /* (nullable): what the token's holder knows it by */
  EVP_PKEY *public; /* (nullable) until a peer's key is set */
  char *group;      /* (nullable): of an EC key */
  gsize wanted;     /* PROVIDER_PARAM_WANTED_LENGTH; 0: not said */
} ProviderKey;

ProviderKey *provider_key_object_new(ProviderContext *context);
ProviderKey *provider_key_object_ref(ProviderKey *key);
void provider_key_object_free(ProviderKey *key);
gboolean provider_key_object_set_public(ProviderKey *key, gconstpointer spki, gsize length);
gboolean provider_key_object_has_private(const ProviderKey *key);

/* A context for an operation with the public half. */
EVP_PKEY_CTX *provider_key_object_public_context(const ProviderKey *key);

/* Runs an operation; 0 or 1 as OpenSSL wants it. A failure is kept for provider_take_error() and
 * put on OpenSSL's queue. Writes at most `size` bytes. */
typedef enum { PROVIDER_SIGN, PROVIDER_DECRYPT, PROVIDER_DERIVE } ProviderVerb;
int provider_key_object_operate(const ProviderKey *key, ProviderVerb verb,
                                const SignetOperation *operation, GBytes **ret_bytes);
int provider_copy_out(GBytes *bytes, unsigned char *out, size_t *ret_length, size_t size);

/* Keeps a failure of ours that is not libsignet's. Returns 0. */
int provider_fail(SignetError code, const char *message);
void provider_clear_error(void);

/* "sha256" for whatever name OpenSSL has for it; NULL for a hash that no token does. */
const char *provider_hash_name(const char *openssl_name);

extern const OSSL_ALGORITHM provider_keymgmt_table[];
extern const OSSL_ALGORITHM provider_signature_table[];
extern const OSSL_ALGORITHM provider_cipher_table[];
extern const OSSL_ALGORITHM provider_exchange_table[];
extern const OSSL_ALGORITHM provider_store_table[];

extern const OSSL_DISPATCH provider_ed25519_signature[];

#define PROVIDER_FUNCTION(id, function) \
  {                                     \
    id, (void (*)(void))(function)      \
  }
#define PROVIDER_FUNCTIONS_END \
  {                            \
    0, NULL                    \
  }
