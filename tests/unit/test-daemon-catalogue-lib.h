/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tokens and certificates for the catalogue's tests: real keys and certificates made by
 * OpenSSL, in the records that a host sends. */

#include "daemon/catalogue.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define TEST_NOW G_GINT64_CONSTANT(1790000000) /* 2026-09-21 */
#define TEST_DAY G_GINT64_CONSTANT(86400)

/* What a certificate is to say. */
typedef struct {
  const char *subject;        /* CN; NULL: "Alice" */
  const char *addresses;      /* of subjectAltName, comma between; NULL: none */
  const char *key_usage;      /* as in openssl.cnf; NULL: no extension */
  const char *extended_usage; /* likewise; NULL: emailProtection; "": no extension */
  gint64 from;                /* days from TEST_NOW; both 0: -10 */
  gint64 until;               /* both 0: 365 */
  long serial;                /* 0: a new one */
  gboolean ca;
  X509 *issuer; /* NULL: self-signed */
  EVP_PKEY *issuer_key;
} TestCert;

EVP_PKEY *test_rsa(int number); /* one of a few RSA keys, made once */
EVP_PKEY *test_ec(void);        /* a new P-256 key */
EVP_PKEY *test_ed25519(void);
X509 *test_x509(EVP_PKEY *key, const TestCert *wanted);
GBytes *test_der(X509 *x509);
char *test_key_name(EVP_PKEY *key);
char *test_fingerprint(GBytes *der);

/* Records; arrays free their items. */
GPtrArray *test_tokens(void);
/* flags: WIRE_TOKEN_LOGIN_REQUIRED and so on, INITIALIZED is added; generation is 1 */
WireToken *test_add_token(GPtrArray *tokens, guint32 slot, const char *label, const char *serial,
                          guint32 flags);
GPtrArray *test_objects(void);
void test_add_key(GPtrArray *objects, EVP_PKEY *key, const char *label, guint32 flags);
void test_add_cert(GPtrArray *objects, GBytes *der, const char *label);
/* Key and certificate for it, in one. Returns the certificate's DER, owned by the array. */
GBytes *test_add_id(GPtrArray *objects, EVP_PKEY *key, const TestCert *wanted);

/* One token of one host, unlocked, holding `objects` (taken). */
void test_insert(DaemonCatalogue *catalogue, guint host, const char *label, const char *serial,
                 GPtrArray *objects);
/* The host sees nothing any more. */
void test_remove(DaemonCatalogue *catalogue, guint host);

#define TEST_BOTH (WIRE_KEY_SIGN | WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
