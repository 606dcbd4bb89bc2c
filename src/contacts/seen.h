/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What other people's mail programs said that they can read: SMIMECapabilities of signatures that
 * were good, by the certificate to seal to (SMIMEEncryptionKeyPreference, else the signer's own).
 * A small file in the state folder; a convenience, so that a failure to keep it is not one of the verb. */

#include "base/cert.h"

/* `ciphers`: best first, names as cms_cipher_check() takes them. `when`: the signing time, 0: not said;
 * what is older than what is kept of this certificate is left out. */
void contacts_seen_note(const BaseCert *certificate, const char *const *ciphers, gint64 when);
/* (nullable) NULL-terminated, best first: of the file, else of the certificate's own extension
 * (RFC 4262). NULL: nothing is known. */
char **contacts_seen_ciphers(const BaseCert *certificate);
