/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An OpenSSL 3 provider over libsignet: EVP_PKEYs whose private half is on a
 * token. Built in to our own programs; `provider/init.c` holds what a loadable
 * file of it will export.
 *
 * OpenSSL 3.0 swallows a provider's errors (CMS_decrypt clears them and goes on
 * with a random key), so the reason of the last failure is kept here, per
 * thread, as a GError. */

#include <signet/key.h>

#include <openssl/evp.h>

/* A library context of its own with the default provider and ours loaded. The
 * client is borrowed, and must outlive the context. Free with provider_context_free(). */
OSSL_LIB_CTX *provider_context_new(SignetClient *client, GError **error);
void provider_context_free(OSSL_LIB_CTX *context);

/* The EVP_PKEY of a key on a token; `public_key` is the SubjectPublicKeyInfo DER
 * (from a certificate or signet_id_generate()), so that no round trip is needed. */
EVP_PKEY *provider_key_new(OSSL_LIB_CTX *context, const char *key, GBytes *public_key,
                           GError **error);

/* RSA v1.5 decryption hides bad padding behind a key of the wanted length (signet_key_decrypt()),
 * so the length must be known: from this parameter (size_t) of the key or of the operation's
 * context, else from an output buffer of at most 64 bytes. */
#define PROVIDER_PARAM_WANTED_LENGTH "signet-wanted-length"
gboolean provider_key_set_wanted_length(EVP_PKEY *key, gsize length);

/* The failure of the last provider operation on this thread, if it failed for a
 * reason that is not the data's: PIN_REQUIRED, TOKEN_GONE, TIMEOUT, DENIED, … Takes it. */
GError *provider_take_error(void);
