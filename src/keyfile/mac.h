/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The integrity check of a PKCS #12 file, which is also what tells a wrong passphrase. */

#include "keyfile/reader.h"

typedef struct {
  X509_SIG *digest; /* DigestInfo has the same shape */
  ASN1_OCTET_STRING *salt;
  ASN1_INTEGER *iterations;
} KeyfileMac;

DECLARE_ASN1_ITEM(KeyfileMac)

/* PIN_INCORRECT: none of the spellings fits; the one that does moves to the front. UNSUPPORTED:
 * it cannot be checked here. TOO_LARGE, BAD_INPUT. */
gboolean keyfile_mac_check(KeyfileReader *reader, const KeyfileMac *mac,
                           const ASN1_OCTET_STRING *content, GError **error);
