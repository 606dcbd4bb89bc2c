/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Content ciphers, and opening content, as it comes, with a key that is already known. */

#include "base/flow.h"
#include "base/secret.h"
#include "cms/asn1.h"
#include "cms/cms.h"

typedef struct {
  int nid;
  const char *name; /* as cms_encrypt() takes it */
  gsize key_length;
  gsize iv_length; /* CBC; for GCM the message says */
  gboolean gcm;
  gboolean old; /* read, never written */
} CmsCipher;

const CmsCipher *cms_cipher_of_name(const char *name); /* those we write; NULL otherwise */
const CmsCipher *cms_cipher_of_algorithm(const X509_ALGOR *algorithm);
const EVP_CIPHER *cms_cipher_evp(const CmsCipher *cipher);

/* What is sealed, of either type of message. Borrowed. */
typedef struct {
  const CmsCipher *cipher;
  const X509_ALGOR *algorithm;
  const ASN1_OCTET_STRING *mac; /* AuthEnvelopedData */
  CmsAttributes *attributes;    /* authenticated ones, (nullable) */
} CmsSealed;

/* A stage that opens sealed content with a key that is already known (taken). `next` stays the caller's.
 * Of `sealed` cipher and algorithm are read, now; CANNOT_DECRYPT when they do not fit.
 *
 * finish() checks padding or tag and passes on, else CANNOT_DECRYPT. Until then what came out is nobody's
 * word, and with CBC after that too: one wrong key in 256 leaves a padding that looks right (RFC 5652 6.3),
 * and whoever can change the message can change the content. Callers that know what the content must
 * look like check it (mime_is_sound()). */
BaseSink *cms_cipher_opener_new(const CmsSealed *sealed, BaseSecret *key, BaseSink *next,
                                GError **error);
/* What stood behind the content: tag and authenticated attributes. Before finish(); CANNOT_DECRYPT. */
gboolean cms_cipher_opener_end(BaseSink *opener, const CmsSealed *sealed, GError **error);
