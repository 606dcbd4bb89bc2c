/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-cms-pieces.h"
#include "test-cms-soft.h"

#include <openssl/err.h>
#include <string.h>

/* Damaged and hostile messages while they pass: never a wrong "good", never what the
 * whole-message verifier would not say, bounded time. */

#define KEY "-signer key.crt -inkey key.pem"

static const char text[] = "Hello, Bob.\r\n";

static GBytes *
openssl_sign(GBytes *content, const char *options)
{
  g_autofree char *path = soft_write("content", content);
  g_assert_cmpint(
      soft_run(NULL, "openssl cms -sign -binary -in content -outform DER -out signed %s", options),
      ==, 0);
  return soft_read("signed");
}

/* ---- damage ---- */

/* What is read here reads OpenSSL's decoder too, and the verdicts are the same; it reads some
 * more (a piece of a constructed string under any tag). */
static void
assert_agree(GBytes *message, const CmsVerified *flow)
{
  g_autoptr(CmsVerified) whole = cms_verify(message, NULL, NULL, NULL);
  if (!flow)
    return;
  g_assert_nonnull(whole);
  g_assert_cmpuint(whole->signatures->len, ==, flow->signatures->len);
  for (guint i = 0; i < flow->signatures->len; i++)
    if (!nth_signature(flow, i)->reason || !strstr(nth_signature(flow, i)->reason, "announces"))
      g_assert_cmpint(nth_signature(whole, i)->state, ==, nth_signature(flow, i)->state);
  g_assert_true(g_bytes_equal(whole->content, flow->content));
}

static void
test_tamper(gconstpointer options)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  soft_write_key(key, "key");
  g_autoptr(GBytes) message = openssl_sign(content, options);
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(message, &length);
  g_autofree guint8 *copy = g_memdup2(bytes, length);
  guint still = 0;
  for (gsize i = 0; i < length; i++) {
    g_autoptr(GError) short_error = NULL;
    g_autoptr(GBytes) cut = g_bytes_new(bytes, i);
    g_assert_null(pieces_verify(cut, NULL, RANDOM, &short_error));
    g_assert_error(short_error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    for (guint bit = (guint)(i % 3); bit < 8; bit += 3) {
      copy[i] ^= (guint8)(1 << bit);
      g_autoptr(GError) error = NULL;
      g_autoptr(GBytes) changed = g_bytes_new(copy, length);
      g_autoptr(CmsVerified) verified = pieces_verify(changed, NULL, RANDOM, &error);
      g_assert_cmpint(verified == NULL, ==, error != NULL);
      assert_agree(changed, verified);
      if (verified && verified->signatures->len == 1 &&
          nth_signature(verified, 0)->state == CMS_SIGNATURE_GOOD) {
        still++;
        g_assert_true(g_bytes_equal(verified->content, content));
        /* Without ESS signingCertificate the certificate is for the chain to check. */
        if (strstr(options, "-cades"))
          g_assert_cmpstr(nth_signature(verified, 0)->certificate->fingerprint, ==,
                          key->cert->fingerprint);
      }
      copy[i] ^= (guint8)(1 << bit);
      g_assert_cmpuint(ERR_peek_error(), ==, 0);
    }
  }
  g_test_message("%u of about %zu bit flips change nothing that counts", still, length * 8 / 3);
}

/* ---- bombs ---- */

static void
assert_refused(GByteArray *array, int code)
{
  g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(array);
  g_autoptr(GError) error = NULL;
  g_autoptr(GTimer) timer = g_timer_new();
  g_assert_null(pieces_verify(bytes, NULL, WHOLE, &error));
  g_test_message("%s", error->message);
  g_assert_error(error, SIGNET_ERROR, code);
  g_assert_cmpfloat(g_timer_elapsed(timer, NULL), <, 5.0);
}

/* ContentInfo, SignedData, version, one hash: then what the case adds. */
static GByteArray *
begun(void)
{
  static const guint8 head[] = { 0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                 0x0d, 0x01, 0x07, 0x02, 0xa0, 0x80, 0x30, 0x80, 0x02,
                                 0x01, 0x01, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x09, 0x60,
                                 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 };
  GByteArray *array = g_byte_array_new();
  g_byte_array_append(array, head, sizeof head);
  return array;
}

static void
add(GByteArray *array, const char *bytes, gsize length, guint times)
{
  for (guint i = 0; i < times; i++)
    g_byte_array_append(array, (const guint8 *)bytes, (guint)length);
}

#define EMPTY_CONTENT "\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define CONTENT "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x80"

static void
test_bombs(void)
{
  GByteArray *nested = g_byte_array_new();
  GByteArray *strings = begun();
  GByteArray *certificates = begun();
  GByteArray *signers = begun();
  GByteArray *structure = begun();
  GByteArray *elements = begun();
  GByteArray *inside = begun();
  GByteArray *twice = begun();
  add(nested, "\x30\x80", 2, 1000000);
  assert_refused(nested, SIGNET_ERROR_BAD_INPUT);
  add(strings, CONTENT, sizeof CONTENT - 1, 1);
  add(strings, "\x24\x80", 2, 1000000);
  assert_refused(strings, SIGNET_ERROR_BAD_INPUT);
  add(certificates, EMPTY_CONTENT, sizeof EMPTY_CONTENT - 1, 1);
  add(certificates, "\xa0\x80", 2, 1);
  add(certificates, "\x30\x00", 2, 1000000);
  assert_refused(certificates, SIGNET_ERROR_TOO_LARGE);
  add(signers, EMPTY_CONTENT, sizeof EMPTY_CONTENT - 1, 1);
  add(signers, "\x31\x80", 2, 1);
  add(signers, "\x30\x00", 2, 101);
  assert_refused(signers, SIGNET_ERROR_TOO_LARGE);
  g_autofree char *zeros = g_malloc0(CMS_STRUCTURE_MAX);
  add(structure, EMPTY_CONTENT, sizeof EMPTY_CONTENT - 1, 1);
  add(structure, "\xa0\x80\x30\x84\x7f\xff\xff\xff", 8, 1);
  add(structure, "\x04\x84\x7f\xff\xff\x00", 6, 1);
  add(structure, zeros, CMS_STRUCTURE_MAX, 1);
  assert_refused(structure, SIGNET_ERROR_TOO_LARGE);
  add(elements, EMPTY_CONTENT, sizeof EMPTY_CONTENT - 1, 1);
  add(elements, "\xa0\x80\x30\x80", 4, 1);
  add(elements, "\x30\x00", 2, 3000000);
  assert_refused(elements, SIGNET_ERROR_TOO_LARGE);
  add(inside, CONTENT, sizeof CONTENT - 1, 1);
  add(inside, "\x24\x80\x30\x00", 4, 1);
  assert_refused(inside, SIGNET_ERROR_BAD_INPUT);
  add(twice, CONTENT, sizeof CONTENT - 1, 1);
  add(twice, "\x04\x01x\x04\x01y", 6, 1);
  assert_refused(twice, SIGNET_ERROR_BAD_INPUT);
}

/* Anything at all in the places of a SignedData: an error, not an abort. */
static void
test_random(void)
{
  for (guint i = 0; i < 20000; i++) {
    static const guint8 likely[] = { 0x30, 0x80, 0x00, 0xa0, 0x04, 0x24, 0x31, 0x02 };
    GByteArray *array = begun();
    guint8 noise[64];
    gsize n = (gsize)g_random_int_range(1, sizeof noise);
    for (gsize k = 0; k < n; k++)
      noise[k] = g_random_boolean() ? (guint8)g_random_int() : likely[g_random_int_range(0, 8)];
    if (g_random_boolean())
      add(array, CONTENT, sizeof CONTENT - 1, 1);
    g_byte_array_append(array, noise, (guint)n);
    g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(array);
    g_autoptr(GError) error = NULL;
    g_autoptr(CmsVerified) verified = pieces_verify(bytes, NULL, RANDOM, &error);
    g_assert_cmpint(verified == NULL, ==, error != NULL);
    assert_agree(bytes, verified);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_data_func("/cms/verifyflow-hostile/tampered-never-wrongly-good",
                       KEY " -nodetach -cades", test_tamper);
  g_test_add_data_func("/cms/verifyflow-hostile/tampered-stream-never-wrongly-good",
                       KEY " -nodetach -cades -stream", test_tamper);
  g_test_add_data_func("/cms/verifyflow-hostile/tampered-noattr-never-wrongly-good",
                       KEY " -nodetach -noattr", test_tamper);
  g_test_add_func("/cms/verifyflow-hostile/bombs-refused-in-time", test_bombs);
  g_test_add_func("/cms/verifyflow-hostile/random-never-aborts", test_random);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
