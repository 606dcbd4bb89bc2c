/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-cms-soft.h"
#include "trust/distrust.h"
#include "trust/store.h"

#include <glib/gstdio.h>
#include <string.h>

static SoftKey *
make(const SoftKey *issuer, gboolean ca, int not_before, int not_after)
{
  SoftWish wish = { "ec:p256", ca ? NULL : "alice@example.org", issuer, ca, not_before, not_after };
  return soft_key_new(&wish);
}

/* Without a module, so that the machine's own roots are no part of this. */
static TrustStore *
open_store(void)
{
  g_autoptr(GError) error = NULL;
  TrustStore *store = trust_store_new(&error);
  g_assert_no_error(error);
  store->mail = trust_mail_roots_new_from("/nonexistent", "off");
  return store;
}

static gboolean
trusted(const SoftKey *leaf, GPtrArray *between, const char *says)
{
  g_autoptr(TrustStore) store = open_store();
  g_autoptr(TrustChain) chain = trust_chain_check(store, leaf->cert, between, 0);
  g_test_message("%s", chain->reason);
  if (says)
    g_assert_nonnull(strstr(chain->reason, says));
  return chain->trusted;
}

static void
empty_folder(void)
{
  g_autofree char *folder = trust_store_user_folder();
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_unlink(path);
  }
}

static const TrustRoot *
only_root(GPtrArray *all)
{
  g_assert_cmpuint(all->len, ==, 1);
  return g_ptr_array_index(all, 0);
}

static void
add_and_remove(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  g_autofree char *path = trust_root_path(root->cert);
  g_autofree char *removed_path = NULL;
  g_autoptr(GError) error = NULL;
  gboolean removed = FALSE;
  empty_folder();
  g_assert_false(trusted(leaf, NULL, NULL));
  g_assert_true(trust_add_root(root->cert, &error));
  g_assert_true(trust_add_root(root->cert, &error)); /* again is fine */
  g_assert_no_error(error);
  g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
  g_assert_nonnull(strstr(path, root->cert->fingerprint));
  g_assert_true(trusted(leaf, NULL, NULL));

  g_autoptr(TrustStore) store = open_store();
  g_autoptr(GPtrArray) all = trust_store_list(store);
  const TrustRoot *listed = only_root(all);
  g_assert_cmpint(listed->place, ==, TRUST_PLACE_USER);
  g_assert_cmpstr(listed->path, ==, path);
  g_assert_true(trust_remove_root(listed, &removed_path, &removed, &error));
  g_assert_true(removed);
  g_assert_cmpstr(removed_path, ==, path);
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
  g_assert_false(trusted(leaf, NULL, NULL));
}

static void
what_fits(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) middle = make(root, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  g_autoptr(SoftKey) self = make(NULL, FALSE, -10, 100);
  g_autoptr(GError) error = NULL;
  empty_folder();
  g_assert_cmpint(trust_root_fit(root->cert), ==, TRUST_FIT_ROOT);
  g_assert_cmpint(trust_root_fit(middle->cert), ==, TRUST_FIT_INTERMEDIATE);
  g_assert_cmpint(trust_root_fit(leaf->cert), ==, TRUST_FIT_NOT);
  g_assert_cmpint(trust_root_fit(self->cert), ==, TRUST_FIT_SELF);
  g_assert_true(trust_root_is_for_mail(root->cert));
  g_assert_true(trust_root_is_for_mail(self->cert));
  g_assert_false(trust_add_root(leaf->cert, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_REFUSED);
  g_assert_nonnull(strstr(error->message, root->cert->subject));
  g_assert_true(trust_add_root(self->cert, NULL));
  g_assert_true(trusted(self, NULL, NULL));
  g_assert_false(trusted(leaf, NULL, NULL));
  empty_folder();
}

/* One file with two: it is the person's, and stays. */
static void
shared_file(void)
{
  g_autoptr(SoftKey) one = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) two = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(one, FALSE, -10, 100);
  g_autoptr(SoftKey) other = make(two, FALSE, -10, 100);
  g_autofree char *folder = trust_store_user_folder();
  g_autofree char *bundle = g_build_filename(folder, "bundle.pem", NULL);
  g_autofree char *first = base_cert_to_pem(one->cert);
  g_autofree char *second = base_cert_to_pem(two->cert);
  g_autofree char *both = g_strconcat(first, second, NULL);
  g_autofree char *path = NULL;
  gboolean removed = TRUE;
  empty_folder();
  g_mkdir_with_parents(folder, 0700);
  g_assert_true(g_file_set_contents(bundle, both, -1, NULL));
  g_assert_true(trusted(leaf, NULL, NULL));
  g_autoptr(TrustStore) store = open_store();
  g_autoptr(GPtrArray) all = trust_store_list(store);
  g_assert_true(trust_remove_root(g_ptr_array_index(all, 0), &path, &removed, NULL));
  g_assert_false(removed);
  g_assert_true(g_str_has_suffix(path, "trust.d/distrust"));
  g_assert_false(trusted(leaf, NULL, NULL));
  g_assert_true(trusted(other, NULL, NULL));
  g_assert_true(trust_add_root(one->cert, NULL)); /* the person thought better of it */
  g_assert_true(trusted(leaf, NULL, NULL));
  empty_folder();
}

static void
distrust_file(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) middle = make(root, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(middle, FALSE, -10, 100);
  g_autoptr(GPtrArray) between = g_ptr_array_new();
  g_autofree char *folder = trust_store_user_folder();
  g_autofree char *path = g_build_filename(folder, "distrust", NULL);
  g_autofree char *upper = g_ascii_strup(middle->cert->fingerprint, -1);
  g_autofree char *text = g_strdup_printf("# mine\n\n  %s  Middle\n", upper);
  g_autoptr(GError) error = NULL;
  empty_folder();
  g_ptr_array_add(between, middle->cert);
  g_assert_true(trust_add_root(root->cert, NULL));
  g_assert_true(trusted(leaf, between, NULL));
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
  g_assert_false(trusted(leaf, between, "is distrusted by")); /* an intermediate, too */
  g_autoptr(TrustStore) store = open_store();
  g_autoptr(TrustWhy) why = trust_why(store, leaf->cert, between);
  g_assert_false(why->trusted);
  g_assert_true(trust_distrust_drop(middle->cert->fingerprint, NULL));
  g_assert_true(trusted(leaf, between, NULL));
  g_autofree char *rest = NULL;
  g_assert_true(g_file_get_contents(path, &rest, NULL, NULL));
  g_assert_cmpstr(rest, ==, "# mine\n\n");
  g_assert_true(g_file_set_contents(path, "", -1, NULL));
  g_assert_true(trusted(leaf, between, NULL));
  /* A line that says nothing must not be taken for one that trusts. */
  g_assert_true(g_file_set_contents(path, "# mine\nabcdef\n", -1, NULL));
  g_assert_null(trust_store_new(&error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_assert_nonnull(strstr(error->message, "line 2"));
  empty_folder();
}

static const TrustStep *
step(const TrustWhy *why, guint at)
{
  g_assert_cmpuint(at, <, why->steps->len);
  return g_ptr_array_index(why->steps, at);
}

static void
assert_says(const TrustStep *one, const char *says)
{
  for (guint i = 0; i < one->problems->len; i++)
    if (strstr(g_ptr_array_index(one->problems, i), says))
      return;
  g_error("%s is not said", says);
}

static void
why_of_chains(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) middle = make(root, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(middle, FALSE, -50, -5);
  g_autoptr(GPtrArray) between = g_ptr_array_new();
  g_autoptr(TrustStore) store = open_store();
  empty_folder();
  g_autoptr(TrustWhy) missing = trust_why(store, leaf->cert, NULL);
  g_assert_cmpuint(missing->steps->len, ==, 1);
  g_assert_false(missing->trusted);
  assert_says(step(missing, 0), "no trusted root");
  assert_says(step(missing, 0), "expired"); /* all that is wrong, not only the first */
  g_assert_cmpint(missing->need, ==, TRUST_NEEDS_OTHER);

  g_ptr_array_add(between, middle->cert);
  g_ptr_array_add(between, root->cert);
  g_autoptr(SoftKey) good = make(middle, FALSE, -1, 100);
  g_autoptr(TrustWhy) untrusted = trust_why(store, good->cert, between);
  g_assert_cmpuint(untrusted->steps->len, ==, 3);
  g_assert_cmpint(untrusted->need, ==, TRUST_NEEDS_ROOT);
  g_assert_cmpuint(step(untrusted, 0)->problems->len, ==, 0);
  assert_says(step(untrusted, 2), "not trusted for mail");

  trust_store_add(store, root->cert, "trust.d/ca.pem", NULL);
  g_autoptr(TrustWhy) fine = trust_why(store, good->cert, between);
  g_assert_true(fine->trusted);
  g_assert_cmpint(fine->need, ==, TRUST_NEEDS_NOTHING);
  g_assert_cmpstr(step(fine, 2)->origin, ==, "trust.d/ca.pem");
  g_autoptr(TrustWhy) of_root = trust_why(store, root->cert, NULL);
  g_assert_true(of_root->trusted);

  SoftWish wish = { "ec:p384", "bob@example.org", good, FALSE, -1, 100 };
  g_autoptr(SoftKey) by_leaf = soft_key_new(&wish);
  g_ptr_array_add(between, good->cert);
  g_autoptr(TrustWhy) no_ca = trust_why(store, by_leaf->cert, between);
  g_assert_false(no_ca->trusted);
  assert_says(step(no_ca, 1), "may not issue certificates");
  g_autoptr(TrustWhy) gap = trust_why(store, good->cert, NULL);
  g_assert_cmpint(gap->need, ==, TRUST_NEEDS_ISSUER);
}

int
main(int argc, char **argv)
{
  g_setenv("XDG_CONFIG_HOME", soft_folder(), TRUE);
  g_setenv("XDG_STATE_HOME", soft_folder(), TRUE);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/trust/add/added-trusted-removed-not", add_and_remove);
  g_test_add_func("/trust/add/only-what-can-be-a-root", what_fits);
  g_test_add_func("/trust/add/shared-file-stays", shared_file);
  g_test_add_func("/trust/distrust/file-obeyed-junk-refused", distrust_file);
  g_test_add_func("/trust/why/every-step-said", why_of_chains);
  int status = g_test_run();
  empty_folder();
  g_autofree char *folder = trust_store_user_folder();
  g_autofree char *config = g_path_get_dirname(folder);
  g_rmdir(folder);
  g_rmdir(config);
  soft_folder_remove();
  return status;
}
