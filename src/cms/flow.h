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
  gboolean weak; /* 3DES: read, but no longer safe (RFC 8551 2.7, B.2) */
  char *key;     /* which key opened it */
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

typedef struct {
  GPtrArray *recipients; /* (element-type BaseCert) */
  const char *cipher;    /* as cms_cipher_check() has it */
  gboolean oaep;         /* RSA: RSAES-OAEP with SHA-256 instead of v1.5 */
  gint64 length;         /* of the content; -1: not known (indefinite lengths then; else DER) */
} CmsSealing;

/* Content in, message out. IO when the content turns out to be longer or shorter than `length`.
 * `sealing` is not needed after this call. */
BaseSink *cms_seal_new(const CmsSealing *sealing, BaseSink *out, GError **error);

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

/* ---- looking inside, without any key ---- */

/* A message, of any size, in. The content is counted, not held. */
BaseSink *cms_info_new(void);
CmsInfo *cms_info_result(BaseSink *sink, GError **error); /* after finish(); (transfer full) */

/* What a message is, by its `head`, the first bytes: SIGNED (certificates only too), ENVELOPED, AUTH_ENVELOPED
 * or OTHER. CMS_TYPE_HEAD of them suffice. */
#define CMS_TYPE_HEAD 64
CmsType cms_type_of(const guint8 *head, gsize length);
