/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/message.h"
#include "cms/recipient.h"
#include "test-cms-soft.h"

#include <malloc.h>
#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <string.h>

/* Our key among very many; and recipients as OpenSSL does not make them. */

static const char text[] = "Hello, Alice: at six.\r\n";

static CmsAsnEnveloped *
decoded(GBytes *bytes)
{
  CmsMessage message = { 0 };
  g_autoptr(GError) error = NULL;
  g_assert_true(cms_message_open(bytes, &message, &error));
  CmsAsnEnveloped *data =
      cms_asn_decode(message.body, message.length, ASN1_ITEM_rptr(CmsAsnEnveloped));
  g_assert_nonnull(data);
  return data;
}

static GBytes *
encoded(const CmsAsnEnveloped *data)
{
  return cms_message_wrap(NID_pkcs7_enveloped, data, ASN1_ITEM_rptr(CmsAsnEnveloped));
}

static gboolean
opens(SoftToken *token, GBytes *message, GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(G_MAXINT);
  g_autoptr(BaseSink) sink = cms_unseal_with(&token->vtable, memory);
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(message, &length);
  for (gsize at = 0; at < length; at += BASE_FLOW_PIECE)
    if (!base_sink_write(sink, bytes + at, MIN(BASE_FLOW_PIECE, length - at), error))
      return FALSE;
  if (!base_sink_finish(sink, error))
    return FALSE;
  g_autoptr(GBytes) content = base_sink_memory_bytes(memory);
  soft_assert_bytes(content, text, strlen(text));
  return TRUE;
}

/* ---- very many ---- */

/* `n` strangers, of other serial numbers than ours, then ours. */
static GBytes *
crowd(const SoftKey *key, guint n)
{
  g_autoptr(GBytes) one = soft_seal(text, key, "aes-256-cbc");
  g_autoptr(CmsAsnEnveloped) data = decoded(one);
  const guint8 *bytes = NULL;
  gsize length = 0;
  g_assert_true(cms_asn_any(sk_ASN1_TYPE_value(data->recipients, 0), &bytes, &length));
  g_autoptr(CmsAsnTransport) stranger =
      cms_asn_decode(bytes, length, ASN1_ITEM_rptr(CmsAsnTransport));
  for (guint i = 0; i < n; i++) {
    ASN1_INTEGER_set(stranger->rid->d.issuer_serial->serial, 0x10000 + (long)i);
    g_autoptr(GBytes) der = cms_asn_encode(stranger, ASN1_ITEM_rptr(CmsAsnTransport));
    ASN1_TYPE *any = ASN1_TYPE_new();
    ASN1_STRING *string = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
    ASN1_STRING_set(string, g_bytes_get_data(der, NULL), (int)g_bytes_get_size(der));
    ASN1_TYPE_set(any, V_ASN1_SEQUENCE, string);
    sk_ASN1_TYPE_push(data->recipients, any);
  }
  return encoded(data);
}

/* KiB, of /proc/self/status; 0 where there is none. */
static guint64
memory_of(const char *field)
{
  g_autofree char *status = NULL;
  if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL))
    return 0;
  const char *at = strstr(status, field);
  return at ? g_ascii_strtoull(at + strlen(field), NULL, 10) : 0;
}

static void
forget_peak(void)
{
  malloc_trim(0);
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (!file)
    return;
  fputs("5", file);
  fclose(file);
}

static void
test_crowd(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  g_autoptr(SoftKey) nobody = soft_key_simple("rsa:2048");
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(SoftToken) other = soft_token_new();
  g_autoptr(GError) error = NULL;
  g_ptr_array_add(token->keys, key);
  g_ptr_array_add(other->keys, nobody);
  g_autoptr(GBytes) message = crowd(key, 10000);
  forget_peak();
  guint64 before = memory_of("VmRSS:");
  gint64 begun = g_get_monotonic_time();
  g_assert_true(opens(token, message, &error));
  g_assert_no_error(error);
  guint64 more = memory_of("VmHWM:") - before;
  g_test_message("10,000 recipients, %zu bytes: %" G_GINT64_FORMAT " ms, %" G_GUINT64_FORMAT
                 " KiB more",
                 g_bytes_get_size(message), (g_get_monotonic_time() - begun) / 1000, more);
  g_assert_cmpuint(token->operations, ==, 1);
  g_assert_false(opens(other, message, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
  g_assert_nonnull(strstr(error->message, "and 9998 more"));
#ifndef __SANITIZE_ADDRESS__
  g_assert_cmpuint(more, <, 6 * 1024);
#endif
}

/* One recipient as large as thousands. */
static void
test_giant(void)
{
  static const guint8 head[] = { 0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                 0x01, 0x07, 0x03, 0xa0, 0x80, 0x30, 0x80, 0x02, 0x01, 0x00,
                                 0x31, 0x80, 0xa1, 0x80, 0x04, 0x84, 0x10, 0x00, 0x00, 0x00 };
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(BaseSink) nowhere = base_sink_to_nowhere();
  g_autoptr(BaseSink) sink = cms_unseal_with(&token->vtable, nowhere);
  g_autofree guint8 *filler = g_malloc0(BASE_FLOW_PIECE);
  g_autoptr(GError) error = NULL;
  g_assert_true(base_sink_write(sink, head, sizeof head, &error));
  guint pieces = 0;
  while (base_sink_write(sink, filler, BASE_FLOW_PIECE, &error))
    g_assert_cmpuint(++pieces, <=, 1024 * 1024 / BASE_FLOW_PIECE);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

/* ---- agreements by hand ---- */

static GBytes *
agree(EVP_PKEY *own, EVP_PKEY *peer)
{
  guint8 shared[128];
  gsize length = sizeof shared;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own, NULL);
  EVP_PKEY_derive_init(context);
  g_assert_cmpint(EVP_PKEY_derive_set_peer(context, peer), ==, 1);
  g_assert_cmpint(EVP_PKEY_derive(context, shared, &length), ==, 1);
  EVP_PKEY_CTX_free(context);
  return g_bytes_new(shared, length);
}

static void
derive(GBytes *shared, const CmsAsnAgreement *agreement, guint8 kek[32])
{
  const ASN1_STRING *packed = agreement->algorithm->parameter->value.sequence;
  X509_ALGOR *wrap = cms_asn_decode(ASN1_STRING_get0_data(packed),
                                    (gsize)ASN1_STRING_length(packed), ASN1_ITEM_rptr(X509_ALGOR));
  guint8 *info = NULL;
  int info_length = CMS_SharedInfo_encode(&info, wrap, agreement->ukm, 32);
  EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_X963KDF, NULL);
  EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
  char hash[] = "SHA2-256";
  gsize length = 0;
  gpointer secret = g_bytes_unref_to_data(g_bytes_ref(shared), &length);
  OSSL_PARAM params[] = {
    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, length),
    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, (gsize)info_length),
    OSSL_PARAM_construct_end(),
  };
  g_assert_cmpint(EVP_KDF_derive(context, kek, 32, params), ==, 1);
  g_free(secret);
  OPENSSL_free(info);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  X509_ALGOR_free(wrap);
}

/* Wraps the content key (or unwraps it) as RFC 3394 has it. */
static GBytes *
wrap(const guint8 kek[32], const guint8 *bytes, int length, gboolean encrypt)
{
  guint8 out[64];
  int done = 0;
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  g_assert_cmpint(EVP_CipherInit_ex(context, EVP_aes_256_wrap(), NULL, kek, NULL, encrypt), ==, 1);
  g_assert_cmpint(EVP_CipherUpdate(context, out, &done, bytes, length), ==, 1);
  EVP_CIPHER_CTX_free(context);
  return g_bytes_new(out, (gsize)done);
}

static EVP_PKEY *
originator_of(const CmsAsnAgreement *agreement, EVP_PKEY *like)
{
  const ASN1_BIT_STRING *point = agreement->originator->d.public_key->key;
  EVP_PKEY *key = EVP_PKEY_new();
  EVP_PKEY_copy_parameters(key, like);
  g_assert_cmpint(EVP_PKEY_set1_encoded_public_key(key, ASN1_STRING_get0_data(point),
                                                   (gsize)ASN1_STRING_length(point)),
                  ==, 1);
  return key;
}

/* The same agreement with user keying material in it (RFC 5753 3.1.2): another key-encryption key. */
static void
test_ukm(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GError) error = NULL;
  guint8 kek[32];
  g_ptr_array_add(token->keys, key);
  g_autoptr(GBytes) sealed = soft_seal(text, key, "aes-256-cbc");
  g_autoptr(CmsAsnEnveloped) data = decoded(sealed);
  ASN1_TYPE *any = sk_ASN1_TYPE_value(data->recipients, 0);
  const guint8 *bytes = NULL;
  gsize length = 0;
  g_assert_true(cms_asn_any(any, &bytes, &length));
  g_autoptr(CmsAsnAgreement) agreement =
      cms_asn_decode(bytes, length, ASN1_ITEM_rptr(CmsAsnAgreementTagged));
  ASN1_OCTET_STRING *wrapped = sk_CmsAsnAgreementKey_value(agreement->keys, 0)->key;
  EVP_PKEY *peer = originator_of(agreement, key->pkey);
  g_autoptr(GBytes) shared = agree(key->pkey, peer);
  derive(shared, agreement, kek);
  g_autoptr(GBytes) content_key =
      wrap(kek, ASN1_STRING_get0_data(wrapped), ASN1_STRING_length(wrapped), FALSE);
  agreement->ukm = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(agreement->ukm, (const guint8 *)"user keying material", -1);
  derive(shared, agreement, kek);
  g_autoptr(GBytes) again = wrap(kek, g_bytes_get_data(content_key, NULL), 32, TRUE);
  ASN1_OCTET_STRING_set(wrapped, g_bytes_get_data(again, NULL), (int)g_bytes_get_size(again));
  g_autoptr(GBytes) der = cms_asn_encode(agreement, ASN1_ITEM_rptr(CmsAsnAgreementTagged));
  ASN1_STRING_set(any->value.asn1_string, g_bytes_get_data(der, NULL), (int)g_bytes_get_size(der));
  g_autoptr(GBytes) message = encoded(data);
  g_assert_true(opens(token, message, &error));
  g_assert_no_error(error);
  ASN1_OCTET_STRING_set(agreement->ukm, (const guint8 *)"other keying material", -1);
  g_autoptr(GBytes) changed = cms_asn_encode(agreement, ASN1_ITEM_rptr(CmsAsnAgreementTagged));
  ASN1_STRING_set(any->value.asn1_string, g_bytes_get_data(changed, NULL),
                  (int)g_bytes_get_size(changed));
  g_autoptr(GBytes) wrong = encoded(data);
  g_assert_false(opens(token, wrong, &error));
  EVP_PKEY_free(peer);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cms/recipients/ten-thousand-small-memory", test_crowd);
  g_test_add_func("/cms/recipients/giant-one-refused", test_giant);
  g_test_add_func("/cms/recipients/keying-material-opens", test_ukm);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
