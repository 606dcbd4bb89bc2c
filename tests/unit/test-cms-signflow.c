/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-cms-pieces.h"
#include "test-cms-soft.h"

#include <openssl/cms.h>
#include <string.h>

/* Signing while content passes: every algorithm and form, however the content is cut into
 * pieces, for our own whole-message verifier and for openssl(1), certtool(1), gpgsm(1) and
 * cmsutil(1). */

typedef struct {
  const char *name;
  const char *kind;
  const char *hash;
  gboolean pss;
} Case;

static const Case case_table[] = {
  { "rsa-2048", "rsa:2048", NULL, FALSE },    { "rsa-3072-sha512", "rsa:3072", "sha512", FALSE },
  { "rsa-2048-pss", "rsa:2048", NULL, TRUE }, { "ec-p256", "ec:p256", NULL, FALSE },
  { "ec-p384", "ec:p384", NULL, FALSE },      { "ec-p521", "ec:p521", NULL, FALSE },
  { "ed25519", "ed25519", NULL, FALSE },
};

static CmsSigner
signer_of(const SoftKey *key, const Case *one)
{
  return (CmsSigner){ key->cert->key, key->cert->kind, key->cert->der, NULL,
                      one->hash,      one->pss,        NULL,           NULL };
}

static GBytes *
sign(SoftToken *token, const Case *one, GBytes *content, gboolean detached, gint64 length,
     Split split)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) out = base_sink_to_memory(64 * 1024 * 1024);
  SoftKey *key = g_ptr_array_index(token->keys, 0);
  CmsSigner signer = signer_of(key, one);
  g_autoptr(BaseSink) sink =
      cms_sign_new_with(&token->vtable, &signer, detached, length, out, &error);
  g_assert_no_error(error);
  memset(&signer, 0xee, sizeof signer); /* the sink has copies */
  token->operations = 0;
  g_assert_true(pieces_push(sink, content, split, &error));
  g_assert_cmpuint(token->operations, ==, 0);
  g_assert_true(base_sink_finish(sink, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(token->operations, ==, 1);
  return base_sink_memory_bytes(out);
}

static void
assert_good(GBytes *message, GBytes *detached, GBytes *content)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CmsVerified) verified = cms_verify(message, detached, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(verified->signatures->len, ==, 1);
  const CmsSignature *signature = g_ptr_array_index(verified->signatures, 0);
  g_assert_cmpstr(signature->reason, ==, NULL);
  g_assert_cmpint(signature->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_true(g_bytes_equal(verified->content, content));
}

static gboolean
is_der(GBytes *message)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(message, &length);
  const guint8 *at = bytes;
  guint8 *again = NULL;
  CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)length);
  g_assert_nonnull(cms);
  int n = i2d_CMS_ContentInfo(cms, &again);
  gboolean same = n == (int)length && memcmp(bytes, again, length) == 0;
  OPENSSL_free(again);
  CMS_ContentInfo_free(cms);
  return same;
}

/* ---- our own verifier ---- */

static void
test_forms(gconstpointer data)
{
  const Case *one = data;
  static const gsize lengths[] = { 0, 1, 127, 128, 1000, 65535, 65536, 65537, 200000 };
  g_autoptr(SoftKey) key = soft_key_simple(one->kind);
  g_autoptr(SoftToken) token = soft_token_new();
  g_ptr_array_add(token->keys, key);
  for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
    g_autoptr(GBytes) content = pieces_content(lengths[i]);
    for (Split split = WHOLE; split < SPLITS; split++) {
      g_autoptr(GBytes) known = sign(token, one, content, FALSE, (gint64)lengths[i], split);
      g_autoptr(GBytes) open = sign(token, one, content, FALSE, -1, split);
      g_autoptr(GBytes) detached = sign(token, one, content, TRUE, -1, split);
      assert_good(known, NULL, content);
      assert_good(open, NULL, content);
      assert_good(detached, content, content);
      g_assert_true(is_der(known));
      g_assert_true(is_der(detached));
      g_assert_false(is_der(open));
    }
  }
}

/* The cut of the input leaves no trace: everything before the signature is the same. */
static void
test_pieces(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GBytes) content = pieces_content(300000);
  g_ptr_array_add(token->keys, key);
  g_autoptr(GBytes) first = sign(token, &case_table[0], content, FALSE, -1, WHOLE);
  for (Split split = BYTES; split < SPLITS; split++) {
    g_autoptr(GBytes) other = sign(token, &case_table[0], content, FALSE, -1, split);
    g_assert_cmpuint(g_bytes_get_size(first), ==, g_bytes_get_size(other));
    g_assert_cmpint(memcmp(g_bytes_get_data(first, NULL), g_bytes_get_data(other, NULL), 300000),
                    ==, 0);
  }
}

/* ---- other programs ---- */

static void
ask_openssl(const char *name)
{
  g_autoptr(GBytes) content = soft_read("content");
  g_assert_cmpint(soft_run(NULL,
                           "openssl cms -verify -binary -inform DER -in %s -CAfile signer.crt "
                           "-out verified",
                           name),
                  ==, 0);
  g_autoptr(GBytes) verified = soft_read("verified");
  g_assert_true(g_bytes_equal(verified, content));
}

static void
ask_openssl_beside(const char *name)
{
  g_assert_cmpint(soft_run(NULL,
                           "openssl cms -verify -binary -inform DER -in %s -content content "
                           "-CAfile signer.crt -out verified",
                           name),
                  ==, 0);
}

static void
ask_certtool(const char *options)
{
  g_autofree char *output = NULL;
  g_assert_cmpint(
      soft_run(&output, "certtool --p7-verify --inder --load-certificate signer.crt %s", options),
      ==, 0);
  g_assert_nonnull(strstr(output, "Signature status: ok"));
}

/* With a home of its own, which has no agent: only the signature is asked for, not trust. */
static void
ask_gpgsm(const char *names)
{
  g_autofree char *program = g_find_program_in_path("gpgsm");
  g_autofree char *output = NULL;
  if (!program)
    return;
  soft_run(
      &output,
      "env GNUPGHOME=%s gpgsm --batch --no-autostart --disable-dirmngr --disable-crl-checks --status-fd 1 "
      "--verify %s",
      soft_folder(), names);
  g_assert_nonnull(strstr(output, "[GNUPG:] GOODSIG"));
}

static void
ask_cmsutil(const char *name)
{
  g_autoptr(GBytes) content = soft_read("content");
  g_assert_cmpint(soft_run(NULL, "cmsutil -D -d . -u 4 -i %s -o nss-content", name), ==, 0);
  g_autoptr(GBytes) verified = soft_read("nss-content");
  g_assert_true(g_bytes_equal(verified, content));
}

/* libgcrypt as gpgsm 2.2 calls it wants "the hash length to be a multiple of 8 bits", of 521
 * too; OpenSSL 3.0 knows no Ed25519 in CMS; GnuTLS takes empty content for none, and leaves out
 * pieces. */
static void
ask_others(const Case *one, gboolean detached, gboolean pieces, gsize length)
{
  gboolean gpgsm = !one->pss && strcmp(one->kind, "ec:p521") != 0;
  if (strcmp(one->kind, "ed25519") == 0) {
    if (length > 0 && !pieces)
      ask_certtool(detached ? "--infile message --load-data content" : "--infile message");
    return;
  }
  if (detached)
    ask_openssl_beside("message");
  else
    ask_openssl("message");
  if (length > 0 && !detached && !pieces)
    ask_certtool("--infile message");
  if (gpgsm)
    ask_gpgsm(detached ? "message content" : "message");
}

static void
test_others(gconstpointer data)
{
  const Case *one = data;
  static const gsize lengths[] = { 0, 70000, CMS_SIGN_HELD_MAX + 5000 };
  g_autoptr(SoftKey) key = soft_key_simple(one->kind);
  g_autoptr(SoftToken) token = soft_token_new();
  g_ptr_array_add(token->keys, key);
  soft_write_key(key, "signer");
  for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (guint form = 0; form < 3; form++) {
      gboolean detached = form == 2;
      g_autoptr(GBytes) content = pieces_content(lengths[i]);
      g_autoptr(GBytes) message =
          sign(token, one, content, detached, form == 0 ? (gint64)lengths[i] : -1, RANDOM);
      g_autofree char *a = soft_write("content", content);
      g_autofree char *b = soft_write("message", message);
      assert_good(message, detached ? content : NULL, content);
      ask_others(one, detached, form == 1, lengths[i]);
    }
}

/* RSA: DER and pieces; ECDSA: long content too, whose outer lengths are open. */
static void
test_nss(void)
{
  static const struct {
    gsize row;
    gsize length;
    gboolean known;
  } table[] = {
    { 0, 70000, TRUE },
    { 0, 70000, FALSE },
    { 3, 70000, TRUE },
    { 3, CMS_SIGN_HELD_MAX + 5000, TRUE },
  };
  g_autofree char *program = g_find_program_in_path("cmsutil");
  if (!program) {
    g_test_skip("no cmsutil");
    return;
  }
  g_assert_cmpint(soft_run(NULL, "certutil -N -d . --empty-password"), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    const Case *one = &case_table[table[i].row];
    g_autoptr(SoftKey) key = soft_key_simple(one->kind);
    g_autoptr(SoftToken) token = soft_token_new();
    g_autoptr(GBytes) content = pieces_content(table[i].length);
    g_ptr_array_add(token->keys, key);
    soft_write_key(key, "signer");
    g_assert_cmpint(soft_run(NULL, "certutil -A -d . -n nss-%zu -t P,P, -i signer.crt", i), ==, 0);
    g_autoptr(GBytes) message =
        sign(token, one, content, FALSE, table[i].known ? (gint64)table[i].length : -1, RANDOM);
    g_autofree char *a = soft_write("content", content);
    g_autofree char *b = soft_write("message", message);
    ask_cmsutil("message");
  }
}

/* ---- long content of a known length ---- */

static void
test_long(void)
{
  g_autoptr(SoftKey) rsa = soft_key_simple("rsa:2048");
  g_autoptr(SoftKey) ec = soft_key_simple("ec:p256");
  const gsize length = CMS_SIGN_HELD_MAX + 1;
  g_autoptr(GBytes) content = pieces_content(length);
  g_autoptr(SoftToken) token = soft_token_new();
  g_ptr_array_add(token->keys, rsa);
  g_autoptr(GBytes) exact = sign(token, &case_table[0], content, FALSE, (gint64)length, RANDOM);
  token->keys->pdata[0] = ec;
  g_autoptr(GBytes) open = sign(token, &case_table[3], content, FALSE, (gint64)length, RANDOM);
  g_autoptr(GBytes) shorter = pieces_content(CMS_SIGN_HELD_MAX);
  g_autoptr(GBytes) held = sign(token, &case_table[3], shorter, FALSE, CMS_SIGN_HELD_MAX, RANDOM);
  g_assert_true(is_der(exact));
  g_assert_true(is_der(held));
  g_assert_false(is_der(open));
  assert_good(exact, NULL, content);
  assert_good(open, NULL, content);
  assert_good(held, NULL, shorter);
}

/* ---- what goes wrong ---- */

static void
assert_fails(SoftToken *token, gsize had, gint64 said, gboolean detached, int code)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) out = base_sink_to_memory(16 * 1024 * 1024);
  g_autoptr(GBytes) content = pieces_content(had);
  CmsSigner signer = signer_of(g_ptr_array_index(token->keys, 0), &case_table[0]);
  g_autoptr(BaseSink) sink =
      cms_sign_new_with(&token->vtable, &signer, detached, said, out, &error);
  g_assert_no_error(error);
  g_assert_false(pieces_push(sink, content, RANDOM, &error) && base_sink_finish(sink, &error));
  g_assert_error(error, SIGNET_ERROR, code);
  g_assert_false(out->finished);
}

static void
test_failures(void)
{
  g_autoptr(SoftKey) rsa = soft_key_simple("rsa:2048");
  g_autoptr(SoftKey) ec = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = soft_token_new();
  g_ptr_array_add(token->keys, rsa);
  for (guint i = 0; i < 2; i++) {
    for (gboolean detached = FALSE; detached <= TRUE; detached++) {
      assert_fails(token, 1000, 999, detached, SIGNET_ERROR_BAD_INPUT);
      assert_fails(token, 1000, 1001, detached, SIGNET_ERROR_BAD_INPUT);
      assert_fails(token, 1000, 0, detached, SIGNET_ERROR_BAD_INPUT);
      token->fail_with = SIGNET_ERROR_PIN_REQUIRED;
      assert_fails(token, 1000, 1000, detached, SIGNET_ERROR_PIN_REQUIRED);
      assert_fails(token, 1000, -1, detached, SIGNET_ERROR_PIN_REQUIRED);
      token->fail_with = -1;
    }
    token->keys->pdata[0] = ec;
  }
}

static void
assert_refused(const CmsSigner *signer, int code)
{
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(BaseSink) out = base_sink_to_memory(1024);
  g_autoptr(GError) error = NULL;
  g_assert_null(cms_sign_new_with(&token->vtable, signer, FALSE, -1, out, &error));
  g_assert_error(error, SIGNET_ERROR, code);
}

static void
test_refused(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) nonsense = g_bytes_new_static("0123", 4);
  CmsSigner hash = signer_of(key, &case_table[3]);
  CmsSigner pss = hash;
  CmsSigner certificate = hash;
  hash.hash = "md5";
  pss.pss = TRUE;
  certificate.certificate = nonsense;
  assert_refused(&hash, SIGNET_ERROR_USAGE);
  assert_refused(&pss, SIGNET_ERROR_USAGE);
  assert_refused(&certificate, SIGNET_ERROR_BAD_INPUT);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(case_table); i++) {
    g_autofree char *forms = g_strdup_printf("/cms/signflow/%s-forms-good", case_table[i].name);
    g_autofree char *others = g_strdup_printf("/cms/signflow/%s-others-good", case_table[i].name);
    g_test_add_data_func(forms, &case_table[i], test_forms);
    g_test_add_data_func(others, &case_table[i], test_others);
  }
  g_test_add_func("/cms/signflow/nss-reads-it", test_nss);
  g_test_add_func("/cms/signflow/pieces-leave-no-trace", test_pieces);
  g_test_add_func("/cms/signflow/long-content-der-or-open", test_long);
  g_test_add_func("/cms/signflow/wrong-length-or-token-fails", test_failures);
  g_test_add_func("/cms/signflow/wrong-request-refused", test_refused);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
