/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/pbe.h"

#include "keyfile/der.h"
#include "keyfile/derive.h"
#include "keyfile/spelling.h"
#include "keyfile/wiped.h"

#include <openssl/err.h>
#include <string.h>

#define KEY_LENGTH_MAX 256
#define PEM_CIPHER_MAX 32 /* characters of its name */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_CIPHER, EVP_CIPHER_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD, EVP_MD_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PBE2PARAM, PBE2PARAM_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PBEPARAM, PBEPARAM_free)

/* ---- the cipher ---- */

typedef struct {
  const guint8 *bytes;
  gsize length;
} Sealed;

/* NULL without an error: another key's, or damaged. */
static GBytes *
run(EVP_CIPHER_CTX *context, const Sealed *sealed)
{
  int first = 0, last = 0;
  gsize room = sealed->length + EVP_MAX_BLOCK_LENGTH;
  if (sealed->length > G_MAXINT - EVP_MAX_BLOCK_LENGTH)
    return NULL;
  guint8 *plain = g_malloc0(room);
  g_autoptr(GBytes) all = keyfile_wiped_new(plain, room);
  gboolean ok =
      EVP_DecryptUpdate(context, plain, &first, sealed->bytes, (int)sealed->length) == 1 &&
      EVP_DecryptFinal_ex(context, plain + first, &last) == 1;
  ERR_clear_error();
  gsize length = (gsize)first + (gsize)last;
  KeyfileElement element;
  if (!ok || !keyfile_der_first(plain, length, &element) || element.tag != 0x30 ||
      element.whole > length || (!element.indefinite && element.whole < length))
    return NULL;
  return g_bytes_new_from_bytes(all, 0, length);
}

static EVP_CIPHER *
fetch(KeyfileReader *reader, const char *name, GError **error)
{
  ERR_clear_error();
  EVP_CIPHER *cipher = EVP_CIPHER_fetch(reader->library, name, NULL);
  ERR_clear_error();
  if (!cipher)
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "it is encrypted by %s, which this OpenSSL does not have (old ciphers need its "
                   "legacy provider)",
                   name);
  return cipher;
}

static void
malformed(GError **error)
{
  ERR_clear_error();
  base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the parameters of its encryption are malformed");
}

/* ---- the schemes: each one attempt with one spelling ---- */

/* NULL without an error: not this spelling. */
typedef GBytes *(*Attempt)(KeyfileReader *reader, const X509_ALGOR *algorithm,
                           const KeyfileSpelling *spelling, const Sealed *sealed, GError **error);

static GBytes *
attempt_pbes2(KeyfileReader *reader, const X509_ALGOR *algorithm, const KeyfileSpelling *spelling,
              const Sealed *sealed, GError **error)
{
  char name[80] = "";
  g_autoptr(PBE2PARAM) param =
      ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
  if (!param) {
    malformed(error);
    return NULL;
  }
  OBJ_obj2txt(name, sizeof name, param->encryption->algorithm, 0);
  int nid = OBJ_obj2nid(param->encryption->algorithm);
  g_autoptr(EVP_CIPHER) cipher = fetch(reader, nid == NID_undef ? name : OBJ_nid2sn(nid), error);
  g_autoptr(EVP_CIPHER_CTX) context = cipher ? EVP_CIPHER_CTX_new() : NULL;
  if (!context)
    return NULL;
  gsize wanted = keyfile_derive_key_length(param->keyfunc);
  if (wanted > KEY_LENGTH_MAX || EVP_DecryptInit_ex2(context, cipher, NULL, NULL, NULL) != 1 ||
      EVP_CIPHER_asn1_to_param(context, param->encryption->parameter) <= 0 ||
      (wanted > 0 && EVP_CIPHER_CTX_set_key_length(context, (int)wanted) != 1)) {
    malformed(error);
    return NULL;
  }
  gsize length = (gsize)EVP_CIPHER_CTX_get_key_length(context);
  g_autoptr(BaseSecret) key =
      keyfile_derive_pkcs5(reader, param->keyfunc, spelling->text, length, error);
  if (!key || EVP_DecryptInit_ex2(context, NULL, base_secret_bytes(key), NULL, NULL) != 1)
    return NULL;
  return run(context, sealed);
}

typedef struct {
  KeyfileDerive derive;
  EVP_CIPHER *cipher;
  gsize key_length;
  gsize iv_length;
  PBEPARAM *param;
} Old;

static void
old_clear(Old *old)
{
  EVP_CIPHER_free(old->cipher);
  PBEPARAM_free(old->param);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Old, old_clear)

/* What PBES1 and PKCS #12's have in common: salt, iterations, a cipher that the OID names. */
static gboolean
old_read(KeyfileReader *reader, const X509_ALGOR *algorithm, Old *old, GError **error)
{
  int cipher = NID_undef, digest = NID_undef;
  old->param = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
  if (!old->param || !EVP_PBE_find(EVP_PBE_TYPE_OUTER, OBJ_obj2nid(algorithm->algorithm), &cipher,
                                   &digest, NULL)) {
    malformed(error);
    return FALSE;
  }
  old->cipher = fetch(reader, OBJ_nid2sn(cipher), error);
  if (!old->cipher)
    return FALSE;
  old->derive.salt = old->param->salt;
  old->derive.iterations = old->param->iter;
  old->derive.digest = OBJ_nid2sn(digest);
  old->key_length = (gsize)EVP_CIPHER_get_key_length(old->cipher);
  old->iv_length = (gsize)EVP_CIPHER_get_iv_length(old->cipher);
  return TRUE;
}

static GBytes *
old_run(const Old *old, const guint8 *key, const guint8 *iv, const Sealed *sealed)
{
  g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
  if (!context || EVP_DecryptInit_ex2(context, old->cipher, key, iv, NULL) != 1)
    return NULL;
  return run(context, sealed);
}

/* RFC 8018 6.1: eight bytes of key, eight of initial vector. */
static GBytes *
attempt_pbes1(KeyfileReader *reader, const X509_ALGOR *algorithm, const KeyfileSpelling *spelling,
              const Sealed *sealed, GError **error)
{
  g_auto(Old) old = { 0 };
  if (!old_read(reader, algorithm, &old, error))
    return NULL;
  if (old.key_length != 8 || old.iv_length != 8) {
    malformed(error);
    return NULL;
  }
  g_autoptr(BaseSecret) both =
      keyfile_derive_pbkdf1(reader, &old.derive, spelling->text, 16, error);
  return both ? old_run(&old, base_secret_bytes(both), base_secret_bytes(both) + 8, sealed) : NULL;
}

static GBytes *
attempt_pkcs12(KeyfileReader *reader, const X509_ALGOR *algorithm, const KeyfileSpelling *spelling,
               const Sealed *sealed, GError **error)
{
  g_auto(Old) old = { 0 };
  if (!old_read(reader, algorithm, &old, error))
    return NULL;
  g_autoptr(BaseSecret) key = keyfile_derive_pkcs12(reader, &old.derive, PKCS12_KEY_ID,
                                                    spelling->wide, old.key_length, error);
  g_autoptr(BaseSecret) iv = NULL;
  if (!key)
    return NULL;
  if (old.iv_length > 0) {
    iv = keyfile_derive_pkcs12(reader, &old.derive, PKCS12_IV_ID, spelling->wide, old.iv_length,
                               error);
    if (!iv)
      return NULL;
  }
  return old_run(&old, base_secret_bytes(key), iv ? base_secret_bytes(iv) : NULL, sealed);
}

static Attempt
scheme_of(const X509_ALGOR *algorithm)
{
  switch (OBJ_obj2nid(algorithm->algorithm)) {
  case NID_pbes2:
    return attempt_pbes2;
  case NID_pbeWithMD2AndDES_CBC:
  case NID_pbeWithMD5AndDES_CBC:
  case NID_pbeWithMD2AndRC2_CBC:
  case NID_pbeWithMD5AndRC2_CBC:
  case NID_pbeWithSHA1AndDES_CBC:
  case NID_pbeWithSHA1AndRC2_CBC:
    return attempt_pbes1;
  case NID_pbe_WithSHA1And128BitRC4:
  case NID_pbe_WithSHA1And40BitRC4:
  case NID_pbe_WithSHA1And3_Key_TripleDES_CBC:
  case NID_pbe_WithSHA1And2_Key_TripleDES_CBC:
  case NID_pbe_WithSHA1And128BitRC2_CBC:
  case NID_pbe_WithSHA1And40BitRC2_CBC:
    return attempt_pkcs12;
  default:
    return NULL;
  }
}

/* ---- the spellings ---- */

static void
set_incorrect(GError **error)
{
  base_error_set(error, SIGNET_ERROR_PIN_INCORRECT, "the passphrase does not open it");
}

GBytes *
keyfile_pbe_open(KeyfileReader *reader, const X509_ALGOR *algorithm,
                 const ASN1_OCTET_STRING *sealed, GError **error)
{
  char name[80] = "";
  Attempt attempt = scheme_of(algorithm);
  Sealed bytes = { sealed ? ASN1_STRING_get0_data(sealed) : NULL,
                   sealed ? (gsize)ASN1_STRING_length(sealed) : 0 };
  if (!attempt) {
    OBJ_obj2txt(name, sizeof name, algorithm->algorithm, 0);
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "it is encrypted by %s, which signet does not know", name);
    return NULL;
  }
  for (guint i = 0; i < reader->spellings->len; i++) {
    g_autoptr(GError) reason = NULL;
    if (keyfile_spelling_was_tried(reader->spellings, i, attempt == attempt_pkcs12))
      continue;
    GBytes *plain = attempt(reader, algorithm, reader->spellings->pdata[i], &bytes, &reason);
    if (plain) {
      keyfile_spelling_prefer(reader->spellings, i);
      return plain;
    }
    ERR_clear_error();
    if (reason) {
      g_propagate_error(error, g_steal_pointer(&reason));
      return NULL;
    }
  }
  set_incorrect(error);
  return NULL;
}

/* ---- PEM ---- */

static GBytes *
attempt_pem(KeyfileReader *reader, const EVP_CIPHER *cipher, GBytes *iv, BaseSecret *text,
            const Sealed *sealed)
{
  g_autoptr(EVP_MD) md5 = EVP_MD_fetch(reader->library, "MD5", NULL);
  g_autoptr(BaseSecret) key = base_secret_new(EVP_MAX_KEY_LENGTH);
  const guint8 *salt = g_bytes_get_data(iv, NULL);
  /* One round of MD5 with the first 8 bytes of the IV for salt: that is the format. */
  if (!md5 || EVP_BytesToKey(cipher, md5, salt, base_secret_bytes(text),
                             (int)base_secret_length(text), 1, base_secret_bytes(key), NULL) <= 0)
    return NULL;
  g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
  if (!context || EVP_DecryptInit_ex2(context, cipher, base_secret_bytes(key), salt, NULL) != 1)
    return NULL;
  return run(context, sealed);
}

static EVP_CIPHER *
pem_cipher(KeyfileReader *reader, const char *info, GBytes **ret_iv, GError **error)
{
  const char *comma = strchr(info, ',');
  g_autofree char *name = comma ? g_strndup(info, (gsize)(comma - info)) : NULL;
  g_autoptr(GBytes) iv = NULL;
  g_autoptr(EVP_CIPHER) cipher = NULL;
  if (name) {
    g_autofree char *hex = g_strdup(comma + 1);
    iv = base_unhex(g_strstrip(hex));
    g_strstrip(name);
  }
  if (!iv || !*name || strlen(name) > PEM_CIPHER_MAX ||
      strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") !=
          strlen(name)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "its DEK-Info line is malformed");
    return NULL;
  }
  cipher = fetch(reader, name, error);
  if (!cipher)
    return NULL;
  if (EVP_CIPHER_get_mode(cipher) != EVP_CIPH_CBC_MODE || g_bytes_get_size(iv) < PKCS5_SALT_LEN ||
      (int)g_bytes_get_size(iv) != EVP_CIPHER_get_iv_length(cipher)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "its DEK-Info line is malformed");
    return NULL;
  }
  *ret_iv = g_steal_pointer(&iv);
  return g_steal_pointer(&cipher);
}

GBytes *
keyfile_pbe_open_pem(KeyfileReader *reader, const char *info, GBytes *sealed, GError **error)
{
  g_autoptr(GBytes) iv = NULL;
  Sealed bytes = { g_bytes_get_data(sealed, NULL), g_bytes_get_size(sealed) };
  g_autoptr(EVP_CIPHER) cipher = pem_cipher(reader, info, &iv, error);
  if (!cipher)
    return NULL;
  for (guint i = 0; i < reader->spellings->len; i++) {
    const KeyfileSpelling *spelling = reader->spellings->pdata[i];
    GBytes *plain = keyfile_spelling_was_tried(reader->spellings, i, FALSE)
                        ? NULL
                        : attempt_pem(reader, cipher, iv, spelling->text, &bytes);
    ERR_clear_error();
    if (plain) {
      keyfile_spelling_prefer(reader->spellings, i);
      return plain;
    }
  }
  set_incorrect(error);
  return NULL;
}
