/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* bench-keys fills a token: keys.c makes a key and its self-signed certificate, keys-token.c
 * stores them through PKCS#11. */

#include <glib.h>
#include <openssl/x509.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

typedef struct KeysToken KeysToken;

KeysToken *keys_token_open(const char *module, const char *label, const char *pin, GError **error);
void keys_token_close(KeysToken *token);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeysToken, keys_token_close)

/* Stores private key, public key and certificate under one CKA_ID (big-endian id, two bytes). */
gboolean keys_token_store(KeysToken *token, const char *name, guint16 id, EVP_PKEY *key,
                          X509 *certificate, GError **error);
