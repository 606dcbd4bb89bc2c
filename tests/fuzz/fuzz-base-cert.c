/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files of certificates as people and CAs hand them over: PEM, DER, .p7b. */

#include "base/cert.h"

#include <signet/error.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
check(const BaseCert *cert)
{
  g_assert_cmpuint(strlen(cert->fingerprint), ==, 64);
  g_assert_cmpuint(strlen(cert->key), ==, 64);
  g_assert_cmpuint(strlen(cert->issuer_serial), ==, 64);
  g_assert_true(g_utf8_validate(cert->subject, -1, NULL));
  g_assert_true(g_utf8_validate(cert->issuer, -1, NULL));
  for (char **address = cert->addresses; *address; address++) {
    g_autofree char *normal = base_address_normal(*address);
    g_assert_cmpstr(normal, ==, *address);
  }
  g_autofree char *pem = base_cert_to_pem(cert);
  g_assert_true(g_str_has_suffix(pem, "-----END CERTIFICATE-----\n"));
  X509 *x509 = base_cert_to_x509(cert, NULL);
  g_assert_nonnull(x509);
  X509_free(x509);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  g_autoptr(GBytes) bytes = g_bytes_new(data, size);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) certs = base_cert_read_all(bytes, "input", &error);
  g_assert_true((certs == NULL) == (error != NULL));
  for (guint i = 0; certs && i < certs->len; i++)
    check(certs->pdata[i]);
  return 0;
}
