/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/ber.h"
#include "cms/cipher.h"
#include "cms/message.h"
#include "test-cms-soft.h"

#include <openssl/rand.h>
#include <string.h>

/* Opening as it comes: any pieces, any shape of BER, attributes behind the content, keys that turn out to be
 * wrong at the end, and what goes wrong. What test-cms-decrypt.c tests goes through the same stage. */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

static GBytes *
random_bytes(gsize length)
{
  guint8 *bytes = g_malloc(length + 1);
  g_assert_cmpint(RAND_bytes(bytes, (int)length), ==, 1);
  return g_bytes_new_take(bytes, length);
}

/* Steps of `step` bytes, 0: random ones. NULL with the error; nothing was finished then. */
static GBytes *
unseal(const CmsKeys *keys, GBytes *message, gsize step, CmsUnsealed *ret_result, GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(G_MAXINT);
  g_autoptr(BaseSink) sink = cms_unseal_with(keys, memory);
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(message, &length);
  gboolean good = TRUE;
  for (gsize at = 0; good && at < length;) {
    gsize want = step ? step : (gsize)g_test_rand_int_range(1, 3000);
    gsize take = MIN(want, length - at);
    good = base_sink_write(sink, bytes + at, take, error);
    at += take;
  }
  good = good && base_sink_finish(sink, error);
  const CmsUnsealed *result = good ? cms_unseal_result(sink) : NULL;
  g_assert_true(good == (result != NULL) || !good);
  g_assert_true(good == memory->finished);
  if (good && ret_result)
    ret_result->authenticated = result->authenticated;
  return good ? base_sink_memory_bytes(memory) : NULL;
}

static SoftToken *
token_of(const SoftKey *key)
{
  SoftToken *token = soft_token_new();
  g_ptr_array_add(token->keys, (SoftKey *)(guintptr)key);
  return token;
}

/* ---- pieces ---- */

static const char *const option_table[] = {
  "-aes-256-cbc",         "-aes-128-gcm",         "-aes-256-cbc -stream",
  "-aes-256-gcm -stream", "-des3 -stream -indef",
};

static void
test_pieces(void)
{
  static const gsize sizes[] = { 0, 1, 15, 16, 17, 5000, 32767, 32768, 32769, 65536, 200001 };
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  soft_write_key(key, "key");
  for (gsize o = 0; o < G_N_ELEMENTS(option_table); o++)
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
      g_autoptr(SoftToken) token = token_of(key);
      g_autoptr(GBytes) content = random_bytes(sizes[i]);
      g_autofree char *path = soft_write("content", content);
      if (sizes[i] == 0 && strstr(option_table[o], "gcm -stream"))
        continue; /* openssl(1) 3.0 cannot */
      g_assert_cmpint(soft_run(NULL,
                               "openssl cms -encrypt -binary -in content -outform DER -out sealed "
                               "-recip key.crt %s",
                               option_table[o]),
                      ==, 0);
      g_autoptr(GBytes) message = soft_read("sealed");
      static const gsize steps[] = { 0, 1, 7, 65536, G_MAXINT };
      for (gsize k = 0; k < G_N_ELEMENTS(steps); k++) {
        g_autoptr(GError) error = NULL;
        CmsUnsealed result = { 0 };
        if (steps[k] == 1 && sizes[i] > 40000)
          continue;
        g_autoptr(GBytes) opened = unseal(&token->vtable, message, steps[k], &result, &error);
        g_assert_no_error(error);
        g_assert_true(g_bytes_equal(opened, content));
        g_assert_cmpint(result.authenticated, ==, strstr(option_table[o], "gcm") != NULL);
      }
    }
}

/* ---- a message of our own make, key known ---- */

typedef struct {
  CmsKeys keys;
  guint8 key[32];
  SoftToken *token;
} Known;

static GBytes *
known_decrypt(gpointer data, const char *name, const SignetOperation *operation, GError **error)
{
  Known *known = data;
  (void)name;
  (void)operation;
  (void)error;
  return g_bytes_new(known->key, sizeof known->key);
}

static GPtrArray *
known_find(gpointer data, const SignetRecipient *recipients, gsize n, GError **error)
{
  Known *known = data;
  return known->token->vtable.find(known->token, recipients, n, error);
}

static void
known_start(Known *known, const SoftKey *key)
{
  known->token = token_of(key);
  known->keys = (CmsKeys){ known, NULL, known_decrypt, NULL, known_find };
  RAND_bytes(known->key, sizeof known->key);
}

static CmsAttributes *
some_attributes(void)
{
  CmsAttributes *attributes = sk_X509_ATTRIBUTE_new_null();
  const ASN1_OBJECT *data = OBJ_nid2obj(NID_pkcs7_data);
  sk_X509_ATTRIBUTE_push(attributes, X509_ATTRIBUTE_create_by_NID(NULL, NID_pkcs9_contentType,
                                                                  V_ASN1_OBJECT, data, -1));
  sk_X509_ATTRIBUTE_push(attributes,
                         X509_ATTRIBUTE_create_by_NID(NULL, NID_pkcs9_messageDigest,
                                                      V_ASN1_OCTET_STRING, "0123456789", 10));
  return attributes;
}

/* Seals with the known key, the attributes as AAD first, as RFC 5083 2.2 has it. */
static void
seal_known(const Known *known, CmsAsnAuthEnveloped *data, GBytes *content, int tag_length)
{
  g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
  static const guint8 nonce[12] = "abcdefghijk";
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(content, &length);
  g_autofree guint8 *out = g_malloc(length + 16);
  guint8 tag[16];
  int done = 0;
  EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, known->key, nonce);
  if (data->attributes) {
    g_autoptr(GBytes) aad = cms_asn_attributes_der(data->attributes, TRUE);
    EVP_EncryptUpdate(context, NULL, &done, g_bytes_get_data(aad, NULL),
                      (int)g_bytes_get_size(aad));
  }
  EVP_EncryptUpdate(context, out, &done, bytes, (int)length);
  g_assert_cmpint(EVP_EncryptFinal_ex(context, out + length, &done), ==, 1);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag);
  CmsAsnGcm *gcm = CmsAsnGcm_new();
  ASN1_OCTET_STRING_set(gcm->nonce, nonce, sizeof nonce);
  if (tag_length != 12) {
    gcm->tag_length = ASN1_INTEGER_new();
    ASN1_INTEGER_set(gcm->tag_length, tag_length);
  }
  g_autoptr(GBytes) der = cms_asn_encode(gcm, ASN1_ITEM_rptr(CmsAsnGcm));
  CmsAsnGcm_free(gcm);
  ASN1_STRING *packed = ASN1_STRING_new();
  ASN1_STRING_set(packed, g_bytes_get_data(der, NULL), (int)g_bytes_get_size(der));
  X509_ALGOR_set0(data->encrypted->cipher, OBJ_nid2obj(NID_aes_256_gcm), V_ASN1_SEQUENCE, packed);
  if (!data->encrypted->content)
    data->encrypted->content = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(data->encrypted->content, out, (int)length);
  ASN1_OCTET_STRING_set(data->mac, tag, tag_length);
}

static CmsAsnAuthEnveloped *
frame_of(const SoftKey *key)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_autoptr(GBytes) nothing = g_bytes_new_static("x", 1);
  g_autoptr(GError) error = NULL;
  CmsMessage message = { 0 };
  g_ptr_array_add(recipients, key->cert);
  g_autoptr(GBytes) sealed = cms_encrypt(nothing, recipients, "aes-256-gcm", &error);
  g_assert_no_error(error);
  g_assert_true(cms_message_open(sealed, &message, &error));
  CmsAsnAuthEnveloped *data =
      cms_asn_decode(message.body, message.length, ASN1_ITEM_rptr(CmsAsnAuthEnveloped));
  g_assert_nonnull(data);
  return data;
}

static GBytes *
wrapped(const CmsAsnAuthEnveloped *data)
{
  return cms_message_wrap(NID_id_smime_ct_authEnvelopedData, data,
                          ASN1_ITEM_rptr(CmsAsnAuthEnveloped));
}

static void
test_attributes(void)
{
  static const gsize sizes[] = { 0, 1, 15, 16, 17, 40000, 100003 };
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  Known known;
  known_start(&known, key);
  for (int tag = 12; tag <= 16; tag++)
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
      g_autoptr(GError) error = NULL;
      g_autoptr(CmsAsnAuthEnveloped) data = frame_of(key);
      g_autoptr(GBytes) content = random_bytes(sizes[i]);
      data->attributes = some_attributes();
      seal_known(&known, data, content, tag);
      g_autoptr(GBytes) message = wrapped(data);
      g_autoptr(GBytes) opened = unseal(&known.keys, message, 0, NULL, &error);
      g_assert_no_error(error);
      g_assert_true(g_bytes_equal(opened, content));
      /* left out, or others: no */
      X509_ATTRIBUTE_free(sk_X509_ATTRIBUTE_pop(data->attributes));
      g_autoptr(GBytes) fewer = wrapped(data);
      g_assert_null(unseal(&known.keys, fewer, 0, NULL, &error));
      g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
      sk_X509_ATTRIBUTE_pop_free(data->attributes, X509_ATTRIBUTE_free);
      data->attributes = NULL;
      g_autoptr(GBytes) none = wrapped(data);
      g_assert_null(unseal(&known.keys, none, 0, NULL, NULL));
    }
  soft_token_free(known.token);
}

/* RFC 5084 3.2: 12 to 16, and what the parameters say. */
static void
test_tags(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  g_autoptr(GBytes) content = random_bytes(100);
  Known known;
  known_start(&known, key);
  for (int tag = 1; tag <= 16; tag++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(CmsAsnAuthEnveloped) data = frame_of(key);
    seal_known(&known, data, content, tag);
    g_autoptr(GBytes) message = wrapped(data);
    g_autoptr(GBytes) opened = unseal(&known.keys, message, 0, NULL, &error);
    g_assert_true((tag >= 12) == (opened != NULL));
    if (tag < 12)
      g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
    /* a shorter tag than the parameters say */
    guint8 copy[16];
    memcpy(copy, ASN1_STRING_get0_data(data->mac), (gsize)tag);
    ASN1_OCTET_STRING_set(data->mac, copy, MAX(tag - 1, 1));
    g_autoptr(GBytes) shorter = wrapped(data);
    g_assert_true(tag == 1 || !unseal(&known.keys, shorter, 0, NULL, NULL));
  }
  soft_token_free(known.token);
}

/* ---- shapes of BER ---- */

static void
put(GByteArray *out, guint8 class, gboolean constructed, guint8 tag, gint64 length)
{
  guint8 header[16];
  g_byte_array_append(out, header, cms_ber_header(header, class, constructed, tag, length));
}

static void
put_string(GByteArray *out, const guint8 *bytes, gsize length, guint depth)
{
  if (depth == 0) {
    put(out, 0, FALSE, 4, (gint64)length);
    g_byte_array_append(out, bytes, (guint)length);
    return;
  }
  gboolean definite = g_test_rand_bit();
  g_autoptr(GByteArray) inner = g_byte_array_new();
  for (gsize at = 0; at < length;) {
    gsize take = (gsize)g_test_rand_int_range(1, (gint32)(length - at) + 1);
    put_string(inner, bytes + at, take, depth - 1);
    at += take;
  }
  put(out, 0, TRUE, 4, definite ? (gint64)inner->len : -1);
  g_byte_array_append(out, inner->data, inner->len);
  if (!definite)
    g_byte_array_append(out, (const guint8[]){ 0, 0 }, 2);
}

/* The same message with its content as strings of strings, outer lengths indefinite. */
static GBytes *
reshaped(const CmsAsnAuthEnveloped *data, const char *twist)
{
  g_autoptr(GByteArray) out = g_byte_array_new();
  g_autoptr(GBytes) cipher = cms_asn_encode(data->encrypted->cipher, ASN1_ITEM_rptr(X509_ALGOR));
  g_autoptr(GBytes) mac = cms_asn_encode(data->mac, ASN1_ITEM_rptr(ASN1_OCTET_STRING));
  const ASN1_TYPE *recipient = sk_ASN1_TYPE_value(data->recipients, 0);
  const guint8 *bytes = NULL;
  gsize length = 0;
  cms_asn_any(recipient, &bytes, &length);
  put(out, 0, TRUE, 16, -1);
  g_byte_array_append(out, (const guint8 *)"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17",
                      13);
  put(out, 2, TRUE, 0, -1);
  put(out, 0, TRUE, 16, -1);
  g_byte_array_append(out, (const guint8 *)"\x02\x01\x00", 3);
  put(out, 0, TRUE, 17, -1);
  g_byte_array_append(out, bytes, (guint)length);
  g_byte_array_append(out, (const guint8[]){ 0, 0 }, 2);
  put(out, 0, TRUE, 16, -1);
  g_byte_array_append(out, (const guint8 *)"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", 11);
  if (strcmp(twist, "no algorithm") != 0)
    g_byte_array_append(out, g_bytes_get_data(cipher, NULL), (guint)g_bytes_get_size(cipher));
  put(out, 2, TRUE, 0, -1);
  if (strcmp(twist, "an integer") == 0)
    g_byte_array_append(out, (const guint8 *)"\x02\x01\x00", 3);
  const ASN1_OCTET_STRING *content = data->encrypted->content;
  put_string(out, ASN1_STRING_get0_data(content), (gsize)ASN1_STRING_length(content),
             strcmp(twist, "too deep") == 0 ? 50 : 3);
  g_byte_array_append(out, (const guint8[]){ 0, 0 }, 2);
  if (strcmp(twist, "content twice") == 0)
    g_byte_array_append(out, (const guint8 *)"\x80\x01\x00", 3);
  g_byte_array_append(out, (const guint8[]){ 0, 0 }, 2);
  if (strcmp(twist, "no tag") != 0)
    g_byte_array_append(out, g_bytes_get_data(mac, NULL), (guint)g_bytes_get_size(mac));
  if (strcmp(twist, "another") == 0)
    g_byte_array_append(out, (const guint8 *)"\x05\x00", 2);
  g_byte_array_append(out, (const guint8[]){ 0, 0 }, 2);
  if (strcmp(twist, "second body") == 0)
    g_byte_array_append(out, (const guint8 *)"\x30\x00", 2);
  g_byte_array_append(out, (const guint8[]){ 0, 0, 0, 0 }, 4);
  return g_bytes_new(out->data, out->len);
}

static void
test_shapes(void)
{
  static const char *const twists[] = { "no algorithm", "an integer", "too deep",   "content twice",
                                        "no tag",       "another",    "second body" };
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  g_autoptr(CmsAsnAuthEnveloped) data = frame_of(key);
  g_autoptr(GBytes) content = random_bytes(3000);
  Known known;
  known_start(&known, key);
  seal_known(&known, data, content, 16);
  for (guint i = 0; i < 50; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) message = reshaped(data, "");
    g_autoptr(GBytes) opened = unseal(&known.keys, message, i % 3, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(g_bytes_equal(opened, content));
  }
  for (gsize i = 0; i < G_N_ELEMENTS(twists); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) message = reshaped(data, twists[i]);
    g_assert_null(unseal(&known.keys, message, 0, NULL, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  }
  soft_token_free(known.token);
}

/* ---- keys that turn out to be wrong ---- */

typedef struct {
  CmsKeys keys;
  SoftToken *token;
  const SoftKey *good; /* NULL: none */
  guint asked;
} Liar;

static GBytes *
liar_decrypt(gpointer data, const char *name, const SignetOperation *operation, GError **error)
{
  Liar *liar = data;
  liar->asked++;
  liar->token->spoil = !liar->good || strcmp(name, liar->good->cert->key) != 0;
  return liar->token->vtable.decrypt(liar->token, name, operation, error);
}

static GPtrArray *
liar_find(gpointer data, const SignetRecipient *recipients, gsize n, GError **error)
{
  Liar *liar = data;
  return liar->token->vtable.find(liar->token, recipients, n, error);
}

static void
try_liar(gsize length, const char *cipher, guint n, gint good)
{
  g_autoptr(GPtrArray) own = g_ptr_array_new_with_free_func((GDestroyNotify)soft_key_free);
  g_autoptr(GPtrArray) certs = g_ptr_array_new();
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < n; i++) {
    SoftKey *key = soft_key_simple("rsa:2048");
    g_ptr_array_add(own, key);
    g_ptr_array_add(certs, key->cert);
    g_ptr_array_add(token->keys, key);
  }
  g_autoptr(GBytes) content = random_bytes(length);
  g_autoptr(GBytes) message = cms_encrypt(content, certs, cipher, &error);
  g_assert_no_error(error);
  Liar liar = { .token = token, .good = good < 0 ? NULL : g_ptr_array_index(own, good) };
  liar.keys = (CmsKeys){ &liar, NULL, liar_decrypt, NULL, liar_find };
  g_autoptr(GBytes) opened = unseal(&liar.keys, message, 65536, NULL, &error);
  if (good < 0) {
    g_assert_null(opened);
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
    return;
  }
  g_assert_no_error(error);
  g_assert_true(g_bytes_equal(opened, content));
}

static void
test_wrong_keys(void)
{
  try_liar(100, "aes-256-gcm", 1, 0);
  try_liar(100, "aes-256-gcm", 2, 0);
  try_liar(100, "aes-256-gcm", 2, 1);
  try_liar(3 * 1024 * 1024, "aes-256-gcm", 3, 2);
  try_liar(3 * 1024 * 1024, "aes-256-gcm", 3, 0);
  try_liar(0, "aes-128-gcm", 2, 1);
  try_liar(100, "aes-256-gcm", 1, -1);
  try_liar(100, "aes-256-gcm", 3, -1);
}

/* ---- what goes wrong, and when ---- */

static GBytes *
sealed_for(const SoftKey *key, const char *cipher, gsize length)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_autoptr(GBytes) content = random_bytes(length);
  g_autoptr(GError) error = NULL;
  g_ptr_array_add(recipients, key->cert);
  GBytes *message = cms_encrypt(content, recipients, cipher, &error);
  g_assert_no_error(error);
  return message;
}

/* The token is asked, and refuses, before the content is there. */
static void
test_early(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = token_of(key);
  g_autoptr(GBytes) message = sealed_for(key, "aes-256-cbc", 100000);
  g_autoptr(BaseSink) nowhere = base_sink_to_nowhere();
  g_autoptr(BaseSink) sink = cms_unseal_with(&token->vtable, nowhere);
  g_autoptr(GError) error = NULL;
  token->fail_with = SIGNET_ERROR_PIN_REQUIRED;
  g_assert_false(base_sink_write(sink, g_bytes_get_data(message, NULL), 2000, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_assert_cmpuint(token->operations, ==, 1);
  g_assert_null(cms_unseal_result(sink));
}

static void
test_refused(void)
{
  static const struct {
    const char *hex;
    int code;
    const char *says;
  } table[] = {
    { "", SIGNET_ERROR_BAD_INPUT, "empty" },
    { "48656c6c6f", SIGNET_ERROR_BAD_INPUT, "not a CMS message" },
    { "2d2d2d2d2d424547494e", SIGNET_ERROR_BAD_INPUT, "not a CMS message" },
    { "3000", SIGNET_ERROR_BAD_INPUT, "malformed" },
    { "30020500", SIGNET_ERROR_BAD_INPUT, "content type" },
    { "300b06092a864886f70d010702", SIGNET_ERROR_BAD_INPUT, "SignedData" },
    { "300b06092a864886f70d010701", SIGNET_ERROR_BAD_INPUT, "this is Data" },
    { "300506032a0304", SIGNET_ERROR_BAD_INPUT, "1.2.3.4" },
    { "300b06092a864886f70d010703", SIGNET_ERROR_BAD_INPUT, "malformed" },
    { "308006092a864886f70d010703a0803080020100310030800609", SIGNET_ERROR_BAD_INPUT, "cut short" },
    { "308006092a864886f70d010703a08030800201003100308006092a864886f70d010701300b0609608648016503040"
      "12a0000",
      SIGNET_ERROR_UNSUPPORTED, "elsewhere" },
  };
  g_autoptr(SoftToken) token = soft_token_new();
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    for (const char *hex = table[i].hex; *hex; hex += 2) {
      guint8 byte = (guint8)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
      g_byte_array_append(bytes, &byte, 1);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) message = g_bytes_new(bytes->data, bytes->len);
    g_assert_null(unseal(&token->vtable, message, 0, NULL, &error));
    g_test_message("%s: %s", table[i].hex, error->message);
    g_assert_error(error, SIGNET_ERROR, table[i].code);
    g_assert_nonnull(strstr(error->message, table[i].says));
  }
}

/* A head that never ends, in one piece or in many, is not gathered for ever. */
static void
test_bomb(void)
{
  static const guint8 head[] = { 0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
                                 0x07, 0x03, 0xa0, 0x80, 0x30, 0x80, 0x02, 0x01, 0x00, 0x31, 0x80 };
  static const guint8 one[] = { 0x04, 0x88, 0x00, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
  g_autofree guint8 *filler = g_malloc0(65536);
  for (guint many = 0; many < 2; many++) {
    g_autoptr(SoftToken) token = soft_token_new();
    g_autoptr(BaseSink) nowhere = base_sink_to_nowhere();
    g_autoptr(BaseSink) sink = cms_unseal_with(&token->vtable, nowhere);
    g_autoptr(GError) error = NULL;
    for (gsize i = 0; i < 65536; i += 2)
      filler[i] = many ? 5 : 0;
    g_assert_true(base_sink_write(sink, head, sizeof head, &error));
    g_assert_true(many || base_sink_write(sink, one, sizeof one, &error));
    guint pieces = 0;
    while (base_sink_write(sink, filler, 65536, &error))
      g_assert_cmpuint(++pieces, <=, CMS_STRUCTURE_MAX / 65536);
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  }
}

/* Ten thousand entries for the same key of ours, none of which opens: few operations. */
static void
test_many(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  g_autoptr(SoftToken) token = token_of(key);
  g_autoptr(CmsAsnAuthEnveloped) data = frame_of(key);
  g_autoptr(GError) error = NULL;
  ASN1_TYPE *entry = sk_ASN1_TYPE_value(data->recipients, 0);
  for (guint i = 1; i < 10000; i++) {
    ASN1_TYPE *copy = ASN1_TYPE_new();
    ASN1_TYPE_set1(copy, entry->type, entry->value.ptr);
    sk_ASN1_TYPE_push(data->recipients, copy);
  }
  g_autoptr(GBytes) message = wrapped(data);
  g_autoptr(GBytes) opened = unseal(&token->vtable, message, 0, NULL, &error);
  g_assert_no_error(error);
  soft_assert_bytes(opened, "x", 1);
  g_assert_cmpuint(token->operations, ==, 1);
  token->spoil = 1;
  g_assert_null(unseal(&token->vtable, message, 0, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
  g_assert_cmpuint(token->operations, <=, 1 + 16);
}

/* Every cut is an error; with GCM every change is one too, or changes nothing. */
static void
test_tampered(void)
{
  static const char *const ciphers[] = { "aes-256-gcm", "aes-256-cbc" };
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = token_of(key);
  for (gsize c = 0; c < G_N_ELEMENTS(ciphers); c++) {
    g_autoptr(GBytes) message = sealed_for(key, ciphers[c], 40);
    gsize length = 0;
    const guint8 *bytes = g_bytes_get_data(message, &length);
    g_autoptr(GBytes) good = unseal(&token->vtable, message, 0, NULL, NULL);
    g_autofree guint8 *copy = g_memdup2(bytes, length);
    for (gsize i = 0; i < length; i++) {
      g_autoptr(GError) error = NULL;
      g_autoptr(GBytes) cut = g_bytes_new(bytes, i);
      g_assert_null(unseal(&token->vtable, cut, 0, NULL, &error));
      g_assert_nonnull(error);
      copy[i] ^= (guint8)(1 << i % 8);
      g_autoptr(GBytes) changed = g_bytes_new(copy, length);
      g_autoptr(GBytes) opened = unseal(&token->vtable, changed, 0, NULL, NULL);
      g_assert_true(!opened || c == 1 || g_bytes_equal(opened, good));
      copy[i] = bytes[i];
    }
  }
}

/* What `out` says comes through as it is. */
static void
test_full(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = token_of(key);
  g_autoptr(GBytes) message = sealed_for(key, "aes-256-gcm", 100000);
  g_autoptr(BaseSink) small = base_sink_to_memory(50000);
  g_autoptr(BaseSink) sink = cms_unseal_with(&token->vtable, small);
  g_autoptr(GError) error = NULL;
  g_assert_false(
      base_sink_write(sink, g_bytes_get_data(message, NULL), g_bytes_get_size(message), &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cms/unseal/openssl-in-any-pieces-opens", test_pieces);
  g_test_add_func("/cms/unseal/attributes-behind-content-are-covered", test_attributes);
  g_test_add_func("/cms/unseal/tag-of-12-to-16-opens", test_tags);
  g_test_add_func("/cms/unseal/any-shape-of-ber-opens", test_shapes);
  g_test_add_func("/cms/unseal/wrong-keys-next-is-tried", test_wrong_keys);
  g_test_add_func("/cms/unseal/token-refuses-before-content", test_early);
  g_test_add_func("/cms/unseal/not-sealed-is-refused", test_refused);
  g_test_add_func("/cms/unseal/endless-head-is-refused", test_bomb);
  g_test_add_func("/cms/unseal/ten-thousand-entries-few-operations", test_many);
  g_test_add_func("/cms/unseal/tampered-nothing-wrong", test_tampered);
  g_test_add_func("/cms/unseal/full-disk-says-so", test_full);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
