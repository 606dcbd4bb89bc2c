/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

static void
null_error_pointer_is_fine(void)
{
  g_assert_false(base_error_set(NULL, SIGNET_ERROR_IO, "x"));
  g_assert_false(base_error_set_errno(NULL, EIO, "x"));
  g_assert_false(base_error_set_openssl(NULL, SIGNET_ERROR_FAILED, "x"));
  base_error_suggest(NULL, "signet", NULL);
  base_error_name_token(NULL, "alice");
  base_error_count_tries(NULL, 1);
  GError *none = NULL;
  base_error_suggest(&none, "signet", NULL);
  base_error_name_token(&none, "alice");
  base_error_count_tries(&none, 1);
  g_assert_null(base_error_details(NULL));
  g_assert_null(signet_error_get_details(NULL));
  g_assert_cmpint(base_error_exit_status(NULL), ==, 1);
}

static void
foreign_domain_has_no_details(void)
{
  g_autoptr(GError) error = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_IO, "x");
  g_assert_null(signet_error_get_details(error));
  g_assert_null(base_error_details(error));
  base_error_suggest(&error, "signet", NULL);
  base_error_count_tries(&error, 1);
  g_assert_cmpint(base_error_exit_status(error), ==, 1);
}

static void
new_error_has_empty_details(void)
{
  g_autoptr(GError) error = NULL;
  g_assert_false(base_error_set(&error, SIGNET_ERROR_PIN_INCORRECT, "wrong PIN for %s", "alice"));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_assert_cmpstr(error->message, ==, "wrong PIN for alice");
  const SignetErrorDetails *details = signet_error_get_details(error);
  g_assert_nonnull(details);
  g_assert_cmpint(details->tries_left, ==, -1);
  g_assert_null(details->token);
  g_assert_null(details->candidates);
  g_assert_null(details->try_command);
}

static void
details_survive_copy_and_prefix(void)
{
  g_autoptr(GError) error = NULL;
  const char *const candidates[] = { "one", "two", NULL };
  base_error_set(&error, SIGNET_ERROR_AMBIGUOUS, "several");
  base_error_name_token(&error, "first");
  base_error_name_token(&error, "alice"); /* replaces, without a leak */
  base_error_count_tries(&error, 2);
  base_error_suggest(&error, "signet", "token", NULL);
  base_error_suggest(&error, "signet", "id", "list", NULL);
  base_error_details(error)->candidates = g_strdupv((char **)(gintptr)candidates);

  g_autoptr(GError) copy = g_error_copy(error);
  g_clear_error(&error);
  g_prefix_error(&copy, "doing it: ");
  const SignetErrorDetails *details = signet_error_get_details(copy);
  g_assert_cmpstr(copy->message, ==, "doing it: several");
  g_assert_cmpint(details->tries_left, ==, 2);
  g_assert_cmpstr(details->token, ==, "alice");
  g_assert_true(g_strv_equal((const char *const *)details->candidates, candidates));
  g_assert_cmpuint(g_strv_length(details->try_command), ==, 3);
  g_assert_cmpstr(details->try_command[2], ==, "list");
}

static void
every_code_has_one_name(void)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  for (int code = SIGNET_ERROR_FAILED; code <= SIGNET_ERROR_REFUSED; code++) {
    const char *name = base_error_name(code);
    g_autofree char *full = base_error_varlink_name(code);
    g_assert_true(g_hash_table_add(seen, (gpointer)(gintptr)name));
    g_assert_true(g_str_has_prefix(full, "org.signet.Error."));
    g_assert_cmpint(base_error_code_from_name(name), ==, code);
    g_assert_cmpint(base_error_code_from_name(full), ==, code);
  }
  g_assert_cmpstr(base_error_name(12345), ==, "Failed");
  g_assert_cmpint(base_error_code_from_name("NoSuch"), ==, SIGNET_ERROR_FAILED);
  g_assert_cmpint(base_error_code_from_name(""), ==, SIGNET_ERROR_FAILED);
  g_assert_cmpint(base_error_code_from_name(NULL), ==, SIGNET_ERROR_FAILED);
}

/* cli.md's table of exit statuses. */
static void
code_decides_exit_status(void)
{
  static const struct {
    SignetError code;
    int status;
  } cases[] = {
    { SIGNET_ERROR_FAILED, 1 },
    { SIGNET_ERROR_USAGE, 2 },
    { SIGNET_ERROR_BAD_INPUT, 1 },
    { SIGNET_ERROR_NO_DAEMON, 1 },
    { SIGNET_ERROR_NOT_GOOD, 3 },
    { SIGNET_ERROR_NOT_FOUND, 4 },
    { SIGNET_ERROR_AMBIGUOUS, 4 },
    { SIGNET_ERROR_NONE_USABLE, 4 },
    { SIGNET_ERROR_PIN_REQUIRED, 5 },
    { SIGNET_ERROR_CANCELLED, 5 },
    { SIGNET_ERROR_TOKEN_GONE, 6 },
    { SIGNET_ERROR_TIMEOUT, 6 },
    { SIGNET_ERROR_DENIED, 8 },
    { SIGNET_ERROR_REFUSED, 8 },
    { SIGNET_ERROR_RECIPIENTS_MISSING, 7 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    base_error_set(&error, cases[i].code, "x");
    g_assert_cmpint(base_error_exit_status(error), ==, cases[i].status);
  }
}

static void
full_disk_says_so(void)
{
  g_autoptr(GError) error = NULL;
  base_error_set_errno(&error, ENOSPC, "cannot write %s", "/x");
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_assert_cmpstr(error->message, ==, "cannot write /x: no space left on the disk");
}

static void
openssl_reason_is_taken_and_queue_emptied(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GError) other = NULL;
  const guint8 bytes[] = { 0x02, 0x01, 0x00 };
  const guint8 *at = bytes;
  g_assert_null(d2i_X509(NULL, &at, sizeof bytes));
  base_error_set_openssl(&error, SIGNET_ERROR_BAD_INPUT, "bad %d", 1);
  g_assert_true(g_str_has_prefix(error->message, "bad 1: "));
  g_assert_cmpuint(ERR_peek_error(), ==, 0);
  base_error_set_openssl(&other, SIGNET_ERROR_BAD_INPUT, "bad");
  g_assert_cmpstr(other->message, ==, "bad");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/base/error/null-error-pointer-is-fine", null_error_pointer_is_fine);
  g_test_add_func("/base/error/foreign-domain-has-no-details", foreign_domain_has_no_details);
  g_test_add_func("/base/error/new-error-has-empty-details", new_error_has_empty_details);
  g_test_add_func("/base/error/details-survive-copy-and-prefix", details_survive_copy_and_prefix);
  g_test_add_func("/base/error/every-code-has-one-name", every_code_has_one_name);
  g_test_add_func("/base/error/code-decides-exit-status", code_decides_exit_status);
  g_test_add_func("/base/error/full-disk-says-so", full_disk_says_so);
  g_test_add_func("/base/error/openssl-reason-is-taken-and-queue-emptied",
                  openssl_reason_is_taken_and_queue_emptied);
  return g_test_run();
}
