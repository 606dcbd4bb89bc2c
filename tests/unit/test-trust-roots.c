/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/path.h"
#include "test-cms-soft.h"
#include "trust/store.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>
#include <utime.h>

#define DAY (24 * 60 * 60)

/* A program in the place of signet-token: prints what lies in "roots", and leaves a line in "asked". */
static char *program;
static char *module;
static char *roots_file;
static char *asked_file;
static char *cache_file;

static SoftKey *
make(const SoftKey *issuer, gboolean ca, int not_before, int not_after)
{
  SoftWish wish = { "ec:p256", ca ? NULL : "alice@example.org", issuer, ca, not_before, not_after };
  return soft_key_new(&wish);
}

static void
write_program(const char *script)
{
  g_autofree char *text = g_strdup_printf("#!/bin/sh\necho \"$2\" >>%s\n%s\n", asked_file, script);
  g_assert_true(g_file_set_contents(program, text, -1, NULL));
  g_assert_cmpint(g_chmod(program, 0700), ==, 0);
}

static void
start_over(void)
{
  g_unlink(asked_file);
  g_unlink(cache_file);
  g_assert_true(g_file_set_contents(module, "a module", -1, NULL));
  g_autofree char *script = g_strdup_printf("cat %s", roots_file);
  write_program(script);
}

static void
list_roots(const SoftKey *root, const char *before)
{
  g_autofree char *pem = base_cert_to_pem(root->cert);
  g_autofree char *text = g_strdup_printf("%s# %s\n%s", before, root->cert->subject, pem);
  g_assert_true(g_file_set_contents(roots_file, text, -1, NULL));
}

static guint
times_asked(void)
{
  g_autofree char *text = NULL;
  guint lines = 0;
  if (g_file_get_contents(asked_file, &text, NULL, NULL))
    for (const char *at = text; *at; at++)
      lines += *at == '\n';
  return lines;
}

static TrustStore *
store_with(const char *chosen)
{
  g_autoptr(GError) error = NULL;
  TrustStore *store = trust_store_new(&error);
  g_assert_no_error(error);
  store->mail = trust_mail_roots_new_from(program, chosen);
  return store;
}

static void
assert_check(const char *chosen, const SoftKey *leaf, gboolean trusted, const char *says)
{
  g_autoptr(TrustStore) store = store_with(chosen);
  g_autoptr(TrustChain) chain = trust_chain_check(store, leaf->cert, NULL, 0);
  g_test_message("%s; %s", chain->root ? chain->root : "-", chain->reason);
  g_assert_cmpint(chain->trusted, ==, trusted);
  if (says)
    g_assert_nonnull(strstr(trusted ? chain->root : chain->reason, says));
}

static void
asked_once(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  start_over();
  list_roots(root, "");
  assert_check(module, leaf, TRUE, "(NSS, 2");
  assert_check(module, leaf, TRUE, "(NSS, 2");
  g_assert_cmpuint(times_asked(), ==, 1);
  assert_check("off", leaf, FALSE, "no trusted root");
  g_assert_cmpuint(times_asked(), ==, 1);
}

static void
newer_module(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) other = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(other, FALSE, -10, 100);
  struct utimbuf before = { 1000000000, 1000000000 };
  start_over();
  g_assert_cmpint(utime(module, &before), ==, 0);
  list_roots(root, "");
  assert_check(module, leaf, FALSE, "no trusted root");
  list_roots(other, "");
  assert_check(module, leaf, FALSE, "no trusted root");
  g_assert_cmpuint(times_asked(), ==, 1);
  g_assert_true(g_file_set_contents(module, "a newer module", -1, NULL));
  assert_check(module, leaf, TRUE, "(NSS, 2");
  g_assert_cmpuint(times_asked(), ==, 2);
}

static void
module_gone(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  g_autoptr(SoftKey) stranger = make(NULL, FALSE, -1, 10);
  g_autofree char *another = g_strconcat(module, ".other", NULL);
  start_over();
  list_roots(root, "");
  assert_check(module, leaf, TRUE, NULL);
  g_unlink(module);
  assert_check(module, leaf, TRUE, "(NSS, 2");
  g_autoptr(TrustStore) store = store_with(module);
  g_assert_nonnull(strstr(trust_store_mail_problem(store), "is not there"));
  g_assert_nonnull(trust_store_mail_origin(store));
  /* Another module is another matter: nothing of this one counts. */
  assert_check(another, leaf, FALSE, "is not there");
}

static void
broken_module(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  g_autoptr(SoftKey) own = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) own_leaf = make(own, FALSE, -10, 100);
  static const char *const scripts[] = {
    "echo '2026-01-01T00:00:00Z signet-token[1]: it is broken' >&2; exit 1", "kill -SEGV $$",
    "echo junk", "exec head -c 5000000 /dev/zero",
    "printf -- '-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n'"
  };
  for (gsize i = 0; i < G_N_ELEMENTS(scripts); i++) {
    start_over();
    write_program(scripts[i]);
    assert_check(module, leaf, FALSE, i == 0 ? "it is broken" : "(");
    assert_check(module, leaf, FALSE, NULL);
    g_assert_cmpuint(times_asked(), ==, 1); /* not again at each mail */
    g_autoptr(TrustStore) store = store_with(module);
    g_assert_true(trust_store_add(store, own->cert, "trust.d/ca.pem", NULL));
    g_autoptr(TrustChain) chain = trust_chain_check(store, own_leaf->cert, NULL, 0);
    g_assert_true(chain->trusted);
  }
}

/* A module that breaks later leaves what was had before. */
static void
broken_later(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  start_over();
  list_roots(root, "");
  assert_check(module, leaf, TRUE, NULL);
  write_program("exit 1");
  g_assert_true(g_file_set_contents(module, "broken by an update", -1, NULL));
  assert_check(module, leaf, TRUE, NULL);
  assert_check(module, leaf, TRUE, NULL);
  g_assert_cmpuint(times_asked(), ==, 2);
}

static void
hanging(void)
{
  g_autoptr(GError) error = NULL;
  start_over();
  write_program("exec sleep 60");
  gint64 start = g_get_monotonic_time();
  g_assert_null(trust_roots_run(program, module, 200, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TIMEOUT);
  g_assert_cmpint(g_get_monotonic_time() - start, <, 20 * G_USEC_PER_SEC);
  g_clear_error(&error);
  g_assert_null(trust_roots_run("/nonexistent/signet-token", module, 200, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
}

static void
withdrawn(void)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autoptr(SoftKey) root = make(NULL, TRUE, -100, 100);
  g_autoptr(SoftKey) early = make(root, FALSE, -20, 100);
  g_autoptr(SoftKey) late = make(root, FALSE, -5, 100);
  g_autofree char *line =
      g_strdup_printf("# distrust-after %" G_GINT64_FORMAT "\n", now - 10 * DAY);
  start_over();
  list_roots(root, line);
  assert_check(module, early, TRUE, NULL);
  assert_check(module, late, FALSE, "only for what it issued until 2");
  g_autoptr(TrustStore) store = store_with(module);
  g_autoptr(TrustWhy) why = trust_why(store, late->cert, NULL);
  g_assert_false(why->trusted);
  g_autoptr(GPtrArray) all = trust_store_list(store);
  g_assert_cmpint(((TrustRoot *)g_ptr_array_index(all, 0))->issued_until, ==, now - 10 * DAY);
  /* The person's own word is above the list's. */
  g_autoptr(TrustStore) mine = store_with(module);
  trust_store_add(mine, root->cert, "trust.d/ca.pem", NULL);
  g_autoptr(TrustChain) chain = trust_chain_check(mine, late->cert, NULL, 0);
  g_assert_true(chain->trusted);
  list_roots(root, "# distrust-after soon\n");
  g_assert_true(g_file_set_contents(module, "another", -1, NULL));
  assert_check(module, early, FALSE, "only for what it issued until 1970");
}

static void
damaged_cache(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  g_autofree char *text = NULL;
  gsize length = 0;
  start_over();
  list_roots(root, "");
  assert_check(module, leaf, TRUE, NULL);
  g_assert_true(g_file_get_contents(cache_file, &text, &length, NULL));
  for (gsize cut = 0; cut < length; cut++) {
    g_autoptr(GBytes) part = g_bytes_new(text, cut);
    g_autoptr(GError) error = NULL;
    g_assert_null(trust_cache_parse(part, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  }
  for (gsize at = 0; at < length; at++) {
    g_autofree char *changed = g_memdup2(text, length);
    changed[at] = (char)(changed[at] ^ 0x15);
    g_autoptr(GBytes) bytes = g_bytes_new(changed, length);
    g_autoptr(TrustCache) cache = trust_cache_parse(bytes, NULL);
    g_autoptr(GPtrArray) all = cache ? trust_cache_all(cache) : NULL;
  }
  g_assert_true(g_file_set_contents(cache_file, "junk", -1, NULL));
  assert_check(module, leaf, TRUE, NULL);
  g_assert_cmpuint(times_asked(), ==, 2);
}

/* What others may have written names nobody whom we trust. */
static void
foreign_cache(void)
{
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) other = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  g_autofree char *moved = g_strconcat(cache_file, ".moved", NULL);
  start_over();
  list_roots(root, "");
  assert_check(module, leaf, TRUE, NULL);
  list_roots(other, "");
  assert_check(module, leaf, TRUE, NULL);
  g_assert_cmpint(g_chmod(cache_file, 0620), ==, 0);
  assert_check(module, leaf, FALSE, "no trusted root");
  g_assert_cmpuint(times_asked(), ==, 2);
  g_assert_cmpint(g_rename(cache_file, moved), ==, 0);
  g_assert_cmpint(symlink(moved, cache_file), ==, 0);
  assert_check(module, leaf, FALSE, "no trusted root");
  g_assert_cmpuint(times_asked(), ==, 3);
  g_unlink(moved);
}

/* The real list, compared with what NSS's own tool counts elsewhere; here: it is cheap. */
static void
real_list(void)
{
  g_autofree char *real = g_strdup_printf("%s/signet-token", g_getenv("SIGNET_TEST_BUILD"));
  g_autoptr(SoftKey) root = make(NULL, TRUE, -10, 100);
  g_autoptr(SoftKey) leaf = make(root, FALSE, -10, 100);
  g_unlink(cache_file);
  g_autoptr(TrustMailRoots) roots = trust_mail_roots_new_from(real, NULL);
  if (!roots->cache || trust_cache_count(roots->cache) == 0) {
    g_test_skip("no libnssckbi.so, or no signet-token");
    return;
  }
  g_assert_cmpuint(trust_cache_count(roots->cache), >, 50);
  g_autoptr(GPtrArray) all = trust_cache_all(roots->cache);
  g_assert_cmpuint(all->len, ==, trust_cache_count(roots->cache));
  for (guint i = 0; i < all->len; i++) {
    const BaseCert *cert = g_ptr_array_index(all, i);
    X509 *x509 = base_cert_to_x509(cert, NULL);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
    trust_cache_find(roots->cache, trust_cache_hash(X509_get_subject_name(x509)), found);
    g_assert_cmpuint(found->len, >=, 1);
    X509_free(x509);
  }
  gint64 start = g_get_monotonic_time();
  for (int i = 0; i < 100; i++) {
    g_autoptr(TrustMailRoots) warm = trust_mail_roots_new_from(real, NULL);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
    trust_cache_find(warm->cache, trust_cache_hash(X509_get_issuer_name(leaf->x509)), found);
    g_assert_cmpuint(found->len, ==, 0);
  }
  double each = (double)(g_get_monotonic_time() - start) / 100 / 1000;
  g_test_message("%u roots; opening the kept list and looking one up: %.3f ms",
                 trust_cache_count(roots->cache), each);
  g_assert_cmpfloat(each, <, 20); /* 0.1 ms on an idle machine */
}

int
main(int argc, char **argv)
{
  g_setenv("XDG_CONFIG_HOME", soft_folder(), TRUE);
  g_setenv("XDG_STATE_HOME", soft_folder(), TRUE);
  g_test_init(&argc, &argv, NULL);
  program = g_build_filename(soft_folder(), "signet-token", NULL);
  module = g_build_filename(soft_folder(), "libnssckbi.so", NULL);
  roots_file = g_build_filename(soft_folder(), "roots", NULL);
  asked_file = g_build_filename(soft_folder(), "asked", NULL);
  g_autofree char *state = base_path_state();
  cache_file = g_build_filename(state, "mail-roots", NULL);
  g_test_add_func("/trust/roots/module-asked-once", asked_once);
  g_test_add_func("/trust/roots/newer-module-asked-again", newer_module);
  g_test_add_func("/trust/roots/module-gone-kept-list-serves", module_gone);
  g_test_add_func("/trust/roots/broken-module-said-others-work", broken_module);
  g_test_add_func("/trust/roots/broken-later-old-roots-stay", broken_later);
  g_test_add_func("/trust/roots/hanging-ended", hanging);
  g_test_add_func("/trust/roots/withdrawn-root-counts-for-earlier", withdrawn);
  g_test_add_func("/trust/roots/damaged-cache-made-anew", damaged_cache);
  g_test_add_func("/trust/roots/foreign-cache-made-anew", foreign_cache);
  g_test_add_func("/trust/roots/real-list-found-by-name", real_list);
  int status = g_test_run();
  g_unlink(cache_file);
  g_rmdir(state);
  soft_folder_remove();
  g_free(program);
  g_free(module);
  g_free(roots_file);
  g_free(asked_file);
  g_free(cache_file);
  return status;
}
