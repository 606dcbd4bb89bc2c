/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/hashing.h"

#include "base/error.h"
#include "cms/attribute.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define HASHES_MAX 16 /* more than signet knows */

struct CmsHashing {
  guint n;
  const CmsHash *hashes[HASHES_MAX];
  EVP_MD_CTX *contexts[HASHES_MAX];
  GBytes *digests[HASHES_MAX]; /* made when first asked for */
  gboolean keep;
  GByteArray *kept; /* of long content only its beginning */
  GBytes *whole;
  goffset length;
};

CmsHashing *
cms_hashing_new(void)
{
  return g_new0(CmsHashing, 1);
}

void
cms_hashing_free(CmsHashing *hashing)
{
  if (!hashing)
    return;
  for (guint i = 0; i < hashing->n; i++) {
    EVP_MD_CTX_free(hashing->contexts[i]);
    g_bytes_unref(hashing->digests[i]);
  }
  if (hashing->kept) {
    OPENSSL_cleanse(hashing->kept->data, hashing->kept->len);
    g_byte_array_unref(hashing->kept);
  }
  g_bytes_unref(hashing->whole);
  g_free(hashing);
}

static guint
find(const CmsHashing *hashing, const CmsHash *hash)
{
  guint i = 0;
  while (i < hashing->n && hashing->hashes[i] != hash)
    i++;
  return i;
}

gboolean
cms_hashing_add(CmsHashing *hashing, const CmsHash *hash, GError **error)
{
  if (find(hashing, hash) < hashing->n)
    return TRUE;
  g_assert(hashing->n < HASHES_MAX && hashing->length == 0);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  if (!context || EVP_DigestInit_ex(context, cms_hash_md(hash), NULL) != 1) {
    EVP_MD_CTX_free(context);
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot hash with %s", hash->name);
  }
  hashing->hashes[hashing->n] = hash;
  hashing->contexts[hashing->n++] = context;
  return TRUE;
}

void
cms_hashing_keep(CmsHashing *hashing)
{
  hashing->keep = TRUE;
}

static gboolean
hash_all(CmsHashing *hashing, gconstpointer bytes, gsize length, GError **error)
{
  for (guint i = 0; i < hashing->n; i++)
    if (EVP_DigestUpdate(hashing->contexts[i], bytes, length) != 1)
      return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot hash the content with %s",
                                    hashing->hashes[i]->name);
  hashing->length += (goffset)length;
  return TRUE;
}

/* Allocated once: growing would leave copies of the content behind in freed memory. */
static void
keep(CmsHashing *hashing, gconstpointer bytes, gsize length)
{
  if (hashing->length > CMS_KEPT_MAX)
    return;
  gsize room = CMS_KEPT_MAX - (gsize)hashing->length;
  if (!hashing->kept)
    hashing->kept = g_byte_array_sized_new(CMS_KEPT_MAX);
  g_byte_array_append(hashing->kept, bytes, (guint)MIN(room, length));
}

gboolean
cms_hashing_push(CmsHashing *hashing, gconstpointer bytes, gsize length, GError **error)
{
  if (hashing->keep)
    keep(hashing, bytes, length);
  return hash_all(hashing, bytes, length, error);
}

GBytes *
cms_hashing_digest(CmsHashing *hashing, const CmsHash *hash)
{
  guint8 digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  guint i = find(hashing, hash);
  if (i == hashing->n)
    return NULL;
  if (!hashing->digests[i] && EVP_DigestFinal_ex(hashing->contexts[i], digest, &size) == 1)
    hashing->digests[i] = g_bytes_new(digest, size);
  return hashing->digests[i];
}

GBytes *
cms_hashing_content(CmsHashing *hashing)
{
  if (!hashing->whole && hashing->keep && hashing->length <= CMS_KEPT_MAX)
    hashing->whole =
        hashing->kept ? g_bytes_new(hashing->kept->data, hashing->kept->len) : g_bytes_new(NULL, 0);
  return hashing->whole;
}

gboolean
cms_hashing_is_attributes(CmsHashing *hashing)
{
  gsize held = 0;
  if (hashing->whole) {
    const guint8 *bytes = g_bytes_get_data(hashing->whole, &held);
    return cms_attribute_is_set(bytes, held, hashing->length);
  }
  return hashing->kept &&
         cms_attribute_is_set(hashing->kept->data, hashing->kept->len, hashing->length);
}
