/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/keyfile.h"

#include "keyfile/any.h"
#include "keyfile/reader.h"

#include <openssl/err.h>
#include <openssl/provider.h>

static const KeyfileLimits limits = { .items = KEYFILE_ITEMS_MAX,
                                      .iterations = KEYFILE_ITERATIONS_MAX,
                                      .work = KEYFILE_WORK_MAX,
                                      .scrypt = KEYFILE_SCRYPT_MAX };

OSSL_LIB_CTX *
keyfile_library_new(GError **error)
{
  OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
  if (!library || !OSSL_PROVIDER_load(library, "default")) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "OpenSSL does not start");
    OSSL_LIB_CTX_free(library);
    return NULL;
  }
  /* A package of its own with some distributions: what needs it says so. */
  OSSL_PROVIDER_load(library, "legacy");
  ERR_clear_error();
  return library;
}

static int
collect(OSSL_PROVIDER *provider, void *data)
{
  g_ptr_array_add(data, provider);
  return 1;
}

void
keyfile_library_free(OSSL_LIB_CTX *library)
{
  g_autoptr(GPtrArray) providers = g_ptr_array_new();
  if (!library)
    return;
  OSSL_PROVIDER_do_all(library, collect, providers);
  for (guint i = 0; i < providers->len; i++)
    OSSL_PROVIDER_unload(providers->pdata[i]);
  OSSL_LIB_CTX_free(library);
}

KeyfileContents *
keyfile_read_within(const KeyfileLimits *within, OSSL_LIB_CTX *library, GBytes *file,
                    const char *name, BaseSecret *passphrase, GError **error)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(file, &length);
  if (length > KEYFILE_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                   "%s has %zu bytes; a file of keys is read up to %d", name, length, KEYFILE_MAX);
    return NULL;
  }
  g_autoptr(KeyfileReader) reader = keyfile_reader_new(within, library, name, passphrase);
  gboolean good = keyfile_any_read(reader, bytes, length, error);
  ERR_clear_error();
  return good ? keyfile_reader_finish(reader, error) : NULL;
}

KeyfileContents *
keyfile_read(OSSL_LIB_CTX *library, GBytes *file, const char *name, BaseSecret *passphrase,
             GError **error)
{
  return keyfile_read_within(&limits, library, file, name, passphrase, error);
}

KeyfileSight *
keyfile_look(GBytes *file)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(file, &length);
  g_autoptr(KeyfileReader) reader = keyfile_reader_new_look(&limits);
  keyfile_any_read(reader, bytes, MIN(length, KEYFILE_MAX), NULL);
  ERR_clear_error();
  KeyfileSight *sight = g_steal_pointer(&reader->sight);
  if (sight->has_keys || sight->certificates->len > 0)
    sight->format = reader->format;
  return sight;
}
