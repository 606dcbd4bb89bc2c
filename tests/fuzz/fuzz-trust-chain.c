/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz-keys.h"
#include "trust/question.h"
#include "trust/trust.h"

#include <string.h>

/* A person's certificate and what came with it, as PEM, DER or PKCS #7: the first is the person's, the
 * others may complete its chain, and those that signed themselves are trusted, or not. */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

#define CERTS_MAX 12

/* No list of roots, and nobody is asked over the network. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  fuzz_home("[trust]\nmail-roots = off\nrevocation = off\n");
  return 0;
}

static void
check_text(const char *text)
{
  g_assert_true(text && *text && g_utf8_validate(text, -1, NULL));
}

static gboolean
check_chain(TrustStore *store, const BaseCert *leaf, GPtrArray *others, gint64 when)
{
  g_autoptr(TrustChain) chain = trust_chain_check(store, leaf, others, when);
  g_assert_true(chain->trusted == (chain->reason == NULL));
  g_assert_true(chain->trusted == (chain->root != NULL));
  g_assert_true(!chain->confirmed || chain->trusted);
  check_text(chain->trusted ? chain->root : chain->reason);
  if (chain->path->len)
    g_assert_cmpstr(((const BaseCert *)g_ptr_array_index(chain->path, 0))->fingerprint, ==,
                    leaf->fingerprint);
  return chain->trusted;
}

static void
check_why(TrustStore *store, const BaseCert *leaf, GPtrArray *others, gboolean trusted)
{
  g_autoptr(TrustWhy) why = trust_why(store, leaf, others);
  /* Of a CA it is asked whether it is trusted as one. */
  g_assert_true(why->trusted == trusted || (leaf->use & BASE_USE_CA));
  g_assert_cmpuint(why->steps->len, >, 0);
  g_assert_true(why->trusted || why->reason);
  for (guint i = 0; i < why->steps->len; i++) {
    const TrustStep *step = g_ptr_array_index(why->steps, i);
    for (guint p = 0; p < step->problems->len; p++)
      check_text(g_ptr_array_index(step->problems, p));
  }
}

static void
check_points(const BaseCert *cert)
{
  X509 *x509 = base_cert_to_x509(cert, NULL);
  g_assert_nonnull(x509);
  GPtrArray *(*const points[])(X509 *) = { trust_points_crl, trust_points_ocsp,
                                           trust_points_issuers };
  for (gsize i = 0; i < G_N_ELEMENTS(points); i++) {
    g_autoptr(GPtrArray) urls = points[i](x509);
    g_assert_cmpuint(urls->len, <=, TRUST_POINTS_MAX);
    for (guint u = 0; u < urls->len; u++)
      g_assert_true(g_str_is_ascii(g_ptr_array_index(urls, u)));
  }
  X509_free(x509);
}

static void
check_certs(GPtrArray *certs, gboolean trusting)
{
  const BaseCert *leaf = g_ptr_array_index(certs, 0);
  g_autoptr(TrustStore) store = trust_store_new(NULL);
  g_assert_nonnull(store);
  for (guint i = 0; trusting && i < certs->len; i++) {
    const BaseCert *cert = g_ptr_array_index(certs, i);
    if (cert->self_signed)
      trust_store_add(store, cert, "fuzz", NULL);
  }
  gboolean trusted = check_chain(store, leaf, certs, 0);
  g_assert_true(trusting || !trusted);
  check_why(store, leaf, certs, trusted);
  check_chain(store, leaf, certs, leaf->not_before + 1);
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
  g_autoptr(GBytes) file = g_bytes_new(bytes, length);
  g_autoptr(GPtrArray) certs = base_cert_read_all(file, "input", NULL);
  if (!certs || certs->len > CERTS_MAX)
    return 0;
  for (guint i = 0; i < certs->len; i++) {
    trust_root_fit(g_ptr_array_index(certs, i));
    trust_root_is_for_mail(g_ptr_array_index(certs, i));
    check_points(g_ptr_array_index(certs, i));
  }
  check_certs(certs, FALSE);
  check_certs(certs, TRUE);
  return 0;
}
