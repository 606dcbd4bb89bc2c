/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "contacts/seen.h"
#include "test-cms-soft.h"

#include <glib/gstdio.h>
#include <openssl/objects.h>
#include <string.h>
#include <sys/stat.h>

static const char *const strong[] = { "aes-256-gcm", "aes-128-cbc", NULL };
static const char *const plain[] = { "aes-128-cbc", NULL };

static char *
path(void)
{
  return g_build_filename(g_getenv("XDG_STATE_HOME"), "signet", "seen-ciphers", NULL);
}

static void
put(const char *text)
{
  g_autofree char *file = path();
  g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

static guint
count_lines(void)
{
  g_autofree char *file = path();
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  return g_strv_length(lines) - 1;
}

static void
assert_ciphers(const SoftKey *key, const char *expected)
{
  g_auto(GStrv) ciphers = contacts_seen_ciphers(key->cert);
  g_autofree char *joined = ciphers ? g_strjoinv(",", ciphers) : NULL;
  g_assert_cmpstr(joined, ==, expected);
}

static void
test_noted(void)
{
  g_autoptr(SoftKey) one = soft_key_simple("ec:p256");
  g_autoptr(SoftKey) two = soft_key_simple("ec:p256");
  g_autofree char *file = path();
  struct stat info = { 0 };
  assert_ciphers(one, NULL);
  contacts_seen_note(one->cert, strong, 1700000000);
  assert_ciphers(one, "aes-256-gcm,aes-128-cbc");
  assert_ciphers(two, NULL);
  g_assert_cmpint(g_stat(file, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
  contacts_seen_note(two->cert, plain, 1700000001);
  contacts_seen_note(one->cert, plain, 1700000002);
  contacts_seen_note(one->cert, plain, 1700000003);
  assert_ciphers(one, "aes-128-cbc");
  assert_ciphers(two, "aes-128-cbc");
  g_assert_cmpuint(count_lines(), ==, 2);
  g_unlink(file);
}

/* An old mail that is sent again, or only read again, says nothing of what its signer reads now. */
static void
test_older(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autofree char *file = path();
  contacts_seen_note(key->cert, strong, 1700000000);
  contacts_seen_note(key->cert, plain, 1600000000);
  assert_ciphers(key, "aes-256-gcm,aes-128-cbc");
  contacts_seen_note(key->cert, plain, 0); /* it does not say when */
  assert_ciphers(key, "aes-256-gcm,aes-128-cbc");
  /* The same said later moves the time on. */
  contacts_seen_note(key->cert, strong, 1710000000);
  contacts_seen_note(key->cert, plain, 1705000000);
  assert_ciphers(key, "aes-256-gcm,aes-128-cbc");
  contacts_seen_note(key->cert, plain, 1720000000);
  assert_ciphers(key, "aes-128-cbc");
  /* A clock that is years ahead does not shut out what comes after. */
  contacts_seen_note(key->cert, plain, now + 10 * 365 * 86400);
  contacts_seen_note(key->cert, strong, now + 60);
  assert_ciphers(key, "aes-256-gcm,aes-128-cbc");
  g_unlink(file);
}

/* Nothing of use is nothing noted. */
static void
test_nothing(void)
{
  static const char *const unknown[] = { "rot13", "aes-256-gcm,x y", NULL };
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *file = path();
  contacts_seen_note(key->cert, NULL, 0);
  contacts_seen_note(key->cert, unknown, 0);
  g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
}

static void
test_damaged(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  const char *mark = key->cert->fingerprint;
  g_autofree char *text =
      g_strdup_printf("\n%s\n%s x aes-256-gcm\n%s 5\n%s 5 rot13\n%s 5 aes-256-gcm more\n"
                      "nobody 5 aes-256-gcm\n\x01\xff\n%s 5 rot13,aes-128-gcm\n",
                      mark, mark, mark, mark, mark, mark);
  put(text);
  assert_ciphers(key, "aes-128-gcm");
  contacts_seen_note(key->cert, strong, 6);
  assert_ciphers(key, "aes-256-gcm,aes-128-cbc");
  g_autofree char *file = path();
  g_unlink(file);
}

static void
test_many(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < 10020; i++)
    g_string_append_printf(text, "%064x %u aes-128-cbc\n", i, i);
  put(text->str);
  contacts_seen_note(key->cert, strong, 20000);
  g_assert_cmpuint(count_lines(), ==, 10000);
  assert_ciphers(key, "aes-256-gcm,aes-128-cbc");
  g_autofree char *file = path();
  g_autofree char *after = NULL;
  g_assert_true(g_file_get_contents(file, &after, NULL, NULL));
  g_autofree char *first = g_strdup_printf("%064x 21 aes-128-cbc\n", 21);
  g_assert_true(g_str_has_prefix(after, first));
  g_unlink(file);
}

/* RFC 4262: { { aes256-CBC }, { aes128-GCM }, { des-ede3-cbc } } */
static void
test_extension(void)
{
  static const guint8 der[] = { 0x30, 0x26, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                0x65, 0x03, 0x04, 0x01, 0x2a, 0x30, 0x0b, 0x06, 0x09, 0x60,
                                0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x06, 0x30, 0x0a,
                                0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07 };
  g_autoptr(SoftKey) plain_key = soft_key_simple("ec:p256");
  X509 *x509 = X509_dup(plain_key->x509);
  ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(value, der, sizeof der);
  X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, NID_SMIMECapabilities, 0, value);
  X509_add_ext(x509, extension, -1);
  X509_sign(x509, plain_key->pkey, EVP_sha256());
  EVP_PKEY_up_ref(plain_key->pkey);
  g_autoptr(SoftKey) key = soft_key_load(plain_key->pkey, x509);
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(value);
  assert_ciphers(key, "aes-256-cbc,aes-128-gcm");
  contacts_seen_note(key->cert, strong, 1);
  assert_ciphers(key, "aes-256-gcm,aes-128-cbc");
  g_autofree char *file = path();
  g_unlink(file);
}

int
main(int argc, char **argv)
{
  g_setenv("XDG_STATE_HOME", soft_folder(), TRUE);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/contacts/seen/noted-is-found", test_noted);
  g_test_add_func("/contacts/seen/older-mail-changes-nothing", test_older);
  g_test_add_func("/contacts/seen/nothing-of-use-no-file", test_nothing);
  g_test_add_func("/contacts/seen/damaged-lines-ignored", test_damaged);
  g_test_add_func("/contacts/seen/too-many-oldest-out", test_many);
  g_test_add_func("/contacts/seen/extension-is-read", test_extension);
  int status = g_test_run();
  g_autofree char *inner = g_build_filename(soft_folder(), "signet", NULL);
  g_autofree char *lock = g_build_filename(inner, "seen-ciphers.lock", NULL);
  g_unlink(lock);
  g_rmdir(inner);
  soft_folder_remove();
  return status;
}
