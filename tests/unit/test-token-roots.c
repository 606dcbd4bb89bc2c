/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which CAs a module of trust gives for mail. */
#include "base/cert.h"
#include "token-harness.h"

#include <glib/gstdio.h>
#include <glob.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

static char *
find(const char *pattern)
{
  glob_t found = { .gl_pathc = 0 };
  char *path = glob(pattern, 0, NULL, &found) == 0 ? g_strdup(found.gl_pathv[0]) : NULL;
  globfree(&found);
  return path;
}

static char *
roots_of(const char *module, int *ret_status)
{
  g_autofree char *program = g_build_filename(g_getenv("SIGNET_TEST_BUILD"), "signet-token", NULL);
  const char *argv[] = { program, "--mail-roots", module, NULL };
  g_autoptr(GError) error = NULL;
  char *out = NULL;
  g_autofree char *complaint = NULL;
  int status = 0;

  g_spawn_sync(NULL, (char **)(gintptr)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &complaint,
               &status, &error);
  g_assert_no_error(error);
  if (*complaint)
    g_test_message("%s", complaint);
  *ret_status = status;
  return out;
}

static X509 *
ca_new(const char *name)
{
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *x509 = X509_new();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 4711);
  X509_gmtime_adj(X509_getm_notBefore(x509), -60);
  X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, (const guint8 *)name,
                             -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(x509));
  X509_EXTENSION *is_ca =
      X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
  X509_add_ext(x509, is_ca, -1);
  X509_EXTENSION_free(is_ca);
  X509_set_pubkey(x509, key);
  g_assert_cmpint(X509_sign(x509, key, EVP_sha256()), >, 0);
  EVP_PKEY_free(key);
  return x509;
}

/* `purpose` NID_undef: for everything. */
static void
write_ca(X509 *x509, int purpose, const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  BIO *file = BIO_new_file(path, "w");

  if (purpose == NID_undef) {
    PEM_write_bio_X509(file, x509);
  } else {
    X509_add1_trust_object(x509, OBJ_nid2obj(purpose));
    PEM_write_bio_X509_AUX(file, x509);
  }
  BIO_free(file);
}

static void
remove_tree(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name = NULL;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *child = g_build_filename(path, name, NULL);
    remove_tree(child);
  }
  g_remove(path);
}

static void
test_only_mail_roots_that_are_not_distrusted(void)
{
  static const struct {
    const char *name;
    int purpose;
    gboolean blocked;
    gboolean expected;
  } rows[] = { { "everything", NID_undef, FALSE, TRUE },
               { "mail", NID_email_protect, FALSE, TRUE },
               { "servers", NID_server_auth, FALSE, FALSE },
               { "blocked", NID_undef, TRUE, FALSE } };
  g_autofree char *real = find("/usr/lib/*/pkcs11/p11-kit-trust.so");
  g_autofree char *module =
      g_build_filename(g_getenv("SIGNET_TEST_BUILD"), "tests", "token-trust-module.so", NULL);
  if (!real) {
    g_test_skip("p11-kit's trust module is not installed");
    return;
  }
  g_autofree char *folder = g_dir_make_tmp("signet-roots-XXXXXX", NULL);
  g_autofree char *anchors = g_build_filename(folder, "anchors", NULL);
  g_autofree char *blocked = g_build_filename(folder, "blocklist", NULL);
  g_assert_cmpint(g_mkdir(anchors, 0700), ==, 0);
  g_assert_cmpint(g_mkdir(blocked, 0700), ==, 0);
  g_setenv("TRUST_MODULE", real, TRUE);
  g_setenv("TRUST_PATHS", folder, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *file = g_strconcat(rows[i].name, ".pem", NULL);
    X509 *ca = ca_new(rows[i].name);
    write_ca(ca, rows[i].purpose, anchors, file);
    if (rows[i].blocked)
      write_ca(ca, rows[i].purpose, blocked, file);
    X509_free(ca);
  }
  int status = -1;
  g_autofree char *out = roots_of(module, &status);
  g_assert_cmpint(status, ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *line = g_strdup_printf("# CN=%s\n-----BEGIN CERTIFICATE-----\n", rows[i].name);
    g_assert_cmpint(strstr(out, line) != NULL, ==, rows[i].expected);
  }
  g_autoptr(GBytes) bytes = g_bytes_new(out, strlen(out));
  g_autoptr(GPtrArray) certs = base_cert_read_all(bytes, "roots", NULL);
  g_assert_nonnull(certs);
  g_assert_cmpuint(certs->len, ==, 2);
  remove_tree(folder);
}

static void
test_real_module_has_some(void)
{
  g_autofree char *module = find("/usr/lib/*/libnssckbi.so");
  int status = -1;
  if (!module) {
    g_test_skip("libnssckbi.so is not installed");
    return;
  }
  g_autofree char *out = roots_of(module, &status);
  g_assert_cmpint(status, ==, 0);
  g_autoptr(GBytes) bytes = g_bytes_new(out, strlen(out));
  g_autoptr(GPtrArray) certs = base_cert_read_all(bytes, "roots", NULL);
  g_assert_nonnull(certs);
  g_assert_cmpuint(certs->len, >, 20);
}

static void
test_no_module_is_an_error(void)
{
  int status = 0;
  g_autofree char *out = roots_of("/nonexistent/libnssckbi.so", &status);
  g_assert_cmpint(status, !=, 0);
  g_assert_cmpstr(out, ==, "");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/roots/only-mail-not-distrusted",
                  test_only_mail_roots_that_are_not_distrusted);
  g_test_add_func("/token/roots/real-module-has-some", test_real_module_has_some);
  g_test_add_func("/token/roots/no-module-error", test_no_module_is_an_error);
  return g_test_run();
}
