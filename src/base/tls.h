/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* TLS below HTTP. libssl is loaded when it is first needed: linked, every start of the program
 * would pay for it. */

#include <glib.h>
#include <openssl/bio.h>

typedef struct BaseTls BaseTls;

/* `roots` (nullable): a PEM file; NULL: the system's. */
BaseTls *base_tls_new(const char *host, const char *roots, GError **error);
void base_tls_free(BaseTls *tls);

/* TLS over `bio`, which is taken when it succeeds; the handshake is still to do. */
BIO *base_tls_wrap(BaseTls *tls, BIO *bio);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseTls, base_tls_free)
