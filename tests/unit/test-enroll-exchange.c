/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "enroll/exchange.h"
#include "enroll/transfer.h"

static void
check_url(const char *text, const char *host, int port, const char *path)
{
  g_autoptr(GError) error = NULL;
  g_auto(BaseUrl) url = { 0 };
  gboolean read = enroll_url_parse(text, &url, &error);
  g_assert_cmpint(read, ==, host != NULL);
  g_assert_cmpstr(url.host, ==, host);
  if (!host) {
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
    return;
  }
  g_assert_cmpint(url.port_number, ==, port);
  g_assert_cmpstr(url.path, ==, path);
  g_assert_cmpint(url.tls, ==, g_str_has_prefix(text, "https"));
}

static void
test_url(void)
{
  check_url("http://ca.example.org/pkix/", "ca.example.org", 80, "/pkix/");
  check_url("http://ca.example.org:8080/pkix/", "ca.example.org", 8080, "/pkix/");
  check_url("https://ca.example.org", "ca.example.org", 443, "/");
  check_url("http://[::1]:829/x", "::1", 829, "/x");
  check_url("ca.example.org", NULL, 0, NULL);
  check_url("ftp://ca.example.org/", NULL, 0, NULL);
  check_url("http://", NULL, 0, NULL);
  check_url("http://user@ca.example.org/", NULL, 0, NULL);
  check_url("http://ca.example.org/?a=b", NULL, 0, NULL);
  check_url("http://ca.example.org/#x", NULL, 0, NULL);
  check_url("http://ca.example.org:0/", NULL, 0, NULL);
  check_url("ldap://ca.example.org/", NULL, 0, NULL);
  check_url("http://ca.example.org:99999/", NULL, 0, NULL);
  check_url("http://ca.example.org/a b", NULL, 0, NULL);
  check_url("http://ca.example.org/\r\nHost: x", NULL, 0, NULL);
  check_url("http://caf\xc3\xa9.example.org/", NULL, 0, NULL);
  g_autofree char *path = g_strnfill(3000, 'x');
  g_autofree char *wide = g_strdup_printf("http://ca.example.org/%s", path);
  check_url(wide, NULL, 0, NULL);
}

static void
check_server(EnrollServer server, EnrollKind kind, gboolean can_sign, gboolean fine)
{
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(enroll_check_server(&server, kind, can_sign, &error), ==, fine);
  if (!fine)
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

static void
test_server(void)
{
  g_autoptr(BaseSecret) secret = base_secret_new_from("geheim", 6);
  g_autoptr(GPtrArray) one = g_ptr_array_new(), two = g_ptr_array_new();
  g_ptr_array_add(one, secret);
  g_ptr_array_add(two, secret);
  g_ptr_array_add(two, secret);
  EnrollServer good = { .url = "http://ca/", .timeout_s = 5, .secret = secret }, bad = good;
  check_server(good, ENROLL_INITIAL, FALSE, TRUE);
  bad.secret = NULL;
  check_server(bad, ENROLL_INITIAL, FALSE, FALSE);
  check_server(bad, ENROLL_KEY_UPDATE, TRUE, FALSE); /* nothing vouches for the answers */
  bad.roots = one;
  check_server(bad, ENROLL_INITIAL, FALSE, FALSE);
  check_server(bad, ENROLL_INITIAL, TRUE, TRUE);
  check_server(bad, ENROLL_KEY_UPDATE, TRUE, TRUE);
  bad.certificates = one;
  check_server(bad, ENROLL_KEY_UPDATE, TRUE, FALSE);
  bad.roots = NULL;
  check_server(bad, ENROLL_KEY_UPDATE, TRUE, TRUE);
  bad.certificates = two;
  check_server(bad, ENROLL_KEY_UPDATE, TRUE, FALSE);
  bad = good;
  bad.timeout_s = 0;
  check_server(bad, ENROLL_INITIAL, FALSE, FALSE);
  bad.timeout_s = ENROLL_TIMEOUT_MAX_S + 1;
  check_server(bad, ENROLL_INITIAL, FALSE, FALSE);
  bad = good;
  bad.recipient = "nobody";
  check_server(bad, ENROLL_INITIAL, FALSE, FALSE);
  bad.recipient = NULL;
  bad.profile = "";
  check_server(bad, ENROLL_INITIAL, FALSE, FALSE);
}

/* --proxy is one host and port. */
static void
test_proxy(void)
{
  static const char *const bad[] = { "https://p:1/", "http://p/x", "", "p:99999", "a b" };
  EnrollServer server = { .url = "http://ca/", .timeout_s = 5 };
  g_autoptr(GError) error = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_auto(EnrollTransfer) transfer = { 0 };
    server.proxy = bad[i];
    g_assert_false(enroll_transfer_open(&transfer, &server, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
    g_clear_error(&error);
  }
  g_auto(EnrollTransfer) transfer = { 0 };
  server.proxy = "proxy.example.org:3128";
  g_assert_true(enroll_transfer_open(&transfer, &server, NULL));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/enroll/exchange/addresses-of-a-ca-are-read-or-refused", test_url);
  g_test_add_func("/enroll/exchange/a-server-that-nothing-vouches-for-is-refused", test_server);
  g_test_add_func("/enroll/exchange/only-the-proxy-that-is-named-is-used", test_proxy);
  return g_test_run();
}
