/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A CA whose key is in this process, and the certificates it issues. */

#include <glib.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

typedef struct SandboxCa SandboxCa;

typedef struct {
  EVP_PKEY *key; /* the public part is enough */
  const char *name;
  const char *address; /* (nullable): no rfc822Name */
  gboolean sign;
  gboolean decrypt;
  gint64 from; /* seconds from now */
  gint64 until;
  gboolean revoked;
} SandboxSubject;

SandboxCa *sandbox_ca_new(const char *name, GError **error);
void sandbox_ca_free(SandboxCa *ca);
const X509 *sandbox_ca_certificate(const SandboxCa *ca);
X509 *sandbox_ca_issue(SandboxCa *ca, const SandboxSubject *subject, GError **error);
/* PEM; of those issued as revoked. */
gboolean sandbox_ca_write_crl(const SandboxCa *ca, const char *path, GError **error);

gboolean sandbox_write_certificate(const X509 *certificate, const char *path, GError **error);
/* Beside the certificate PATH.pem: PATH.key (PKCS#8) and PATH.p12. */
gboolean sandbox_write_person(X509 *certificate, EVP_PKEY *key, const char *path,
                              const char *passphrase, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SandboxCa, sandbox_ca_free)
