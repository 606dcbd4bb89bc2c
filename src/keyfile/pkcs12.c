/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/pkcs12.h"

#include "keyfile/mac.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>

#define DEPTH_MAX 8 /* of bags in bags; nobody nests them at all */

/* OpenSSL's PKCS12 is opaque and knows the caller's OSSL_LIB_CTX in some places only. */
typedef struct {
  ASN1_INTEGER *version;
  PKCS7 *safes;
  KeyfileMac *mac;
} Pfx;

/* clang-format off */
ASN1_SEQUENCE(Pfx) = {
  ASN1_SIMPLE(Pfx, version, ASN1_INTEGER),
  ASN1_SIMPLE(Pfx, safes, PKCS7),
  ASN1_OPT(Pfx, mac, KeyfileMac)
} static_ASN1_SEQUENCE_END(Pfx)
    /* clang-format on */

    typedef STACK_OF(PKCS12_SAFEBAG) Bags;
typedef STACK_OF(PKCS7) Safes;

static void
pfx_free(Pfx *pfx)
{
  ASN1_item_free((ASN1_VALUE *)pfx, ASN1_ITEM_rptr(Pfx));
}

static void
bags_free(Bags *bags)
{
  sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

static void
safes_free(Safes *safes)
{
  sk_PKCS7_pop_free(safes, PKCS7_free);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pfx, pfx_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bags, bags_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Safes, safes_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)

static gboolean read_bags(KeyfileReader *reader, const Bags *bags, guint depth, GError **error);

/* (nullable) */
static char *
friendly_name(const PKCS12_SAFEBAG *bag)
{
  const ASN1_TYPE *value = PKCS12_SAFEBAG_get0_attr(bag, NID_friendlyName);
  if (!value || value->type != V_ASN1_BMPSTRING)
    return NULL;
  const ASN1_STRING *string = value->value.bmpstring;
  char *utf8 = OPENSSL_uni2utf8(ASN1_STRING_get0_data(string), ASN1_STRING_length(string));
  char *copy = g_strdup(utf8);
  OPENSSL_free(utf8);
  ERR_clear_error();
  return copy;
}

/* ---- bags ---- */

static gboolean
read_sealed_key(KeyfileReader *reader, const PKCS12_SAFEBAG *bag, const char *label, GError **error)
{
  const X509_ALGOR *algorithm = NULL;
  const ASN1_OCTET_STRING *sealed = NULL;
  g_autoptr(GBytes) plain = NULL;
  X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, &sealed);
  if (!keyfile_reader_open(reader, "a private key", algorithm, sealed, &plain, error))
    return FALSE;
  if (!plain)
    return keyfile_reader_count(reader, error);
  gsize length = 0;
  const guint8 *at = g_bytes_get_data(plain, &length);
  g_autoptr(PKCS8_PRIV_KEY_INFO) key = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)length);
  ERR_clear_error();
  if (key)
    return keyfile_reader_add_key(reader, key, label, error);
  keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "a damaged private key");
  return keyfile_reader_count(reader, error);
}

static gboolean
read_certificate(KeyfileReader *reader, const PKCS12_SAFEBAG *bag, const char *label,
                 GError **error)
{
  if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate) {
    keyfile_reader_skip(reader, SIGNET_ERROR_UNSUPPORTED, "a certificate that is not X.509");
    return keyfile_reader_count(reader, error);
  }
  g_autoptr(X509) x509 = PKCS12_SAFEBAG_get1_cert(bag);
  ERR_clear_error();
  if (x509)
    return keyfile_reader_add_x509(reader, x509, label, error);
  keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "a damaged certificate");
  return keyfile_reader_count(reader, error);
}

static gboolean
skip_bag(KeyfileReader *reader, const PKCS12_SAFEBAG *bag, GError **error)
{
  char name[80] = "";
  switch (PKCS12_SAFEBAG_get_nid(bag)) {
  case NID_crlBag:
    keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "a certificate revocation list");
    break;
  case NID_secretBag:
    keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "a secret (no private key)");
    break;
  default:
    OBJ_obj2txt(name, sizeof name, PKCS12_SAFEBAG_get0_type(bag), 0);
    keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "something of an unknown kind (%s)", name);
  }
  return keyfile_reader_count(reader, error);
}

static gboolean
read_bag(KeyfileReader *reader, const PKCS12_SAFEBAG *bag, guint depth, GError **error)
{
  g_autofree char *label = friendly_name(bag);
  switch (PKCS12_SAFEBAG_get_nid(bag)) {
  case NID_keyBag:
    return keyfile_reader_add_key(reader, PKCS12_SAFEBAG_get0_p8inf(bag), label, error);
  case NID_pkcs8ShroudedKeyBag:
    return read_sealed_key(reader, bag, label, error);
  case NID_certBag:
    return read_certificate(reader, bag, label, error);
  case NID_safeContentsBag:
    return read_bags(reader, PKCS12_SAFEBAG_get0_safes(bag), depth + 1, error);
  default:
    return skip_bag(reader, bag, error);
  }
}

static gboolean
read_bags(KeyfileReader *reader, const Bags *bags, guint depth, GError **error)
{
  if (depth > DEPTH_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s nests its parts more than %d deep",
                          reader->name, DEPTH_MAX);
  for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++)
    if (!read_bag(reader, sk_PKCS12_SAFEBAG_value(bags, i), depth, error))
      return FALSE;
  return TRUE;
}

/* ---- safes ---- */

static gboolean
read_contents(KeyfileReader *reader, const guint8 *der, gsize length, GError **error)
{
  const guint8 *at = der;
  g_autoptr(Bags) bags =
      (Bags *)ASN1_item_d2i(NULL, &at, (long)length, ASN1_ITEM_rptr(PKCS12_SAFEBAGS));
  ERR_clear_error();
  if (bags)
    return read_bags(reader, bags, 0, error);
  keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "a damaged part");
  return keyfile_reader_count(reader, error);
}

static gboolean
read_sealed_safe(KeyfileReader *reader, const PKCS7_ENCRYPT *encrypted, GError **error)
{
  g_autoptr(GBytes) plain = NULL;
  if (!encrypted || !encrypted->enc_data || !encrypted->enc_data->algorithm) {
    keyfile_reader_skip(reader, SIGNET_ERROR_BAD_INPUT, "a damaged part");
    return keyfile_reader_count(reader, error);
  }
  if (!keyfile_reader_open(reader, "an encrypted part", encrypted->enc_data->algorithm,
                           encrypted->enc_data->enc_data, &plain, error))
    return FALSE;
  if (!plain)
    return keyfile_reader_count(reader, error);
  gsize length = 0;
  const guint8 *der = g_bytes_get_data(plain, &length);
  return read_contents(reader, der, length, error);
}

static gboolean
read_safe(KeyfileReader *reader, const PKCS7 *safe, GError **error)
{
  switch (OBJ_obj2nid(safe->type)) {
  case NID_pkcs7_data:
    if (safe->d.data)
      return read_contents(reader, ASN1_STRING_get0_data(safe->d.data),
                           (gsize)ASN1_STRING_length(safe->d.data), error);
    return keyfile_reader_count(reader, error);
  case NID_pkcs7_encrypted:
    return read_sealed_safe(reader, safe->d.encrypted, error);
  default:
    keyfile_reader_skip(reader, SIGNET_ERROR_UNSUPPORTED,
                        "a part that is encrypted to a key instead of a passphrase");
    return keyfile_reader_count(reader, error);
  }
}

/* A passphrase that does not fit is noted and ends it: what the file says is not to be trusted. */
static gboolean
check_mac(KeyfileReader *reader, const Pfx *pfx, gboolean *ret_go_on, GError **error)
{
  g_autoptr(GError) reason = NULL;
  *ret_go_on = TRUE;
  if (reader->sight) {
    reader->sight->encrypted = reader->sight->encrypted || pfx->mac;
  } else if (!pfx->mac) {
    g_ptr_array_add(reader->contents->skipped,
                    g_strdup("no integrity check (no MAC): nothing shows that the file is whole"));
  } else if (keyfile_mac_check(reader, pfx->mac, pfx->safes->d.data, &reason)) {
    reader->opened++;
  } else if (g_error_matches(reason, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE)) {
    g_propagate_error(error, g_steal_pointer(&reason));
    return FALSE;
  } else if (g_error_matches(reason, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT)) {
    keyfile_reader_note_locked(reader, "the file");
    *ret_go_on = FALSE;
  } else {
    keyfile_reader_skip(reader, (SignetError)reason->code,
                        "the integrity check, which cannot be made: %s", reason->message);
  }
  return TRUE;
}

static gboolean
malformed(KeyfileReader *reader, GError **error)
{
  ERR_clear_error();
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s is a damaged PKCS #12 file",
                        reader->name);
}

gboolean
keyfile_pkcs12_read(KeyfileReader *reader, const guint8 *der, gsize length, GError **error)
{
  const guint8 *at = der;
  gboolean go_on = FALSE;
  ERR_clear_error();
  g_autoptr(Pfx) pfx = (Pfx *)ASN1_item_d2i(NULL, &at, (long)length, ASN1_ITEM_rptr(Pfx));
  if (!pfx)
    return malformed(reader, error);
  if (PKCS7_type_is_signed(pfx->safes))
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "%s is signed instead of protected by a passphrase, which signet cannot "
                          "read",
                          reader->name);
  if (!PKCS7_type_is_data(pfx->safes) || !pfx->safes->d.data)
    return malformed(reader, error);
  g_autoptr(Safes) safes =
      (Safes *)ASN1_item_unpack(pfx->safes->d.data, ASN1_ITEM_rptr(PKCS12_AUTHSAFES));
  if (!safes)
    return malformed(reader, error);
  if (!check_mac(reader, pfx, &go_on, error))
    return FALSE;
  for (int i = 0; go_on && i < sk_PKCS7_num(safes); i++)
    if (!read_safe(reader, sk_PKCS7_value(safes, i), error))
      return FALSE;
  return TRUE;
}
