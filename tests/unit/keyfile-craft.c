/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile-craft.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

/* ---- DER by hand ---- */

static void
put(GByteArray *out, gconstpointer bytes, gsize length)
{
  g_byte_array_append(out, bytes, (guint)length);
}

static GBytes *
wrap(guint8 tag, gconstpointer value, gsize length)
{
  GByteArray *out = g_byte_array_new();
  guint8 header[6] = {
    tag, 0x84, (guint8)(length >> 24), (guint8)(length >> 16), (guint8)(length >> 8), (guint8)length
  };
  guint8 brief[2] = { tag, (guint8)length };
  guint8 two[4] = { tag, 0x82, (guint8)(length >> 8), (guint8)length };
  guint8 one[3] = { tag, 0x81, (guint8)length };
  if (length < 128)
    put(out, brief, sizeof brief);
  else if (length < 256)
    put(out, one, sizeof one);
  else if (length < 65536)
    put(out, two, sizeof two);
  else
    put(out, header, sizeof header);
  put(out, value, length);
  return g_byte_array_free_to_bytes(out);
}

static GBytes *
wrap_bytes(guint8 tag, GBytes *value)
{
  return wrap(tag, g_bytes_get_data(value, NULL), g_bytes_get_size(value));
}

/* Takes both. */
static GBytes *
join(GBytes *a, GBytes *b)
{
  GByteArray *out = g_byte_array_new();
  put(out, g_bytes_get_data(a, NULL), g_bytes_get_size(a));
  put(out, g_bytes_get_data(b, NULL), g_bytes_get_size(b));
  g_bytes_unref(a);
  g_bytes_unref(b);
  return g_byte_array_free_to_bytes(out);
}

static GBytes *
wrap_take(guint8 tag, GBytes *value)
{
  GBytes *wrapped = wrap_bytes(tag, value);
  g_bytes_unref(value);
  return wrapped;
}

static GBytes *
oid(const char *text)
{
  ASN1_OBJECT *object = OBJ_txt2obj(text, 1);
  guint8 *der = NULL;
  int length = i2d_ASN1_OBJECT(object, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  ASN1_OBJECT_free(object);
  return bytes;
}

/* ---- bags ---- */

EVP_PKEY *
craft_key(World *world, const char *name)
{
  g_autofree char *file = g_strdup_printf("%s.key", name);
  g_autoptr(GBytes) pem = world_load(world, file);
  BIO *in = BIO_new_mem_buf(g_bytes_get_data(pem, NULL), (int)g_bytes_get_size(pem));
  EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
  BIO_free(in);
  g_assert_nonnull(key);
  return key;
}

PKCS12_SAFEBAG *
craft_key_bag(World *world, const char *name, const char *passphrase, int iterations)
{
  EVP_PKEY *key = craft_key(world, name);
  PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
  PKCS12_SAFEBAG *bag =
      PKCS12_SAFEBAG_create_pkcs8_encrypt(NID_aes_256_cbc, passphrase, -1, NULL, 0, iterations, p8);
  g_assert_nonnull(bag);
  PKCS8_PRIV_KEY_INFO_free(p8);
  EVP_PKEY_free(key);
  return bag;
}

PKCS12_SAFEBAG *
craft_open_key_bag(World *world, const char *name)
{
  EVP_PKEY *key = craft_key(world, name);
  PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create0_p8inf(EVP_PKEY2PKCS8(key));
  EVP_PKEY_free(key);
  return bag;
}

PKCS12_SAFEBAG *
craft_cert_bag(World *world, const char *name)
{
  X509 *x509 = world_x509(world, name);
  PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create_cert(x509);
  X509_free(x509);
  return bag;
}

static PKCS12_SAFEBAG *
bag_of(GBytes *der)
{
  const guint8 *at = g_bytes_get_data(der, NULL);
  PKCS12_SAFEBAG *bag = d2i_PKCS12_SAFEBAG(NULL, &at, (long)g_bytes_get_size(der));
  g_assert_nonnull(bag);
  g_bytes_unref(der);
  return bag;
}

GBytes *
craft_nested_safe(Bags *inner, int depth)
{
  guint8 *der = NULL;
  int length = ASN1_item_i2d((const ASN1_VALUE *)inner, &der, ASN1_ITEM_rptr(PKCS12_SAFEBAGS));
  GBytes *safe = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  for (int i = 0; i < depth; i++) {
    GBytes *value = wrap_take(0xa0, safe);
    GBytes *bag = wrap_take(0x30, join(oid("1.2.840.113549.1.12.10.1.6"), value));
    safe = wrap_take(0x30, bag);
  }
  return safe;
}

PKCS12_SAFEBAG *
craft_nested_bag(Bags *inner, int depth)
{
  g_autoptr(GBytes) safe = craft_nested_safe(inner, depth - 1);
  GBytes *value = wrap_bytes(0xa0, safe);
  return bag_of(wrap_take(0x30, join(oid("1.2.840.113549.1.12.10.1.6"), value)));
}

PKCS12_SAFEBAG *
craft_unknown_bag(void)
{
  GBytes *value = wrap_take(0xa0, wrap(0x0c, "junk", 4));
  return bag_of(wrap_take(0x30, join(oid("1.2.3.4"), value)));
}

X509_CRL *
craft_crl(void)
{
  X509_CRL *crl = X509_CRL_new();
  EVP_PKEY *key = EVP_EC_gen("P-256");
  ASN1_TIME *now = ASN1_TIME_set(NULL, 1700000000);
  X509_CRL_set_version(crl, 1);
  X509_CRL_set1_lastUpdate(crl, now);
  X509_CRL_sign(crl, key, EVP_sha256());
  ASN1_TIME_free(now);
  EVP_PKEY_free(key);
  return crl;
}

/* ---- files ---- */

void
craft_save_p12(World *world, const char *file, PKCS12 *p12)
{
  guint8 *der = NULL;
  int length = i2d_PKCS12(p12, &der);
  g_assert_cmpint(length, >, 0);
  world_save(world, file, der, (gsize)length);
  OPENSSL_free(der);
  PKCS12_free(p12);
}

void
craft_save(World *world, const char *file, Safes *safes, const char *passphrase)
{
  PKCS12 *p12 = PKCS12_add_safes(safes, 0);
  g_assert_nonnull(p12);
  g_assert_true(PKCS12_set_mac(p12, passphrase, -1, NULL, 0, 10, EVP_sha256()));
  sk_PKCS7_pop_free(safes, PKCS7_free);
  craft_save_p12(world, file, p12);
}

GBytes *
craft_pfx(GBytes *safe_contents, const char *passphrase)
{
  PKCS7 *safe = PKCS7_new();
  PKCS7_set_type(safe, NID_pkcs7_data);
  ASN1_STRING_set(safe->d.data, g_bytes_get_data(safe_contents, NULL),
                  (int)g_bytes_get_size(safe_contents));
  Safes *safes = sk_PKCS7_new_null();
  sk_PKCS7_push(safes, safe);
  PKCS12 *p12 = PKCS12_add_safes(safes, 0);
  g_assert_true(PKCS12_set_mac(p12, passphrase, -1, NULL, 0, 10, EVP_sha256()));
  sk_PKCS7_pop_free(safes, PKCS7_free);
  guint8 *der = NULL;
  int length = i2d_PKCS12(p12, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  PKCS12_free(p12);
  return bytes;
}

/* ---- BER ---- */

static void
loosen(GByteArray *out, const guint8 *der, long length)
{
  static const guint8 end[2] = { 0, 0 };
  const gsize part = 100;
  const guint8 *at = der;
  while (at < der + length) {
    long value = 0;
    int tag = 0, class = 0;
    const guint8 *start = at;
    int flags = ASN1_get_object(&at, &value, &tag, &class, der + length - at);
    g_assert_false(flags & 0x80);
    if (flags & V_ASN1_CONSTRUCTED) {
      guint8 header[2] = { *start, 0x80 };
      put(out, header, 2);
      loosen(out, at, value);
      put(out, end, 2);
    } else if (class == V_ASN1_UNIVERSAL && tag == V_ASN1_OCTET_STRING && (gsize)value > part) {
      put(out, "\x24\x80", 2);
      for (gsize done = 0; done < (gsize)value; done += part) {
        g_autoptr(GBytes) chunk = wrap(0x04, at + done, MIN(part, (gsize)value - done));
        put(out, g_bytes_get_data(chunk, NULL), g_bytes_get_size(chunk));
      }
      put(out, end, 2);
    } else {
      put(out, start, (gsize)(at - start) + (gsize)value);
    }
    at += value;
  }
}

GBytes *
craft_indefinite(GBytes *pfx)
{
  GByteArray *out = g_byte_array_new();
  loosen(out, g_bytes_get_data(pfx, NULL), (long)g_bytes_get_size(pfx));
  return g_byte_array_free_to_bytes(out);
}

/* ---- PBMAC1 ---- */

static X509_ALGOR *
hmac_algorithm(const char *digest)
{
  X509_ALGOR *algorithm = X509_ALGOR_new();
  int nid = strcmp(digest, "SHA256") == 0 ? NID_hmacWithSHA256 : NID_hmacWithSHA512;
  X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), V_ASN1_NULL, NULL);
  return algorithm;
}

static GBytes *
algorithm_der(X509_ALGOR *algorithm)
{
  guint8 *der = NULL;
  int length = i2d_X509_ALGOR(algorithm, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  X509_ALGOR_free(algorithm);
  return bytes;
}

GBytes *
craft_pbmac1(GBytes *pfx, const char *passphrase, const char *prf, const char *mac, int key_length)
{
  static guint8 salt[8] = "saltsalt";
  guint8 key[64], digest[64];
  size_t length = 0;
  const guint8 *at = g_bytes_get_data(pfx, NULL);
  PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)g_bytes_get_size(pfx));
  Safes *safes = PKCS12_unpack_authsafes(p12);
  ASN1_OCTET_STRING *content =
      ASN1_item_pack(safes, ASN1_ITEM_rptr(PKCS12_AUTHSAFES), NULL); /* as OpenSSL wrote it */
  g_assert_true(
      PKCS5_PBKDF2_HMAC(passphrase, -1, salt, 8, 50, EVP_get_digestbyname(prf), key_length, key));
  g_assert_nonnull(EVP_Q_mac(NULL, "HMAC", NULL, mac, NULL, key, (size_t)key_length,
                             ASN1_STRING_get0_data(content), (size_t)ASN1_STRING_length(content),
                             digest, sizeof digest, &length));
  int prf_nid = strcmp(prf, "SHA256") == 0 ? NID_hmacWithSHA256 : NID_hmacWithSHA512;
  GBytes *kdf = algorithm_der(PKCS5_pbkdf2_set(50, salt, 8, prf_nid, key_length));
  GBytes *params = wrap_take(0x30, join(kdf, algorithm_der(hmac_algorithm(mac))));
  GBytes *pbmac1 = wrap_take(0x30, join(oid("1.2.840.113549.1.5.14"), params));
  GBytes *info = wrap_take(0x30, join(pbmac1, wrap(0x04, digest, length)));
  GBytes *data = wrap_take(0x30, join(info, wrap(0x04, "unused", 6)));
  long whole = 0;
  int tag = 0, class = 0;
  at = g_bytes_get_data(pfx, NULL);
  ASN1_get_object(&at, &whole, &tag, &class, (long)g_bytes_get_size(pfx));
  GBytes *file = wrap_take(0x30, join(g_bytes_new(at, (gsize)whole), data));
  sk_PKCS7_pop_free(safes, PKCS7_free);
  ASN1_OCTET_STRING_free(content);
  PKCS12_free(p12);
  return file;
}

/* ---- encrypted keys ---- */

X509_ALGOR *
craft_scrypt_algorithm(const guint8 *iv, guint64 n, guint64 r, guint64 p)
{
  SCRYPT_PARAMS *params = SCRYPT_PARAMS_new();
  ASN1_STRING_set(params->salt, "saltsalt", 8);
  ASN1_INTEGER_set_uint64(params->costParameter, n);
  ASN1_INTEGER_set_uint64(params->blockSize, r);
  ASN1_INTEGER_set_uint64(params->parallelizationParameter, p);
  PBE2PARAM *pbe2 = PBE2PARAM_new();
  pbe2->keyfunc->algorithm = OBJ_nid2obj(NID_id_scrypt);
  ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), params, &pbe2->keyfunc->parameter);
  ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
  ASN1_STRING_set(string, iv, 16);
  X509_ALGOR_set0(pbe2->encryption, OBJ_nid2obj(NID_aes_256_cbc), V_ASN1_OCTET_STRING, string);
  X509_ALGOR *algorithm = X509_ALGOR_new();
  algorithm->algorithm = OBJ_nid2obj(NID_pbes2);
  ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(PBE2PARAM), pbe2, &algorithm->parameter);
  SCRYPT_PARAMS_free(params);
  PBE2PARAM_free(pbe2);
  return algorithm;
}

/* Takes the algorithm. */
static GBytes *
seal(X509_ALGOR *algorithm, gconstpointer bytes, gsize length)
{
  return wrap_take(0x30, join(algorithm_der(algorithm), wrap(0x04, bytes, length)));
}

GBytes *
craft_sealed(X509_ALGOR *algorithm)
{
  guint8 garbage[160];
  memset(garbage, 0x5a, sizeof garbage);
  return seal(algorithm, garbage, sizeof garbage);
}

GBytes *
craft_scrypt(World *world, const char *name, const char *passphrase, guint64 n, guint64 r,
             guint64 p)
{
  static const guint8 iv[16] = "initial vector!";
  guint8 key[32], out[4096];
  int first = 0, last = 0;
  EVP_PKEY *pkey = craft_key(world, name);
  PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(pkey);
  guint8 *der = NULL;
  int length = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
  g_assert_true(EVP_PBE_scrypt(passphrase, strlen(passphrase), (const guint8 *)"saltsalt", 8, n, r,
                               p, 1 << 30, key, sizeof key));
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex2(context, EVP_aes_256_cbc(), key, iv, NULL);
  EVP_EncryptUpdate(context, out, &first, der, length);
  EVP_EncryptFinal_ex(context, out + first, &last);
  EVP_CIPHER_CTX_free(context);
  OPENSSL_free(der);
  PKCS8_PRIV_KEY_INFO_free(p8);
  EVP_PKEY_free(pkey);
  return seal(craft_scrypt_algorithm(iv, n, r, p), out, (gsize)first + (gsize)last);
}

/* ---- damaged keys ---- */

GBytes *
craft_damaged_rsa(World *world, const char *name, const char *part)
{
  static const char *const parts[] = { "n",
                                       "e",
                                       "d",
                                       "rsa-factor1",
                                       "rsa-factor2",
                                       "rsa-exponent1",
                                       "rsa-exponent2",
                                       "rsa-coefficient1" };
  EVP_PKEY *key = craft_key(world, name);
  GBytes *numbers = wrap(0x02, "\0", 1);
  for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
    BIGNUM *number = NULL;
    guint8 *der = NULL;
    g_assert_true(EVP_PKEY_get_bn_param(key, parts[i], &number));
    if (strcmp(parts[i], part) == 0)
      BN_add_word(number, 2);
    ASN1_INTEGER *integer = BN_to_ASN1_INTEGER(number, NULL);
    int length = i2d_ASN1_INTEGER(integer, &der);
    numbers = join(numbers, g_bytes_new(der, (gsize)length));
    OPENSSL_free(der);
    ASN1_INTEGER_free(integer);
    BN_free(number);
  }
  EVP_PKEY_free(key);
  return wrap_take(0x30, numbers);
}
