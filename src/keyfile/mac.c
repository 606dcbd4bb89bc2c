/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/mac.h"

#include "keyfile/derive.h"
#include "keyfile/spelling.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>

#define OID_PBMAC1 "1.2.840.113549.1.5.14"
#define PBMAC1_KEY_MAX 256
#define PBMAC1_KEY_MIN 20 /* RFC 9579 4 */

/* RFC 8018 A.5 */
typedef struct {
  X509_ALGOR *kdf;
  X509_ALGOR *scheme;
} Pbmac1;

/* clang-format off */
ASN1_SEQUENCE(KeyfileMac) = {
  ASN1_SIMPLE(KeyfileMac, digest, X509_SIG),
  ASN1_SIMPLE(KeyfileMac, salt, ASN1_OCTET_STRING),
  ASN1_OPT(KeyfileMac, iterations, ASN1_INTEGER)
} ASN1_SEQUENCE_END(KeyfileMac)

ASN1_SEQUENCE(Pbmac1) = {
  ASN1_SIMPLE(Pbmac1, kdf, X509_ALGOR),
  ASN1_SIMPLE(Pbmac1, scheme, X509_ALGOR)
} static_ASN1_SEQUENCE_END(Pbmac1)
    /* clang-format on */

    static void pbmac1_free(Pbmac1 * param)
{
  ASN1_item_free((ASN1_VALUE *)param, ASN1_ITEM_rptr(Pbmac1));
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD, EVP_MD_free)

static gboolean
hmac_equals(KeyfileReader *reader, const char *digest, BaseSecret *key,
            const ASN1_OCTET_STRING *content, const ASN1_OCTET_STRING *wanted)
{
  guint8 mac[EVP_MAX_MD_SIZE];
  size_t length = 0;
  if (!EVP_Q_mac(reader->library, "HMAC", NULL, digest, NULL, base_secret_bytes(key),
                 base_secret_length(key), ASN1_STRING_get0_data(content),
                 (size_t)ASN1_STRING_length(content), mac, sizeof mac, &length))
    return FALSE;
  return length > 0 && length == (size_t)ASN1_STRING_length(wanted) &&
         CRYPTO_memcmp(mac, ASN1_STRING_get0_data(wanted), length) == 0;
}

typedef struct {
  const KeyfileMac *mac;
  const X509_ALGOR *algorithm;
  const ASN1_OCTET_STRING *wanted;
  const ASN1_OCTET_STRING *content;
  const char *digest;
  gsize length;   /* of the key */
  Pbmac1 *pbmac1; /* (nullable) */
} Check;

static gboolean
digest_is_there(KeyfileReader *reader, Check *check, GError **error)
{
  ERR_clear_error();
  g_autoptr(EVP_MD) digest = EVP_MD_fetch(reader->library, check->digest, NULL);
  ERR_clear_error();
  if (!digest)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "this OpenSSL does not have %s",
                          check->digest);
  if (check->length == 0)
    check->length = (gsize)EVP_MD_get_size(digest);
  return TRUE;
}

static gboolean
prepare_pbmac1(Check *check, GError **error)
{
  int digest = NID_undef;
  check->pbmac1 = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(Pbmac1), check->algorithm->parameter);
  ERR_clear_error();
  if (!check->pbmac1)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "its parameters are malformed");
  check->length = keyfile_derive_key_length(check->pbmac1->kdf);
  if (check->length < PBMAC1_KEY_MIN || check->length > PBMAC1_KEY_MAX)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "its key has no fitting length");
  if (!EVP_PBE_find(EVP_PBE_TYPE_PRF, OBJ_obj2nid(check->pbmac1->scheme->algorithm), NULL, &digest,
                    NULL)) {
    ERR_clear_error();
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "its function is unknown");
  }
  check->digest = OBJ_nid2sn(digest);
  return TRUE;
}

static gboolean
prepare(KeyfileReader *reader, Check *check, GError **error)
{
  char oid[80] = "";
  OBJ_obj2txt(oid, sizeof oid, check->algorithm->algorithm, 1);
  if (g_str_equal(oid, OID_PBMAC1))
    return prepare_pbmac1(check, error) && digest_is_there(reader, check, error);
  int nid = OBJ_obj2nid(check->algorithm->algorithm);
  if (nid == NID_undef)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "its function %s is unknown", oid);
  check->digest = OBJ_nid2sn(nid);
  return digest_is_there(reader, check, error);
}

static gboolean
try(KeyfileReader *reader, const Check *check, const KeyfileSpelling *spelling, GError **error)
{
  const KeyfileDerive derive = { check->mac->salt, check->mac->iterations, check->digest };
  g_autoptr(BaseSecret) key =
      check->pbmac1
          ? keyfile_derive_pkcs5(reader, check->pbmac1->kdf, spelling->text, check->length, error)
          : keyfile_derive_pkcs12(reader, &derive, PKCS12_MAC_ID, spelling->wide, check->length,
                                  error);
  return key && hmac_equals(reader, check->digest, key, check->content, check->wanted);
}

static gboolean
try_all(KeyfileReader *reader, const Check *check, GError **error)
{
  for (guint i = 0; i < reader->spellings->len; i++) {
    g_autoptr(GError) reason = NULL;
    if (keyfile_spelling_was_tried(reader->spellings, i, !check->pbmac1))
      continue;
    if (try(reader, check, reader->spellings->pdata[i], &reason)) {
      keyfile_spelling_prefer(reader->spellings, i);
      return TRUE;
    }
    ERR_clear_error();
    if (reason) {
      g_propagate_error(error, g_steal_pointer(&reason));
      return FALSE;
    }
  }
  return base_error_set(error, SIGNET_ERROR_PIN_INCORRECT, "the passphrase does not fit");
}

gboolean
keyfile_mac_check(KeyfileReader *reader, const KeyfileMac *mac, const ASN1_OCTET_STRING *content,
                  GError **error)
{
  Check check = { .mac = mac, .content = content };
  X509_SIG_get0(mac->digest, &check.algorithm, &check.wanted);
  gboolean good = prepare(reader, &check, error) && try_all(reader, &check, error);
  pbmac1_free(check.pbmac1);
  return good;
}
