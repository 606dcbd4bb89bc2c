/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is encrypted with a passphrase: PBES1, PBES2 and PKCS #12's schemes, and PEM's own. */

#include "keyfile/reader.h"

/* Tries the spellings of the passphrase; what they open is a SEQUENCE in everything we read, and
 * anything else is taken for garbage. PIN_INCORRECT: none opens it. The bytes are wiped at the last
 * unref. */
GBytes *keyfile_pbe_open(KeyfileReader *reader, const X509_ALGOR *algorithm,
                         const ASN1_OCTET_STRING *sealed, GError **error);

/* RFC 1421 style: `info` is the value of DEK-Info, "AES-128-CBC,<hex>". */
GBytes *keyfile_pbe_open_pem(KeyfileReader *reader, const char *info, GBytes *sealed,
                             GError **error);
