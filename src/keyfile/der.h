/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a piece of DER is, told by its first elements. */

#include <glib.h>

typedef enum {
  KEYFILE_DER_NONE,
  KEYFILE_DER_CERTIFICATE,
  KEYFILE_DER_REQUEST,    /* PKCS #10 */
  KEYFILE_DER_REVOCATION, /* CRL */
  KEYFILE_DER_PUBLIC_KEY, /* SubjectPublicKeyInfo or PKCS #1 */
  KEYFILE_DER_PKCS12,
  KEYFILE_DER_PKCS8,
  KEYFILE_DER_PKCS8_SEALED,
  KEYFILE_DER_RSA_KEY,
  KEYFILE_DER_EC_KEY,
  KEYFILE_DER_DSA_KEY,
  KEYFILE_DER_PKCS7
} KeyfileDer;

typedef struct {
  guint8 tag;
  const guint8 *value;
  gsize length;        /* of the value, as far as it is there */
  gsize whole;         /* with its header, as it claims to be */
  gboolean indefinite; /* BER: `length` and `whole` reach to the end of what there is */
} KeyfileElement;

/* The element that `bytes` begin with; it may claim to be longer than they are. FALSE: none, or
 * a length that no file of ours has. */
gboolean keyfile_der_first(const guint8 *bytes, gsize length, KeyfileElement *ret_element);

/* A SEQUENCE that is cut short is told as well. */
KeyfileDer keyfile_der_tell(const guint8 *bytes, gsize length);
