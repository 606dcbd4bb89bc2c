/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* CMS that streams: each of these is a sink (base/flow.h) that takes a message, or content, piece
 * by piece, and pushes the other into `out`. Structures (recipients, certificates, signers) are held, bounded
 * by CMS_STRUCTURE_MAX; content never is.
 *
 * `out` stays the caller's in all of them, and is finished by them when all is well. What comes out before that
 * is not yet known to be good: a caller that must not let out what fails puts a spool there.
 */

#include "base/flow.h"
#include "cms/cms.h"

/* ---- opening (EnvelopedData, AuthEnvelopedData) ---- */

typedef struct {
  gboolean authenticated;
  char *cipher;
  char *key; /* which key opened it */
  char *id;
} CmsUnsealed;

/* DER or BER in. The token is asked when all recipients are known, before content is decrypted; errors as
 * cms_decrypt() has them. Tag or padding are checked by finish().
 *
 * Where a content key was sealed by RSA v1.5 and another of our keys could be tried after it, the
 * sealed content is spooled, and comes out at finish(). */
BaseSink *cms_unseal_new(SignetClient *client, BaseSink *out);
const CmsUnsealed *cms_unseal_result(BaseSink *sink); /* after finish(); the sink's own */

/* ---- sealing ---- */

/* Content in, message out. `length` of the content: -1 not known (indefinite lengths then; else DER).
 * IO when the content turns out to be longer or shorter than that. */
BaseSink *cms_seal_new(GPtrArray *recipients, const char *cipher, gint64 length, BaseSink *out,
                       GError **error);

/* ---- signing ---- */

/* Content in. Detached: the SignedData comes out at finish(). Else: the message with its
 * content, as DER where `length` is known, else with indefinite lengths.
 *
 * The length of an ECDSA signature is not known before it is made, so with such a key content of
 * a known length is held back up to this; of longer content the three outer lengths are
 * indefinite (BER), and the content is one primitive OCTET STRING. The key is asked by finish();
 * `length` (-1: not known) is checked. */
#define CMS_SIGN_HELD_MAX (1024 * 1024)
BaseSink *cms_sign_new(SignetClient *client, const CmsSigner *signer, gboolean detached,
                       gint64 length, BaseSink *out, GError **error);

/* ---- verifying ---- */

/* Message with its content in, content out (`out` NULL: it is only hashed). DER or BER.
 *
 * The content is hashed with the hashes that the message announces before it (RFC 5652 5.1);
 * where it announces none or one that signet does not know, with SHA-256, -384, -512 and -1. A
 * signer with another one is CMS_SIGNATURE_UNKNOWN and its reason says so. Likewise pure Ed25519
 * without signed attributes over content longer than CMS_KEPT_MAX (hashing.h), here and below. */
BaseSink *cms_verify_new(GPtrArray *extra_certificates, BaseSink *out);
/* Detached: the signature is known and small, the content is what goes in. BAD_INPUT when the
 * signature has its content inside. */
BaseSink *cms_verify_detached_new(GBytes *signature, GPtrArray *extra_certificates, GError **error);
/* After finish(): `content` is NULL. (transfer full) */
CmsVerified *cms_verify_result(BaseSink *sink, GError **error);
