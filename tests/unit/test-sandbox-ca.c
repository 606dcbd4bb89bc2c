/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "sandbox/ca.h"

#include <glib/gstdio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define DAY (24 * 60 * 60)

static X509 *
issue(SandboxCa *ca, const SandboxSubject *wanted)
{
  g_autoptr(GError) error = NULL;
  SandboxSubject subject = *wanted;
  subject.key = EVP_EC_gen("P-256");
  subject.name = "alice";
  if (!subject.until)
    subject.until = DAY;
  X509 *certificate = sandbox_ca_issue(ca, &subject, &error);
  g_assert_no_error(error);
  EVP_PKEY_free(subject.key);
  return certificate;
}

static int
verify(const SandboxCa *ca, X509 *certificate, X509_CRL *crl)
{
  X509_STORE *store = X509_STORE_new();
  X509_STORE_CTX *context = X509_STORE_CTX_new();
  X509_STORE_add_cert(store, (X509 *)(gintptr)sandbox_ca_certificate(ca));
  if (crl) {
    X509_STORE_add_crl(store, crl);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  }
  g_assert_cmpint(X509_STORE_CTX_init(context, store, certificate, NULL), ==, 1);
  X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
  X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SMIME_SIGN);
  X509_verify_cert(context);
  int result = X509_STORE_CTX_get_error(context);
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  return result;
}

static void
test_strict(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(SandboxCa) ca = sandbox_ca_new("One", &error);
  g_autoptr(SandboxCa) other = sandbox_ca_new("Other", &error);
  X509 *certificate = issue(ca, &(SandboxSubject){ .address = "alice@example.org", .sign = TRUE });
  X509 *old = issue(ca, &(SandboxSubject){ .sign = TRUE, .from = -2 * DAY, .until = -DAY });
  g_assert_cmpint(verify(ca, certificate, NULL), ==, X509_V_OK);
  g_assert_cmpint(verify(ca, old, NULL), ==, X509_V_ERR_CERT_HAS_EXPIRED);
  g_assert_cmpint(verify(other, certificate, NULL), !=, X509_V_OK);
  X509_free(certificate);
  X509_free(old);
}

static void
test_facts(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(SandboxCa) ca = sandbox_ca_new("One", &error);
  X509 *mail = issue(ca, &(SandboxSubject){ .address = "alice@example.org", .sign = TRUE });
  X509 *receive = issue(ca, &(SandboxSubject){ .decrypt = TRUE });
  g_autoptr(BaseCert) signer = base_cert_new_from_x509(mail, &error);
  g_autoptr(BaseCert) receiver = base_cert_new_from_x509(receive, &error);
  g_assert_cmpuint(signer->use, ==, BASE_USE_SIGN);
  g_assert_cmpstr(signer->addresses[0], ==, "alice@example.org");
  g_assert_nonnull(signer->subject_key_id);
  g_assert_cmpuint(strlen(signer->serial), ==, 32);
  g_assert_cmpuint(receiver->use, ==, BASE_USE_ENCRYPT);
  g_assert_null(receiver->addresses[0]);
  X509_free(mail);
  X509_free(receive);
}

static X509_CRL *
read_crl(const char *path)
{
  BIO *bio = BIO_new_file(path, "r");
  X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
  BIO_free(bio);
  g_assert_nonnull(crl);
  return crl;
}

static void
test_revoked(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(SandboxCa) ca = sandbox_ca_new("One", &error);
  g_autofree char *folder = g_dir_make_tmp("sbx-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(folder, "ca.crl", NULL);
  X509 *good = issue(ca, &(SandboxSubject){ .sign = TRUE });
  X509 *bad = issue(ca, &(SandboxSubject){ .sign = TRUE, .revoked = TRUE });
  g_assert_true(sandbox_ca_write_crl(ca, path, &error));
  X509_CRL *crl = read_crl(path);
  g_assert_cmpint(verify(ca, good, crl), ==, X509_V_OK);
  g_assert_cmpint(verify(ca, bad, crl), ==, X509_V_ERR_CERT_REVOKED);
  X509_CRL_free(crl);
  X509_free(good);
  X509_free(bad);
  g_unlink(path);
  g_rmdir(folder);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sandbox/ca/certificates-verify-strictly", test_strict);
  g_test_add_func("/sandbox/ca/certificates-say-what-they-are-for", test_facts);
  g_test_add_func("/sandbox/ca/revoked-is-on-the-list", test_revoked);
  return g_test_run();
}
