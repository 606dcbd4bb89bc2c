/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/receipt.h"
#include "test-cms-soft.h"

#include <string.h>

/* Signed receipts (RFC 2634 2): asked for, made and checked by openssl(1) and by us, both ways. */

#define TEXT "Content-Type: text/plain\r\n\r\nHello\r\n"

static const char *const to[] = { "alice@example.org", "archive@example.org", NULL };

static CmsSigner
signer_of(const SoftKey *key)
{
  return (
      CmsSigner){ .key = key->cert->key, .kind = key->cert->kind, .certificate = key->cert->der };
}

static GBytes *
ask(SoftToken *token, const SoftKey *key)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) content = g_bytes_new_static(TEXT, strlen(TEXT));
  CmsSigner signer = signer_of(key);
  signer.receipts_to = to;
  GBytes *message = cms_sign_with(&token->vtable, &signer, content, FALSE, &error);
  g_assert_no_error(error);
  return message;
}

static CmsVerified *
verify(GBytes *message)
{
  g_autoptr(GError) error = NULL;
  CmsVerified *verified = cms_verify(message, NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(verified->signatures->len, ==, 1);
  return verified;
}

static const CmsSignature *
only(const CmsVerified *verified)
{
  return g_ptr_array_index(verified->signatures, 0);
}

static GBytes *
answer(SoftToken *token, const SoftKey *key, const CmsReceiptAsked *asked)
{
  g_autoptr(GError) error = NULL;
  CmsSigner signer = signer_of(key);
  signer.receipts_to = to; /* not in a receipt */
  GBytes *receipt = cms_receipt_make_with(&token->vtable, &signer, asked, &error);
  g_assert_no_error(error);
  return receipt;
}

static CmsVerified *
check(GBytes *receipt, const CmsReceiptAsked *asked, const char *expected)
{
  g_autoptr(GError) error = NULL;
  const char *problem = "";
  CmsVerified *verified = verify(receipt);
  g_assert_true(cms_receipt_check(verified, verified->content, asked, &problem, &error));
  g_assert_no_error(error);
  g_assert_cmpstr(problem, ==, expected);
  g_assert_cmpint(only(verified)->state, ==, CMS_SIGNATURE_GOOD);
  return verified;
}

typedef struct {
  const char *asker;
  const char *answerer;
} Pair;

static const Pair pairs[] = { { "rsa:2048", "rsa:2048" },
                              { "ec:p384", "rsa:2048" },
                              { "rsa:2048", "ec:p256" } };

static void
test_ours(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
    g_autoptr(SoftToken) token = soft_token_new();
    g_autoptr(SoftKey) alice = soft_key_simple(pairs[i].asker);
    g_autoptr(SoftKey) bob = soft_key_simple(pairs[i].answerer);
    g_ptr_array_add(token->keys, alice);
    g_ptr_array_add(token->keys, bob);
    g_autoptr(GBytes) message = ask(token, alice);
    g_autoptr(CmsVerified) verified = verify(message);
    const CmsReceiptAsked *asked = only(verified)->receipt;
    g_assert_nonnull(asked);
    g_assert_true(asked->all);
    g_assert_cmpstr(asked->to[0], ==, to[0]);
    g_assert_cmpstr(asked->to[1], ==, to[1]);
    g_assert_null(asked->to[2]);
    g_assert_true(cms_receipt_asks(asked, "bob@example.org"));
    g_autoptr(GBytes) receipt = answer(token, bob, asked);
    g_autoptr(CmsVerified) checked = check(receipt, asked, NULL);
    g_assert_null(only(checked)->receipt);
    g_assert_cmpstr(only(checked)->certificate->fingerprint, ==, bob->cert->fingerprint);
    /* Of the same words, asked again: another content identifier and another signature. */
    g_autoptr(GBytes) again = ask(token, alice);
    g_autoptr(CmsVerified) other = verify(again);
    g_autoptr(CmsVerified) wrong = check(receipt, only(other)->receipt, "it names another message");
  }
}

/* We ask and openssl(1) answers. */
static void
test_they_answer(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
    g_autoptr(SoftToken) token = soft_token_new();
    g_autoptr(SoftKey) alice = soft_key_simple(pairs[i].asker);
    g_autoptr(SoftKey) bob = soft_key_simple(pairs[i].answerer);
    g_ptr_array_add(token->keys, alice);
    soft_write_key(bob, "bob");
    g_autoptr(GBytes) message = ask(token, alice);
    g_autofree char *path = soft_write("asks.der", message);
    g_assert_cmpint(soft_run(NULL, "openssl cms -sign_receipt -in asks.der -inform DER -signer "
                                   "bob.crt -inkey bob.pem -outform DER -out receipt.der"),
                    ==, 0);
    g_autoptr(GBytes) receipt = soft_read("receipt.der");
    g_autoptr(CmsVerified) verified = verify(message);
    g_autoptr(CmsVerified) checked = check(receipt, only(verified)->receipt, NULL);
  }
}

/* openssl(1) asks, we answer, and it checks the answer. */
static void
test_they_ask(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(pairs); i++) {
    g_autoptr(SoftToken) token = soft_token_new();
    g_autoptr(SoftKey) alice = soft_key_simple(pairs[i].asker);
    g_autoptr(SoftKey) bob = soft_key_simple(pairs[i].answerer);
    g_autoptr(GBytes) content = g_bytes_new_static(TEXT, strlen(TEXT));
    g_autofree char *path = soft_write("content", content);
    g_ptr_array_add(token->keys, bob);
    soft_write_key(alice, "alice");
    soft_write_key(bob, "bob");
    g_assert_cmpint(soft_run(NULL,
                             "openssl cms -sign -nodetach -binary -in content -signer alice.crt "
                             "-inkey alice.pem -receipt_request_all -receipt_request_to "
                             "alice@example.org -outform DER -out asks.der"),
                    ==, 0);
    g_autoptr(GBytes) message = soft_read("asks.der");
    g_autoptr(CmsVerified) verified = verify(message);
    const CmsReceiptAsked *asked = only(verified)->receipt;
    g_assert_nonnull(asked);
    g_assert_cmpstr(asked->to[0], ==, "alice@example.org");
    g_autoptr(GBytes) receipt = answer(token, bob, asked);
    g_autofree char *out = soft_write("receipt.der", receipt);
    g_assert_cmpint(soft_run(NULL,
                             "openssl cms -verify_receipt receipt.der -rctform DER -in asks.der "
                             "-inform DER -CAfile bob.crt"),
                    ==, 0);
  }
}

/* From some only. */
static void
test_list(void)
{
  g_autoptr(SoftKey) alice = soft_key_simple("rsa:2048");
  g_autoptr(GBytes) content = g_bytes_new_static(TEXT, strlen(TEXT));
  g_autofree char *path = soft_write("content", content);
  soft_write_key(alice, "alice");
  g_assert_cmpint(soft_run(NULL,
                           "openssl cms -sign -nodetach -binary -in content -signer alice.crt "
                           "-inkey alice.pem -receipt_request_from bob@example.org "
                           "-receipt_request_to alice@example.org -outform DER -out asks.der"),
                  ==, 0);
  g_autoptr(GBytes) message = soft_read("asks.der");
  g_autoptr(CmsVerified) verified = verify(message);
  const CmsReceiptAsked *asked = only(verified)->receipt;
  g_assert_false(asked->all);
  g_assert_true(cms_receipt_asks(asked, "bob@example.org"));
  g_assert_false(cms_receipt_asks(asked, "carol@example.org"));
  g_assert_false(cms_receipt_asks(asked, NULL));
  g_autoptr(SoftToken) token = soft_token_new();
  g_ptr_array_add(token->keys, alice);
  g_autoptr(GBytes) receipt = answer(token, alice, asked);
  g_autoptr(CmsVerified) stranger = check(receipt, asked, "it was asked of others");
}

static void
test_no_receipt(void)
{
  static const char *const wrong[] = { "nobody", "a@b@c", "al\nice@example.org", "\xc3\xa4@x.org" };
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(SoftKey) alice = soft_key_simple("ec:p256");
  g_ptr_array_add(token->keys, alice);
  g_autoptr(GBytes) message = ask(token, alice);
  g_autoptr(CmsVerified) verified = verify(message);
  g_autoptr(GError) error = NULL;
  const char *problem = NULL;
  g_assert_false(
      cms_receipt_check(verified, verified->content, only(verified)->receipt, &problem, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
    const char *const list[] = { wrong[i], NULL };
    g_autoptr(GError) refused = NULL;
    g_assert_null(cms_receipt_request_der(list, &refused));
    g_assert_error(refused, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  }
}

/* What is asked is signed: no change of a byte changes it under a good signature. */
static void
test_tampered(void)
{
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(SoftKey) alice = soft_key_simple("rsa:2048");
  g_ptr_array_add(token->keys, alice);
  g_autoptr(GBytes) message = ask(token, alice);
  g_autoptr(CmsVerified) verified = verify(message);
  const CmsReceiptAsked *asked = only(verified)->receipt;
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(message, &length);
  g_autofree guint8 *copy = g_memdup2(bytes, length);
  for (gsize i = 0; i < length; i++) {
    copy[i] ^= (guint8)(1 << i % 8);
    g_autoptr(GBytes) changed = g_bytes_new(copy, length);
    g_autoptr(CmsVerified) other = cms_verify(changed, NULL, NULL, NULL);
    const CmsSignature *signature = other && other->signatures->len == 1 ? only(other) : NULL;
    if (signature && signature->state == CMS_SIGNATURE_GOOD) {
      g_assert_true(g_bytes_equal(signature->receipt->content_id, asked->content_id));
      g_assert_true(g_strv_equal((const char *const *)signature->receipt->to, to));
    } else if (signature) {
      g_assert_true(!signature->receipt && !signature->ciphers && !signature->encryption);
    }
    copy[i] = bytes[i];
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cms/receipt/ours-both-ends", test_ours);
  g_test_add_func("/cms/receipt/openssl-answers", test_they_answer);
  g_test_add_func("/cms/receipt/openssl-asks", test_they_ask);
  g_test_add_func("/cms/receipt/from-some-only", test_list);
  g_test_add_func("/cms/receipt/no-receipt-refused", test_no_receipt);
  g_test_add_func("/cms/receipt/tampered-nothing-wrong", test_tampered);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
