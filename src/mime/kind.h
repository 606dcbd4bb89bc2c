/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a mail is to S/MIME (RFC 8551). */

typedef enum {
  MIME_PLAIN,         /* nothing of ours: not signed, not sealed */
  MIME_SIGNED,        /* multipart/signed; application/pkcs7-signature */
  MIME_OPAQUE_SIGNED, /* application/pkcs7-mime; smime-type=signed-data */
  MIME_SEALED,        /* application/pkcs7-mime; enveloped-data or authEnveloped-data */
  MIME_CERTIFICATES   /* application/pkcs7-mime; certs-only */
} MimeKind;
