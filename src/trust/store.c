/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/store.h"

#include "base/error.h"
#include "base/path.h"
#include "trust/distrust.h"

#include <openssl/err.h>
#include <string.h>

#define FILES_MAX 1000
#define FILE_MAX ((gsize)16 * 1024 * 1024)
#define PARSED_MAX 200

gboolean
trust_store_add(TrustStore *store, const BaseCert *root, const char *origin, GError **error)
{
  if (g_hash_table_contains(store->origins, root->fingerprint))
    return TRUE;
  X509 *x509 = base_cert_to_x509(root, error);
  if (!x509)
    return FALSE;
  gboolean good = X509_STORE_add_cert(store->store, x509) == 1;
  X509_free(x509);
  if (!good)
    return base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "%s: cannot use %s", origin,
                                  root->subject);
  g_hash_table_insert(store->origins, g_strdup(root->fingerprint), g_strdup(origin));
  return TRUE;
}

static void
root_free(gpointer data)
{
  TrustRoot *root = data;
  base_cert_free(root->certificate);
  g_free(root->path);
  g_free(root->origin);
  g_free(root);
}

static gboolean
read_file(const char *folder, const char *name, TrustPlace place, GPtrArray *into, GError **error)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  g_autoptr(GBytes) bytes = base_path_read(path, FILE_MAX, error);
  g_autoptr(GPtrArray) certs = bytes ? base_cert_read_all(bytes, path, error) : NULL;
  if (!certs)
    return FALSE;
  g_ptr_array_set_free_func(certs, NULL);
  for (guint i = 0; i < certs->len; i++) {
    TrustRoot *root = g_new0(TrustRoot, 1);
    *root = (TrustRoot){ g_ptr_array_index(certs, i),
                         place,
                         g_strdup(path),
                         g_strdup_printf("%s/%s", TRUST_FOLDER, name),
                         NULL,
                         0 };
    g_ptr_array_add(into, root);
  }
  return TRUE;
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean
read_folder(const char *folder, TrustPlace place, GPtrArray *into, GError **error)
{
  g_autoptr(GError) problem = NULL;
  g_autoptr(GDir) dir = g_dir_open(folder, 0, &problem);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  if (!dir) {
    if (g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_NOENT))
      return TRUE;
    return base_error_set(error, SIGNET_ERROR_IO, "cannot read the folder of trusted roots: %s",
                          problem->message);
  }
  for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
    if (g_str_has_suffix(name, ".pem") && name[0] != '.')
      g_ptr_array_add(names, g_strdup(name));
  if (names->len > FILES_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s holds over %d files", folder,
                          FILES_MAX);
  g_ptr_array_sort(names, compare_names);
  for (guint i = 0; i < names->len; i++)
    if (!read_file(folder, g_ptr_array_index(names, i), place, into, error))
      return FALSE;
  return TRUE;
}

char *
trust_store_user_folder(void)
{
  g_autofree char *config = base_path_config();
  return g_build_filename(config, TRUST_FOLDER, NULL);
}

char *
trust_store_system_folder(void)
{
  return g_build_filename(base_path_system_config(), TRUST_FOLDER, NULL);
}

static gboolean
fill(TrustStore *store, GError **error)
{
  g_autofree char *user = trust_store_user_folder();
  g_autofree char *system = trust_store_system_folder();
  /* The system's distrust list last: it is the one to name where both say so. */
  if (!read_folder(user, TRUST_PLACE_USER, store->roots, error) ||
      !read_folder(system, TRUST_PLACE_SYSTEM, store->roots, error) ||
      !trust_distrust_read(user, store->distrusted, error) ||
      !trust_distrust_read(system, store->distrusted, error))
    return FALSE;
  for (guint i = 0; i < store->roots->len; i++) {
    TrustRoot *root = g_ptr_array_index(store->roots, i);
    root->distrusted = g_hash_table_lookup(store->distrusted, root->certificate->fingerprint);
    if (!root->distrusted && !trust_store_add(store, root->certificate, root->origin, error))
      return FALSE;
  }
  return TRUE;
}

TrustStore *
trust_store_new(GError **error)
{
  g_autoptr(TrustStore) store = g_new0(TrustStore, 1);
  store->store = X509_STORE_new(); /* empty: OpenSSL's default paths are the TLS bundle */
  store->origins = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  store->distrusted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  store->roots = g_ptr_array_new_with_free_func(root_free);
  store->parsed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)X509_free);
  if (!store->store) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make a store of trusted roots");
    return NULL;
  }
  return fill(store, error) ? g_steal_pointer(&store) : NULL;
}

/* ---- roots of a module ---- */

TrustMailRoots *
trust_store_mail(TrustStore *store)
{
  if (!store->mail)
    store->mail = trust_mail_roots_new();
  return store->mail;
}

const char *
trust_store_mail_problem(TrustStore *store)
{
  return trust_store_mail(store)->problem;
}

const char *
trust_store_mail_origin(TrustStore *store)
{
  return trust_store_mail(store)->origin;
}

/* `seen`: hashes of names looked up before. A mail may carry a thousand certificates of one issuer. */
static gboolean
add_issuer(TrustStore *store, X509 *x509, GHashTable *seen)
{
  TrustMailRoots *mail = trust_store_mail(store);
  g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  unsigned long hash = trust_cache_hash(X509_get_issuer_name(x509));
  gboolean added = FALSE;
  if (mail->cache && g_hash_table_add(seen, GSIZE_TO_POINTER(hash)))
    trust_cache_find(mail->cache, hash, found);
  for (guint i = 0; i < found->len; i++) {
    const BaseCert *root = g_ptr_array_index(found, i);
    if (g_hash_table_contains(store->origins, root->fingerprint) ||
        g_hash_table_contains(store->distrusted, root->fingerprint))
      continue;
    added = trust_store_add(store, root, mail->origin, NULL) || added;
  }
  return added;
}

gboolean
trust_store_add_issuers(TrustStore *store, X509 *x509, STACK_OF(X509) * untrusted)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  gboolean added = add_issuer(store, x509, seen);
  for (int i = 0; i < sk_X509_num(untrusted); i++)
    added = add_issuer(store, sk_X509_value(untrusted, i), seen) || added;
  /* An intermediate in trust.d has an issuer, too. */
  for (guint i = 0; i < store->roots->len; i++) {
    const TrustRoot *root = g_ptr_array_index(store->roots, i);
    X509 *own = root->certificate->self_signed || root->distrusted
                    ? NULL
                    : base_cert_to_x509(root->certificate, NULL);
    added = (own && add_issuer(store, own, seen)) || added;
    X509_free(own);
  }
  return added;
}

static gint
compare_roots(gconstpointer a, gconstpointer b)
{
  const BaseCert *one = (*(const TrustRoot *const *)a)->certificate;
  const BaseCert *other = (*(const TrustRoot *const *)b)->certificate;
  int order = g_ascii_strcasecmp(one->common_name ? one->common_name : one->subject,
                                 other->common_name ? other->common_name : other->subject);
  return order ? order : strcmp(one->fingerprint, other->fingerprint);
}

static TrustRoot *
root_copy(const TrustRoot *root)
{
  TrustRoot *copy = g_new0(TrustRoot, 1);
  *copy = (TrustRoot){ base_cert_new(root->certificate->der, NULL),
                       root->place,
                       g_strdup(root->path),
                       g_strdup(root->origin),
                       root->distrusted,
                       0 };
  return copy;
}

GPtrArray *
trust_store_list(TrustStore *store)
{
  TrustMailRoots *mail = trust_store_mail(store);
  GPtrArray *all = g_ptr_array_new_with_free_func(root_free);
  g_autoptr(GPtrArray) certs = mail->cache ? trust_cache_all(mail->cache) : g_ptr_array_new();
  g_autoptr(GPtrArray) roots = g_ptr_array_new();
  for (guint i = 0; i < store->roots->len; i++)
    g_ptr_array_add(all, root_copy(g_ptr_array_index(store->roots, i)));
  g_ptr_array_set_free_func(certs, NULL);
  for (guint i = 0; i < certs->len; i++) {
    TrustRoot *root = g_new0(TrustRoot, 1);
    *root = (TrustRoot){
      g_ptr_array_index(certs, i), TRUST_PLACE_MODULE, NULL, g_strdup(mail->origin), NULL, 0
    };
    root->issued_until = trust_cache_limit(mail->cache, root->certificate->fingerprint);
    root->distrusted = g_hash_table_lookup(store->distrusted, root->certificate->fingerprint);
    g_ptr_array_add(roots, root);
  }
  g_ptr_array_sort(roots, compare_roots);
  for (guint i = 0; i < roots->len; i++)
    g_ptr_array_add(all, g_ptr_array_index(roots, i));
  return all;
}

X509 *
trust_store_x509(TrustStore *store, const BaseCert *certificate)
{
  X509 *x509 = g_hash_table_lookup(store->parsed, certificate->fingerprint);
  if (!x509) {
    x509 = base_cert_to_x509(certificate, NULL);
    if (!x509 || g_hash_table_size(store->parsed) >= PARSED_MAX)
      return x509;
    g_hash_table_insert(store->parsed, g_strdup(certificate->fingerprint), x509);
  }
  X509_up_ref(x509);
  return x509;
}

void
trust_store_free(TrustStore *store)
{
  if (!store)
    return;
  X509_STORE_free(store->store);
  g_clear_pointer(&store->origins, g_hash_table_unref);
  g_clear_pointer(&store->distrusted, g_hash_table_unref);
  g_clear_pointer(&store->roots, g_ptr_array_unref);
  g_clear_pointer(&store->parsed, g_hash_table_unref);
  trust_mail_roots_free(store->mail);
  g_free(store);
}
