/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files put together piece by piece, for what no command writes. */

#include "keyfile-world.h"

#include <openssl/pkcs12.h>

typedef STACK_OF(PKCS12_SAFEBAG) Bags;
typedef STACK_OF(PKCS7) Safes;

EVP_PKEY *craft_key(World *world, const char *name); /* NAME.key */
PKCS12_SAFEBAG *craft_key_bag(World *world, const char *name, const char *passphrase,
                              int iterations);
PKCS12_SAFEBAG *craft_open_key_bag(World *world, const char *name);
PKCS12_SAFEBAG *craft_cert_bag(World *world, const char *name);
PKCS12_SAFEBAG *craft_nested_bag(Bags *inner, int depth);
PKCS12_SAFEBAG *craft_unknown_bag(void); /* of the type 1.2.3.4 */
X509_CRL *craft_crl(void);

/* A PFX with a MAC of 10 rounds. Take the safes and the p12. */
void craft_save(World *world, const char *file, Safes *safes, const char *passphrase);
void craft_save_p12(World *world, const char *file, PKCS12 *p12);

/* DER of SafeContents `depth` deep in safeContentsBags; and a PFX around such bytes. */
GBytes *craft_nested_safe(Bags *inner, int depth);
GBytes *craft_pfx(GBytes *safe_contents, const char *passphrase);

/* The same in BER: indefinite lengths, OCTET STRINGs in parts. */
GBytes *craft_indefinite(GBytes *pfx);
/* RFC 9579's MAC added to a PFX without one. */
GBytes *craft_pbmac1(GBytes *pfx, const char *passphrase, const char *prf, const char *mac,
                     int key_length);
GBytes *craft_scrypt(World *world, const char *name, const char *passphrase, guint64 n, guint64 r,
                     guint64 p);
/* PKCS #8 of NAME.key with one of its numbers off by two. */
GBytes *craft_damaged_rsa(World *world, const char *name, const char *part);

/* An EncryptedPrivateKeyInfo with this algorithm and garbage. Takes the algorithm. */
GBytes *craft_sealed(X509_ALGOR *algorithm);
X509_ALGOR *craft_scrypt_algorithm(const guint8 *iv, guint64 n, guint64 r, guint64 p);
