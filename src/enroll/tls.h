/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* TLS below HTTP. libssl is loaded when it is first needed: linked, every start of the program
 * would pay for it. */

#include <glib.h>
#include <openssl/bio.h>

typedef struct EnrollTls EnrollTls;

/* `roots` (nullable): a PEM file; NULL: the system's. */
EnrollTls *enroll_tls_new(const char *host, const char *roots, GError **error);
void enroll_tls_free(EnrollTls *tls);

/* TLS over `bio`, which is taken when it succeeds; the handshake is still to do. */
BIO *enroll_tls_wrap(EnrollTls *tls, BIO *bio);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EnrollTls, enroll_tls_free)
