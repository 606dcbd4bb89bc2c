/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "provider/key.h"

#include "base/error.h"

#include <openssl/x509.h>
#include <string.h>

ProviderKey *
provider_key_object_new(ProviderContext *context)
{
  ProviderKey *key = g_new0(ProviderKey, 1);
  key->references = 1;
  key->context = context;
  return key;
}

ProviderKey *
provider_key_object_ref(ProviderKey *key)
{
  g_atomic_int_inc(&key->references);
  return key;
}

void
provider_key_object_free(ProviderKey *key)
{
  if (!key || !g_atomic_int_dec_and_test(&key->references))
    return;
  EVP_PKEY_free(key->public);
  g_free(key->name);
  g_free(key->group);
  g_free(key);
}

gboolean
provider_key_object_set_public(ProviderKey *key, gconstpointer spki, gsize length)
{
  const unsigned char *at = spki;
  if (length > G_MAXLONG)
    return FALSE;
  EVP_PKEY *public = d2i_PUBKEY_ex(NULL, &at, (long)length, key->context->libctx, PROVIDER_PUBLIC);
  if (!public || at != (const unsigned char *)spki + length) {
    EVP_PKEY_free(public);
    return FALSE;
  }
  EVP_PKEY_free(key->public);
  key->public = public;
  char group[64];
  if (EVP_PKEY_is_a(public, "EC") && EVP_PKEY_get_group_name(public, group, sizeof group, NULL)) {
    g_free(key->group);
    key->group = g_strdup(group);
  }
  return TRUE;
}

gboolean
provider_key_object_has_private(const ProviderKey *key)
{
  return key && key->name;
}

EVP_PKEY_CTX *
provider_key_object_public_context(const ProviderKey *key)
{
  return key->public
             ? EVP_PKEY_CTX_new_from_pkey(key->context->libctx, key->public, PROVIDER_PUBLIC)
             : NULL;
}

int
provider_copy_out(GBytes *bytes, unsigned char *out, size_t *ret_length, size_t size)
{
  gsize length = 0;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  if (length > size)
    return provider_fail(SIGNET_ERROR_USAGE, "the buffer for the result is too small");
  memcpy(out, data, length);
  *ret_length = length;
  return 1;
}

const char *
provider_hash_name(const char *openssl_name)
{
  static const struct {
    const char *ours;
    const char *names[4];
  } table[] = {
    { "sha1", { "SHA1", "SHA-1", "SSL3-SHA1", "1.3.14.3.2.26" } },
    { "sha224", { "SHA2-224", "SHA224", "SHA-224", "2.16.840.1.101.3.4.2.4" } },
    { "sha256", { "SHA2-256", "SHA256", "SHA-256", "2.16.840.1.101.3.4.2.1" } },
    { "sha384", { "SHA2-384", "SHA384", "SHA-384", "2.16.840.1.101.3.4.2.2" } },
    { "sha512", { "SHA2-512", "SHA512", "SHA-512", "2.16.840.1.101.3.4.2.3" } },
  };
  for (gsize i = 0; openssl_name && i < G_N_ELEMENTS(table); i++)
    for (gsize j = 0; j < G_N_ELEMENTS(table[i].names); j++)
      if (g_ascii_strcasecmp(table[i].names[j], openssl_name) == 0)
        return table[i].ours;
  return NULL;
}
