/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/issue.h"

static void
check(const char *name, const char *address, int code)
{
  g_autoptr(GError) error = NULL;
  const char *addresses[] = { "alice@example.org", address, NULL };
  CliSubject subject = { .name = name, .addresses = addresses };
  gboolean fine = cli_issue_check(&subject, &error);
  g_assert_cmpint(fine, ==, code < 0);
  if (code >= 0)
    g_assert_error(error, SIGNET_ERROR, code);
}

static void
test_check(void)
{
  check("Alice", "b@example.org", -1);
  check(NULL, "b@example.org", -1);
  check("", "b@example.org", SIGNET_ERROR_USAGE);
  check("bad \xff", "b@example.org", SIGNET_ERROR_USAGE);
  check("Alice", "nobody", SIGNET_ERROR_USAGE);
  check("Alice", "a b@example.org", SIGNET_ERROR_USAGE);
  check("Alice", "caf\xc3\xa9@example.org", SIGNET_ERROR_UNSUPPORTED);
  /* RFC 5280: 64 characters, not bytes */
  g_autofree char *wide = g_strnfill(65, 'x');
  check(wide, "b@example.org", SIGNET_ERROR_USAGE);
  GString *accents = g_string_new(NULL);
  for (int i = 0; i < 64; i++)
    g_string_append(accents, "\xc3\xa9");
  check(accents->str, "b@example.org", -1);
  g_string_free(accents, TRUE);
}

static void
test_request_pem(void)
{
  g_autoptr(GBytes) der =
      g_bytes_new_static("0123456789012345678901234567890123456789012345678", 49);
  g_autoptr(GBytes) pem = cli_issue_request_pem(der);
  g_autofree char *text = g_strndup(g_bytes_get_data(pem, NULL), g_bytes_get_size(pem));
  g_assert_cmpstr(text, ==,
                  "-----BEGIN CERTIFICATE REQUEST-----\n"
                  "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3\n"
                  "OA==\n"
                  "-----END CERTIFICATE REQUEST-----\n");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cli/issue/what-a-certificate-cannot-hold-is-refused", test_check);
  g_test_add_func("/cli/issue/request-in-pem", test_request_pem);
  return g_test_run();
}
