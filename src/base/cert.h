/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Facts of a certificate or public key, taken from its DER with OpenSSL and
 * kept as plain data, so that a catalogue of thousands is small and no caller
 * handles X509 structures just to print a name. */

#include <glib.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define BASE_CERT_DER_MAX (256 * 1024)

typedef enum {
  BASE_KEY_RSA,
  BASE_KEY_EC_P256,
  BASE_KEY_EC_P384,
  BASE_KEY_EC_P521,
  BASE_KEY_ED25519,
  BASE_KEY_OTHER
} BaseKeyKind;

/* What a certificate says it is for. A bit is set only when keyUsage and
 * extendedKeyUsage (each where present) allow it. */
typedef enum {
  /* mail: digitalSignature or nonRepudiation, EKU emailProtection or any or absent */
  BASE_USE_SIGN = 1 << 0,
  /* mail: keyEncipherment (RSA) or keyAgreement (EC), EKU as above */
  BASE_USE_ENCRYPT = 1 << 1,
  /* EKU clientAuth or smartcardLogon, and a keyUsage that fits */
  BASE_USE_AUTH = 1 << 2,
  /* basicConstraints CA, keyCertSign where keyUsage is present */
  BASE_USE_CA = 1 << 3
} BaseUse;

typedef struct {
  GBytes *der;
  char *fingerprint; /* SHA-256 of the DER, 64 lower-case hex digits */
  /* SHA-256 of the SubjectPublicKeyInfo DER, 64 hex digits: a key's name everywhere in signet */
  char *key;
  char *subject; /* RFC 2253, UTF-8, control characters escaped (base/text.h) */
  char *issuer;
  char *serial;      /* hex, no leading 0x */
  char *common_name; /* (nullable) control characters escaped */
  /* rfc822Names, then the subject's emailAddresses, each once; domain in lower case; never NULL */
  char **addresses;
  /* SHA-256 of the issuer's Name DER and then the serial's INTEGER DER, hex: what a
   * RecipientInfo names it by */
  char *issuer_serial;
  char *subject_key_id; /* (nullable) hex */
  GBytes *subject_der;
  GBytes *issuer_der;
  gint64 not_before; /* seconds since 1970 */
  gint64 not_after;
  BaseKeyKind kind;
  int bits;
  guint use;            /* BaseUse bits */
  gboolean self_signed; /* subject equals issuer and the signature verifies with its own key */
} BaseCert;

/* `der` must be exactly one certificate; anything else is BAD_INPUT. */
BaseCert *base_cert_new(GBytes *der, GError **error);
BaseCert *base_cert_new_from_x509(X509 *x509, GError **error);
void base_cert_free(BaseCert *cert);

/* Reads every certificate in PEM text, DER certificates (one, or several in a row), or a
 * DER/PEM .p7b. (element-type BaseCert), never empty; at most 1,000. One that is malformed is
 * BAD_INPUT for the whole. `name` is the file, for errors. */
GPtrArray *base_cert_read_all(GBytes *bytes, const char *name, GError **error);

X509 *base_cert_to_x509(const BaseCert *cert, GError **error);
char *base_cert_to_pem(const BaseCert *cert);

/* SHA-256 hex of a SubjectPublicKeyInfo DER / of an EVP_PKEY's public part. */
char *base_key_name(gconstpointer spki, gsize length);
char *base_key_name_of(EVP_PKEY *key);

/* "rsa:2048", "ec:p256", "ed25519"; parse accepts what cli.md lists. */
char *base_key_kind_text(BaseKeyKind kind, int bits);
gboolean base_key_kind_parse(const char *text, BaseKeyKind *ret_kind, int *ret_bits,
                             GError **error);

/* An e-mail address as signet compares them: local part exact, domain lower case. NULL when
 * it is none (no @ or two, control characters, blanks, no domain name, over 254 bytes). */
char *base_address_normal(const char *address);
gboolean base_address_equal(const char *a, const char *b);

char *base_hex(gconstpointer bytes, gsize length);
/* NULL when it is no even hex. */
GBytes *base_unhex(const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseCert, base_cert_free)
