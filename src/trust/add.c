/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/path.h"
#include "trust/distrust.h"
#include "trust/store.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((gsize)16 * 1024 * 1024)

TrustFit
trust_root_fit(const BaseCert *root)
{
  gboolean ca = (root->use & BASE_USE_CA) != 0;
  if (root->self_signed)
    return ca ? TRUST_FIT_ROOT : TRUST_FIT_SELF;
  return ca ? TRUST_FIT_INTERMEDIATE : TRUST_FIT_NOT;
}

gboolean
trust_root_is_for_mail(const BaseCert *root)
{
  X509 *x509 = base_cert_to_x509(root, NULL);
  gboolean as_ca = (root->use & BASE_USE_CA) != 0;
  int fits = x509 ? X509_check_purpose(x509, X509_PURPOSE_SMIME_SIGN, as_ca) : 0;
  X509_free(x509);
  return fits > 0;
}

char *
trust_root_path(const BaseCert *root)
{
  g_autofree char *folder = trust_store_user_folder();
  g_autofree char *name = g_strconcat(root->fingerprint, ".pem", NULL);
  return g_build_filename(folder, name, NULL);
}

static gboolean
check_addable(const BaseCert *root, GError **error)
{
  g_autofree char *system = trust_store_system_folder();
  g_autoptr(GHashTable) distrusted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  if (trust_root_fit(root) == TRUST_FIT_NOT)
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "%s is no CA's certificate: trust comes from the CA that issued it, %s",
                          root->subject, root->issuer);
  if (!trust_distrust_read(system, distrusted, error))
    return FALSE;
  const char *by = g_hash_table_lookup(distrusted, root->fingerprint);
  return !by ||
         base_error_set(error, SIGNET_ERROR_REFUSED, "%s is distrusted by %s", root->subject, by);
}

gboolean
trust_add_root(const BaseCert *root, GError **error)
{
  g_autofree char *folder = trust_store_user_folder();
  g_autofree char *path = trust_root_path(root);
  g_autofree char *pem = base_cert_to_pem(root);
  g_autofree char *text = g_strdup_printf("# %s\n%s", root->subject, pem);
  return check_addable(root, error) && base_path_make_folder(folder, error) &&
         base_path_write(path, text, strlen(text), 0600, error) &&
         trust_distrust_drop(root->fingerprint, error);
}

/* A file may hold several, or more than certificates: it is the person's, and stays then. */
static gboolean
is_alone(const TrustRoot *root)
{
  g_autoptr(GBytes) bytes = base_path_read(root->path, FILE_MAX, NULL);
  g_autoptr(GPtrArray) all = bytes ? base_cert_read_all(bytes, root->path, NULL) : NULL;
  return all && all->len == 1;
}

gboolean
trust_remove_root(const TrustRoot *root, char **ret_path, gboolean *ret_removed, GError **error)
{
  gboolean alone = root->place == TRUST_PLACE_USER && is_alone(root);
  if (!alone) {
    if (!trust_distrust_add(root->certificate, ret_path, error))
      return FALSE;
    *ret_removed = FALSE;
    return TRUE;
  }
  if (unlink(root->path) != 0 && errno != ENOENT)
    return base_error_set_errno(error, errno, "cannot remove %s", root->path);
  *ret_path = g_strdup(root->path);
  *ret_removed = TRUE;
  return TRUE;
}
