/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/fetch.h"
#include "trust/question.h"
#include "trust/shelf.h"

#include <openssl/err.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 4
#define FILE_MAX (256 * 1024)
#define CANDIDATES_MAX 20
#define QUESTIONS_MAX 8 /* to servers, for one certificate */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

typedef struct {
  const TrustNetwork *network;
  gboolean fetch;
  int questions;    /* asked so far */
  GPtrArray *found; /* (element-type BaseCert) what is handed out */
  GPtrArray
      *pool; /* (element-type BaseCert) all that files held: a .p7c may have the whole chain */
} Search;

/* By its signature: a name proves nothing, and may have been chosen to hide the real one. */
static gboolean
is_issuer(const BaseCert *issuer, X509 *certificate)
{
  g_autoptr(X509) x509 = base_cert_to_x509(issuer, NULL);
  EVP_PKEY *key = x509 ? X509_get0_pubkey(x509) : NULL;
  gboolean is =
      key && X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(certificate)) == 0 &&
      X509_verify(certificate, key) == 1;
  ERR_clear_error();
  return is;
}

static gboolean
is_current(const BaseCert *certificate)
{
  return certificate->not_after >= (gint64)time(NULL);
}

static gboolean
has(const GPtrArray *all, const BaseCert *certificate)
{
  for (guint i = 0; i < all->len; i++)
    if (strcmp(((const BaseCert *)g_ptr_array_index(all, i))->fingerprint,
               certificate->fingerprint) == 0)
      return TRUE;
  return FALSE;
}

/* TRUE: there is one that has not expired. */
static gboolean
take_issuers(Search *search, X509 *certificate)
{
  gboolean current = FALSE;
  for (guint i = 0; i < search->pool->len && search->found->len < CANDIDATES_MAX; i++) {
    const BaseCert *candidate = g_ptr_array_index(search->pool, i);
    if (!is_issuer(candidate, certificate))
      continue;
    current = current || is_current(candidate);
    if (!has(search->found, candidate))
      g_ptr_array_add(search->found, base_cert_new(candidate->der, NULL));
  }
  return current;
}

static void
add_to_pool(Search *search, GBytes *bytes)
{
  g_autoptr(GPtrArray) all = base_cert_read_all(bytes, "certificates", NULL);
  for (guint i = 0; all && i < all->len && search->pool->len < CANDIDATES_MAX; i++) {
    const BaseCert *one = g_ptr_array_index(all, i);
    if (!has(search->pool, one))
      g_ptr_array_add(search->pool, base_cert_new(one->der, NULL));
  }
}

/* By whose issuer's certificate it is, and from where: so a stranger's certificate that bears the name of a real CA
 * cannot put its own in the place of that CA's. */
static char *
shelf_path(const BaseCert *certificate, X509 *x509, const char *url)
{
  const ASN1_OCTET_STRING *key = X509_get0_authority_key_id(x509);
  g_autofree char *name = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, certificate->issuer_der);
  g_autofree char *key_id =
      key ? base_hex(ASN1_STRING_get0_data(key), (gsize)ASN1_STRING_length(key)) : g_strdup("");
  g_autofree char *asked = g_strdup_printf("%s %s %s", name, key_id, url);
  return trust_shelf_path("certs", asked);
}

static gboolean
look_up(Search *search, const BaseCert *certificate, X509 *x509, const char *url)
{
  g_autofree char *path = shelf_path(certificate, x509, url);
  g_autofree char *why = NULL;
  g_autoptr(GBytes) kept = trust_shelf_read(path, FILE_MAX);
  if (kept)
    add_to_pool(search, kept);
  if (kept && take_issuers(search, x509))
    return TRUE;
  if (!search->fetch || search->questions++ >= QUESTIONS_MAX)
    return FALSE;
  TrustFetch fetch = { .url = url, .max = FILE_MAX, .stranger = TRUE };
  g_autoptr(GBytes) got = trust_fetch_bytes(search->network, &fetch, &why);
  if (!got)
    return FALSE;
  add_to_pool(search, got);
  if (!take_issuers(search, x509)) {
    trust_fetch_note_useless(&fetch, "it has no issuer's certificate");
    return FALSE;
  }
  trust_shelf_write(path, got);
  return TRUE;
}

static void
search_issuers(Search *search, const BaseCert *certificate)
{
  g_autoptr(X509) x509 = base_cert_to_x509(certificate, NULL);
  if (!x509 || take_issuers(search, x509))
    return;
  g_autoptr(GPtrArray) urls = trust_points_issuers(x509);
  for (guint i = 0; i < urls->len; i++)
    if (look_up(search, certificate, x509, g_ptr_array_index(urls, i)))
      return;
}

GPtrArray *
trust_issuers_find(const BaseCert *certificate, gboolean fetch)
{
  g_auto(TrustNetwork) network = { 0 };
  Search search = { .found = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free) };
  if (certificate->self_signed || !trust_network_load(&network, NULL))
    return search.found;
  search.network = &network;
  search.fetch = fetch || network.fetch_issuers;
  search.pool = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  search_issuers(&search, certificate);
  for (guint depth = 1, from = 0; depth < DEPTH_MAX; depth++) {
    guint end = search.found->len;
    for (guint i = from; i < end; i++) {
      const BaseCert *one = g_ptr_array_index(search.found, i);
      if (!one->self_signed)
        search_issuers(&search, one);
    }
    from = end;
  }
  g_ptr_array_unref(search.pool);
  return search.found;
}
