/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/sealto.h"

#include "base/error.h"
#include "cms/cipher.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

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

/* A hash as strong as the curve, a wrap as strong as what it wraps (RFC 5753 7.1.4 and 8). OpenSSL's
 * own choices are SHA-1, and a wrap of the cipher's size. */
static gboolean
set_agreement(CMS_RecipientInfo *info, BaseKeyKind kind, gsize key_length)
{
  EVP_PKEY_CTX *key = CMS_RecipientInfo_get0_pkey_ctx(info);
  EVP_CIPHER_CTX *context = CMS_RecipientInfo_kari_get0_ctx(info);
  const EVP_MD *hash = kind == BASE_KEY_EC_P521   ? EVP_sha512()
                       : kind == BASE_KEY_EC_P384 ? EVP_sha384()
                                                  : EVP_sha256();
  const EVP_CIPHER *wrap = key_length <= 16   ? EVP_aes_128_wrap()
                           : key_length <= 24 ? EVP_aes_192_wrap()
                                              : EVP_aes_256_wrap();
  /* OpenSSL 3.0 sets X9.63 itself, and fails when it is set already. */
  return key && context && EVP_PKEY_CTX_set_ecdh_kdf_md(key, hash) > 0 &&
         EVP_EncryptInit_ex(context, wrap, NULL, NULL, NULL) == 1;
}

/* RFC 8551 2.3: RSAES-OAEP with SHA-256, and its mask with the same (RFC 4055 4.1: SHOULD). */
static gboolean
set_oaep(CMS_RecipientInfo *info)
{
  EVP_PKEY_CTX *key = CMS_RecipientInfo_get0_pkey_ctx(info);
  return key && EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_OAEP_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_oaep_md(key, EVP_sha256()) > 0 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(key, EVP_sha256()) > 0;
}

static gboolean
set_algorithms(CMS_RecipientInfo *info, const BaseCert *cert, const CmsSealing *sealing)
{
  if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE)
    return set_agreement(info, cert->kind, cms_cipher_of_name(sealing->cipher)->key_length);
  return !sealing->oaep || set_oaep(info);
}

static gboolean
add_one(CMS_ContentInfo *cms, const BaseCert *cert, const CmsSealing *sealing, GError **error)
{
  if (!can_receive(cert, error))
    return FALSE;
  g_autoptr(X509) x509 = base_cert_to_x509(cert, error);
  if (!x509)
    return FALSE;
  CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, x509, CMS_KEY_PARAM);
  return (info && set_algorithms(info, cert, sealing)) ||
         base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot seal to %s", cert->subject);
}

gboolean
cms_sealto_add_all(CMS_ContentInfo *cms, const CmsSealing *sealing, GError **error)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < sealing->recipients->len; i++) {
    const BaseCert *cert = g_ptr_array_index(sealing->recipients, i);
    if (g_hash_table_add(seen, cert->fingerprint) && !add_one(cms, cert, sealing, error))
      return FALSE;
  }
  return TRUE;
}
