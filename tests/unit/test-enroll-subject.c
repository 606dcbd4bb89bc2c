/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "enroll/subject.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_NAME, X509_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

static char *
oneline(const X509_NAME *name)
{
  BIO *bio = BIO_new(BIO_s_mem());
  char *text;
  X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  long length = BIO_get_mem_data(bio, &text);
  char *copy = g_strndup(text, (gsize)length);
  BIO_free(bio);
  return copy;
}

static void
check_name(const char *text, const char *expected)
{
  g_autoptr(X509_NAME) name = enroll_name_parse(text);
  if (!expected) {
    g_assert_null(name);
    return;
  }
  g_assert_nonnull(name);
  g_autofree char *shown = oneline(name);
  g_assert_cmpstr(shown, ==, expected);
}

static void
test_names(void)
{
  check_name("CN=Mail CA,O=Example", "O=Example,CN=Mail CA");
  check_name("/CN=Mail CA/O=Example", "O=Example,CN=Mail CA");
  check_name("CN=Mail CA, O=Example", "O=Example,CN=Mail CA");
  check_name("CN=A\\, B", "CN=A\\, B");
  check_name("CN=caf\xc3\xa9", "CN=caf\xc3\xa9");
  check_name("2.5.4.3=by number", "CN=by number");
  check_name("", NULL);
  check_name("/", NULL);
  check_name("nobody", NULL);
  check_name("CN=", NULL);
  check_name("=x", NULL);
  check_name("NoSuchField=x", NULL);
  check_name("CN=bad \xff", NULL);
  check_name("CN=a,,O=b", NULL);
  GString *many = g_string_new("CN=x");
  for (int i = 0; i < 100; i++)
    g_string_append(many, ",OU=x");
  check_name(many->str, NULL);
  g_string_free(many, TRUE);
}

static void
test_extensions(void)
{
  g_autoptr(EVP_PKEY) key = EVP_EC_gen("P-256");
  const char *addresses[] = { "alice@example.org", "a2@example.org", NULL };
  EnrollSubject subject = { .addresses = addresses, .can_decrypt = TRUE };
  EnrollExtensions *extensions = enroll_subject_extensions(&subject, key);
  g_assert_nonnull(extensions);
  GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
  ASN1_BIT_STRING *usage = X509V3_get_d2i(extensions, NID_key_usage, NULL, NULL);
  g_assert_cmpint(sk_GENERAL_NAME_num(names), ==, 2);
  g_assert_cmpint(ASN1_BIT_STRING_get_bit(usage, 0), ==, 1);
  g_assert_cmpint(ASN1_BIT_STRING_get_bit(usage, 4), ==, 1);
  g_assert_cmpint(ASN1_BIT_STRING_get_bit(usage, 2), ==, 0);
  GENERAL_NAMES_free(names);
  ASN1_BIT_STRING_free(usage);
  enroll_extensions_free(extensions);
}

/* RFC 5280 4.2.1.6: an empty subjectAltName is none. */
static void
test_no_address(void)
{
  g_autoptr(EVP_PKEY) key = EVP_EC_gen("P-256");
  const char *addresses[] = { NULL };
  EnrollSubject subject = { .addresses = addresses, .name = "Card Holder" };
  EnrollExtensions *extensions = enroll_subject_extensions(&subject, key);
  g_assert_nonnull(extensions);
  g_assert_cmpint(X509v3_get_ext_by_NID(extensions, NID_subject_alt_name, -1), ==, -1);
  enroll_extensions_free(extensions);
  subject.name = NULL;
  g_assert_null(enroll_subject_name(&subject));
}

static void
test_whole_name(void)
{
  const char *addresses[] = { "alice@example.org", NULL };
  g_autoptr(X509_NAME) name = enroll_name_parse("C=DE,O=Example,CN=Alice");
  guint8 *der = NULL;
  int length = i2d_X509_NAME(name, &der);
  EnrollSubject subject = { .addresses = addresses, .subject = g_bytes_new(der, (gsize)length) };
  g_autoptr(X509_NAME) again = enroll_subject_name(&subject);
  g_assert_cmpint(X509_NAME_cmp(name, again), ==, 0);
  g_bytes_unref(subject.subject);
  subject.subject = g_bytes_new(der, (gsize)length - 1);
  g_assert_null(enroll_subject_name(&subject));
  g_bytes_unref(subject.subject);
  OPENSSL_free(der);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/enroll/subject/names-are-read-or-refused", test_names);
  g_test_add_func("/enroll/subject/addresses-and-usage-are-in-the-extensions", test_extensions);
  g_test_add_func("/enroll/subject/no-address-leaves-out-the-extension", test_no_address);
  g_test_add_func("/enroll/subject/a-renewal-keeps-the-whole-name", test_whole_name);
  return g_test_run();
}
