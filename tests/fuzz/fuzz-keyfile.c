/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/reader.h"

#include <string.h>

/* Files of keys and certificates: keyfile_look() and keyfile_read() with the passphrase "fuzz". */

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

static const KeyfileLimits small = {
  .items = 100, .iterations = 1000, .work = 5000, .scrypt = 1 << 20
};

static void
check_look(GBytes *file)
{
  g_autoptr(KeyfileSight) sight = keyfile_look(file);
  if (!sight->format)
    g_assert_false(sight->has_keys || sight->certificates->len > 0);
  for (guint i = 0; i < sight->certificates->len; i++)
    g_assert_nonnull(((const BaseCert *)sight->certificates->pdata[i])->subject);
}

static void
check_item(const KeyfileItem *item)
{
  g_assert_cmpuint(strlen(item->key), ==, 64);
  g_assert_true(!item->label || g_utf8_validate(item->label, -1, NULL));
  g_assert_true((item->kind == KEYFILE_KEY) == (item->pkey != NULL));
  g_assert_cmpuint(g_bytes_get_size(item->bytes), >, 0);
}

static void
check_read(OSSL_LIB_CTX *library, GBytes *file, const char *passphrase)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSecret) secret =
      passphrase ? base_secret_new_from(passphrase, strlen(passphrase)) : NULL;
  g_autoptr(KeyfileContents) contents =
      keyfile_read_within(&small, library, file, "input", secret, &error);
  g_assert_true((contents == NULL) == (error != NULL));
  for (guint i = 0; contents && i < contents->items->len; i++)
    check_item(contents->items->pdata[i]);
  for (guint i = 0; contents && i < contents->skipped->len; i++)
    g_assert_true(g_utf8_validate(contents->skipped->pdata[i], -1, NULL));
  g_assert_true(!error || g_utf8_validate(error->message, -1, NULL));
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
  static OSSL_LIB_CTX *library = NULL;
  g_autoptr(GBytes) file = g_bytes_new(bytes, length);
  if (!library)
    library = keyfile_library_new(NULL);
  check_look(file);
  check_read(library, file, "fuzz");
  check_read(library, file, NULL);
  return 0;
}
