/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What servers say about revocation: the first byte chooses CRL, OCSP, or a CRL in a file read through
 * its window. The CA's key is made anew, so nothing may ever be believed. */

#include "trust/crl.h"
#include "trust/ocsp.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static X509 *
certificate_new(EVP_PKEY *key, const char *name, long serial)
{
  X509 *x509 = X509_new();
  X509_NAME *subject = X509_get_subject_name(x509);
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), serial);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const guint8 *)name, -1, -1, 0);
  X509_NAME *issuer = X509_NAME_new();
  X509_NAME_add_entry_by_txt(issuer, "CN", MBSTRING_UTF8, (const guint8 *)"Mail CA", -1, -1, 0);
  X509_set_issuer_name(x509, issuer);
  X509_NAME_free(issuer);
  X509_gmtime_adj(X509_getm_notBefore(x509), -1000);
  X509_gmtime_adj(X509_getm_notAfter(x509), 1000000);
  X509_set_pubkey(x509, key);
  X509_sign(x509, key, EVP_sha256());
  return x509;
}

static TrustAnswer *
look_in_file(const guint8 *data, size_t size, const TrustQuestion *question)
{
  int fd = memfd_create("crl", MFD_CLOEXEC);
  g_assert_cmpint(write(fd, data, size), ==, (gssize)size);
  TrustCrlSource source = { .fd = fd, .length = (goffset)size };
  TrustAnswer *answer = trust_crl_look(&source, question);
  close(fd);
  return answer;
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  static TrustQuestion question;
  if (!question.issuer) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    question.issuer = certificate_new(key, "Mail CA", 1);
    question.certificate = certificate_new(key, "alice", 0x1001);
    question.now = (gint64)time(NULL);
  }
  if (size < 1)
    return 0;
  const guint8 *body = data + 1;
  TrustAnswer *answer;
  if (data[0] % 3 == 0) {
    g_autofree guint8 *copy = g_memdup2(body, size - 1); /* its end is where the sanitizer sees */
    TrustCrlSource source = { -1, copy ? copy : (const guint8 *)"", (goffset)size - 1 };
    answer = trust_crl_look(&source, &question);
  } else if (data[0] % 3 == 1) {
    g_autoptr(GBytes) bytes = g_bytes_new(body, size - 1);
    answer = trust_ocsp_look(bytes, &question);
  } else
    answer = look_in_file(body, size - 1, &question);
  g_assert_cmpint(answer->state, ==, TRUST_REVOCATION_UNKNOWN);
  g_assert_nonnull(answer->reason);
  trust_answer_free(answer);
  return 0;
}
