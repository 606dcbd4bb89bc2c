/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/cipher.h"

#include "base/error.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

#define GCM_TAG_MIN 12 /* RFC 5084 3.2 */
#define GCM_TAG_MAX 16
#define GCM_NONCE_MAX 64
#define BLOCK_MAX 16

static const CmsCipher cipher_table[] = {
  { NID_aes_128_cbc, "aes-128-cbc", 16, 16, FALSE, FALSE },
  { NID_aes_192_cbc, "aes-192-cbc", 24, 16, FALSE, FALSE },
  { NID_aes_256_cbc, "aes-256-cbc", 32, 16, FALSE, FALSE },
  { NID_aes_128_gcm, "aes-128-gcm", 16, 0, TRUE, FALSE },
  { NID_aes_192_gcm, "aes-192-gcm", 24, 0, TRUE, FALSE },
  { NID_aes_256_gcm, "aes-256-gcm", 32, 0, TRUE, FALSE },
  { NID_camellia_128_cbc, "camellia-128-cbc", 16, 16, FALSE, TRUE },
  { NID_camellia_192_cbc, "camellia-192-cbc", 24, 16, FALSE, TRUE },
  { NID_camellia_256_cbc, "camellia-256-cbc", 32, 16, FALSE, TRUE },
  { NID_des_ede3_cbc, "des-ede3-cbc", 24, 8, FALSE, TRUE },
};

const CmsCipher *
cms_cipher_of_name(const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS(cipher_table); i++)
    if (!cipher_table[i].old && strcmp(cipher_table[i].name, name) == 0)
      return &cipher_table[i];
  return NULL;
}

const CmsCipher *
cms_cipher_of_algorithm(const X509_ALGOR *algorithm)
{
  int nid = OBJ_obj2nid(algorithm->algorithm);
  for (gsize i = 0; i < G_N_ELEMENTS(cipher_table); i++)
    if (cipher_table[i].nid == nid)
      return &cipher_table[i];
  return NULL;
}

const EVP_CIPHER *
cms_cipher_evp(const CmsCipher *cipher)
{
  return EVP_get_cipherbynid(cipher->nid);
}

gboolean
cms_cipher_check(const char *cipher, GError **error)
{
  return cms_cipher_of_name(cipher) ||
         base_error_set(error, SIGNET_ERROR_USAGE,
                        "no such cipher: %s; there are aes-128-cbc, aes-192-cbc, aes-256-cbc, "
                        "aes-128-gcm, aes-192-gcm, aes-256-gcm",
                        cipher);
}

/* Room for the content, wiped unless it is handed over. */
typedef struct {
  guint8 *bytes;
  gsize size;
} Room;

static void
room_clear(Room *room)
{
  if (room->bytes)
    OPENSSL_cleanse(room->bytes, room->size);
  g_free(room->bytes);
  room->bytes = NULL;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Room, room_clear)

static gboolean
room_make(Room *room, gsize size, GError **error)
{
  room->bytes = g_try_malloc(size);
  room->size = size;
  return room->bytes || base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                                       "no memory for a content of %zu bytes", size);
}

static gboolean
damaged(GError **error)
{
  ERR_clear_error();
  return base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                        "cannot decrypt: the message is damaged, or was sealed with another key");
}

static gboolean
cbc_start(const CmsSealed *sealed, EVP_CIPHER_CTX *context, const guint8 *key)
{
  const void *value = NULL;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(NULL, &type, &value, sealed->algorithm);
  /* Camellia's parameters are its IV as well (RFC 3657). */
  const ASN1_STRING *iv = value;
  return type == V_ASN1_OCTET_STRING &&
         (gsize)ASN1_STRING_length(iv) == sealed->cipher->iv_length &&
         EVP_DecryptInit_ex(context, cms_cipher_evp(sealed->cipher), NULL, key,
                            ASN1_STRING_get0_data(iv)) == 1;
}

static gboolean
gcm_parameters(const CmsSealed *sealed, CmsAsnGcm **ret_parameters)
{
  const void *value = NULL;
  int type = V_ASN1_UNDEF;
  X509_ALGOR_get0(NULL, &type, &value, sealed->algorithm);
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
  if (length < GCM_TAG_MIN || length > GCM_TAG_MAX || nonce < 1 || nonce > GCM_NONCE_MAX ||
      !sealed->mac || ASN1_STRING_length(sealed->mac) != length)
    return FALSE;
  *ret_parameters = g_steal_pointer(&gcm);
  return TRUE;
}

static gboolean
gcm_start(const CmsSealed *sealed, EVP_CIPHER_CTX *context, const guint8 *key)
{
  g_autoptr(CmsAsnGcm) gcm = NULL;
  if (!gcm_parameters(sealed, &gcm))
    return FALSE;
  guint8 tag[GCM_TAG_MAX];
  int tag_length = ASN1_STRING_length(sealed->mac);
  memcpy(tag, ASN1_STRING_get0_data(sealed->mac), (gsize)tag_length);
  if (EVP_DecryptInit_ex(context, cms_cipher_evp(sealed->cipher), NULL, NULL, NULL) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, ASN1_STRING_length(gcm->nonce), NULL) !=
          1 ||
      EVP_DecryptInit_ex(context, NULL, NULL, key, ASN1_STRING_get0_data(gcm->nonce)) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_length, tag) != 1)
    return FALSE;
  if (!sealed->attributes)
    return TRUE;
  /* RFC 5083 2.2: the tag covers the DER of the authenticated attributes too. */
  g_autoptr(GBytes) aad = cms_asn_attributes_der(sealed->attributes, TRUE);
  int done = 0;
  return aad && EVP_DecryptUpdate(context, NULL, &done, g_bytes_get_data(aad, NULL),
                                  (int)g_bytes_get_size(aad)) == 1;
}

GBytes *
cms_cipher_open(const CmsSealed *sealed, const guint8 *key, gsize key_length, GError **error)
{
  if (!sealed->content) {
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "the sealed content is not in the message: it is kept elsewhere");
    return NULL;
  }
  g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
  g_auto(Room) room = { NULL, 0 };
  int length = ASN1_STRING_length(sealed->content);
  int done = 0;
  int rest = 0;
  if (!room_make(&room, (gsize)length + BLOCK_MAX, error))
    return NULL;
  gboolean good =
      context && key_length == sealed->cipher->key_length &&
      (sealed->cipher->gcm ? gcm_start(sealed, context, key) : cbc_start(sealed, context, key)) &&
      EVP_DecryptUpdate(context, room.bytes, &done, ASN1_STRING_get0_data(sealed->content),
                        length) == 1 &&
      EVP_DecryptFinal_ex(context, room.bytes + done, &rest) == 1;
  if (!good) {
    damaged(error);
    return NULL;
  }
  return g_bytes_new_take(g_steal_pointer(&room.bytes), (gsize)done + (gsize)rest);
}
