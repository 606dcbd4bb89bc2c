/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"

#include <signet/error.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_NAME, X509_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

/* ---- making certificates ---- */

typedef struct {
  EVP_PKEY *key;
  X509_NAME *subject;
  X509_NAME *issuer;            /* NULL: the subject */
  const char *extensions[6][2]; /* name and value as in OpenSSL's configuration */
  const char *serial;           /* hex */
  const char *days[2];          /* ASN.1 times; NULL: 2020 to 2040 */
} Recipe;

static EVP_PKEY *ec_key;
static EVP_PKEY *rsa_key;

static X509_NAME *
name_new(const char *common_name)
{
  X509_NAME *name = X509_NAME_new();
  if (common_name)
    X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING, (const guint8 *)common_name, -1, -1,
                               0);
  return name;
}

static X509 *
make(const Recipe *recipe)
{
  X509 *x509 = X509_new();
  BIGNUM *serial = NULL;
  BN_hex2bn(&serial, recipe->serial ? recipe->serial : "1234");
  BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x509));
  BN_free(serial);
  X509_set_version(x509, X509_VERSION_3);
  g_assert_cmpint(X509_set_subject_name(x509, recipe->subject), ==, 1);
  X509_set_issuer_name(x509, recipe->issuer ? recipe->issuer : recipe->subject);
  ASN1_TIME_set_string_X509(X509_getm_notBefore(x509),
                            recipe->days[0] ? recipe->days[0] : "20200101000000Z");
  ASN1_TIME_set_string_X509(X509_getm_notAfter(x509),
                            recipe->days[1] ? recipe->days[1] : "20400101000000Z");
  X509_set_pubkey(x509, recipe->key);
  for (gsize i = 0; i < G_N_ELEMENTS(recipe->extensions) && recipe->extensions[i][0]; i++) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *extension =
        X509V3_EXT_nconf(NULL, &context, recipe->extensions[i][0], recipe->extensions[i][1]);
    g_assert_nonnull(extension);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }
  const EVP_MD *hash = EVP_PKEY_is_a(recipe->key, "ED25519") ? NULL : EVP_sha256();
  g_assert_cmpint(X509_sign(x509, recipe->key, hash), >, 0);
  return x509;
}

static BaseCert *
facts(const Recipe *recipe)
{
  g_autoptr(X509) x509 = make(recipe);
  g_autoptr(GError) error = NULL;
  BaseCert *cert = base_cert_new_from_x509(x509, &error);
  g_assert_no_error(error);
  return cert;
}

static GBytes *
bytes_of(const char *text, gsize length)
{
  return g_bytes_new(text, length);
}

/* ---- facts ---- */

static void
bytes_are(GBytes *bytes, const char *expected, gsize length)
{
  gsize size = 0;
  gconstpointer data = g_bytes_get_data(bytes, &size);
  g_assert_cmpuint(size, ==, length);
  g_assert_cmpint(memcmp(data, expected, length), ==, 0);
}

static void
usual_certificate_has_its_facts(void)
{
  g_autoptr(X509_NAME) subject = name_new("Alice M\xc3\xbcller, jun.");
  g_autoptr(X509_NAME) issuer = name_new("Some CA");
  X509_NAME_add_entry_by_txt(subject, "emailAddress", MBSTRING_ASC,
                             (const guint8 *)"old@Example.ORG", -1, -1, 0);
  const Recipe recipe = { .key = ec_key,
                          .subject = subject,
                          .issuer = issuer,
                          .serial = "0abcdef0",
                          .extensions = { { "subjectAltName",
                                            "email:Alice@Example.ORG,DNS:x.org,email:a@b.org,"
                                            "email:Alice@EXAMPLE.org" },
                                          { "subjectKeyIdentifier", "0102FF" } } };
  g_autoptr(BaseCert) cert = facts(&recipe);
  g_assert_cmpstr(cert->subject, ==, "emailAddress=old@Example.ORG,CN=Alice M\xc3\xbcller\\, jun.");
  g_assert_cmpstr(cert->issuer, ==, "CN=Some CA");
  g_assert_cmpstr(cert->common_name, ==, "Alice M\xc3\xbcller, jun.");
  g_assert_cmpstr(cert->serial, ==, "0abcdef0");
  g_assert_cmpstr(cert->subject_key_id, ==, "0102ff");
  g_assert_cmpuint(strlen(cert->fingerprint), ==, 64);
  g_assert_cmpint(cert->not_before, ==, 1577836800);
  g_assert_cmpint(cert->not_after, ==, 2208988800);
  g_assert_cmpint(cert->kind, ==, BASE_KEY_EC_P256);
  g_assert_cmpint(cert->bits, ==, 256);
  g_assert_false(cert->self_signed);
  /* rfc822Names in their order, each once, then the subject's. */
  g_assert_cmpuint(g_strv_length(cert->addresses), ==, 3);
  g_assert_cmpstr(cert->addresses[0], ==, "Alice@example.org");
  g_assert_cmpstr(cert->addresses[1], ==, "a@b.org");
  g_assert_cmpstr(cert->addresses[2], ==, "old@example.org");

  g_autofree char *key = base_key_name_of(ec_key);
  g_assert_cmpstr(cert->key, ==, key);
  GByteArray *both = g_byte_array_new();
  g_byte_array_append(both, g_bytes_get_data(cert->issuer_der, NULL),
                      (guint)g_bytes_get_size(cert->issuer_der));
  g_byte_array_append(both, (const guint8 *)"\x02\x04\x0a\xbc\xde\xf0", 6);
  g_autofree char *expected = g_compute_checksum_for_data(G_CHECKSUM_SHA256, both->data, both->len);
  g_byte_array_unref(both);
  g_assert_cmpstr(cert->issuer_serial, ==, expected);
}

static void
bare_certificate_has_no_null_texts(void)
{
  g_autoptr(X509_NAME) empty = name_new(NULL);
  g_autoptr(BaseCert) cert = facts(&(Recipe){ .key = ec_key, .subject = empty, .serial = "00" });
  g_assert_cmpstr(cert->subject, ==, "");
  g_assert_cmpstr(cert->issuer, ==, "");
  g_assert_null(cert->common_name);
  g_assert_null(cert->subject_key_id);
  g_assert_nonnull(cert->addresses);
  g_assert_null(cert->addresses[0]);
  g_assert_cmpstr(cert->serial, ==, "0");
  g_assert_true(cert->self_signed);
}

static void
negative_serial_is_marked(void)
{
  g_autoptr(X509_NAME) name = name_new("x");
  g_autoptr(BaseCert) cert = facts(&(Recipe){ .key = ec_key, .subject = name, .serial = "-0A" });
  g_assert_cmpstr(cert->serial, ==, "-0a");
}

/* alice@example.org\0.evil.com: PKI's oldest trick. */
static void
address_with_nul_names_nobody(void)
{
  g_autoptr(X509_NAME) name = name_new("x");
  g_autoptr(X509) x509 = make(&(Recipe){ .key = ec_key, .subject = name });
  static const char *const bad[] = { "alice@example.org\0.evil.com", "bob@example.org\nX: y", "" };
  static const gsize lengths[] = { 27, 20, 0 };
  GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    GENERAL_NAME *general = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    ASN1_STRING_set(value, bad[i], (int)lengths[i]);
    GENERAL_NAME_set0_value(general, GEN_EMAIL, value);
    sk_GENERAL_NAME_push(names, general);
  }
  X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, 0);
  GENERAL_NAMES_free(names);
  X509_sign(x509, ec_key, EVP_sha256());
  g_autoptr(BaseCert) cert = base_cert_new_from_x509(x509, NULL);
  g_assert_cmpuint(g_strv_length(cert->addresses), ==, 0);
}

static void
names_cannot_reach_the_terminal(void)
{
  g_autoptr(X509_NAME) name = name_new("a\x1b[2J\n\xc2\x9b\xe2\x80\xae"
                                       "b");
  X509_NAME_add_entry_by_txt(name, "OU", V_ASN1_PRINTABLESTRING, (const guint8 *)"x\0y", 3, -1, 0);
  g_autoptr(BaseCert) cert = facts(&(Recipe){ .key = ec_key, .subject = name });
  g_assert_cmpstr(cert->common_name, ==, "a\\1B[2J\\0A\\C2\\9B\\E2\\80\\AEb");
  g_assert_true(g_utf8_validate(cert->subject, -1, NULL));
  for (const char *c = cert->subject; *c; c += g_utf8_skip[(guchar)*c])
    g_assert_false(g_unichar_iscntrl(g_utf8_get_char(c)));
  g_assert_nonnull(strstr(cert->subject, "OU=x\\00y"));
}

static void
usages_follow_both_extensions(void)
{
  static const struct {
    gboolean rsa;
    const char *key_usage;
    const char *extended;
    guint use;
  } cases[] = {
    { TRUE, NULL, NULL, BASE_USE_SIGN | BASE_USE_ENCRYPT },
    { FALSE, NULL, NULL, BASE_USE_SIGN | BASE_USE_ENCRYPT },
    { TRUE, "digitalSignature", "emailProtection", BASE_USE_SIGN },
    { TRUE, "nonRepudiation", "emailProtection", BASE_USE_SIGN },
    { TRUE, "keyEncipherment", "emailProtection", BASE_USE_ENCRYPT },
    { TRUE, "keyAgreement", "emailProtection", 0 },
    { FALSE, "keyAgreement", "emailProtection", BASE_USE_ENCRYPT },
    { FALSE, "keyEncipherment", "emailProtection", 0 },
    { TRUE, "digitalSignature,keyEncipherment", "serverAuth", 0 },
    { TRUE, "digitalSignature,keyEncipherment", "anyExtendedKeyUsage",
      BASE_USE_SIGN | BASE_USE_ENCRYPT },
    { TRUE, "digitalSignature", "clientAuth,emailProtection", BASE_USE_SIGN | BASE_USE_AUTH },
    { TRUE, "keyEncipherment", "clientAuth", 0 },
    { TRUE, "digitalSignature", "1.3.6.1.4.1.311.20.2.2", BASE_USE_AUTH },
    { FALSE, NULL, "clientAuth", BASE_USE_AUTH },
  };
  g_autoptr(X509_NAME) name = name_new("x");
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    Recipe recipe = { .key = cases[i].rsa ? rsa_key : ec_key, .subject = name };
    gsize n = 0;
    if (cases[i].key_usage) {
      recipe.extensions[n][0] = "keyUsage";
      recipe.extensions[n++][1] = cases[i].key_usage;
    }
    if (cases[i].extended) {
      recipe.extensions[n][0] = "extendedKeyUsage";
      recipe.extensions[n][1] = cases[i].extended;
    }
    g_autoptr(BaseCert) cert = facts(&recipe);
    g_test_message("case %zu", i);
    g_assert_cmpuint(cert->use, ==, cases[i].use);
  }
}

static void
ca_needs_constraints_and_cert_sign(void)
{
  g_autoptr(X509_NAME) name = name_new("CA");
  g_autoptr(BaseCert) ca =
      facts(&(Recipe){ .key = rsa_key,
                       .subject = name,
                       .extensions = { { "basicConstraints", "critical,CA:TRUE" },
                                       { "keyUsage", "keyCertSign,cRLSign" } } });
  g_autoptr(BaseCert) no_sign = facts(&(Recipe){
      .key = rsa_key,
      .subject = name,
      .extensions = { { "basicConstraints", "critical,CA:TRUE" }, { "keyUsage", "cRLSign" } } });
  g_autoptr(BaseCert) leaf = facts(&(Recipe){
      .key = rsa_key, .subject = name, .extensions = { { "basicConstraints", "CA:FALSE" } } });
  g_assert_cmpuint(ca->use, ==, BASE_USE_CA);
  g_assert_cmpuint(no_sign->use & BASE_USE_CA, ==, 0);
  g_assert_cmpuint(leaf->use & BASE_USE_CA, ==, 0);
}

/* Same names, but signed by another key. */
static void
equal_names_alone_are_not_self_signed(void)
{
  g_autoptr(X509_NAME) name = name_new("x");
  g_autoptr(X509) x509 = make(&(Recipe){ .key = ec_key, .subject = name });
  g_autoptr(BaseCert) good = base_cert_new_from_x509(x509, NULL);
  g_autoptr(EVP_PKEY) other = EVP_EC_gen("P-256");
  X509_sign(x509, other, EVP_sha256());
  g_autoptr(BaseCert) bad = base_cert_new_from_x509(x509, NULL);
  g_assert_true(good->self_signed);
  g_assert_false(bad->self_signed);
}

static void
key_kinds_are_told_apart(void)
{
  static const struct {
    const char *group;
    BaseKeyKind kind;
    const char *text;
  } cases[] = {
    { "P-384", BASE_KEY_EC_P384, "ec:p384" },
    { "P-521", BASE_KEY_EC_P521, "ec:p521" },
    { "secp256k1", BASE_KEY_OTHER, "other" },
    { NULL, BASE_KEY_ED25519, "ed25519" },
  };
  g_autoptr(X509_NAME) name = name_new("x");
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(EVP_PKEY) key =
        cases[i].group ? EVP_EC_gen(cases[i].group) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    g_autoptr(BaseCert) cert = facts(&(Recipe){ .key = key, .subject = name });
    g_autofree char *text = base_key_kind_text(cert->kind, cert->bits);
    g_assert_cmpint(cert->kind, ==, cases[i].kind);
    g_assert_cmpstr(text, ==, cases[i].text);
    g_assert_cmpuint(cert->use & BASE_USE_SIGN, ==,
                     cases[i].kind == BASE_KEY_OTHER ? 0 : BASE_USE_SIGN);
  }
  g_autoptr(BaseCert) rsa = facts(&(Recipe){ .key = rsa_key, .subject = name });
  g_autofree char *text = base_key_kind_text(rsa->kind, rsa->bits);
  g_assert_cmpstr(text, ==, "rsa:2048");
}

/* ---- parsing ---- */

static void
der_and_pem_round_trip(void)
{
  g_autoptr(X509_NAME) name = name_new("x");
  g_autoptr(BaseCert) cert = facts(&(Recipe){ .key = ec_key, .subject = name });
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseCert) again = base_cert_new(cert->der, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(again->fingerprint, ==, cert->fingerprint);
  g_autofree char *pem = base_cert_to_pem(cert);
  g_autoptr(GBytes) bytes = bytes_of(pem, strlen(pem));
  g_autoptr(GPtrArray) certs = base_cert_read_all(bytes, "x.pem", &error);
  g_assert_cmpuint(certs->len, ==, 1);
  g_assert_true(g_bytes_equal(((BaseCert *)certs->pdata[0])->der, cert->der));
  g_autoptr(X509) x509 = base_cert_to_x509(cert, NULL);
  g_assert_nonnull(x509);
  base_cert_free(NULL);
}

/* Each byte wrong once and each length too short: an error or a certificate, never more. */
static void
damaged_der_never_crashes(void)
{
  g_autoptr(X509_NAME) name = name_new("x");
  g_autoptr(BaseCert) cert =
      facts(&(Recipe){ .key = ec_key,
                       .subject = name,
                       .extensions = { { "subjectAltName", "email:a@b.org" },
                                       { "extendedKeyUsage", "emailProtection" },
                                       { "keyUsage", "digitalSignature" },
                                       { "subjectKeyIdentifier", "hash" } } });
  gsize length = g_bytes_get_size(cert->der);
  g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(cert->der, NULL), length);
  for (gsize i = 0; i < length; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) cut = g_bytes_new(copy, i);
    g_assert_null(base_cert_new(cut, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    copy[i] ^= 0x81;
    g_autoptr(GBytes) damaged = g_bytes_new(copy, length);
    copy[i] ^= 0x81;
    g_autoptr(GError) other = NULL;
    g_autoptr(BaseCert) result = base_cert_new(damaged, &other);
    g_assert_true((result == NULL) == (other != NULL));
    if (result)
      g_assert_true(result->subject && result->issuer && result->addresses && result->key);
  }
}

static void
trailing_and_oversized_bytes_are_refused(void)
{
  g_autoptr(X509_NAME) name = name_new("x");
  g_autoptr(BaseCert) cert = facts(&(Recipe){ .key = ec_key, .subject = name });
  g_autoptr(GError) error = NULL;
  gsize length = g_bytes_get_size(cert->der);
  g_autofree guint8 *longer = g_malloc0(BASE_CERT_DER_MAX + 1);
  memcpy(longer, g_bytes_get_data(cert->der, NULL), length);
  g_autoptr(GBytes) trailing = g_bytes_new(longer, length + 1);
  g_assert_null(base_cert_new(trailing, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  g_autoptr(GBytes) oversized = g_bytes_new(longer, BASE_CERT_DER_MAX + 1);
  g_assert_null(base_cert_new(oversized, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

/* ---- files ---- */

static GString *
pem_of(guint n)
{
  GString *pem = g_string_new("A bag of certificates\r\n\r\n");
  g_autoptr(X509_NAME) name = name_new("x");
  g_autoptr(BaseCert) cert = facts(&(Recipe){ .key = ec_key, .subject = name });
  g_autofree char *one = base_cert_to_pem(cert);
  for (guint i = 0; i < n; i++)
    g_string_append(pem, one);
  return pem;
}

static gboolean
reads(const char *text, gsize length, guint expected, int code)
{
  g_autoptr(GBytes) bytes = bytes_of(text, length);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) certs = base_cert_read_all(bytes, "bag.pem", &error);
  if (expected) {
    g_assert_no_error(error);
    g_assert_cmpuint(certs->len, ==, expected);
  } else {
    g_assert_null(certs);
    g_assert_error(error, SIGNET_ERROR, code);
    g_assert_true(g_str_has_prefix(error->message, "bag.pem"));
  }
  return TRUE;
}

static void
pem_with_a_key_beside_gives_the_certificates(void)
{
  GString *pem = pem_of(2);
  BIO *out = BIO_new(BIO_s_mem());
  char *text = NULL;
  PEM_write_bio_PrivateKey(out, ec_key, NULL, NULL, 0, NULL, NULL);
  long length = BIO_get_mem_data(out, &text);
  g_string_prepend_len(pem, text, length);
  g_string_append_len(pem, text, length);
  BIO_free(out);
  reads(pem->str, pem->len, 2, 0);
  g_string_free(pem, TRUE);
}

static void
damaged_block_is_not_skipped(void)
{
  GString *pem = pem_of(3);
  char *second = strstr(strstr(pem->str, "BEGIN") + 5, "BEGIN");
  char *body = strchr(second, '\n') + 1;
  char saved = body[20];
  body[20] = '!';
  reads(pem->str, pem->len, 0, SIGNET_ERROR_BAD_INPUT);
  body[20] = saved;
  body[2] = body[2] == 'A' ? 'B' : 'A'; /* base64, but no DER */
  reads(pem->str, pem->len, 0, SIGNET_ERROR_BAD_INPUT);
  g_string_free(pem, TRUE);
  pem = pem_of(2);
  g_string_truncate(pem, pem->len - 40); /* cut off in the last line */
  reads(pem->str, pem->len, 0, SIGNET_ERROR_BAD_INPUT);
  g_string_free(pem, TRUE);
}

static void
too_many_are_refused(void)
{
  GString *pem = pem_of(1001);
  reads(pem->str, pem->len, 0, SIGNET_ERROR_TOO_LARGE);
  g_string_free(pem, TRUE);
}

static void
no_certificate_is_said(void)
{
  reads("", 0, 0, SIGNET_ERROR_BAD_INPUT);
  reads("hello", 5, 0, SIGNET_ERROR_BAD_INPUT);
  reads("-----BEGIN ", 11, 0, SIGNET_ERROR_BAD_INPUT);
  reads("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", 53, 0, SIGNET_ERROR_BAD_INPUT);
}

static void
several_der_in_a_row_are_all_read(void)
{
  g_autoptr(X509_NAME) name = name_new("x");
  g_autoptr(BaseCert) cert = facts(&(Recipe){ .key = ec_key, .subject = name });
  GString *all = g_string_new(NULL);
  for (int i = 0; i < 3; i++)
    g_string_append_len(all, g_bytes_get_data(cert->der, NULL),
                        (gssize)g_bytes_get_size(cert->der));
  reads(all->str, all->len, 3, 0);
  reads(all->str, all->len - 1, 0, SIGNET_ERROR_BAD_INPUT);
  g_string_free(all, TRUE);
}

static void
p7b_is_read_as_der_and_pem(void)
{
  g_autoptr(X509_NAME) name = name_new("x");
  g_autoptr(X509) x509 = make(&(Recipe){ .key = ec_key, .subject = name });
  PKCS7 *pkcs7 = PKCS7_new();
  PKCS7_set_type(pkcs7, NID_pkcs7_signed);
  PKCS7_content_new(pkcs7, NID_pkcs7_data);
  PKCS7_add_certificate(pkcs7, x509);
  PKCS7_add_certificate(pkcs7, x509);
  guint8 *der = NULL;
  int length = i2d_PKCS7(pkcs7, &der);
  reads((const char *)der, (gsize)length, 2, 0);
  OPENSSL_free(der);
  BIO *out = BIO_new(BIO_s_mem());
  char *text = NULL;
  PEM_write_bio_PKCS7(out, pkcs7);
  long size = BIO_get_mem_data(out, &text);
  reads(text, (gsize)size, 2, 0);
  BIO_free(out);
  PKCS7_free(pkcs7);
}

/* ContentInfo without its content, which OpenSSL takes for optional. */
static void
empty_signed_data_is_refused(void)
{
  reads("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 13, 0, SIGNET_ERROR_BAD_INPUT);
  reads("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", 13, 0, SIGNET_ERROR_BAD_INPUT);
}

/* ---- small things ---- */

static void
addresses_are_normal_or_none(void)
{
  static const char *const good[][2] = {
    { "Alice@Example.ORG", "Alice@example.org" },
    { "a.b+c@x", "a.b+c@x" },
    { "\"a@b,c\"@Example.org", "\"a@b,c\"@example.org" },
    { "\"a\\\"b\"@x", "\"a\\\"b\"@x" },
    { "a@[192.0.2.1]", "a@[192.0.2.1]" },
    { "j\xc3\xbcrgen@b\xc3\xbc"
      "cher.example",
      "j\xc3\xbcrgen@b\xc3\xbc"
      "cher.example" },
  };
  static const char *const bad[] = {
    "",
    "alice",
    "@example.org",
    "alice@",
    "a b@c.org",
    "a@b c",
    "<a@b.org>",
    "a@b.org\n",
    "a@b@c.org",
    "a@b.org,c@d.org",
    "a@.org",
    "a@b..org",
    "a@b.",
    "a\xff@b.org",
    "a\xe2\x80\xae@b.org",
    "a,b@c.org",
    "a@b.org\xc2\x9b",
    "a\xc2\xa0@b.org",
    "\"a\"@b.org,c@d.org", /* two, in a header */
    "\"a@b.org",
    "\"a\\\"@b.org",
    "\"@b.org",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autofree char *normal = base_address_normal(good[i][0]);
    g_assert_cmpstr(normal, ==, good[i][1]);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_test_message("%s", bad[i]);
    g_assert_null(base_address_normal(bad[i]));
  }
  g_autofree char *local = g_strnfill(249, 'x');
  g_autofree char *longest = g_strconcat(local, "@x.de", NULL);
  g_autofree char *longer = g_strconcat(local, "x@x.de", NULL);
  g_autofree char *kept = base_address_normal(longest);
  g_assert_cmpstr(kept, ==, longest);
  g_assert_null(base_address_normal(longer));
  g_assert_null(base_address_normal(NULL));
  g_assert_true(base_address_equal("a@X.org", "a@x.ORG"));
  g_assert_false(base_address_equal("A@x.org", "a@x.org"));
  g_assert_false(base_address_equal(NULL, NULL));
}

static void
hex_round_trips_and_refuses(void)
{
  g_autofree char *hex = base_hex("\x00\xff\x7a", 3);
  g_autofree char *none = base_hex(NULL, 0);
  g_autoptr(GBytes) back = base_unhex("00Ff7A");
  g_assert_cmpstr(hex, ==, "00ff7a");
  g_assert_cmpstr(none, ==, "");
  bytes_are(back, "\x00\xff\x7a", 3);
  g_assert_null(base_unhex("0"));
  g_assert_null(base_unhex("0g"));
  g_assert_null(base_unhex(" 0"));
  g_assert_null(base_unhex(NULL));
}

static void
key_kinds_parse_as_documented(void)
{
  static const char *const texts[] = { "rsa:2048", "rsa:3072", "rsa:4096",
                                       "ec:p256",  "ec:p384",  "ed25519" };
  for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
    BaseKeyKind kind = BASE_KEY_OTHER;
    int bits = 0;
    g_assert_true(base_key_kind_parse(texts[i], &kind, &bits, NULL));
    g_autofree char *text = base_key_kind_text(kind, bits);
    g_assert_cmpstr(text, ==, texts[i]);
  }
  BaseKeyKind kind = BASE_KEY_OTHER;
  int bits = 7;
  g_autoptr(GError) error = NULL;
  g_assert_false(base_key_kind_parse("rsa:1024", &kind, &bits, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  g_assert_cmpint(bits, ==, 7);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ec_key = EVP_EC_gen("P-256");
  rsa_key = EVP_RSA_gen(2048);
  g_test_add_func("/base/cert/usual-certificate-has-its-facts", usual_certificate_has_its_facts);
  g_test_add_func("/base/cert/bare-certificate-has-no-null-texts",
                  bare_certificate_has_no_null_texts);
  g_test_add_func("/base/cert/negative-serial-is-marked", negative_serial_is_marked);
  g_test_add_func("/base/cert/address-with-nul-names-nobody", address_with_nul_names_nobody);
  g_test_add_func("/base/cert/names-cannot-reach-the-terminal", names_cannot_reach_the_terminal);
  g_test_add_func("/base/cert/usages-follow-both-extensions", usages_follow_both_extensions);
  g_test_add_func("/base/cert/ca-needs-constraints-and-cert-sign",
                  ca_needs_constraints_and_cert_sign);
  g_test_add_func("/base/cert/equal-names-alone-are-not-self-signed",
                  equal_names_alone_are_not_self_signed);
  g_test_add_func("/base/cert/key-kinds-are-told-apart", key_kinds_are_told_apart);
  g_test_add_func("/base/cert/der-and-pem-round-trip", der_and_pem_round_trip);
  g_test_add_func("/base/cert/damaged-der-never-crashes", damaged_der_never_crashes);
  g_test_add_func("/base/cert/trailing-and-oversized-bytes-are-refused",
                  trailing_and_oversized_bytes_are_refused);
  g_test_add_func("/base/cert/pem-with-a-key-beside-gives-the-certificates",
                  pem_with_a_key_beside_gives_the_certificates);
  g_test_add_func("/base/cert/damaged-block-is-not-skipped", damaged_block_is_not_skipped);
  g_test_add_func("/base/cert/too-many-are-refused", too_many_are_refused);
  g_test_add_func("/base/cert/no-certificate-is-said", no_certificate_is_said);
  g_test_add_func("/base/cert/several-der-in-a-row-are-all-read",
                  several_der_in_a_row_are_all_read);
  g_test_add_func("/base/cert/p7b-is-read-as-der-and-pem", p7b_is_read_as_der_and_pem);
  g_test_add_func("/base/cert/empty-signed-data-is-refused", empty_signed_data_is_refused);
  g_test_add_func("/base/cert/addresses-are-normal-or-none", addresses_are_normal_or_none);
  g_test_add_func("/base/cert/hex-round-trips-and-refuses", hex_round_trips_and_refuses);
  g_test_add_func("/base/cert/key-kinds-parse-as-documented", key_kinds_parse_as_documented);
  int status = g_test_run();
  EVP_PKEY_free(ec_key);
  EVP_PKEY_free(rsa_key);
  return status;
}
