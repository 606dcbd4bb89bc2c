/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/message.h"
#include "test-cms-soft.h"

#include <string.h>

/* Signatures made by openssl(1) in many ways, RFC 4134's old ones, and all that is not good. */

static const char text[] = "Hello, Bob.\r\n";

static GBytes *
content_bytes(void)
{
  return g_bytes_new_static(text, strlen(text));
}

static GBytes *
openssl_sign(const char *options)
{
  g_autoptr(GBytes) content = content_bytes();
  g_autofree char *path = soft_write("content", content);
  g_assert_cmpint(
      soft_run(NULL, "openssl cms -sign -binary -in content -outform DER -out signed %s", options),
      ==, 0);
  return soft_read("signed");
}

static CmsVerified *
verify(GBytes *message, GBytes *detached)
{
  g_autoptr(GError) error = NULL;
  CmsVerified *verified = cms_verify(message, detached, NULL, &error);
  g_assert_no_error(error);
  return verified;
}

static const CmsSignature *
first(const CmsVerified *verified)
{
  g_assert_cmpuint(verified->signatures->len, >, 0);
  return g_ptr_array_index(verified->signatures, 0);
}

/* ---- as openssl signs ---- */

typedef struct {
  const char *name;
  const char *kind;
  const char *options;
  const char *algorithm;
  gboolean weak;
} Theirs;

#define PSS "-nodetach -signer key.crt -inkey key.pem -keyopt rsa_padding_mode:pss "

static const Theirs theirs_table[] = {
  { "rsa", "rsa:2048", "-nodetach -signer key.crt -inkey key.pem", "rsa-pkcs1", FALSE },
  { "rsa-stream", "rsa:2048", "-nodetach -stream -signer key.crt -inkey key.pem", "rsa-pkcs1",
    FALSE },
  { "rsa-noattr", "rsa:2048", "-nodetach -noattr -signer key.crt -inkey key.pem", "rsa-pkcs1",
    FALSE },
  { "rsa-keyid", "rsa:2048", "-nodetach -keyid -signer key.crt -inkey key.pem", "rsa-pkcs1",
    FALSE },
  { "rsa-1024", "rsa:1024", "-nodetach -signer key.crt -inkey key.pem", "rsa-pkcs1", TRUE },
  { "rsa-sha1", "rsa:2048", "-nodetach -md sha1 -signer key.crt -inkey key.pem", "rsa-pkcs1",
    TRUE },
  { "rsa-md5", "rsa:2048", "-nodetach -md md5 -signer key.crt -inkey key.pem", "rsa-pkcs1", TRUE },
  { "rsa-sha224", "rsa:2048", "-nodetach -md sha224 -signer key.crt -inkey key.pem", "rsa-pkcs1",
    FALSE },
  { "rsa-cades", "rsa:2048", "-nodetach -cades -signer key.crt -inkey key.pem", "rsa-pkcs1",
    FALSE },
  { "pss", "rsa:2048", PSS, "rsa-pss", FALSE },
  { "pss-salt-0", "rsa:2048", PSS "-keyopt rsa_pss_saltlen:0", "rsa-pss", FALSE },
  { "pss-salt-max", "rsa:2048", PSS "-keyopt rsa_pss_saltlen:-2", "rsa-pss", FALSE },
  { "pss-salt-20-mgf-sha1", "rsa:2048", PSS "-keyopt rsa_pss_saltlen:20 -keyopt rsa_mgf1_md:sha1",
    "rsa-pss", FALSE },
  { "pss-sha1", "rsa:2048", PSS "-md sha1", "rsa-pss", TRUE },
  { "pss-noattr", "rsa:2048", PSS "-noattr", "rsa-pss", FALSE },
  { "ec-sha1", "ec:p256", "-nodetach -md sha1 -signer key.crt -inkey key.pem", "ecdsa", TRUE },
  { "ec-sha512", "ec:p256", "-nodetach -md sha512 -signer key.crt -inkey key.pem", "ecdsa", FALSE },
};

static void
test_theirs(gconstpointer data)
{
  const Theirs *one = data;
  g_autoptr(SoftKey) key = soft_key_simple(one->kind);
  soft_write_key(key, "key");
  g_autofree char *options = g_strdup_printf(
      "%s%s", one->options, strstr(one->options, "-signer") ? "" : " -signer key.crt");
  g_autoptr(GBytes) message = openssl_sign(options);
  g_autoptr(CmsVerified) verified = verify(message, NULL);
  const CmsSignature *signature = first(verified);
  g_assert_true(signature->weak == (signature->reason != NULL));
  g_assert_cmpint(signature->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpstr(signature->algorithm, ==, one->algorithm);
  g_assert_cmpint(signature->weak, ==, one->weak);
  soft_assert_bytes(verified->content, text, strlen(text));
}

static void
test_several_signers(void)
{
  g_autoptr(SoftKey) rsa = soft_key_simple("rsa:2048");
  g_autoptr(SoftKey) ec = soft_key_simple("ec:p384");
  soft_write_key(rsa, "a");
  soft_write_key(ec, "b");
  g_autoptr(GBytes) message =
      openssl_sign("-nodetach -nocerts -signer a.crt -inkey a.pem -signer b.crt -inkey b.pem");
  g_autoptr(GPtrArray) extra = g_ptr_array_new();
  g_autoptr(CmsVerified) without = verify(message, NULL);
  g_assert_cmpuint(without->signatures->len, ==, 2);
  g_assert_cmpint(first(without)->state, ==, CMS_SIGNATURE_UNKNOWN);
  g_assert_nonnull(strstr(first(without)->reason, "is not in the message"));
  g_ptr_array_add(extra, ec->cert);
  g_autoptr(CmsVerified) with = cms_verify(message, NULL, extra, NULL);
  guint good = 0;
  guint unknown = 0;
  for (guint i = 0; i < 2; i++) {
    const CmsSignature *signature = g_ptr_array_index(with->signatures, i);
    good += signature->state == CMS_SIGNATURE_GOOD;
    unknown += signature->state == CMS_SIGNATURE_UNKNOWN;
  }
  g_assert_cmpuint(good, ==, 1);
  g_assert_cmpuint(unknown, ==, 1);
  g_assert_cmpuint(with->certificates->len, ==, 0);
}

/* ---- content ---- */

static void
test_detached(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  soft_write_key(key, "key");
  g_autoptr(GBytes) detached = openssl_sign("-signer key.crt -inkey key.pem");
  g_autoptr(GBytes) inside = openssl_sign("-nodetach -signer key.crt -inkey key.pem");
  g_autoptr(GBytes) content = content_bytes();
  g_autoptr(GBytes) other = g_bytes_new_static("Hello, Eve.\r\n", 13);
  g_autoptr(GError) both = NULL;
  g_autoptr(GError) neither = NULL;
  g_autoptr(CmsVerified) good = verify(detached, content);
  g_autoptr(CmsVerified) changed = verify(detached, other);
  g_assert_cmpint(first(good)->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpint(first(changed)->state, ==, CMS_SIGNATURE_BAD);
  g_assert_cmpstr(first(changed)->reason, ==, "the content was changed after signing");
  g_assert_nonnull(first(changed)->certificate);
  g_assert_null(cms_verify(inside, content, NULL, &both));
  g_assert_error(both, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_assert_null(cms_verify(detached, NULL, NULL, &neither));
  g_assert_error(neither, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
}

/* A signature over attributes, shown as one without attributes over content that is the attributes'
 * encoding: the key signed those bytes, but never that content. */
static void
test_attributes_as_content(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  soft_write_key(key, "key");
  g_autoptr(GBytes) message = openssl_sign("-signer key.crt -inkey key.pem");
  g_autoptr(CmsAsnSigned) data = cms_message_signed(message, NULL);
  CmsAsnSigner *info = sk_CmsAsnSigner_value(data->signers, 0);
  g_autoptr(GBytes) content = cms_asn_attributes_der(info->signed_attributes, TRUE);
  sk_X509_ATTRIBUTE_pop_free(info->signed_attributes, X509_ATTRIBUTE_free);
  info->signed_attributes = NULL;
  g_autoptr(GBytes) forged = cms_message_wrap(NID_pkcs7_signed, data, ASN1_ITEM_rptr(CmsAsnSigned));
  g_autoptr(CmsVerified) verified = verify(forged, content);
  g_assert_cmpint(first(verified)->state, ==, CMS_SIGNATURE_BAD);
  g_assert_nonnull(strstr(first(verified)->reason, "attributes of another signature"));
}

/* A second certificate for the same key with the same names must not take over the signature. */
static void
test_other_certificate(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  soft_write_key(key, "key");
  g_autoptr(GBytes) message = openssl_sign("-cades -nocerts -signer key.crt -inkey key.pem");
  g_autoptr(GBytes) content = content_bytes();
  X509 *twin = X509_dup(key->x509);
  X509_gmtime_adj(X509_getm_notAfter(twin), 1000000);
  X509_sign(twin, key->pkey, EVP_sha256());
  EVP_PKEY_up_ref(key->pkey);
  g_autoptr(SoftKey) other = soft_key_load(key->pkey, twin);
  g_autoptr(GPtrArray) extra = g_ptr_array_new();
  g_ptr_array_add(extra, other->cert);
  g_autoptr(CmsVerified) taken = cms_verify(message, content, extra, NULL);
  g_assert_cmpint(first(taken)->state, ==, CMS_SIGNATURE_BAD);
  g_ptr_array_add(extra, key->cert);
  g_autoptr(CmsVerified) right = cms_verify(message, content, extra, NULL);
  g_assert_cmpint(first(right)->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpstr(first(right)->certificate->fingerprint, ==, key->cert->fingerprint);
}

/* ---- RFC 4134 ---- */

static void
test_rfc4134(void)
{
  static const struct {
    const char *file;
    guint signers;
    gboolean detached;
  } table[] = {
    { "4.1.bin", 1, FALSE }, { "4.2.bin", 1, FALSE }, { "4.3.bin", 1, TRUE },
    { "4.4.bin", 1, FALSE }, { "4.5.bin", 1, FALSE }, { "4.10.bin", 1, FALSE },
  };
  g_autoptr(GBytes) expected = soft_data("cms/rfc4134/ExContent.bin");
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autofree char *relative = g_strconcat("cms/rfc4134/", table[i].file, NULL);
    g_autoptr(GBytes) message = soft_data(relative);
    g_autoptr(CmsVerified) verified = verify(message, table[i].detached ? expected : NULL);
    g_assert_cmpuint(verified->signatures->len, ==, table[i].signers);
    for (guint k = 0; k < table[i].signers; k++) {
      const CmsSignature *signature = g_ptr_array_index(verified->signatures, k);
      g_test_message("%s: %d %s %s %s", table[i].file, signature->state, signature->algorithm,
                     signature->digest, signature->reason);
      g_assert_cmpint(signature->state, ==, CMS_SIGNATURE_GOOD);
      g_assert_true(signature->weak);
    }
    g_assert_true(g_bytes_equal(verified->content, expected));
  }
}

/* ---- damage ---- */

static gboolean
is_good(GBytes *message, GBytes *detached)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CmsVerified) verified = cms_verify(message, detached, NULL, &error);
  if (!verified) {
    g_assert_nonnull(error);
    return FALSE;
  }
  g_assert_no_error(error);
  return verified->signatures->len > 0 && first(verified)->state == CMS_SIGNATURE_GOOD &&
         !first(verified)->weak;
}

/* Every byte: a message that still verifies has the same content, signer and time. */
static void
test_tamper(gconstpointer kind)
{
  g_autoptr(SoftKey) key = soft_key_simple(kind);
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GBytes) content = content_bytes();
  g_ptr_array_add(token->keys, key);
  CmsSigner signer = { key->cert->key, key->cert->kind, key->cert->der, NULL,
                       NULL,           FALSE,           NULL,           NULL };
  g_autoptr(GBytes) message = cms_sign_with(&token->vtable, &signer, content, FALSE, NULL);
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(message, &length);
  g_autofree guint8 *copy = g_memdup2(bytes, length);
  guint still = 0;
  for (gsize i = 0; i < length; i++) {
    g_autoptr(GBytes) cut = g_bytes_new(bytes, i);
    g_assert_false(is_good(cut, NULL));
    for (guint bit = i % 2; bit < 8; bit += 4) {
      copy[i] ^= (guint8)(1 << bit);
      g_autoptr(GBytes) changed = g_bytes_new(copy, length);
      g_autoptr(CmsVerified) verified = cms_verify(changed, NULL, NULL, NULL);
      if (verified && verified->signatures->len == 1 &&
          first(verified)->state == CMS_SIGNATURE_GOOD) {
        still++;
        soft_assert_bytes(verified->content, text, strlen(text));
        g_assert_cmpstr(first(verified)->certificate->fingerprint, ==, key->cert->fingerprint);
      }
      copy[i] ^= (guint8)(1 << bit);
    }
  }
  g_test_message("%u of %zu bit flips change nothing that counts", still, length * 2);
}

/* A line end is what some programs add; anything else is not looked past. */
static void
test_trailing(void)
{
  static const struct {
    const char *tail;
    gboolean good;
  } table[] = { { "\n", TRUE }, { "\r\n", TRUE }, { "x", FALSE }, { "\n0", FALSE } };
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  soft_write_key(key, "key");
  g_autoptr(GBytes) message = openssl_sign("-nodetach -signer key.crt -inkey key.pem");
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    GByteArray *longer = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    g_byte_array_append(longer, g_bytes_get_data(message, NULL), (guint)g_bytes_get_size(message));
    g_byte_array_append(longer, (const guint8 *)table[i].tail, (guint)strlen(table[i].tail));
    g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(longer);
    g_autoptr(CmsVerified) verified = cms_verify(bytes, NULL, NULL, &error);
    g_assert_true((verified != NULL) == table[i].good);
    if (!table[i].good)
      g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  }
}

/* ---- bombs ---- */

static void
assert_refused(GByteArray *array, int code)
{
  g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(array);
  g_autoptr(GError) error = NULL;
  g_autoptr(GTimer) timer = g_timer_new();
  g_assert_null(cms_info(bytes, &error));
  g_assert_error(error, SIGNET_ERROR, code);
  g_assert_cmpfloat(g_timer_elapsed(timer, NULL), <, 3.0);
}

static void
test_bombs(void)
{
  GByteArray *nested = g_byte_array_new();
  GByteArray *elements = g_byte_array_new();
  GByteArray *zeros = g_byte_array_new();
  static const guint8 indefinite[] = { 0x30, 0x80 };
  static const guint8 empty[] = { 0x30, 0x00 };
  /* SignedData with a set of hashes that never ends */
  static const guint8 head[] = { 0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
                                 0x07, 0x02, 0xa0, 0x80, 0x30, 0x80, 0x02, 0x01, 0x01, 0x31, 0x80 };
  for (guint i = 0; i < 1000000; i++)
    g_byte_array_append(nested, indefinite, 2);
  assert_refused(nested, SIGNET_ERROR_BAD_INPUT);
  g_byte_array_append(elements, head, sizeof head);
  for (guint i = 0; i < 0x7ffff0 / 2; i++)
    g_byte_array_append(elements, empty, 2);
  assert_refused(elements, SIGNET_ERROR_TOO_LARGE);
  g_byte_array_set_size(zeros, 32 * 1024 * 1024);
  memset(zeros->data, 0, zeros->len);
  assert_refused(zeros, SIGNET_ERROR_BAD_INPUT);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(theirs_table); i++) {
    g_autofree char *path = g_strdup_printf("/cms/verify/openssl-%s-good", theirs_table[i].name);
    g_test_add_data_func(path, &theirs_table[i], test_theirs);
  }
  g_test_add_func("/cms/verify/several-signers-each-own", test_several_signers);
  g_test_add_func("/cms/verify/detached-content", test_detached);
  g_test_add_func("/cms/verify/attributes-as-content-bad", test_attributes_as_content);
  g_test_add_func("/cms/verify/other-certificate-bad", test_other_certificate);
  g_test_add_func("/cms/verify/rfc4134-good-and-weak", test_rfc4134);
  g_test_add_data_func("/cms/verify/tampered-ec-never-wrongly-good", "ec:p256", test_tamper);
  g_test_add_data_func("/cms/verify/tampered-ed25519-never-wrongly-good", "ed25519", test_tamper);
  g_test_add_data_func("/cms/verify/tampered-rsa-never-wrongly-good", "rsa:2048", test_tamper);
  g_test_add_func("/cms/verify/trailing-bytes-refused", test_trailing);
  g_test_add_func("/cms/verify/bombs-refused-in-time", test_bombs);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
