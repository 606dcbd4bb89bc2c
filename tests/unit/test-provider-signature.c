/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Signatures of provider keys, each confirmed with the public key by OpenSSL's own code in
 * another library context. */

#include "test-provider-soft.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static const char message[] = "Subject: hello\r\n\r\nA message to sign.\r\n";

typedef struct {
  SoftKind kind;
  const char *hash; /* NULL: Ed25519 */
  int padding;      /* of RSA */
  int salt;
} Case;

static const Case cases[] = {
  { SOFT_RSA, "SHA1", RSA_PKCS1_PADDING, 0 },
  { SOFT_RSA, "SHA256", RSA_PKCS1_PADDING, 0 },
  { SOFT_RSA, "SHA384", RSA_PKCS1_PADDING, 0 },
  { SOFT_RSA, "SHA512", RSA_PKCS1_PADDING, 0 },
  { SOFT_RSA, "SHA256", RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST },
  { SOFT_RSA, "SHA384", RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_MAX },
  { SOFT_RSA, "SHA512", RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_AUTO },
  { SOFT_RSA, "SHA256", RSA_PKCS1_PSS_PADDING, 17 },
  { SOFT_RSA, "SHA1", RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST },
  { SOFT_P256, "SHA256", 0, 0 },
  { SOFT_P256, "SHA512", 0, 0 },
  { SOFT_P384, "SHA384", 0, 0 },
};

static void
set_padding(EVP_PKEY_CTX *context, const Case *this)
{
  if (this->padding != RSA_PKCS1_PSS_PADDING)
    return;
  g_assert_cmpint(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING), >, 0);
  g_assert_cmpint(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, this->salt), >, 0);
  int padding = 0, salt = 99;
  g_assert_cmpint(EVP_PKEY_CTX_get_rsa_padding(context, &padding), >, 0);
  g_assert_cmpint(padding, ==, RSA_PKCS1_PSS_PADDING);
  g_assert_cmpint(EVP_PKEY_CTX_get_rsa_pss_saltlen(context, &salt), >, 0);
  g_assert_cmpint(salt, ==, this->salt);
}

static void
assert_verifies(EVP_PKEY *key, OSSL_LIB_CTX *library, const Case *this, const guint8 *signature,
                gsize length, gboolean good)
{
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *pkey_context = NULL;
  g_assert_cmpint(
      EVP_DigestVerifyInit_ex(context, &pkey_context, this->hash, library, NULL, key, NULL), >, 0);
  if (this->padding == RSA_PKCS1_PSS_PADDING) {
    EVP_PKEY_CTX_set_rsa_padding(pkey_context, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_context, RSA_PSS_SALTLEN_AUTO);
  }
  int result =
      EVP_DigestVerify(context, signature, length, (const guint8 *)message, sizeof message);
  g_assert_cmpint(result == 1, ==, good);
  EVP_MD_CTX_free(context);
  ERR_clear_error();
}

static void
test_digest_sign(void)
{
  g_autoptr(Soft) soft = soft_new();
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    EVP_PKEY *key = soft_provider_key(soft, cases[i].kind);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_context = NULL;
    guint8 signature[512];
    gsize length = 0;
    g_assert_cmpint(EVP_DigestSignInit_ex(context, &pkey_context, cases[i].hash, soft->context,
                                          NULL, key, NULL),
                    >, 0);
    set_padding(pkey_context, &cases[i]);
    g_assert_cmpint(EVP_DigestSignUpdate(context, message, 10), >, 0);
    g_assert_cmpint(EVP_DigestSignUpdate(context, message + 10, sizeof message - 10), >, 0);
    g_assert_cmpint(EVP_DigestSignFinal(context, NULL, &length), >, 0);
    g_assert_cmpuint(length, <=, sizeof signature);
    g_assert_cmpint(EVP_DigestSignFinal(context, signature, &length), >, 0);
    assert_verifies(soft->keys[cases[i].kind].software, NULL, &cases[i], signature, length, TRUE);
    assert_verifies(key, soft->context, &cases[i], signature, length, TRUE);
    signature[length / 2] ^= 1;
    assert_verifies(key, soft->context, &cases[i], signature, length, FALSE);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
  }
  g_assert_cmpint(soft->operations, ==, (int)G_N_ELEMENTS(cases));
}

static void
test_ed25519(void)
{
  static const Case plain = { SOFT_ED25519, NULL, 0, 0 };
  g_autoptr(Soft) soft = soft_new();
  EVP_PKEY *key = soft_provider_key(soft, SOFT_ED25519);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  guint8 signature[64];
  gsize length = sizeof signature;
  g_assert_cmpint(EVP_DigestSignInit_ex(context, NULL, NULL, soft->context, NULL, key, NULL), >, 0);
  g_assert_cmpint(
      EVP_DigestSign(context, signature, &length, (const guint8 *)message, sizeof message), >, 0);
  assert_verifies(soft->keys[SOFT_ED25519].software, NULL, &plain, signature, length, TRUE);
  assert_verifies(key, soft->context, &plain, signature, length, TRUE);
  signature[3] ^= 1;
  assert_verifies(key, soft->context, &plain, signature, length, FALSE);
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
}

/* ---- CMS ---- */

static CMS_ContentInfo *
sign_cms(Soft *soft, const Case *this, unsigned flags)
{
  EVP_PKEY *key = soft_provider_key(soft, this->kind);
  X509 *certificate = soft->keys[this->kind].certificate;
  BIO *content = BIO_new_mem_buf(message, sizeof message);
  EVP_MD *md = EVP_MD_fetch(soft->context, this->hash, NULL);
  CMS_ContentInfo *cms =
      CMS_sign_ex(NULL, NULL, NULL, content, flags | CMS_PARTIAL | CMS_BINARY, soft->context, NULL);
  g_assert_nonnull(cms);
  CMS_SignerInfo *signer =
      CMS_add1_signer(cms, certificate, key, md, flags | CMS_KEY_PARAM | CMS_BINARY);
  g_assert_nonnull(signer);
  set_padding(CMS_SignerInfo_get0_pkey_ctx(signer), this);
  g_assert_cmpint(CMS_final(cms, content, NULL, flags | CMS_BINARY), ==, 1);
  BIO_free(content);
  EVP_MD_free(md);
  EVP_PKEY_free(key);
  return cms;
}

/* By way of DER, with the default library context only. */
static void
assert_cms_verifies(CMS_ContentInfo *signed_by_us)
{
  unsigned char *der = NULL;
  int length = i2d_CMS_ContentInfo(signed_by_us, &der);
  const unsigned char *at = der;
  CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, length);
  BIO *out = BIO_new(BIO_s_mem());
  char *bytes = NULL;
  g_assert_cmpint(CMS_verify(cms, NULL, NULL, NULL, out, CMS_NO_SIGNER_CERT_VERIFY | CMS_BINARY),
                  ==, 1);
  gsize size = (gsize)BIO_get_mem_data(out, &bytes);
  g_assert_true(size == sizeof message && memcmp(bytes, message, size) == 0);
  BIO_free(out);
  CMS_ContentInfo_free(cms);
  OPENSSL_free(der);
}

static void
test_cms_sign(void)
{
  static const unsigned flags[] = { 0, CMS_NOATTR };
  g_autoptr(Soft) soft = soft_new();
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
    for (gsize j = 0; j < G_N_ELEMENTS(flags); j++) {
      CMS_ContentInfo *cms = sign_cms(soft, &cases[i], flags[j]);
      X509_ALGOR *algorithm = NULL;
      CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
      CMS_SignerInfo_get0_algs(signer, NULL, NULL, NULL, &algorithm);
      const ASN1_OBJECT *object = NULL;
      X509_ALGOR_get0(&object, NULL, NULL, algorithm);
      int nid = OBJ_obj2nid(object);
      if (cases[i].padding == RSA_PKCS1_PSS_PADDING)
        g_assert_cmpint(nid, ==, NID_rsassaPss);
      else if (cases[i].kind == SOFT_RSA)
        g_assert_cmpint(nid, ==, NID_rsaEncryption);
      assert_cms_verifies(cms);
      CMS_ContentInfo_free(cms);
    }
}

static void
test_cms_sign_plain_call(void)
{
  g_autoptr(Soft) soft = soft_new();
  for (int kind = SOFT_RSA; kind <= SOFT_P384; kind++) {
    EVP_PKEY *key = soft_provider_key(soft, (SoftKind)kind);
    BIO *content = BIO_new_mem_buf(message, sizeof message);
    CMS_ContentInfo *cms = CMS_sign_ex(soft->keys[kind].certificate, key, NULL, content, CMS_BINARY,
                                       soft->context, NULL);
    g_assert_nonnull(cms);
    assert_cms_verifies(cms);
    CMS_ContentInfo_free(cms);
    BIO_free(content);
    EVP_PKEY_free(key);
  }
}

/* ---- requests and certificates ---- */

static void
assert_request_verifies(X509_REQ *request)
{
  unsigned char *der = NULL;
  int length = i2d_X509_REQ(request, &der);
  const unsigned char *at = der;
  X509_REQ *read = d2i_X509_REQ(NULL, &at, length);
  EVP_PKEY *public = X509_REQ_get_pubkey(read);
  g_assert_nonnull(public);
  g_assert_cmpint(X509_REQ_verify(read, public), ==, 1);
  EVP_PKEY_free(public);
  X509_REQ_free(read);
  OPENSSL_free(der);
}

static void
test_request(void)
{
  static const Case requests[] = { { SOFT_RSA, "SHA256", RSA_PKCS1_PADDING, 0 },
                                   { SOFT_RSA, "SHA384", RSA_PKCS1_PSS_PADDING,
                                     RSA_PSS_SALTLEN_DIGEST },
                                   { SOFT_P256, "SHA256", 0, 0 },
                                   { SOFT_P384, "SHA384", 0, 0 },
                                   { SOFT_ED25519, NULL, 0, 0 } };
  g_autoptr(Soft) soft = soft_new();
  for (gsize i = 0; i < G_N_ELEMENTS(requests); i++) {
    EVP_PKEY *key = soft_provider_key(soft, requests[i].kind);
    X509_REQ *request = X509_REQ_new_ex(soft->context, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_context = NULL;
    g_assert_cmpint(X509_REQ_set_pubkey(request, key), ==, 1);
    g_assert_cmpint(EVP_DigestSignInit_ex(context, &pkey_context, requests[i].hash, soft->context,
                                          NULL, key, NULL),
                    >, 0);
    set_padding(pkey_context, &requests[i]);
    g_assert_cmpint(X509_REQ_sign_ctx(request, context), >, 0);
    assert_request_verifies(request);
    EVP_MD_CTX_free(context);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
  }
}

static void
test_request_plain_call(void)
{
  g_autoptr(Soft) soft = soft_new();
  for (int kind = 0; kind < SOFT_KEYS; kind++) {
    EVP_PKEY *key = soft_provider_key(soft, (SoftKind)kind);
    X509_REQ *request = X509_REQ_new_ex(soft->context, NULL);
    g_assert_cmpint(X509_REQ_set_pubkey(request, key), ==, 1);
    g_assert_cmpint(X509_REQ_sign(request, key, kind == SOFT_ED25519 ? NULL : EVP_sha256()), >, 0);
    assert_request_verifies(request);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
  }
}

static void
test_check_private_key(void)
{
  g_autoptr(Soft) soft = soft_new();
  for (int kind = 0; kind < SOFT_KEYS; kind++) {
    EVP_PKEY *key = soft_provider_key(soft, (SoftKind)kind);
    for (int other = 0; other < SOFT_KEYS; other++)
      g_assert_cmpint(X509_check_private_key(soft->keys[other].certificate, key), ==,
                      kind == other);
    EVP_PKEY_free(key);
    ERR_clear_error(); /* of what was to fail */
  }
}

static void
test_properties(void)
{
  g_autoptr(Soft) soft = soft_new();
  for (int kind = 0; kind < SOFT_KEYS; kind++) {
    EVP_PKEY *key = soft_provider_key(soft, (SoftKind)kind);
    EVP_PKEY *software = soft->keys[kind].software;
    g_assert_cmpint(EVP_PKEY_get_bits(key), ==, EVP_PKEY_get_bits(software));
    g_assert_cmpint(EVP_PKEY_get_security_bits(key), ==, EVP_PKEY_get_security_bits(software));
    g_assert_cmpint(EVP_PKEY_get_size(key), ==, EVP_PKEY_get_size(software));
    g_assert_cmpint(EVP_PKEY_eq(key, software), ==, 1);
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    g_autoptr(GBytes) written = g_bytes_new(der, (gsize)length);
    g_assert_true(g_bytes_equal(written, soft->keys[kind].spki));
    OPENSSL_free(der);
    der = NULL;
    g_assert_cmpint(i2d_PrivateKey(key, &der), <=, 0); /* there is nothing to write */
    EVP_PKEY_free(key);
    ERR_clear_error(); /* of what was to fail */
  }
}

/* Plain public keys in the same context stay with the default provider. */
static void
test_plain_keys_are_left_alone(void)
{
  g_autoptr(Soft) soft = soft_new();
  EVP_PKEY *first = soft_provider_key(soft, SOFT_RSA);
  for (int kind = 0; kind < SOFT_KEYS; kind++) {
    gsize length = 0;
    const unsigned char *at = g_bytes_get_data(soft->keys[kind].spki, &length);
    EVP_PKEY *plain = d2i_PUBKEY_ex(NULL, &at, (long)length, soft->context, NULL);
    g_assert_nonnull(plain);
    g_assert_cmpstr(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(plain)), ==, "default");
    EVP_PKEY_free(plain);
  }
  EVP_PKEY_free(first);
}

static void
test_failure_is_told(void)
{
  g_autoptr(Soft) soft = soft_new();
  for (int kind = 0; kind < SOFT_KEYS; kind++) {
    EVP_PKEY *key = soft_provider_key(soft, (SoftKind)kind);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    guint8 signature[512];
    gsize length = sizeof signature;
    soft->failure = SIGNET_ERROR_PIN_REQUIRED;
    EVP_DigestSignInit_ex(context, NULL, kind == SOFT_ED25519 ? NULL : "SHA256", soft->context,
                          NULL, key, NULL);
    g_assert_cmpint(
        EVP_DigestSign(context, signature, &length, (const guint8 *)message, sizeof message), <=,
        0);
    g_autoptr(GError) error = provider_take_error();
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
    g_assert_null(provider_take_error());
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error(); /* of what was to fail */
  }
}

static void
test_bad_key_is_an_error(void)
{
  g_autoptr(Soft) soft = soft_new();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) rubbish = g_bytes_new_static("rubbish", 7);
  g_assert_null(provider_key_new(soft->context, soft->keys[0].name, rubbish, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED);
  g_clear_error(&error);
  g_assert_null(provider_key_new(soft->context, "abc", soft->keys[0].spki, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED);
}

/* Keys, signatures and contexts come and go; valgrind counts. */
static void
test_cycles(void)
{
  g_autoptr(Soft) soft = soft_new();
  int cycles = g_getenv("SIGNET_TEST_CYCLES") ? atoi(g_getenv("SIGNET_TEST_CYCLES")) : 100;
  for (int i = 0; i < cycles; i++) {
    provider_context_free(soft->context);
    soft->context = provider_context_new_with(&soft_operations, soft, NULL);
    CMS_ContentInfo *cms = sign_cms(soft, &cases[i % (int)G_N_ELEMENTS(cases)], 0);
    CMS_ContentInfo_free(cms);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/provider/signature/digest-sign-verifies", test_digest_sign);
  g_test_add_func("/provider/signature/ed25519-verifies", test_ed25519);
  g_test_add_func("/provider/signature/cms-verifies", test_cms_sign);
  g_test_add_func("/provider/signature/plain-cms-sign-verifies", test_cms_sign_plain_call);
  g_test_add_func("/provider/signature/request-verifies", test_request);
  g_test_add_func("/provider/signature/plain-request-verifies", test_request_plain_call);
  g_test_add_func("/provider/signature/check-private-key-tells", test_check_private_key);
  g_test_add_func("/provider/signature/properties-equal-software", test_properties);
  g_test_add_func("/provider/signature/plain-keys-stay-default", test_plain_keys_are_left_alone);
  g_test_add_func("/provider/signature/failure-is-told", test_failure_is_told);
  g_test_add_func("/provider/signature/bad-key-is-an-error", test_bad_key_is_an_error);
  g_test_add_func("/provider/signature/contexts-come-and-go", test_cycles);
  return g_test_run();
}
