/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "enroll/check.h"

#include "base/error.h"
#include "base/text.h"

/* A CA's clock may be ahead of ours, and its certificate begin "now". */
#define CLOCK_SKEW (24 * 3600)

static gboolean
has_address(const char *const *addresses, const char *wanted)
{
  for (int i = 0; addresses[i]; i++)
    if (base_address_equal(addresses[i], wanted))
      return TRUE;
  return FALSE;
}

static gboolean
check_addresses(const BaseCert *certificate, const EnrollSubject *subject, GError **error)
{
  const char *const *present = (const char *const *)certificate->addresses;
  /* Nothing was asked for where the earlier certificate has no address either. */
  for (int i = 0; subject->addresses[i]; i++)
    if (!has_address(present, subject->addresses[i]))
      return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                            "the CA's certificate is not for %s, which was asked for: refused",
                            subject->addresses[i]);
  for (int i = 0; present[i] && subject->addresses[0]; i++)
    if (!has_address(subject->addresses, present[i]))
      return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                            "the CA's certificate is also for %s, which was not asked for: refused",
                            present[i]);
  return TRUE;
}

gboolean
enroll_check_certificate(const BaseCert *certificate, const EnrollSubject *subject, gint64 now,
                         GError **error)
{
  if (g_strcmp0(certificate->key, subject->key) != 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the CA's certificate (%s) is for another key than ours: refused",
                          certificate->subject);
  if (!check_addresses(certificate, subject, error))
    return FALSE;
  if (certificate->use & BASE_USE_CA)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the CA sent a certificate of a CA, not of a person: refused");
  if (!(certificate->use & (BASE_USE_SIGN | BASE_USE_ENCRYPT)))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the CA's certificate is not for mail: refused; another --profile, or "
                          "another address at the CA, may be for it");
  if (certificate->not_after <= now)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the CA's certificate has expired already: refused");
  if (certificate->not_before > now + CLOCK_SKEW)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the CA's certificate is not valid yet: refused; is the clock right?");
  return TRUE;
}

static X509 *
issuer_of(X509 *certificate, STACK_OF(X509) * candidates)
{
  for (int i = 0; i < sk_X509_num(candidates); i++) {
    X509 *candidate = sk_X509_value(candidates, i);
    if (X509_check_issued(candidate, certificate) == X509_V_OK && X509_check_ca(candidate) > 0 &&
        X509_verify(certificate, X509_get0_pubkey(candidate)) == 1)
      return candidate;
  }
  return NULL;
}

GPtrArray *
enroll_chain(X509 *certificate, STACK_OF(X509) * candidates)
{
  GPtrArray *chain = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  X509 *issuer = issuer_of(certificate, candidates);
  while (issuer && chain->len < ENROLL_CHAIN_MAX && X509_self_signed(issuer, 0) == 0) {
    guint8 *der = NULL;
    int length = i2d_X509(issuer, &der);
    if (length <= 0)
      break;
    g_ptr_array_add(chain, g_bytes_new(der, (gsize)length));
    OPENSSL_free(der);
    issuer = issuer_of(issuer, candidates);
  }
  return chain;
}
