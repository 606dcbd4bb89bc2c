/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile-world.h"

#include "base/error.h"

#include <glib/gstdio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)

static gboolean
run(World *world, const char *format, va_list list)
{
  g_autofree char *command = g_strdup_vprintf(format, list);
  g_auto(GStrv) argv = NULL;
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;
  g_autoptr(GError) error = NULL;
  int status = 0;
  g_assert_true(g_shell_parse_argv(command, NULL, &argv, &error));
  g_spawn_sync(world->folder, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status,
               &error);
  g_assert_no_error(error);
  if (status != 0)
    g_test_message("%s: %d\n%s", command, status, err);
  return status == 0;
}

void
world_run(World *world, const char *format, ...)
{
  va_list list;
  va_start(list, format);
  gboolean good = run(world, format, list);
  va_end(list);
  g_assert_true(good);
}

gboolean
world_try(World *world, const char *format, ...)
{
  va_list list;
  va_start(list, format);
  gboolean good = run(world, format, list);
  va_end(list);
  return good;
}

gboolean
world_has(const char *program)
{
  g_autofree char *path = g_find_program_in_path(program);
  if (!path)
    g_test_skip("a program is not installed");
  return path != NULL;
}

World *
world_new(void)
{
  World *world = g_new0(World, 1);
  world->folder = g_dir_make_tmp("signet-keyfile-XXXXXX", NULL);
  world->library = keyfile_library_new(NULL);
  g_assert_nonnull(world->folder);
  g_assert_nonnull(world->library);
  world_run(world, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc "
                   "-keyout ca.key -out ca.pem -subj '/CN=Test CA' -days 30");
  world_run(world, "openssl req -x509 -newkey rsa:2048 -noenc -keyout alice.key -out alice.pem "
                   "-subj '/CN=Alice/emailAddress=alice@example.org' -days 30 "
                   "-CA ca.pem -CAkey ca.key");
  world_run(world, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc "
                   "-keyout bob.key -out bob.pem -subj '/CN=Bob' -days 30");
  world_run(world, "openssl req -x509 -newkey ed25519 -noenc -keyout ed.key -out ed.pem "
                   "-subj '/CN=Ed' -days 30");
  return world;
}

static void
remove_all(const char *path)
{
  const char *name;
  GDir *dir = g_dir_open(path, 0, NULL);
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *child = g_build_filename(path, name, NULL);
    remove_all(child);
  }
  if (dir)
    g_dir_close(dir);
  g_remove(path);
}

void
world_free(World *world)
{
  if (!world)
    return;
  remove_all(world->folder);
  keyfile_library_free(world->library);
  g_free(world->folder);
  g_free(world);
}

GBytes *
world_load(World *world, const char *file)
{
  g_autofree char *path = g_build_filename(world->folder, file, NULL);
  g_autoptr(GError) error = NULL;
  char *text = NULL;
  gsize length = 0;
  g_file_get_contents(path, &text, &length, &error);
  g_assert_no_error(error);
  return g_bytes_new_take(text, length);
}

void
world_save(World *world, const char *file, gconstpointer bytes, gsize length)
{
  g_autofree char *path = g_build_filename(world->folder, file, NULL);
  g_assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
}

X509 *
world_x509(World *world, const char *name)
{
  g_autofree char *file = g_strdup_printf("%s.pem", name);
  g_autoptr(GBytes) pem = world_load(world, file);
  BIO *in = BIO_new_mem_buf(g_bytes_get_data(pem, NULL), (int)g_bytes_get_size(pem));
  X509 *x509 = PEM_read_bio_X509(in, NULL, NULL, NULL);
  BIO_free(in);
  g_assert_nonnull(x509);
  return x509;
}

KeyfileContents *
world_read(World *world, const char *file, const char *passphrase, GError **error)
{
  g_autoptr(GBytes) bytes = world_load(world, file);
  g_autoptr(BaseSecret) secret =
      passphrase ? base_secret_new_from(passphrase, strlen(passphrase)) : NULL;
  return keyfile_read(world->library, bytes, file, secret, error);
}

static const KeyfileItem *
find(const KeyfileContents *contents, KeyfileKind kind, const BaseCert *cert)
{
  for (guint i = 0; i < contents->items->len; i++) {
    const KeyfileItem *item = contents->items->pdata[i];
    if (item->kind == kind && strcmp(item->key, cert->key) == 0)
      return item;
  }
  return NULL;
}

static void
check_key(World *world, const KeyfileItem *item, X509 *x509)
{
  g_autoptr(EVP_MD_CTX) sign = EVP_MD_CTX_new();
  g_autoptr(EVP_MD_CTX) verify = EVP_MD_CTX_new();
  guint8 signature[2048];
  size_t length = sizeof signature;
  const char *digest = EVP_PKEY_is_a(item->pkey, "ED25519") ? NULL : "SHA256";
  g_autofree char *name =
      base_key_name(g_bytes_get_data(item->bytes, NULL), g_bytes_get_size(item->bytes));
  g_assert_cmpstr(name, ==, item->key);
  g_assert_true(EVP_DigestSignInit_ex(sign, NULL, digest, world->library, NULL, item->pkey, NULL) &&
                EVP_DigestSign(sign, signature, &length, (const guint8 *)"mail", 4));
  g_assert_true(
      EVP_DigestVerifyInit_ex(verify, NULL, digest, NULL, NULL, X509_get0_pubkey(x509), NULL) &&
      EVP_DigestVerify(verify, signature, length, (const guint8 *)"mail", 4) == 1);
}

static guint
expect_items(World *world, const KeyfileContents *contents, KeyfileKind kind, const char *names)
{
  g_auto(GStrv) each = g_strsplit(names, " ", -1);
  guint n = 0;
  for (char **name = each; *name && **name; name++, n++) {
    g_autoptr(X509) x509 = world_x509(world, *name);
    g_autoptr(BaseCert) cert = base_cert_new_from_x509(x509, NULL);
    const KeyfileItem *item = find(contents, kind, cert);
    g_assert_nonnull(item);
    if (kind == KEYFILE_KEY)
      check_key(world, item, x509);
    else
      g_assert_true(g_bytes_equal(item->bytes, cert->der));
    g_autofree char *kind_text = base_key_kind_text(cert->kind, cert->bits);
    g_assert_cmpstr(item->key_kind, ==, kind_text);
  }
  return n;
}

KeyfileContents *
world_expect(World *world, const char *file, const char *passphrase, const char *keys,
             const char *certificates)
{
  g_autoptr(GError) error = NULL;
  KeyfileContents *contents = world_read(world, file, passphrase, &error);
  if (error)
    g_test_message("%s", file);
  g_assert_no_error(error);
  g_assert_nonnull(contents->format);
  guint n = expect_items(world, contents, KEYFILE_KEY, keys);
  n += expect_items(world, contents, KEYFILE_CERTIFICATE, certificates);
  for (guint i = 0; i < contents->skipped->len; i++)
    g_test_message("%s: skipped: %s", file, (char *)contents->skipped->pdata[i]);
  g_assert_cmpuint(contents->items->len, ==, n);
  for (guint i = 1; i < contents->items->len; i++)
    g_assert_cmpint(((KeyfileItem *)contents->items->pdata[i - 1])->kind, <=,
                    ((KeyfileItem *)contents->items->pdata[i])->kind);
  return contents;
}

void
world_expect_error(World *world, const char *file, const char *passphrase, int code,
                   const char *pattern)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(KeyfileContents) contents = world_read(world, file, passphrase, &error);
  g_assert_null(contents);
  if (!g_error_matches(error, SIGNET_ERROR, code))
    g_test_message("%s: %s", file, error->message);
  g_assert_error(error, SIGNET_ERROR, code);
  g_assert_nonnull(strstr(error->message, file));
  if (!g_pattern_match_simple(pattern, error->message))
    g_error("%s does not fit %s", error->message, pattern);
}

void
world_expect_skipped(const KeyfileContents *contents, const char *pattern)
{
  for (guint i = 0; i < contents->skipped->len; i++)
    if (g_pattern_match_simple(pattern, contents->skipped->pdata[i]))
      return;
  g_error("nothing was skipped like %s", pattern);
}
