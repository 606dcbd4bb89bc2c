/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys out of NSS databases that certutil and pk12util made. */
#include "token-transfer-harness.h"

#include <glib/gstdio.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

#define PASSWORD "Primär 'secret'"

static gboolean
possible(void)
{
  g_autofree char *certutil = g_find_program_in_path("certutil");
  g_autofree char *pk12util = g_find_program_in_path("pk12util");
  if (certutil && pk12util)
    return TRUE;
  g_test_skip("certutil or pk12util (libnss3-tools) is not installed");
  return FALSE;
}

static void
run(const char *const *argv)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *out = NULL;
  g_autofree char *complaint = NULL;
  int status = 0;
  g_spawn_sync(NULL, (char **)(gintptr)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out,
               &complaint, &status, &error);
  g_assert_no_error(error);
  if (status)
    g_test_message("%s: %s%s", argv[0], out, complaint);
  g_assert_cmpint(status, ==, 0);
}

typedef struct {
  char *folder;   /* with a blank and a quote, as folders of people have */
  char *password; /* file of it */
} Database;

static Database
database_new(const char *password)
{
  g_autofree char *above = g_dir_make_tmp("signet-nss-XXXXXX", NULL);
  Database database = { g_build_filename(above, "Al's pro\\file", NULL),
                        g_build_filename(above, "password", NULL) };
  g_autofree char *line = g_strconcat(password ? password : "", "\n", NULL);
  g_autofree char *sql = g_strconcat("sql:", database.folder, NULL);
  const char *argv[] = { "certutil", "-N", "-d", sql, "-f", database.password, NULL };
  const char *bare[] = { "certutil", "-N", "-d", sql, "--empty-password", NULL };

  g_assert_cmpint(g_mkdir(database.folder, 0700), ==, 0);
  g_assert_true(g_file_set_contents(database.password, line, -1, NULL));
  run(password ? argv : bare);
  return database;
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
database_clear(Database *database)
{
  g_autofree char *above = g_path_get_dirname(database->folder);
  remove_tree(above);
  g_free(database->folder);
  g_free(database->password);
}

static X509 *
certificate_for(EVP_PKEY *key, const char *name)
{
  X509 *x509 = X509_new();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), (long)g_random_int());
  X509_gmtime_adj(X509_getm_notBefore(x509), -60);
  X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, (const guint8 *)name,
                             -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(x509));
  X509_set_pubkey(x509, key);
  g_assert_cmpint(X509_sign(x509, key, EVP_sha256()), >, 0);
  return x509;
}

static void
add_key(const Database *database, EVP_PKEY *key, const char *name)
{
  g_autofree char *file = g_strconcat(database->folder, ".p12", NULL);
  g_autofree char *sql = g_strconcat("sql:", database->folder, NULL);
  const char *argv[] = { "pk12util",         "-i", file,  "-d", sql, "-k",
                         database->password, "-W", "p12", NULL };
  X509 *x509 = certificate_for(key, name);
  guint8 *der = NULL;
  PKCS12 *p12 = PKCS12_create("p12", name, key, x509, NULL, 0, 0, 0, 0, 0);
  int length = i2d_PKCS12(p12, &der);

  g_assert_cmpint(length, >, 0);
  g_assert_true(g_file_set_contents(file, (char *)der, length, NULL));
  OPENSSL_free(der);
  PKCS12_free(p12);
  X509_free(x509);
  run(argv);
}

/* Somebody else's certificate, as a mail program gathers them. */
static void
add_other(const Database *database)
{
  g_autofree char *file = g_strconcat(database->folder, ".der", NULL);
  g_autofree char *sql = g_strconcat("sql:", database->folder, NULL);
  const char *argv[] = { "certutil", "-A", "-d", sql,  "-n", "bob",
                         "-t",       ",,", "-i", file, "-f", database->password,
                         NULL };
  EVP_PKEY *key = key_new("P-256");
  g_autoptr(GBytes) der = self_signed(key, "bob");

  g_assert_true(
      g_file_set_contents(file, g_bytes_get_data(der, NULL), (gssize)g_bytes_get_size(der), NULL));
  EVP_PKEY_free(key);
  run(argv);
}

static const WireItem *
item_of(const Contents *contents, WireItemKind kind, EVP_PKEY *key)
{
  g_autofree char *name = base_key_name_of(key);
  for (guint i = 0; i < contents->items->len; i++) {
    WireItem *item = contents->items->pdata[i];
    if (item->kind == kind && g_str_equal(item->key, name))
      return item;
  }
  return NULL;
}

static void
check_keys(const char *password)
{
  Database database = database_new(password);
  g_autoptr(Transfer) transfer = transfer_new(NULL);
  g_autoptr(GError) error = NULL;
  EVP_PKEY *rsa = key_new("rsa");
  EVP_PKEY *ec = key_new("P-384");

  add_key(&database, rsa, "alice");
  add_key(&database, ec, "alice two");
  add_other(&database);
  if (password) {
    g_assert_null(transfer_read_nss(transfer, database.folder, NULL, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
    g_clear_error(&error);
    g_assert_null(transfer_read_nss(transfer, database.folder, "another", &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
    g_clear_error(&error);
  }
  for (int again = 0; again < 2; again++) {
    g_autoptr(Contents) contents = transfer_read_nss(transfer, database.folder, password, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(contents->format, ==, "NSS database");
    g_assert_cmpuint(contents->items->len, ==, 4);
    g_assert_cmpuint(contents->skipped->len, ==, 1);
    const WireItem *item = item_of(contents, WIRE_ITEM_KEY, rsa);
    g_assert_nonnull(item);
    g_assert_cmpstr(item->label, ==, "alice");
    g_assert_cmpstr(item->key_kind, ==, "rsa:2048");
    item = item_of(contents, WIRE_ITEM_KEY, ec);
    g_assert_nonnull(item);
    g_assert_cmpstr(item->key_kind, ==, "ec:p384");
    g_assert_nonnull(item_of(contents, WIRE_ITEM_CERTIFICATE, rsa));
    g_assert_nonnull(item_of(contents, WIRE_ITEM_CERTIFICATE, ec));
  }
  EVP_PKEY_free(rsa);
  EVP_PKEY_free(ec);
  database_clear(&database);
}

static void
test_database_without_password_is_read(void)
{
  if (possible())
    check_keys(NULL);
}

static void
test_database_with_password_is_read(void)
{
  if (possible())
    check_keys(PASSWORD);
}

static void
test_keys_go_on_to_a_token(void)
{
  if (!possible() || !host_possible())
    return;
  static const char *const kinds[] = { "rsa", "P-256" };
  Database database = database_new(NULL);
  g_autoptr(Host) host = host_new_token();
  g_autoptr(Transfer) transfer = transfer_new_bound(host);
  g_autoptr(GError) error = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
    EVP_PKEY *key = key_new(kinds[i]);
    gboolean existed = TRUE;
    add_key(&database, key, kinds[i]);
    g_autoptr(Contents) contents = transfer_read_nss(transfer, database.folder, NULL, &error);
    g_assert_no_error(error);
    const WireItem *item = item_of(contents, WIRE_ITEM_KEY, key);
    g_assert_nonnull(item);
    g_autoptr(WireObject) object =
        transfer_store(transfer, item->index, "", NULL, 0, &existed, &error);
    g_assert_no_error(error);
    g_assert_false(existed);
    g_assert_cmpstr(object->label, ==, kinds[i]);
    EVP_PKEY_free(key);
  }
  g_autoptr(GPtrArray) objects = host_objects(host, &error);
  g_assert_cmpuint(host_count(objects, WIRE_OBJECT_KEY), ==, 2);
  database_clear(&database);
}

static void
test_folder_is_left_as_it_was(void)
{
  if (!possible())
    return;
  Database database = database_new(NULL);
  g_autoptr(Transfer) transfer = transfer_new(NULL);
  g_autoptr(GError) error = NULL;
  EVP_PKEY *key = key_new("P-256");
  static const char *const names[] = { "cert9.db", "key4.db", "pkcs11.txt" };
  char *before[G_N_ELEMENTS(names)] = { NULL };
  gsize lengths[G_N_ELEMENTS(names)];

  add_key(&database, key, "alice");
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_build_filename(database.folder, names[i], NULL);
    g_assert_true(g_file_get_contents(path, &before[i], &lengths[i], NULL));
  }
  g_autoptr(Contents) contents = transfer_read_nss(transfer, database.folder, NULL, &error);
  g_assert_no_error(error);
  g_autoptr(GDir) dir = g_dir_open(database.folder, 0, NULL);
  guint count = 0;
  while (g_dir_read_name(dir))
    count++;
  g_assert_cmpuint(count, ==, 3);
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_build_filename(database.folder, names[i], NULL);
    g_autofree char *after = NULL;
    gsize length = 0;
    g_assert_true(g_file_get_contents(path, &after, &length, NULL));
    g_assert_cmpuint(length, ==, lengths[i]);
    g_assert_cmpint(memcmp(after, before[i], length), ==, 0);
    g_clear_pointer(&before[i], g_free);
  }
  EVP_PKEY_free(key);
  database_clear(&database);
}

static void
test_no_database_is_bad_input(void)
{
  if (!possible())
    return;
  g_autofree char *folder = g_dir_make_tmp("signet-nss-XXXXXX", NULL);
  g_autofree char *keys = g_build_filename(folder, "key4.db", NULL);
  g_autoptr(Transfer) transfer = transfer_new(NULL);
  g_autoptr(GError) error = NULL;

  g_assert_null(transfer_read_nss(transfer, folder, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  g_assert_true(g_file_set_contents(keys, "no SQLite here", -1, NULL));
  g_assert_null(transfer_read_nss(transfer, folder, NULL, &error));
  g_test_message("%s", error->message);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  remove_tree(folder);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/nss/without-password-read", test_database_without_password_is_read);
  g_test_add_func("/token/nss/with-password-read", test_database_with_password_is_read);
  g_test_add_func("/token/nss/keys-go-on-to-token", test_keys_go_on_to_a_token);
  g_test_add_func("/token/nss/folder-left-as-it-was", test_folder_is_left_as_it_was);
  g_test_add_func("/token/nss/no-database-bad-input", test_no_database_is_bad_input);
  return g_test_run();
}
