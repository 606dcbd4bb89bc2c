/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The little DER that sits between PKCS#11 attributes and the rest of the world:
 * SubjectPublicKeyInfo out of attributes and out of certificates, and ECDSA signatures.
 * By hand, because 1,000 keys are read at once and OpenSSL's decoders take 50 us each, and because
 * a signature's wrapping must not allocate. */

#include "base/cert.h"

/* One element of `at`: its content, and where the next one begins. FALSE: malformed. */
typedef struct {
  guint8 tag;
  const guint8 *content;
  gsize length;
  const guint8 *next;
} TokenDer;

gboolean token_der_read(const guint8 *at, const guint8 *end, TokenDer *ret_element);

/* rsaEncryption with modulus and exponent as PKCS#11 gives them (big-endian, unsigned). NULL: absurd. */
GBytes *token_spki_rsa(const guint8 *modulus, gsize modulus_length, const guint8 *exponent,
                       gsize exponent_length);

/* From CKA_EC_PARAMS and CKA_EC_POINT, either form of the latter. NULL: no key that we know. */
GBytes *token_spki_ec(const guint8 *params, gsize params_length, const guint8 *point,
                      gsize point_length);

/* Where the SubjectPublicKeyInfo is in a certificate. NULL: malformed. */
GBytes *token_spki_of_certificate(const guint8 *der, gsize length);

/* What a SubjectPublicKeyInfo is. `field_length` of a coordinate (EC), `modulus_length` (RSA). */
typedef struct {
  BaseKeyKind kind;
  int bits;
  gsize modulus_length;
  gsize field_length;
  const guint8 *key; /* the BIT STRING's bytes, in `spki` */
  gsize key_length;
} TokenSpki;

gboolean token_spki_read(GBytes *spki, TokenSpki *ret_facts);

/* The curve of CKA_EC_PARAMS; BASE_KEY_OTHER when it is none of ours. */
BaseKeyKind token_curve(const guint8 *params, gsize length);
gsize token_curve_field(BaseKeyKind kind);
/* CKA_EC_PARAMS (an OID) of a curve. */
const guint8 *token_curve_oid(BaseKeyKind kind, gsize *ret_length);

#define TOKEN_ECDSA_DER_MAX (2 * (66 + 3) + 3)

/* r||s as PKCS#11 has it to SEQUENCE { r, s }; 0: an odd or absurd length, or r or s zero. RFC 3279 2.2.3. */
gsize token_ecdsa_der(const guint8 *raw, gsize length, guint8 out[TOKEN_ECDSA_DER_MAX]);
