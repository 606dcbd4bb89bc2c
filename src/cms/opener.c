/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/cipher.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

#define GCM_TAG_MIN 12 /* RFC 5084 3.2 */
#define GCM_TAG_MAX 16
#define GCM_NONCE_MAX 64
#define BLOCK_MAX 16
#define ROOM (32 * 1024) /* stays in the second cache with what is read */

typedef struct {
  BaseSink sink;
  BaseSink *next;
  const CmsCipher *cipher;
  BaseSecret *key;
  EVP_CIPHER_CTX *context;
  guint8 nonce[GCM_NONCE_MAX]; /* GCM */
  int nonce_length;
  int tag_length;
  guint64 length; /* of the sealed content so far */
  guint8 room[ROOM + BLOCK_MAX];
} Opener;

static gboolean
damaged(GError **error)
{
  ERR_clear_error();
  return base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                        "cannot decrypt: the message is damaged, or was sealed with another key");
}

/* ---- parameters ---- */

static gboolean
cbc_start(Opener *opener, const X509_ALGOR *algorithm)
{
  const void *value = NULL;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(NULL, &type, &value, algorithm);
  /* Camellia's parameters are its IV as well (RFC 3657). */
  const ASN1_STRING *iv = value;
  return type == V_ASN1_OCTET_STRING &&
         (gsize)ASN1_STRING_length(iv) == opener->cipher->iv_length &&
         EVP_DecryptInit_ex(opener->context, cms_cipher_evp(opener->cipher), NULL,
                            base_secret_bytes(opener->key), ASN1_STRING_get0_data(iv)) == 1;
}

static gboolean
gcm_parameters(Opener *opener, const X509_ALGOR *algorithm)
{
  const void *value = NULL;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(NULL, &type, &value, algorithm);
  const ASN1_STRING *der = value;
  g_autoptr(CmsAsnGcm) gcm =
      type == V_ASN1_SEQUENCE
          ? cms_asn_decode(ASN1_STRING_get0_data(der), (gsize)ASN1_STRING_length(der),
                           ASN1_ITEM_rptr(CmsAsnGcm))
          : NULL;
  gint64 length = GCM_TAG_MIN;
  if (!gcm || (gcm->tag_length && !ASN1_INTEGER_get_int64(&length, gcm->tag_length)))
    return FALSE;
  int nonce = ASN1_STRING_length(gcm->nonce);
  if (length < GCM_TAG_MIN || length > GCM_TAG_MAX || nonce < 1 || nonce > GCM_NONCE_MAX)
    return FALSE;
  memcpy(opener->nonce, ASN1_STRING_get0_data(gcm->nonce), (gsize)nonce);
  opener->nonce_length = nonce;
  opener->tag_length = (int)length;
  return TRUE;
}

static gboolean
gcm_init(Opener *opener, EVP_CIPHER_CTX *context, int encrypt)
{
  return EVP_CipherInit_ex(context, cms_cipher_evp(opener->cipher), NULL, NULL, NULL, encrypt) ==
             1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, opener->nonce_length, NULL) == 1 &&
         EVP_CipherInit_ex(context, NULL, NULL, base_secret_bytes(opener->key), opener->nonce,
                           encrypt) == 1;
}

/* ---- attributes that come after the content ---- */

/* The tag over `aad` and as many zeros as the content is long. */
static gboolean
tag_of_zeros(Opener *opener, GBytes *aad, guint8 tag[GCM_TAG_MAX])
{
  static const guint8 zeros[ROOM];
  g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
  int done = 0;
  gboolean good = context && gcm_init(opener, context, 1) &&
                  (!aad || EVP_EncryptUpdate(context, NULL, &done, g_bytes_get_data(aad, NULL),
                                             (int)g_bytes_get_size(aad)) == 1);
  for (guint64 left = opener->length; good && left > 0;) {
    int take = (int)MIN(left, ROOM);
    good = EVP_EncryptUpdate(context, opener->room, &done, zeros, take) == 1;
    left -= (guint64)take;
  }
  return good && EVP_EncryptFinal_ex(context, opener->room, &done) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_MAX, tag) == 1;
}

/* RFC 5083 2.2: the tag covers the DER of the authenticated attributes, before the content; but they
 * come after it, when the content has been through. GHASH is linear: what the attributes change
 * of the tag depends on them, the key and the content's length, not on the content. So this change is
 * taken from a content of zeros, and undone in the tag that came. */
static gboolean
without_attributes(Opener *opener, CmsAttributes *attributes, guint8 tag[GCM_TAG_MAX])
{
  guint8 with[GCM_TAG_MAX];
  guint8 without[GCM_TAG_MAX];
  g_autoptr(GBytes) aad = cms_asn_attributes_der(attributes, TRUE);
  if (!aad || !tag_of_zeros(opener, aad, with) || !tag_of_zeros(opener, NULL, without))
    return FALSE;
  for (int i = 0; i < opener->tag_length; i++)
    tag[i] ^= with[i] ^ without[i];
  return TRUE;
}

static gboolean
gcm_end(Opener *opener, const CmsSealed *sealed)
{
  guint8 tag[GCM_TAG_MAX];
  if (!sealed->mac || ASN1_STRING_length(sealed->mac) != opener->tag_length)
    return FALSE;
  memcpy(tag, ASN1_STRING_get0_data(sealed->mac), (gsize)opener->tag_length);
  return (!sealed->attributes || without_attributes(opener, sealed->attributes, tag)) &&
         EVP_CIPHER_CTX_ctrl(opener->context, EVP_CTRL_AEAD_SET_TAG, opener->tag_length, tag) == 1;
}

/* ---- the stage ---- */

static gboolean
opener_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Opener *opener = (Opener *)sink;
  const guint8 *at = bytes;
  while (length > 0) {
    int take = (int)MIN(length, ROOM);
    int done = 0;
    if (EVP_DecryptUpdate(opener->context, opener->room, &done, at, take) != 1)
      return damaged(error);
    opener->length += (guint64)take;
    if (!base_sink_write(opener->next, opener->room, (gsize)done, error))
      return FALSE;
    at += take;
    length -= (gsize)take;
  }
  return TRUE;
}

static gboolean
opener_finish(BaseSink *sink, GError **error)
{
  Opener *opener = (Opener *)sink;
  int done = 0;
  if (EVP_DecryptFinal_ex(opener->context, opener->room, &done) != 1)
    return damaged(error);
  return base_sink_write(opener->next, opener->room, (gsize)done, error) &&
         base_sink_finish(opener->next, error);
}

static void
opener_free(BaseSink *sink)
{
  Opener *opener = (Opener *)sink;
  EVP_CIPHER_CTX_free(opener->context);
  base_secret_free(opener->key);
  base_wipe(opener->room, sizeof opener->room);
  g_free(opener);
}

BaseSink *
cms_cipher_opener_new(const CmsSealed *sealed, BaseSecret *key, BaseSink *next, GError **error)
{
  static const BaseSinkClass klass = { opener_write, opener_finish, opener_free };
  Opener *opener = g_new0(Opener, 1);
  opener->sink.klass = &klass;
  opener->next = next;
  opener->cipher = sealed->cipher;
  opener->key = key;
  opener->context = EVP_CIPHER_CTX_new();
  gboolean good = opener->context && base_secret_length(key) == sealed->cipher->key_length &&
                  (sealed->cipher->gcm ? gcm_parameters(opener, sealed->algorithm) &&
                                             gcm_init(opener, opener->context, 0)
                                       : cbc_start(opener, sealed->algorithm));
  if (good)
    return &opener->sink;
  opener_free(&opener->sink);
  damaged(error);
  return NULL;
}

gboolean
cms_cipher_opener_end(BaseSink *opener, const CmsSealed *sealed, GError **error)
{
  Opener *self = (Opener *)opener;
  return !self->cipher->gcm || gcm_end(self, sealed) || damaged(error);
}
