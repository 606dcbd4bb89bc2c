/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer-certs.h"
#include "transfer/transfer.h"

#include <glib/gstdio.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

static char *home;
static EVP_PKEY *alice;
static char *key_pem, *own_pem, *ca_pem;
static GBytes *own_der;

static char *
at(const char *path)
{
  return g_build_filename(home, path, NULL);
}

static void
put(const char *path, const char *text, gssize length)
{
  g_autofree char *full = at(path);
  g_autofree char *folder = g_path_get_dirname(full);
  g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
  g_assert_true(g_file_set_contents(full, text, length, NULL));
}

static void
put_bytes(const char *path, GBytes *bytes)
{
  gsize length;
  const char *data = g_bytes_get_data(bytes, &length);
  put(path, data, (gssize)length);
}

static TransferFound *
scan(const char *folder)
{
  g_autofree char *full = at(folder);
  const char *folders[] = { full, NULL };
  g_autoptr(GError) error = NULL;
  TransferFound *found = transfer_scan(folders, NULL, NULL, &error);
  g_assert_no_error(error);
  return found;
}

static const TransferPlace *
place_at(const TransferFound *found, const char *path)
{
  g_autofree char *full = at(path);
  for (guint i = 0; i < found->places->len; i++) {
    const TransferPlace *place = g_ptr_array_index(found->places, i);
    if (g_str_equal(place->path, full))
      return place;
  }
  return NULL;
}

static void
files_are_known_by_their_bytes(void)
{
  put("files/holiday.jpg", key_pem, -1);
  put("files/alice.p12", "this is a shopping list, and a long one at that, with butter and bread",
      -1);
  put_bytes("files/cert.bin", own_der);
  put("files/ca.pem", ca_pem, -1);
  put("files/empty.pem", "", 0);
  put("files/text-before.pem", "Bag Attributes\n    friendlyName: x\n", -1);
  g_autofree char *both = g_strconcat("Bag Attributes\n", own_pem, key_pem, NULL);
  put("files/both", both, -1);
  put("files/.ssh/id_rsa", key_pem, -1);
  g_autoptr(TransferFound) found = scan("files");
  const TransferPlace *key = place_at(found, "files/holiday.jpg");
  const TransferPlace *certificate = place_at(found, "files/cert.bin");
  const TransferPlace *pair = place_at(found, "files/both");
  g_assert_cmpuint(found->places->len, ==, 3); /* no CA's certificate, no key of ssh */
  g_assert_cmpuint(found->n_files, ==, 7);
  g_assert_true(key && key->has_keys && !key->encrypted);
  g_assert_true(certificate && !certificate->has_keys);
  g_assert_cmpstr(certificate->about, ==, "alice@example.org");
  g_assert_true(pair && pair->has_keys);
  g_assert_cmpstr(pair->about, ==, "alice@example.org");
  g_assert_false(found->cut);
}

static void
links_mail_and_caches_are_passed_over(void)
{
  put("outside/key.pem", key_pem, -1);
  put("skip/node_modules/key.pem", key_pem, -1);
  put("skip/.cache/key.pem", key_pem, -1);
  put("skip/inbox/cur/key.pem", key_pem, -1);
  put("skip/inbox/new/key.pem", key_pem, -1);
  put("skip/inbox/tmp/key.pem", key_pem, -1);
  put("skip/deep/er/key.pem", key_pem, -1);
  g_autofree char *link_file = at("skip/link.pem");
  g_autofree char *link_folder = at("skip/link-folder");
  g_autofree char *target = at("outside/key.pem");
  g_autofree char *target_folder = at("outside");
  g_autofree char *ring = at("skip/deep/ring");
  g_autofree char *top = at("skip");
  g_assert_cmpint(symlink(target, link_file), ==, 0);
  g_assert_cmpint(symlink(target_folder, link_folder), ==, 0);
  g_assert_cmpint(symlink(top, ring), ==, 0);
  g_autoptr(TransferFound) found = scan("skip");
  g_assert_cmpuint(found->places->len, ==, 1);
  g_assert_nonnull(place_at(found, "skip/deep/er/key.pem"));
}

static void
depth_is_bounded(void)
{
  g_autoptr(GString) path = g_string_new("deep");
  for (int i = 0; i < 40; i++)
    g_string_append(path, "/d");
  g_string_append(path, "/key.pem");
  put(path->str, key_pem, -1);
  g_autoptr(TransferFound) found = scan("deep");
  g_assert_cmpuint(found->places->len, ==, 0);
  g_assert_true(found->cut);
}

static void
programs_are_known_by_their_files(void)
{
  /* Of a GnuPG keybox: the header (32 bytes, type 1), then an X.509 blob, type 3. */
  static const guint8 keybox[] = { [3] = 32, [4] = 1, [35] = 16, [36] = 3, [47] = 0 };
  static const guint8 openpgp[] = { [3] = 32, [4] = 1, [35] = 16, [36] = 2, [47] = 0 };
  put("apps/.thunderbird/x.default/cert9.db", "db", -1);
  put("apps/.thunderbird/x.default/key4.db", "db", -1);
  put("apps/.thunderbird/y.old/cert9.db", "db", -1);
  put("apps/.gnupg/pubring.kbx", (const char *)keybox, sizeof keybox);
  put("apps/.gnupg/private-keys-v1.d/x.key", key_pem, -1);
  put("apps/pgp/pubring.kbx", (const char *)openpgp, sizeof openpgp);
  put("apps/pgp/private-keys-v1.d/x.key", key_pem, -1);
  put("apps/.smime/keys/abcd1234.0", key_pem, -1);
  put("apps/.smime/keys/.index", "alice@example.org abcd1234.0 label ? t se\n", -1);
  put("apps/.smime/certificates/abcd1234.0", own_pem, -1);
  g_autoptr(TransferFound) found = scan("apps");
  const TransferPlace *profile = place_at(found, "apps/.thunderbird/x.default");
  const TransferPlace *gnupg = place_at(found, "apps/.gnupg");
  const TransferPlace *smime = place_at(found, "apps/.smime");
  g_assert_cmpuint(found->places->len, ==, 3);
  g_assert_true(profile && profile->kind == TRANSFER_NSS);
  g_assert_cmpstr(profile->from, ==, "thunderbird");
  g_assert_true(gnupg && gnupg->kind == TRANSFER_GPGSM);
  g_assert_true(smime && smime->kind == TRANSFER_SMIME_KEYS);
}

static void
overlapping_folders_count_once(void)
{
  put("over/lap/key.pem", key_pem, -1);
  g_autofree char *outer = at("over");
  g_autofree char *inner = at("over/lap");
  const char *folders[] = { outer, inner, outer, NULL };
  g_autoptr(TransferFound) found = transfer_scan(folders, NULL, NULL, NULL);
  g_assert_cmpuint(found->places->len, ==, 1);
}

static void
missing_folder_is_said(void)
{
  static const char *const folders[] = { "/no/such/folder", NULL };
  g_autoptr(GError) error = NULL;
  g_assert_null(transfer_scan(folders, NULL, NULL, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
}

/* ---- smime_keys ---- */

static void
smime_keys_are_listed_and_opened(void)
{
  put("mutt/keys/11112222.0", key_pem, -1);
  put("mutt/keys/.index",
      "alice@example.org 11112222.0 my ? t se\na.example@Example.ORG 11112222.0 my ? t se\n", -1);
  put("mutt/certificates/11112222.0", own_pem, -1);
  put("mutt/certificates/33334444.0", ca_pem, -1);
  put("mutt/certificates/.index",
      "alice@example.org 11112222.0 my 33334444.0 t se\n"
      "ca 33334444.0 ca ../../etc/passwd t se\n",
      -1);
  g_autofree char *folder = at("mutt");
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) all = transfer_smime_keys_list(folder, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(all->len, ==, 1);
  const TransferHolding *holding = g_ptr_array_index(all, 0);
  g_assert_cmpstr(holding->addresses[0], ==, "alice@example.org");
  g_assert_cmpstr(holding->addresses[1], ==, "a.example@example.org");
  g_autoptr(TransferSource) source = transfer_smime_keys_open(holding, &error);
  g_assert_no_error(error);
  g_assert_null(source->path);
  g_assert_cmpuint(source->certificates->len, ==, 2);
}

static void
places_of_a_program_are_found_or_said(void)
{
  g_autofree char *folder = at("apps/.thunderbird");
  g_autofree char *none = at("files");
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) found = transfer_find("thunderbird", folder, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(found->len, ==, 1);
  g_assert_null(transfer_find("gpgsm", none, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
}

/* ---- setting up ---- */

static char *
pem_of_key(EVP_PKEY *key)
{
  BIO *bio = BIO_new(BIO_s_mem());
  char *data;
  PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
  long length = BIO_get_mem_data(bio, &data);
  char *text = g_strndup(data, (gsize)length);
  BIO_free(bio);
  return text;
}

static void
make_pems(void)
{
  alice = cert_key_new("ec:p256");
  CertRecipe own = { .key = alice, .name = "Alice", .address = "alice@example.org" };
  CertRecipe ca = { .key = alice, .name = "CA", .ca = TRUE };
  g_autoptr(GBytes) ca_der = cert_new(&ca);
  own_der = cert_new(&own);
  own_pem = cert_pem(own_der);
  ca_pem = cert_pem(ca_der);
  key_pem = pem_of_key(alice);
}

static void
remove_tree(const char *path)
{
  g_autoptr(GDir) inside = g_dir_open(path, 0, NULL);
  const char *name;
  while (inside && (name = g_dir_read_name(inside))) {
    g_autofree char *full = g_build_filename(path, name, NULL);
    if (g_file_test(full, G_FILE_TEST_IS_DIR) && !g_file_test(full, G_FILE_TEST_IS_SYMLINK))
      remove_tree(full);
    else
      unlink(full);
  }
  rmdir(path);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  home = g_dir_make_tmp("signet-scan-XXXXXX", NULL);
  make_pems();
#define T(path, function) g_test_add_func("/transfer/scan/" path, function)
  T("files-are-known-by-their-bytes", files_are_known_by_their_bytes);
  T("links-mail-and-caches-are-passed-over", links_mail_and_caches_are_passed_over);
  T("depth-is-bounded", depth_is_bounded);
  T("programs-are-known-by-their-files", programs_are_known_by_their_files);
  T("overlapping-folders-count-once", overlapping_folders_count_once);
  T("missing-folder-is-said", missing_folder_is_said);
  T("smime-keys-are-listed-and-opened", smime_keys_are_listed_and_opened);
  T("places-of-a-program-are-found-or-said", places_of_a_program_are_found_or_said);
#undef T
  int status = g_test_run();
  remove_tree(home);
  g_free(home);
  g_free(key_pem);
  g_free(own_pem);
  g_free(ca_pem);
  g_bytes_unref(own_der);
  EVP_PKEY_free(alice);
  return status;
}
