/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Content ciphers, and opening content with a key that is already known. */

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
  const ASN1_OCTET_STRING *content; /* (nullable) */
  const ASN1_OCTET_STRING *mac;     /* AuthEnvelopedData */
  CmsAttributes *attributes;        /* authenticated ones, (nullable) */
} CmsSealed;

/* The content, once padding or tag verified; else CANNOT_DECRYPT, and nothing of it stays in memory.
 *
 * CBC proves nothing: one wrong key in 256 leaves a padding that looks right (RFC 5652 6.3),
 * and whoever can change the message can change the content. Callers that know
 * what the content must look like check it (mime_is_entity()). */
GBytes *cms_cipher_open(const CmsSealed *sealed, const guint8 *key, gsize key_length,
                        GError **error);
