/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/store.h"

#include "base/error.h"
#include "base/path.h"

#include <openssl/err.h>
#include <string.h>

#define FOLDER "trust.d"
#define FILES_MAX 1000
#define FILE_MAX ((gsize)16 * 1024 * 1024)

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

static gboolean
add_file(TrustStore *store, const char *folder, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  g_autofree char *origin = g_strdup_printf("%s/%s", FOLDER, name);
  g_autoptr(GBytes) bytes = base_path_read(path, FILE_MAX, error);
  g_autoptr(GPtrArray) certs = bytes ? base_cert_read_all(bytes, path, error) : NULL;
  if (!certs)
    return FALSE;
  for (guint i = 0; i < certs->len; i++)
    if (!trust_store_add(store, g_ptr_array_index(certs, i), origin, error))
      return FALSE;
  return TRUE;
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean
add_folder(TrustStore *store, const char *config, GError **error)
{
  g_autofree char *folder = g_build_filename(config, FOLDER, NULL);
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
    if (!add_file(store, folder, g_ptr_array_index(names, i), error))
      return FALSE;
  return TRUE;
}

TrustStore *
trust_store_new(GError **error)
{
  g_autoptr(TrustStore) store = g_new0(TrustStore, 1);
  store->store = X509_STORE_new(); /* empty: OpenSSL's default paths are the TLS bundle */
  store->origins = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  if (!store->store) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make a store of trusted roots");
    return NULL;
  }
  g_autofree char *user = base_path_config();
  if (!add_folder(store, base_path_system_config(), error) || !add_folder(store, user, error))
    return NULL;
  return g_steal_pointer(&store);
}

void
trust_store_free(TrustStore *store)
{
  if (!store)
    return;
  X509_STORE_free(store->store);
  g_clear_pointer(&store->origins, g_hash_table_unref);
  g_free(store);
}
