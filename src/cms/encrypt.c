/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/cipher.h"

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <string.h>

/* Sealing needs no private key, so OpenSSL's CMS does it: AuthEnvelopedData for GCM. */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CMS_ContentInfo, CMS_ContentInfo_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

static gboolean
can_receive(const BaseCert *cert, GError **error)
{
  switch (cert->kind) {
  case BASE_KEY_RSA:
  case BASE_KEY_EC_P256:
  case BASE_KEY_EC_P384:
  case BASE_KEY_EC_P521:
    return TRUE;
  case BASE_KEY_ED25519:
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "cannot seal to %s: an Ed25519 key only signs", cert->subject);
  case BASE_KEY_OTHER:
    break;
  }
  return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                        "cannot seal to %s: its key is of a kind that cannot receive",
                        cert->subject);
}

/* RFC 8551 2.3 wants stdDH with SHA-256; OpenSSL's defaults are SHA-1 and a wrap by the
 * content cipher's size. */
static gboolean
set_agreement(CMS_RecipientInfo *info)
{
  EVP_PKEY_CTX *key = CMS_RecipientInfo_get0_pkey_ctx(info);
  EVP_CIPHER_CTX *wrap = CMS_RecipientInfo_kari_get0_ctx(info);
  /* OpenSSL 3.0 sets X9.63 itself, and fails when it is set already. */
  return key && wrap && EVP_PKEY_CTX_set_ecdh_kdf_md(key, EVP_sha256()) > 0 &&
         EVP_EncryptInit_ex(wrap, EVP_aes_256_wrap(), NULL, NULL, NULL) == 1;
}

static gboolean
add_recipient(CMS_ContentInfo *cms, const BaseCert *cert, GError **error)
{
  if (!can_receive(cert, error))
    return FALSE;
  g_autoptr(X509) x509 = base_cert_to_x509(cert, error);
  if (!x509)
    return FALSE;
  CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, x509, CMS_KEY_PARAM);
  if (!info || (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE && !set_agreement(info)))
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot seal to %s", cert->subject);
  return TRUE;
}

static gboolean
add_recipients(CMS_ContentInfo *cms, GPtrArray *recipients, GError **error)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < recipients->len; i++) {
    const BaseCert *cert = g_ptr_array_index(recipients, i);
    if (g_hash_table_add(seen, cert->fingerprint) && !add_recipient(cms, cert, error))
      return FALSE;
  }
  return TRUE;
}

static void
free_openssl(gpointer bytes)
{
  OPENSSL_free(bytes);
}

static GBytes *
finish(CMS_ContentInfo *cms, GBytes *content, GError **error)
{
  /* An empty BIO_s_mem read says "try again"; the buffer form gives end of file. */
  gsize length = g_bytes_get_size(content);
  g_autoptr(BIO) in = BIO_new_mem_buf(length ? g_bytes_get_data(content, NULL) : "", (int)length);
  guint8 *der = NULL;
  int size = in && CMS_final(cms, in, NULL, CMS_BINARY) == 1 ? i2d_CMS_ContentInfo(cms, &der) : 0;
  if (size <= 0) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot seal the message");
    return NULL;
  }
  return g_bytes_new_with_free_func(der, (gsize)size, free_openssl, der);
}

GBytes *
cms_encrypt(GBytes *content, GPtrArray *recipients, const char *cipher, GError **error)
{
  if (!cms_cipher_check(cipher, error))
    return NULL;
  if (recipients->len == 0) {
    base_error_set(error, SIGNET_ERROR_USAGE, "nobody to seal to");
    return NULL;
  }
  if (g_bytes_get_size(content) > CMS_CONTENT_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the content is over %zu MiB",
                   CMS_CONTENT_MAX / 1024 / 1024);
    return NULL;
  }
  g_autoptr(CMS_ContentInfo) cms =
      CMS_encrypt(NULL, NULL, cms_cipher_evp(cms_cipher_of_name(cipher)), CMS_PARTIAL | CMS_BINARY);
  if (!cms) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot begin sealing with %s", cipher);
    return NULL;
  }
  return add_recipients(cms, recipients, error) ? finish(cms, content, error) : NULL;
}
