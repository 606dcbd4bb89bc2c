/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mutt's smime_keys keeps one PEM file for each key and each certificate: keys/HASH.N beside
 * certificates/HASH.N, and in both a file .index, whose lines are "mailbox HASH.N label issuer's-HASH.N
 * trust purpose". */
#include "base/error.h"
#include "base/path.h"
#include "keyfile/keyfile.h"
#include "transfer/transfer.h"

#include <string.h>

#define INDEX_MAX (1024 * 1024)
#define CERTIFICATE_MAX (1024 * 1024)
#define HOLDINGS_MAX 1000
#define CHAIN_MAX 10

enum { MAILBOX, HASH, LABEL, ISSUER, FIELDS_MIN = 2 };

static void
free_holding(gpointer data)
{
  transfer_holding_free(data);
}

/* Lines of fields; empty where there is no index. */
static GPtrArray *
read_index(const char *folder, const char *which)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
  g_autofree char *path = g_build_filename(folder, which, ".index", NULL);
  g_autoptr(GBytes) bytes = base_path_read(path, INDEX_MAX, NULL);
  if (!bytes)
    return lines;
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  g_autofree char *text = g_strndup(data ? data : "", length);
  g_auto(GStrv) rows = g_strsplit(text, "\n", -1);
  for (int i = 0; rows[i]; i++) {
    char **fields = g_strsplit_set(g_strstrip(rows[i]), " \t", -1);
    if (g_strv_length(fields) >= FIELDS_MIN)
      g_ptr_array_add(lines, fields);
    else
      g_strfreev(fields);
  }
  return lines;
}

static TransferHolding *
holding_new(const char *folder, const char *file, GPtrArray *index)
{
  TransferHolding *holding = g_new0(TransferHolding, 1);
  g_autoptr(GPtrArray) addresses = g_ptr_array_new();
  holding->home = g_strdup(folder);
  holding->fingerprint = g_strdup(file);
  for (guint i = 0; i < index->len; i++) {
    char **fields = g_ptr_array_index(index, i);
    char *address = g_str_equal(fields[HASH], file) ? base_address_normal(fields[MAILBOX]) : NULL;
    if (address)
      g_ptr_array_add(addresses, address);
  }
  g_ptr_array_add(addresses, NULL);
  holding->addresses = (char **)g_ptr_array_free(g_steal_pointer(&addresses), FALSE);
  holding->name = g_strdup(holding->addresses[0] ? holding->addresses[0] : file);
  return holding;
}

static gint
by_file(gconstpointer a, gconstpointer b)
{
  const TransferHolding *one = *(const TransferHolding *const *)a;
  const TransferHolding *other = *(const TransferHolding *const *)b;
  return strcmp(one->fingerprint, other->fingerprint);
}

GPtrArray *
transfer_smime_keys_list(const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename(folder, "keys", NULL);
  g_autoptr(GError) failed = NULL;
  g_autoptr(GDir) keys = g_dir_open(path, 0, &failed);
  if (!keys) {
    base_error_set(error, SIGNET_ERROR_NOT_FOUND, "%s: no folder of smime_keys: %s", folder,
                   failed->message);
    return NULL;
  }
  g_autoptr(GPtrArray) index = read_index(folder, "keys");
  GPtrArray *all = g_ptr_array_new_with_free_func(free_holding);
  const char *file;
  while ((file = g_dir_read_name(keys)) && all->len < HOLDINGS_MAX) {
    g_autofree char *full = g_build_filename(path, file, NULL);
    if (file[0] != '.' && g_file_test(full, G_FILE_TEST_IS_REGULAR))
      g_ptr_array_add(all, holding_new(folder, file, index));
  }
  g_ptr_array_sort(all, by_file);
  return all;
}

/* ---- one key ---- */

static const char *
issuer_of(GPtrArray *index, const char *file)
{
  for (guint i = 0; i < index->len; i++) {
    char **fields = g_ptr_array_index(index, i);
    if (g_str_equal(fields[HASH], file) && g_strv_length(fields) > ISSUER &&
        !strchr(fields[ISSUER], '/') && fields[ISSUER][0] != '.' && fields[ISSUER][0] != '?')
      return fields[ISSUER];
  }
  return NULL;
}

static void
add_certificates(GPtrArray *ders, const char *folder, const char *file)
{
  g_autofree char *path = g_build_filename(folder, "certificates", file, NULL);
  g_autoptr(GBytes) bytes = base_path_read(path, CERTIFICATE_MAX, NULL);
  g_autoptr(GPtrArray) certificates = bytes ? base_cert_read_all(bytes, path, NULL) : NULL;
  for (guint i = 0; certificates && i < certificates->len; i++)
    g_ptr_array_add(ders, g_bytes_ref(((BaseCert *)g_ptr_array_index(certificates, i))->der));
}

TransferSource *
transfer_smime_keys_open(const TransferHolding *holding, GError **error)
{
  g_autofree char *path = g_build_filename(holding->home, "keys", holding->fingerprint, NULL);
  TransferSource *source = transfer_source_file(path, error);
  if (!source)
    return NULL;
  g_clear_pointer(&source->path, g_free); /* mutt's own: not to be shredded */
  source->certificates = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  g_autoptr(GPtrArray) index = read_index(holding->home, "certificates");
  const char *file = holding->fingerprint;
  for (int depth = 0; file && depth < CHAIN_MAX; depth++) {
    add_certificates(source->certificates, holding->home, file);
    file = issuer_of(index, file);
  }
  return source;
}
