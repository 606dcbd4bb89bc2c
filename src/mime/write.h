/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mail that is made, in constant memory: the entity of a message as it is to be signed or sealed, and
 * new messages around it. No GMime here, so that signing does not load it.
 *
 * A message is read twice (base/flow.h, BaseInput): once to see what its body needs, and to hash it, once
 * to write it. */

#include "base/flow.h"
#include "mime/kind.h"

/* ---- the entity of a message ---- */

typedef enum {
  MIME_FOR_SIGNING, /* a fragile single text part becomes quoted-printable (RFC 8551 3.1.3) */
  MIME_FOR_SEALING  /* stays as the person wrote it: no server sees it */
} MimePurpose;

/* Header fields that are repeated inside what is signed or sealed (RFC 9788). */
typedef enum {
  MIME_PROTECT_NOTHING,
  MIME_PROTECT_SIGNED, /* hp="clear" */
  MIME_PROTECT_SEALED  /* hp="cipher"; outside the Subject becomes "[...]", Comments and Keywords
                          are left out (hcp_baseline), and HP-Outer says what stood outside */
} MimeProtection;

typedef struct MimeEntity MimeEntity;

/* Looks through `input` once. `input` stays the caller's and outlives the entity. BAD_INPUT for
 * what is no mail. */
MimeEntity *mime_entity_new(BaseInput *input, MimePurpose purpose, MimeProtection protection,
                            GError **error);
void mime_entity_free(MimeEntity *entity);

/* (nullable) the From address, normal form; BAD_INPUT was said for two From fields. */
const char *mime_entity_from(const MimeEntity *entity);
/* There is a From, which names several or nobody. */
gboolean mime_entity_from_is_unclear(const MimeEntity *entity);
/* The outer header fields that stay outside, line ends as they came, those of `protection` changed;
 * the entity's own. */
GBytes *mime_entity_headers(MimeEntity *entity);
/* Exact, in bytes of the canonical form. Where the body is made quoted-printable it is read for it. */
gboolean mime_entity_length(MimeEntity *entity, gint64 *ret_length, GError **error);
/* Pushes the entity in canonical form (CRLF); no finish(). */
gboolean mime_entity_push(MimeEntity *entity, BaseSink *to, GError **error);

/* ---- messages around it ---- */

/* multipart/signed as it is sealed: an entity in canonical form, without other headers. `entity` stays the
 * caller's. */
typedef struct MimeSigned MimeSigned;
MimeSigned *mime_signed_new(MimeEntity *entity, GBytes *signature, const char *hash,
                            GError **error);
void mime_signed_free(MimeSigned *mail);
gboolean mime_signed_length(MimeSigned *mail, gint64 *ret_length, GError **error);
gboolean mime_signed_push(MimeSigned *mail, BaseSink *to, GError **error); /* no finish() */

/* multipart/signed: `headers` (nullable), the entity, the signature; `to` is finished. Line ends are those
 * of `headers`, LF when there are none, CRLF where the entity is binary. */
gboolean mime_write_signed(GBytes *headers, MimeEntity *entity, GBytes *signature, const char *hash,
                           BaseSink *to, GError **error);

/* application/pkcs7-mime: takes DER, writes base64; finish() ends the
 * part and finishes `to`, which stays the caller's. */
BaseSink *mime_write_cms_new(GBytes *headers, MimeKind kind, gboolean authenticated, BaseSink *to,
                             GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MimeEntity, mime_entity_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MimeSigned, mime_signed_free)
