/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One private-key operation: what libsignet asks, the broker checks and the
 * host does. The same bytes travel in a key channel's frame and in the host
 * channel's OPERATE request; the Varlink methods carry the same fields as JSON. */

#include "base/secret.h"
#include "wire/pack.h"

typedef enum {
  /* data: the digest (RSA, ECDSA) or the message (Ed25519) */
  WIRE_SIGN = 1,
  /* data: RSA ciphertext, modulus-sized */
  WIRE_DECRYPT = 2,
  /* data: the peer's public point, uncompressed 04||X||Y; answer: the x coordinate */
  WIRE_DERIVE = 3
} WireVerb;

typedef enum {
  /* sign: DigestInfo is added from `hash`; decrypt: implicit rejection, `wanted` */
  WIRE_RSA_PKCS1 = 1,
  /* sign; `hash`, `mgf_hash`, `salt` */
  WIRE_RSA_PSS = 2,
  /* decrypt; `hash`, `mgf_hash`, `label` */
  WIRE_RSA_OAEP = 3,
  /* sign; answer is DER SEQUENCE(r, s) */
  WIRE_ECDSA = 4,
  /* sign; pure Ed25519 over data */
  WIRE_EDDSA = 5,
  /* derive, CKD_NULL */
  WIRE_ECDH = 6
} WireMechanism;

typedef enum {
  WIRE_HASH_NONE = 0, /* RSA_PKCS1 sign: data is a complete DigestInfo already */
  WIRE_SHA1 = 1,
  WIRE_SHA256 = 2,
  WIRE_SHA384 = 3,
  WIRE_SHA512 = 4,
  WIRE_SHA224 = 5
} WireHash;

typedef struct {
  WireVerb verb;
  WireMechanism mechanism;
  WireHash hash;
  WireHash mgf_hash;
  guint32 salt;   /* PSS salt length in bytes */
  guint32 wanted; /* RSA_PKCS1 decrypt: length of the session key, 1 to 64 */
  const guint8 *label;
  gsize label_length;
  const guint8 *data;
  gsize data_length;
} WireOperation;

void wire_operation_pack(const WireOperation *operation, WirePacker *packer);
/* Points into the reader's buffer. Checks every field against limits.h and against each other
 * (hash length, verb and mechanism): BAD_INPUT for bytes that are no operation, USAGE or
 * TOO_LARGE for one that makes no sense. */
gboolean wire_operation_unpack(WireReader *reader, WireOperation *ret_operation, GError **error);
gboolean wire_operation_check(const WireOperation *operation, GError **error);

/* In bytes; 0 for NONE. */
gsize wire_hash_length(WireHash hash);
/* "sha256", as OpenSSL fetches it. */
const char *wire_hash_name(WireHash hash);
/* Of "sha256", "SHA2-256", "SHA256"; NONE when unknown. */
WireHash wire_hash_from_name(const char *name);
/* "rsa-pkcs1", "rsa-pss", "rsa-oaep", "ecdsa", "eddsa", "ecdh". */
const char *wire_mechanism_name(WireMechanism mechanism);
gboolean wire_mechanism_from_name(const char *name, WireMechanism *ret_mechanism);
/* "sign", "decrypt", "derive". */
const char *wire_verb_name(WireVerb verb);
