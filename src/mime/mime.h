/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* S/MIME (RFC 8551) on mail: which part is signed or sealed, and building such
 * messages. Signed bytes are taken raw, by the boundary, and in CRLF form; GMime reads header values
 * and encodings, and is loaded by the first mime_read() only. */

#include "cms/cms.h"
#include "trust/trust.h"

typedef enum {
  MIME_PLAIN,         /* nothing of ours: not signed, not sealed */
  MIME_SIGNED,        /* multipart/signed; application/pkcs7-signature */
  MIME_OPAQUE_SIGNED, /* application/pkcs7-mime; smime-type=signed-data */
  MIME_SEALED,        /* application/pkcs7-mime; enveloped-data or authEnveloped-data */
  MIME_CERTIFICATES   /* application/pkcs7-mime; certs-only */
} MimeKind;

typedef struct {
  MimeKind kind;
  char *from; /* (nullable) the one From address, normal form; NULL if none or several */
  int from_count;
  char *subject; /* (nullable) decoded */
  /* The outer message headers that are not Content-* or MIME-Version, as they stand. */
  GBytes *headers;
  /* MIME_SIGNED: the signed entity in CRLF form; PLAIN: the entity; others: the decoded CMS DER. */
  GBytes *content;
  GBytes *signature; /* MIME_SIGNED: CMS DER */
  /* There is content that the signature does not cover (extra parts, preamble text). */
  gboolean outside;
} MimeMessage;

/* `message`: a whole mail or a bare MIME entity, LF or CRLF. Malformed: BAD_INPUT. */
MimeMessage *mime_read(GBytes *message, GError **error);
void mime_message_free(MimeMessage *message);

/* From address only, cheaply, from the header block: (nullable) normal form; TRUE and NULL when
 * there is none. Two different From addresses: BAD_INPUT. */
gboolean mime_from(GBytes *message, char **ret_from, GError **error);

/* The part of `message` to be signed or sealed: its MIME entity (Content-* headers and body) in
 * canonical CRLF form. A single text part that servers would change on the way (8-bit, long or
 * "From " lines) becomes quoted-printable; a message without Content-Type text/plain.
 * *ret_headers: the other headers, LF or CRLF as the message has them. */
gboolean mime_split(GBytes *message, GBytes **ret_entity, GBytes **ret_headers, GError **error);

/* New messages: `headers` (may be NULL) + MIME. Line ends are those of `headers`, LF when empty. */
GBytes *mime_build_signed(GBytes *headers, GBytes *entity, GBytes *signature, const char *hash,
                          GError **error);
GBytes *mime_build_cms(GBytes *headers, GBytes *cms, MimeKind kind, gboolean authenticated,
                       GError **error);
/* What decrypt gives back: the sealed message's outer headers with the opened entity in place. */
GBytes *mime_build_opened(GBytes *headers, GBytes *entity, GError **error);

/* TRUE when bytes parse as a MIME entity with a header block: a sealed mail that
 * opened to anything else was altered and is refused. */
gboolean mime_is_entity(GBytes *entity);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MimeMessage, mime_message_free)
