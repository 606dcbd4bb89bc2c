/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* SMIMECapabilities (RFC 8551 2.5.2, RFC 4262): what somebody's mail program reads. */

#include "base/cert.h"

/* Of the one who signs; best first. `encryption`: the key that answers are sealed to, which says how
 * content keys may come. OpenSSL's, free with OPENSSL_free(); the length, 0 on error. */
int cms_capability_der(BaseKeyKind encryption, guint8 **ret_der);

/* (nullable) NULL-terminated: the ciphers in there that signet writes, in their order, as
 * cms_cipher_check() has them; NULL: none, or no capabilities at all. */
char **cms_capability_ciphers(const guint8 *der, gsize length);
/* Of the certificate's own extension (RFC 4262), likewise. */
char **cms_capability_of_certificate(const BaseCert *certificate);
