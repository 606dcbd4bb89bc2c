/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-cms-soft.h"

#include <openssl/cms.h>
#include <string.h>

/* Every algorithm: our writer, our verifier, and openssl(1) or certtool(1) for a second opinion.
 * OpenSSL 3.0 knows no Ed25519 in CMS; GnuTLS does. */

typedef struct {
  const char *name;
  const char *kind;
  const char *hash;
  gboolean pss;
  const char *want_digest;
  const char *want_algorithm;
} Case;

static const Case case_table[] = {
  { "rsa-2048", "rsa:2048", NULL, FALSE, "sha256", "rsa-pkcs1" },
  { "rsa-3072-sha512", "rsa:3072", "sha512", FALSE, "sha512", "rsa-pkcs1" },
  { "rsa-2048-pss", "rsa:2048", NULL, TRUE, "sha256", "rsa-pss" },
  { "rsa-2048-pss-sha384", "rsa:2048", "sha384", TRUE, "sha384", "rsa-pss" },
  { "ec-p256", "ec:p256", NULL, FALSE, "sha256", "ecdsa" },
  { "ec-p256-sha512", "ec:p256", "sha512", FALSE, "sha512", "ecdsa" },
  { "ec-p384", "ec:p384", NULL, FALSE, "sha384", "ecdsa" },
  { "ec-p521", "ec:p521", NULL, FALSE, "sha512", "ecdsa" },
  { "ed25519", "ed25519", "sha256", FALSE, "sha512", "eddsa" },
};

static const char text[] = "Content-Type: text/plain\r\n\r\nHello, Bob.\r\n";

static GBytes *
sign(const SoftKey *key, const Case *one, GBytes *content, gboolean detached)
{
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GError) error = NULL;
  SoftKey *held = (SoftKey *)(guintptr)key;
  g_ptr_array_add(token->keys, held);
  CmsSigner signer = { key->cert->key, key->cert->kind, key->cert->der, NULL,
                       one->hash,      one->pss,        NULL,           NULL };
  GBytes *message = cms_sign_with(&token->vtable, &signer, content, detached, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(token->operations, ==, 1);
  return message;
}

static void
assert_good(GBytes *message, GBytes *detached, const Case *one)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CmsVerified) verified = cms_verify(message, detached, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(verified->signatures->len, ==, 1);
  const CmsSignature *signature = g_ptr_array_index(verified->signatures, 0);
  g_assert_cmpstr(signature->reason, ==, NULL);
  g_assert_cmpint(signature->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpstr(signature->digest, ==, one->want_digest);
  g_assert_cmpstr(signature->algorithm, ==, one->want_algorithm);
  g_assert_false(signature->weak);
  g_assert_nonnull(signature->certificate);
  g_assert_cmpint(ABS(signature->signing_time - g_get_real_time() / G_USEC_PER_SEC), <, 60);
  soft_assert_bytes(verified->content, text, strlen(text));
}

static void
assert_der(GBytes *message)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(message, &length);
  CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &bytes, (long)length);
  guint8 *again = NULL;
  g_assert_nonnull(cms);
  int n = i2d_CMS_ContentInfo(cms, &again);
  g_assert_cmpint(n, >, 0);
  soft_assert_bytes(message, again, (gsize)n);
  OPENSSL_free(again);
  CMS_ContentInfo_free(cms);
}

static void
second_opinion(const SoftKey *key, const Case *one)
{
  soft_write_key(key, "signer");
  if (strcmp(one->kind, "ed25519") == 0) {
    g_autofree char *inside = NULL;
    g_autofree char *beside = NULL;
    g_assert_cmpint(soft_run(&inside, "certtool --p7-verify --inder --load-certificate signer.crt "
                                      "--infile opaque.der"),
                    ==, 0);
    g_assert_cmpint(soft_run(&beside, "certtool --p7-verify --inder --load-certificate signer.crt "
                                      "--load-data content --infile detached.der"),
                    ==, 0);
    g_assert_nonnull(strstr(inside, "Signature status: ok"));
    g_assert_nonnull(strstr(beside, "Signature status: ok"));
    return;
  }
  g_assert_cmpint(soft_run(NULL,
                           "openssl cms -verify -inform DER -in opaque.der -CAfile signer.crt "
                           "-out verified"),
                  ==, 0);
  g_assert_cmpint(soft_run(NULL,
                           "openssl cms -verify -binary -inform DER -in detached.der -content "
                           "content -CAfile signer.crt -out verified"),
                  ==, 0);
  g_autoptr(GBytes) verified = soft_read("verified");
  soft_assert_bytes(verified, text, strlen(text));
}

static void
test_algorithm(gconstpointer data)
{
  const Case *one = data;
  g_autoptr(SoftKey) key = soft_key_simple(one->kind);
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_autoptr(GBytes) opaque = sign(key, one, content, FALSE);
  g_autoptr(GBytes) detached = sign(key, one, content, TRUE);
  g_autofree char *a = soft_write("opaque.der", opaque);
  g_autofree char *b = soft_write("detached.der", detached);
  g_autofree char *c = soft_write("content", content);
  assert_der(opaque);
  assert_der(detached);
  assert_good(opaque, NULL, one);
  assert_good(detached, content, one);
  second_opinion(key, one);
}

static void
test_empty(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
  g_autoptr(GBytes) message = sign(key, &case_table[4], nothing, FALSE);
  g_autoptr(CmsVerified) verified = cms_verify(message, NULL, NULL, NULL);
  const CmsSignature *signature = g_ptr_array_index(verified->signatures, 0);
  g_assert_cmpint(signature->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpuint(g_bytes_get_size(verified->content), ==, 0);
}

static void
assert_fails(const CmsSigner *signer, SoftToken *token, int code)
{
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) error = NULL;
  g_assert_null(cms_sign_with(&token->vtable, signer, content, TRUE, &error));
  g_assert_error(error, SIGNET_ERROR, code);
}

static void
test_failures(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftKey) other = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = soft_token_new();
  g_ptr_array_add(token->keys, key);
  CmsSigner good = {
    key->cert->key, key->cert->kind, key->cert->der, NULL, NULL, FALSE, NULL, NULL
  };
  CmsSigner wrong = good;
  CmsSigner hash = good;
  CmsSigner pss = good;
  wrong.certificate = other->cert->der;
  hash.hash = "md5";
  pss.pss = TRUE;
  assert_fails(&wrong, token, SIGNET_ERROR_FAILED);
  assert_fails(&hash, token, SIGNET_ERROR_USAGE);
  assert_fails(&pss, token, SIGNET_ERROR_USAGE);
  token->fail_with = SIGNET_ERROR_PIN_REQUIRED;
  assert_fails(&good, token, SIGNET_ERROR_PIN_REQUIRED);
}

static void
test_chain(void)
{
  SoftWish ca_wish = { "ec:p256", NULL, NULL, TRUE, -1, 30 };
  g_autoptr(SoftKey) ca = soft_key_new(&ca_wish);
  SoftWish wish = { "ec:p256", "alice@example.org", ca, FALSE, -1, 30 };
  g_autoptr(SoftKey) key = soft_key_new(&wish);
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GPtrArray) chain = g_ptr_array_new();
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_ptr_array_add(token->keys, key);
  g_ptr_array_add(chain, ca->cert->der);
  g_ptr_array_add(chain, ca->cert->der);
  g_ptr_array_add(chain, key->cert->der);
  CmsSigner signer = { key->cert->key, key->cert->kind, key->cert->der, chain,
                       NULL,           FALSE,           NULL,           NULL };
  g_autoptr(GBytes) message = cms_sign_with(&token->vtable, &signer, content, FALSE, NULL);
  g_autoptr(CmsVerified) verified = cms_verify(message, NULL, NULL, NULL);
  g_assert_cmpuint(verified->certificates->len, ==, 2);
  const CmsSignature *signature = g_ptr_array_index(verified->signatures, 0);
  g_assert_cmpstr(signature->certificate->fingerprint, ==, key->cert->fingerprint);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(case_table); i++) {
    g_autofree char *path = g_strdup_printf("/cms/sign/%s-good", case_table[i].name);
    g_test_add_data_func(path, &case_table[i], test_algorithm);
  }
  g_test_add_func("/cms/sign/nothing-good", test_empty);
  g_test_add_func("/cms/sign/wrong-request-fails", test_failures);
  g_test_add_func("/cms/sign/chain-once-each", test_chain);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
