/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-cms-soft.h"
#include "trust/trust.h"

#include <glib/gstdio.h>
#include <string.h>

static SoftKey *
make(const SoftKey *issuer, gboolean ca, int not_before, int not_after)
{
  SoftWish wish = { "ec:p256", ca ? NULL : "alice@example.org", issuer, ca, not_before, not_after };
  return soft_key_new(&wish);
}

static TrustStore *
empty_store(void)
{
  g_autoptr(GError) error = NULL;
  TrustStore *store = trust_store_new(&error);
  g_assert_no_error(error);
  return store;
}

static void
assert_chain(TrustStore *store, const SoftKey *key, GPtrArray *between, gint64 when,
             const char *untrusted_because)
{
  g_autoptr(TrustChain) chain = trust_chain_check(store, key->cert, between, when);
  g_test_message("%s", chain->reason ? chain->reason : "trusted");
  g_assert_cmpint(chain->trusted, ==, untrusted_because == NULL);
  if (untrusted_because)
    g_assert_nonnull(strstr(chain->reason, untrusted_because));
  else
    g_assert_nonnull(chain->root);
}

static void
test_chain(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) middle = make(root, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(middle, FALSE, -10, 100);
  g_autoptr(GPtrArray) between = g_ptr_array_new();
  g_autoptr(TrustStore) store = empty_store();
  assert_chain(store, leaf, NULL, 0, "which is neither trusted for mail nor in the message");
  g_ptr_array_add(between, middle->cert);
  g_ptr_array_add(between, root->cert);
  assert_chain(store, leaf, between, 0, "is not trusted for mail");
  g_assert_true(trust_store_add(store, root->cert, "trust.d/ca.pem", NULL));
  assert_chain(store, leaf, between, 0, NULL);
  assert_chain(store, leaf, NULL, 0, "no trusted root");
  g_autoptr(TrustChain) chain = trust_chain_check(store, leaf->cert, between, 0);
  g_autofree char *expected = g_strdup_printf("%s (trust.d/ca.pem)", root->cert->subject);
  g_assert_cmpstr(chain->root, ==, expected);
  g_assert_null(chain->reason);
  g_assert_cmpuint(chain->path->len, ==, 3);
  g_assert_false(chain->confirmed);
}

/* An intermediate in the store is no root: no partial chains. */
static void
test_intermediate(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) middle = make(root, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(middle, FALSE, -10, 100);
  g_autoptr(TrustStore) store = empty_store();
  trust_store_add(store, middle->cert, "x", NULL);
  assert_chain(store, leaf, NULL, 0, "no trusted root");
}

static void
test_dates(void)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(SoftKey) root = make(NULL, TRUE, -100, 100);
  g_autoptr(SoftKey) expired = make(root, FALSE, -50, -5);
  g_autoptr(SoftKey) early = make(root, FALSE, 5, 50);
  g_autoptr(TrustStore) store = empty_store();
  trust_store_add(store, root->cert, "x", NULL);
  assert_chain(store, expired, NULL, 0, "expired on 2");
  assert_chain(store, expired, NULL, now - 10 * 86400, NULL);
  assert_chain(store, early, NULL, 0, "is valid only from 2");
}

static void
test_unfit(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) alice = make(root, FALSE, -10, 100);
  SoftWish by_alice_wish = { "ec:p384", "bob@example.org", alice, FALSE, -1, 30 };
  g_autoptr(SoftKey) by_alice = soft_key_new(&by_alice_wish);
  SoftWish weak_wish = { "rsa:1024", "w@example.org", root, FALSE, -1, 30 };
  g_autoptr(SoftKey) weak = soft_key_new(&weak_wish);
  g_autoptr(GPtrArray) between = g_ptr_array_new();
  g_autoptr(TrustStore) store = empty_store();
  trust_store_add(store, root->cert, "x", NULL);
  g_ptr_array_add(between, alice->cert);
  assert_chain(store, by_alice, between, 0, "may not issue certificates");
  assert_chain(store, weak, NULL, 0, "too short");
}

static void
test_self_signed(void)
{
  g_autoptr(SoftKey) own = make(NULL, FALSE, -1, 30);
  g_autoptr(TrustStore) store = empty_store();
  assert_chain(store, own, NULL, 0, "is self-signed and not trusted for mail");
  trust_store_add(store, own->cert, "x", NULL);
  assert_chain(store, own, NULL, 0, NULL);
}

static void
test_folder(void)
{
  g_autofree char *config = g_build_filename(g_getenv("XDG_CONFIG_HOME"), "signet", NULL);
  g_autofree char *folder = g_build_filename(config, "trust.d", NULL);
  g_autofree char *good = g_build_filename(folder, "ca.pem", NULL);
  g_autofree char *bad = g_build_filename(folder, "junk.pem", NULL);
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  g_autofree char *pem = base_cert_to_pem(root->cert);
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
  g_assert_true(g_file_set_contents(good, pem, -1, NULL));
  TrustStore *store = empty_store();
  assert_chain(store, leaf, NULL, 0, NULL);
  trust_store_free(store);
  g_assert_true(g_file_set_contents(bad, "junk\n", -1, NULL));
  g_assert_null(trust_store_new(&error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_assert_nonnull(strstr(error->message, "junk.pem"));
  g_unlink(good);
  g_unlink(bad);
  g_rmdir(folder);
  g_rmdir(config);
}

int
main(int argc, char **argv)
{
  g_setenv("XDG_CONFIG_HOME", soft_folder(), TRUE);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/trust/chain/root-of-mine-trusted", test_chain);
  g_test_add_func("/trust/chain/intermediate-no-root", test_intermediate);
  g_test_add_func("/trust/chain/dates-said", test_dates);
  g_test_add_func("/trust/chain/unfit-untrusted", test_unfit);
  g_test_add_func("/trust/chain/self-signed-only-when-added", test_self_signed);
  g_test_add_func("/trust/store/folder-read-junk-named", test_folder);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
