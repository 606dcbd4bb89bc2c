/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From a passphrase to a key. Each call reads the parameters itself and spends the reader's
 * iterations before it derives anything.
 *
 * Errors: TOO_LARGE, UNSUPPORTED (this OpenSSL lacks an algorithm), BAD_INPUT (parameters). */

#include "keyfile/reader.h"

/* PKCS #5's KDFs by their AlgorithmIdentifier: PBKDF2 and scrypt. `length` is what the cipher
 * takes, and *ret_length, where the parameters name another one, is theirs. */
BaseSecret *keyfile_derive_pkcs5(KeyfileReader *reader, const X509_ALGOR *kdf, BaseSecret *text,
                                 gsize length, GError **error);
/* The length that the KDF's parameters name; 0 for none. */
gsize keyfile_derive_key_length(const X509_ALGOR *kdf);

/* What the old schemes take. */
typedef struct {
  const ASN1_OCTET_STRING *salt;
  const ASN1_INTEGER *iterations; /* NULL: 1 */
  const char *digest;
} KeyfileDerive;

/* PBKDF1 (RFC 8018 5.1): at most 20 bytes. */
BaseSecret *keyfile_derive_pbkdf1(KeyfileReader *reader, const KeyfileDerive *derive,
                                  BaseSecret *text, gsize length, GError **error);
/* RFC 7292 B.2; `id`: PKCS12_KEY_ID, PKCS12_IV_ID or PKCS12_MAC_ID. */
BaseSecret *keyfile_derive_pkcs12(KeyfileReader *reader, const KeyfileDerive *derive, int id,
                                  BaseSecret *wide, gsize length, GError **error);
