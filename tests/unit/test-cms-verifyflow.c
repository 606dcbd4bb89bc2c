/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/hashing.h"
#include "cms/message.h"
#include "test-cms-pieces.h"
#include "test-cms-soft.h"

#include <string.h>

/* Verifying while the message passes: openssl(1), gpgsm(1), cmsutil(1) and RFC 4134 sign; the
 * whole-message verifier must agree, however the message is cut into pieces. */

static const char text[] = "Hello, Bob.\r\n";

static GBytes *
text_bytes(void)
{
  return g_bytes_new_static(text, strlen(text));
}

static CmsVerified *
try_detached(GBytes *signature, GBytes *content, Split split, GError **error)
{
  g_autoptr(BaseSink) sink = cms_verify_detached_new(signature, NULL, error);
  return sink ? pieces_result(sink, content, split, error) : NULL;
}

static void
assert_same(const CmsVerified *one, const CmsVerified *other)
{
  g_assert_cmpuint(one->signatures->len, ==, other->signatures->len);
  g_assert_cmpuint(one->certificates->len, ==, other->certificates->len);
  for (guint i = 0; i < one->signatures->len; i++) {
    const CmsSignature *a = g_ptr_array_index(one->signatures, i);
    const CmsSignature *b = g_ptr_array_index(other->signatures, i);
    g_assert_cmpint(a->state, ==, b->state);
    g_assert_cmpstr(a->reason, ==, b->reason);
    g_assert_cmpstr(a->digest, ==, b->digest);
    g_assert_cmpstr(a->algorithm, ==, b->algorithm);
    g_assert_cmpint(a->weak, ==, b->weak);
    g_assert_cmpint(a->signing_time, ==, b->signing_time);
    g_assert_cmpint(a->certificate != NULL, ==, b->certificate != NULL);
    if (a->certificate)
      g_assert_cmpstr(a->certificate->fingerprint, ==, b->certificate->fingerprint);
  }
}

/* Every cut; and the whole-message verifier says the same. */
static CmsVerified *
verify(GBytes *message, GBytes *detached, GPtrArray *extra)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CmsVerified) whole = cms_verify(message, detached, extra, &error);
  g_assert_no_error(error);
  for (Split split = WHOLE; split < SPLITS; split++) {
    g_autoptr(CmsVerified) flow = detached ? try_detached(message, detached, split, &error)
                                           : pieces_verify(message, extra, split, &error);
    g_assert_no_error(error);
    assert_same(whole, flow);
    g_assert_true(detached || g_bytes_equal(whole->content, flow->content));
  }
  return g_steal_pointer(&whole);
}

static GBytes *
openssl_sign(GBytes *content, const char *options)
{
  g_autofree char *path = soft_write("content", content);
  g_assert_cmpint(
      soft_run(NULL, "openssl cms -sign -binary -in content -outform DER -out signed %s", options),
      ==, 0);
  return soft_read("signed");
}

static GBytes *
wrap(CmsAsnSigned *data)
{
  return cms_message_wrap(NID_pkcs7_signed, data, ASN1_ITEM_rptr(CmsAsnSigned));
}

/* ---- as others sign ---- */

typedef struct {
  const char *name;
  const char *kind;
  const char *options;
} Theirs;

#define KEY "-signer key.crt -inkey key.pem"

static const Theirs theirs_table[] = {
  { "nodetach", "rsa:2048", KEY " -nodetach" },
  { "stream", "rsa:2048", KEY " -nodetach -stream" },
  { "noattr", "rsa:2048", KEY " -nodetach -noattr" },
  { "noattr-stream", "ec:p256", KEY " -nodetach -noattr -stream" },
  { "nosmimecap", "ec:p384", KEY " -nodetach -nosmimecap -md sha384" },
  { "keyid", "ec:p256", KEY " -nodetach -keyid" },
  { "nocerts", "ec:p256", KEY " -nodetach -nocerts" },
  { "sha1", "rsa:2048", KEY " -nodetach -md sha1" },
  { "sha512-stream", "ec:p521", KEY " -nodetach -stream -md sha512" },
  { "md5", "rsa:1024", KEY " -nodetach -md md5" },
  { "pss", "rsa:2048", KEY " -nodetach -keyopt rsa_padding_mode:pss" },
  { "cades", "rsa:2048", KEY " -nodetach -cades" },
  { "type", "rsa:2048", KEY " -nodetach -econtent_type 1.2.3.4" },
};

static void
test_theirs(gconstpointer data)
{
  const Theirs *one = data;
  static const gsize lengths[] = { 0, 13, 20000 };
  g_autoptr(SoftKey) key = soft_key_simple(one->kind);
  g_autoptr(GPtrArray) extra = g_ptr_array_new();
  soft_write_key(key, "key");
  g_ptr_array_add(extra, key->cert);
  for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
    if (lengths[i] == 0 && strstr(one->options, "-stream")) /* openssl 3.0 fails to write it */
      continue;
    g_autoptr(GBytes) content = pieces_content(lengths[i]);
    g_autoptr(GBytes) message = openssl_sign(content, one->options);
    g_autoptr(CmsVerified) verified = verify(message, NULL, extra);
    g_assert_true(nth_signature(verified, 0)->weak == (nth_signature(verified, 0)->reason != NULL));
    g_assert_cmpint(nth_signature(verified, 0)->state, ==, CMS_SIGNATURE_GOOD);
    g_assert_true(g_bytes_equal(verified->content, content));
  }
}

/* Only hashed, without a place for the content. */
static void
test_no_out(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) content = pieces_content(20000);
  g_autoptr(GError) error = NULL;
  soft_write_key(key, "key");
  g_autoptr(GBytes) message = openssl_sign(content, KEY " -nodetach -stream");
  g_autoptr(BaseSink) sink = cms_verify_new(NULL, NULL);
  g_autoptr(CmsVerified) verified = pieces_result(sink, message, RANDOM, &error);
  g_assert_no_error(error);
  g_assert_cmpint(nth_signature(verified, 0)->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_null(verified->content);
  g_assert_null(cms_verify_result(sink, &error)); /* taken already */
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_FAILED);
}

static void
test_detached(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) content = pieces_content(30000);
  g_autoptr(GBytes) other = pieces_content(30001);
  soft_write_key(key, "key");
  static const char *const options[] = { KEY, KEY " -noattr", KEY " -md sha512" };
  for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
    g_autoptr(GBytes) signature = openssl_sign(content, options[i]);
    g_autoptr(CmsVerified) good = verify(signature, content, NULL);
    g_autoptr(CmsVerified) changed = verify(signature, other, NULL);
    g_assert_cmpint(nth_signature(good, 0)->state, ==, CMS_SIGNATURE_GOOD);
    g_assert_cmpint(nth_signature(changed, 0)->state, ==, CMS_SIGNATURE_BAD);
    g_assert_nonnull(nth_signature(changed, 0)->certificate);
  }
}

static void
test_nss(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  g_autoptr(GBytes) content = pieces_content(20000);
  g_autofree char *program = g_find_program_in_path("cmsutil");
  g_autofree char *pk12util = g_find_program_in_path("pk12util");
  if (!program || !pk12util) {
    g_test_skip("no cmsutil");
    return;
  }
  g_autofree char *path = soft_write("content", content);
  soft_write_key(key, "key");
  g_assert_cmpint(soft_run(NULL, "openssl pkcs12 -export -in key.crt -inkey key.pem -name alice "
                                 "-passout pass:x -out key.p12"),
                  ==, 0);
  g_assert_cmpint(soft_run(NULL, "certutil -N -d . --empty-password"), ==, 0);
  g_assert_cmpint(soft_run(NULL, "pk12util -i key.p12 -d . -W x"), ==, 0);
  g_assert_cmpint(soft_run(NULL, "certutil -M -d . -n alice -t P,P,"), ==, 0);
  g_assert_cmpint(soft_run(NULL, "cmsutil -S -d . -N alice -i content -o signed -G"), ==, 0);
  g_autoptr(GBytes) inside = soft_read("signed");
  g_autoptr(CmsVerified) opaque = verify(inside, NULL, NULL);
  g_assert_cmpint(nth_signature(opaque, 0)->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_true(g_bytes_equal(opaque->content, content));
  g_assert_cmpint(soft_run(NULL, "cmsutil -S -T -d . -N alice -i content -o signed"), ==, 0);
  g_autoptr(GBytes) beside = soft_read("signed");
  g_autoptr(CmsVerified) detached = verify(beside, content, NULL);
  g_assert_cmpint(nth_signature(detached, 0)->state, ==, CMS_SIGNATURE_GOOD);
}

/* gpgsm signs with indefinite lengths and constructed strings. gpgsm 2.2.40 refuses one key in
 * twenty, hence several. */
static const char gpgsm_script[] =
    "set -e\n"
    "trap 'rm -rf gnupg' EXIT\n"
    "for try in 1 2 3 4 5; do\n"
    "  rm -rf gnupg; mkdir -m 700 gnupg; export GNUPGHOME=$PWD/gnupg\n"
    "  echo allow-loopback-pinentry >gnupg/gpg-agent.conf\n"
    "  openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out key.crt -days 9 -subj /CN=B \\\n"
    "    -addext keyUsage=critical,digitalSignature -addext basicConstraints=critical,CA:FALSE\n"
    "  openssl pkcs12 -export -in key.crt -inkey key.pem -name b -passout pass:b -macalg sha1 \\\n"
    "    -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -out key.p12\n"
    "  gpgsm='gpgsm --batch --disable-dirmngr --disable-crl-checks --pinentry-mode loopback "
    "--include-certs 1'\n"
    "  if echo b | $gpgsm --passphrase-fd 0 --import key.p12; then break; fi\n"
    "  gpgconf --kill gpg-agent\n"
    "done\n"
    "openssl x509 -in key.crt -noout -fingerprint -sha1 | sed 's/.*=//; s/$/ S relax/' "
    ">gnupg/trustlist.txt\n"
    "gpgconf --reload gpg-agent\n"
    "echo b | $gpgsm --passphrase-fd 0 --sign -o inside content || status=$?\n"
    "echo b | $gpgsm --passphrase-fd 0 --sign --detach-sign -o beside content || status=$?\n"
    "gpgconf --kill gpg-agent\n"
    "exit ${status:-0}\n";

static void
test_gpgsm(void)
{
  g_autoptr(GBytes) content = pieces_content(20000);
  g_autoptr(GBytes) script = g_bytes_new_static(gpgsm_script, strlen(gpgsm_script));
  g_autofree char *program = g_find_program_in_path("gpgsm");
  g_autofree char *path = soft_write("content", content);
  g_autofree char *lines = soft_write("script", script);
  g_autofree char *output = NULL;
  if (!program) {
    g_test_skip("no gpgsm");
    return;
  }
  g_assert_cmpint(soft_run(&output, "bash script"), ==, 0);
  g_autoptr(GBytes) inside = soft_read("inside");
  g_autoptr(GBytes) beside = soft_read("beside");
  g_autoptr(CmsVerified) opaque = verify(inside, NULL, NULL);
  g_autoptr(CmsVerified) detached = verify(beside, content, NULL);
  g_assert_cmpint(nth_signature(opaque, 0)->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpint(nth_signature(detached, 0)->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_true(g_bytes_equal(opaque->content, content));
}

/* ---- several signers ---- */

static void
test_one_bad(void)
{
  g_autoptr(SoftKey) rsa = soft_key_simple("rsa:2048");
  g_autoptr(SoftKey) ec = soft_key_simple("ec:p384");
  g_autoptr(GBytes) content = text_bytes();
  soft_write_key(rsa, "a");
  soft_write_key(ec, "b");
  g_autoptr(GBytes) message =
      openssl_sign(content, "-nodetach -signer a.crt -inkey a.pem -signer b.crt -inkey b.pem");
  for (int i = 0; i < 2; i++) {
    g_autoptr(CmsAsnSigned) data = cms_message_signed(message, NULL);
    ASN1_OCTET_STRING *signature = sk_CmsAsnSigner_value(data->signers, i)->signature;
    signature->data[signature->length - 1] ^= 1;
    g_autoptr(GBytes) broken = wrap(data);
    g_autoptr(CmsVerified) verified = verify(broken, NULL, NULL);
    g_assert_cmpuint(verified->signatures->len, ==, 2);
    guint bad = 0;
    for (guint k = 0; k < 2; k++)
      bad += nth_signature(verified, k)->state == CMS_SIGNATURE_BAD;
    g_assert_cmpuint(bad, ==, 1);
  }
}

static void
test_no_signer(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  soft_write_key(key, "key");
  g_assert_cmpint(
      soft_run(NULL, "openssl crl2pkcs7 -nocrl -certfile key.crt -outform DER -out signed"), ==, 0);
  g_autoptr(GBytes) message = soft_read("signed");
  g_autoptr(CmsVerified) verified = verify(message, NULL, NULL);
  g_assert_cmpuint(verified->signatures->len, ==, 0);
  g_assert_cmpuint(verified->certificates->len, ==, 1);
}

static void
test_both_or_neither(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) content = text_bytes();
  g_autoptr(GError) both = NULL;
  g_autoptr(GError) neither = NULL;
  soft_write_key(key, "key");
  g_autoptr(GBytes) inside = openssl_sign(content, KEY " -nodetach");
  g_autoptr(GBytes) beside = openssl_sign(content, KEY);
  g_assert_null(try_detached(inside, content, WHOLE, &both));
  g_assert_error(both, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_assert_null(pieces_verify(beside, NULL, WHOLE, &neither));
  g_assert_error(neither, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
}

static void
test_other_types(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) enveloped = soft_data("cms/rfc4134/5.1.bin");
  g_assert_null(pieces_verify(enveloped, NULL, BYTES, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_assert_cmpstr(error->message, ==, "not signed: this is EnvelopedData");
}

static void
test_rfc4134(void)
{
  static const struct {
    const char *file;
    gboolean detached;
    gboolean good; /* 4.6 and 4.11 do not verify with OpenSSL either */
  } table[] = {
    { "4.1.bin", FALSE, TRUE },  { "4.2.bin", FALSE, TRUE },  { "4.3.bin", TRUE, TRUE },
    { "4.4.bin", FALSE, TRUE },  { "4.5.bin", FALSE, TRUE },  { "4.6.bin", FALSE, FALSE },
    { "4.7.bin", FALSE, FALSE }, { "4.10.bin", FALSE, TRUE }, { "4.11.bin", FALSE, FALSE },
  };
  g_autoptr(GBytes) expected = soft_data("cms/rfc4134/ExContent.bin");
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autofree char *relative = g_strconcat("cms/rfc4134/", table[i].file, NULL);
    g_autofree char *path =
        g_build_filename(g_getenv("SIGNET_TEST_SOURCE"), "tests", "data", relative, NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
      continue;
    g_autoptr(GBytes) message = soft_data(relative);
    g_autoptr(CmsVerified) verified = verify(message, table[i].detached ? expected : NULL, NULL);
    for (guint k = 0; k < verified->signatures->len; k++) {
      g_test_message("%s: %d %s", table[i].file, nth_signature(verified, k)->state,
                     nth_signature(verified, k)->reason);
      g_assert_true(!table[i].good || nth_signature(verified, k)->state == CMS_SIGNATURE_GOOD);
    }
  }
}

/* ---- the set of hashes ---- */

static GBytes *
with_digests(GBytes *message, const int *nids, gsize n)
{
  g_autoptr(CmsAsnSigned) data = cms_message_signed(message, NULL);
  while (sk_X509_ALGOR_num(data->digests) > 0)
    X509_ALGOR_free(sk_X509_ALGOR_pop(data->digests));
  for (gsize i = 0; i < n; i++) {
    X509_ALGOR *algorithm = X509_ALGOR_new();
    X509_ALGOR_set0(algorithm, OBJ_nid2obj(nids[i]), V_ASN1_UNDEF, NULL);
    sk_X509_ALGOR_push(data->digests, algorithm);
  }
  return wrap(data);
}

static void
test_digests(void)
{
  static const struct {
    gsize n;
    int nids[3];
    CmsSignatureState state;
  } table[] = {
    { 0, { 0 }, CMS_SIGNATURE_GOOD },
    { 3, { NID_md5, NID_sha512, NID_sha256 }, CMS_SIGNATURE_GOOD },
    { 2, { NID_sha256, NID_sha256 }, CMS_SIGNATURE_GOOD },
    { 1, { NID_sha256WithRSAEncryption }, CMS_SIGNATURE_GOOD },
    { 1, { NID_sha1 }, CMS_SIGNATURE_UNKNOWN },
  };
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) content = text_bytes();
  soft_write_key(key, "key");
  g_autoptr(GBytes) message = openssl_sign(content, KEY " -nodetach");
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(GBytes) changed = with_digests(message, table[i].nids, table[i].n);
    g_autoptr(CmsVerified) verified = pieces_verify(changed, NULL, RANDOM, NULL);
    g_assert_cmpint(nth_signature(verified, 0)->state, ==, table[i].state);
  }
}

/* ---- without attributes ---- */

/* RFC 8419 3.1: pure Ed25519 over the content itself. */
static GBytes *
sign_pure(const SoftKey *key, GBytes *content, gboolean detached)
{
  g_autoptr(SoftToken) token = soft_token_new();
  SoftKey *held = (SoftKey *)(guintptr)key;
  g_ptr_array_add(token->keys, held);
  CmsSigner signer = { key->cert->key, key->cert->kind, key->cert->der, NULL,
                       NULL,           FALSE,           NULL,           NULL };
  g_autoptr(GBytes) made = cms_sign_with(&token->vtable, &signer, content, detached, NULL);
  g_autoptr(CmsAsnSigned) data = cms_message_signed(made, NULL);
  CmsAsnSigner *info = sk_CmsAsnSigner_value(data->signers, 0);
  SignetOperation operation = { .mechanism = SIGNET_EDDSA };
  operation.data = g_bytes_get_data(content, &operation.data_length);
  g_autoptr(GBytes) signature =
      token->vtable.sign(token->vtable.data, key->cert->key, &operation, NULL);
  sk_X509_ATTRIBUTE_pop_free(info->signed_attributes, X509_ATTRIBUTE_free);
  info->signed_attributes = NULL;
  ASN1_OCTET_STRING_set(info->signature, g_bytes_get_data(signature, NULL),
                        (int)g_bytes_get_size(signature));
  return wrap(data);
}

static void
test_pure(void)
{
  static const struct {
    gsize length;
    CmsSignatureState state;
  } table[] = {
    { 0, CMS_SIGNATURE_GOOD },
    { 5000, CMS_SIGNATURE_GOOD },
    { CMS_KEPT_MAX, CMS_SIGNATURE_GOOD },
    { CMS_KEPT_MAX + 1, CMS_SIGNATURE_UNKNOWN },
    { 3 * CMS_KEPT_MAX, CMS_SIGNATURE_UNKNOWN },
  };
  g_autoptr(SoftKey) key = soft_key_simple("ed25519");
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(GBytes) content = pieces_content(table[i].length);
    g_autoptr(GBytes) inside = sign_pure(key, content, FALSE);
    g_autoptr(GBytes) beside = sign_pure(key, content, TRUE);
    g_autoptr(CmsVerified) opaque = pieces_verify(inside, NULL, RANDOM, NULL);
    g_autoptr(CmsVerified) detached = try_detached(beside, content, RANDOM, NULL);
    g_assert_cmpint(nth_signature(opaque, 0)->state, ==, table[i].state);
    g_assert_cmpint(nth_signature(detached, 0)->state, ==, table[i].state);
  }
}

/* See test-cms-verify.c: attributes that were signed, shown as content without attributes. */
static void
test_attributes_as_content(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) text_content = text_bytes();
  soft_write_key(key, "key");
  g_autoptr(GBytes) message = openssl_sign(text_content, KEY);
  g_autoptr(CmsAsnSigned) data = cms_message_signed(message, NULL);
  CmsAsnSigner *info = sk_CmsAsnSigner_value(data->signers, 0);
  g_autoptr(GBytes) content = cms_asn_attributes_der(info->signed_attributes, TRUE);
  sk_X509_ATTRIBUTE_pop_free(info->signed_attributes, X509_ATTRIBUTE_free);
  info->signed_attributes = NULL;
  g_autoptr(GBytes) beside = wrap(data);
  data->encapsulated->content = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(data->encapsulated->content, g_bytes_get_data(content, NULL),
                        (int)g_bytes_get_size(content));
  g_autoptr(GBytes) inside = wrap(data);
  g_autoptr(CmsVerified) detached = verify(beside, content, NULL);
  g_autoptr(CmsVerified) opaque = verify(inside, NULL, NULL);
  g_assert_cmpint(nth_signature(detached, 0)->state, ==, CMS_SIGNATURE_BAD);
  g_assert_cmpint(nth_signature(opaque, 0)->state, ==, CMS_SIGNATURE_BAD);
  g_assert_nonnull(strstr(nth_signature(opaque, 0)->reason, "attributes of another signature"));
}

/* Content too long to look inside has the form of attributes, or only begins like them. */
static void
test_long_set(void)
{
  const gsize length = 2 * CMS_KEPT_MAX;
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree guint8 *bytes = g_malloc0(length);
  soft_write_key(key, "key");
  static const struct {
    guint8 header[5];
    CmsSignatureState state;
  } table[] = {
    { { 0x31, 0x83, 0x1f, 0xff, 0xfb }, CMS_SIGNATURE_BAD },
    { { 0x31, 0x80, 0x30, 0x10, 0x06 }, CMS_SIGNATURE_BAD },
    { { 0x31, 0x83, 0x1f, 0xff, 0xfa }, CMS_SIGNATURE_GOOD },
    { { 0x31, '.', ' ', 'O', 'n' }, CMS_SIGNATURE_GOOD },
    { { 0x30, 0x83, 0x1f, 0xff, 0xfb }, CMS_SIGNATURE_GOOD },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    memcpy(bytes, table[i].header, 5);
    g_autoptr(GBytes) content = g_bytes_new_static(bytes, length);
    g_autoptr(GBytes) message = openssl_sign(content, KEY " -nodetach -noattr");
    g_autoptr(CmsVerified) verified = pieces_verify(message, NULL, RANDOM, NULL);
    g_assert_cmpint(nth_signature(verified, 0)->state, ==, table[i].state);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(theirs_table); i++) {
    g_autofree char *path =
        g_strdup_printf("/cms/verifyflow/openssl-%s-good", theirs_table[i].name);
    g_test_add_data_func(path, &theirs_table[i], test_theirs);
  }
  g_test_add_func("/cms/verifyflow/openssl-detached", test_detached);
  g_test_add_func("/cms/verifyflow/no-out-hashed-only", test_no_out);
  g_test_add_func("/cms/verifyflow/nss-good", test_nss);
  g_test_add_func("/cms/verifyflow/gpgsm-good", test_gpgsm);
  g_test_add_func("/cms/verifyflow/one-of-two-bad", test_one_bad);
  g_test_add_func("/cms/verifyflow/no-signer-empty", test_no_signer);
  g_test_add_func("/cms/verifyflow/content-twice-or-never-refused", test_both_or_neither);
  g_test_add_func("/cms/verifyflow/other-types-refused", test_other_types);
  g_test_add_func("/cms/verifyflow/rfc4134", test_rfc4134);
  g_test_add_func("/cms/verifyflow/announced-hashes", test_digests);
  g_test_add_func("/cms/verifyflow/pure-ed25519-up-to-limit", test_pure);
  g_test_add_func("/cms/verifyflow/attributes-as-content-bad", test_attributes_as_content);
  g_test_add_func("/cms/verifyflow/long-set-bad-by-form", test_long_set);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
