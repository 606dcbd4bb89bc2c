/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an entity says it is: Content-Type and Content-Transfer-Encoding, read by GMime. */

#include "mime/gmime.h"
#include "mime/scan.h"

typedef struct {
  const MimeGmime *gmime;
  GMimeContentType *type;
} MimeType;

/* Without the field: text/plain. BAD_INPUT for two of them. */
gboolean mime_type_read(const MimeGmime *gmime, const MimeHeader *header, MimeType *ret_type,
                        GError **error);
void mime_type_clear(MimeType *type);

const char *mime_type_parameter(const MimeType *type, const char *name); /* NULL: not there */
gboolean mime_type_is(const MimeType *type, const char *media, const char *subtype); /* "*": any */
gboolean mime_type_is_cms(const MimeType *type);       /* application/pkcs7-mime, or named so */
gboolean mime_type_is_signature(const MimeType *type); /* application/pkcs7-signature */
gboolean mime_type_is_signed(const MimeType *type);    /* multipart/signed, of S/MIME */
/* BAD_INPUT: a multipart without a boundary. */
const char *mime_type_boundary(const MimeType *type, GError **error);

typedef enum { MIME_AS_IT_IS, MIME_BASE64, MIME_QUOTED } MimeEncoding;

gboolean mime_encoding_read(const MimeHeader *header, MimeEncoding *ret_encoding, GError **error);
/* A stage that decodes; owns `next`. */
BaseSink *mime_encoding_decoder(MimeEncoding encoding, BaseSink *next);

/* Text for a person, safe on a terminal: encoded words decoded, bad UTF-8, control characters and
 * those that turn the direction of text replaced. */
char *mime_shown(const MimeGmime *gmime, const char *raw);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MimeType, mime_type_clear)
