/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/http.h"
#include "base/resolve.h"
#include "base/url.h"
#include "http-server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>

#define ANSWER_MAX 100000
#define MS 2000

static HttpServer *server;

/* Its thread may look at it until it has ended. */
static void
stop_server(void)
{
  http_server_free(server);
  server = NULL;
}

static GBytes *
ask(BaseHttp http, GError **error)
{
  g_autofree char *url = http.url ? g_strdup(http.url) : http_server_url(server, "x");
  http.url = url;
  http.max = ANSWER_MAX;
  if (!http.deadline)
    http.deadline = base_deadline_in(MS);
  return base_http_bytes(&http, error);
}

/* ---- addresses ---- */

static void
check_url(const char *text, const char *host, int port, const char *path)
{
  g_auto(BaseUrl) url = { 0 };
  g_assert_cmpint(base_url_parse(text, &url), ==, host != NULL);
  g_assert_cmpstr(url.host, ==, host);
  if (host) {
    g_assert_cmpint(url.port_number, ==, port);
    g_assert_cmpstr(url.path, ==, path);
  }
}

static void
test_url(void)
{
  check_url("http://a.example/b?c=d", "a.example", 80, "/b?c=d");
  check_url("HTTP://a.example?c", "a.example", 80, "/?c");
  check_url("https://[2001:db8::1]:8443", "2001:db8::1", 8443, "/");
  check_url("ldap://dir/cn=CA,o=x?certificateRevocationList;binary?base", "dir", 389,
            "/cn=CA,o=x?certificateRevocationList;binary?base");
  static const char *const bad[] = {
    "",           "a",           "http:",       "http://",        "http:///x",      "file:///etc/x",
    "http://a b", "http://a:0/", "http://a:/x", "http://a:65536", "http://[::1",    "http://[x]/",
    "http://u@a", "http://a/#f", "http://-a/",  "http://a\r\nb",  "http://[::1]80", "http://a:1x/",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
    if (strcmp(bad[i], "http://a:/x") != 0) /* RFC 3986 3.2.3: an empty port is the usual one */
      check_url(bad[i], NULL, 0, NULL);
  check_url("http://a:/x", "a", 80, "/x");
}

static void
test_proxy_text(void)
{
  static const char *const bad[] = { "https://p:1/", "http://p/x", "", "p:99999", "a b" };
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_auto(BaseUrl) url = { 0 };
    g_assert_false(base_url_parse_proxy(bad[i], &url));
  }
  g_auto(BaseUrl) url = { 0 };
  g_assert_true(base_url_parse_proxy("proxy.example.org:3128", &url));
  g_assert_cmpstr(url.host, ==, "proxy.example.org");
  g_assert_cmpint(url.port_number, ==, 3128);
}

static gboolean
is_local(const char *text)
{
  struct sockaddr_in in = { .sin_family = AF_INET };
  struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
  if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
    return base_resolve_is_local((struct sockaddr *)&in);
  g_assert_cmpint(inet_pton(AF_INET6, text, &in6.sin6_addr), ==, 1);
  return base_resolve_is_local((struct sockaddr *)&in6);
}

static void
test_local(void)
{
  static const char *const local[] = {
    "127.0.0.1",
    "127.9.9.9",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "0.0.0.0",
    "169.254.1.1",
    "100.64.1.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::192.168.0.1",
    "64:ff9b:1::192.168.0.1",
    "2002:7f00:1::",
    "::127.0.0.1",
  };
  static const char *const far[] = { "9.9.9.9",        "11.0.0.1",        "172.32.0.1",
                                     "172.15.0.1",     "192.169.0.1",     "100.128.0.1",
                                     "2a00::1",        "2001:db8::1",     "::ffff:9.9.9.9",
                                     "2002:909:909::", "64:ff9b::9.9.9.9" };
  for (gsize i = 0; i < G_N_ELEMENTS(local); i++)
    g_assert_true(is_local(local[i]));
  for (gsize i = 0; i < G_N_ELEMENTS(far); i++)
    g_assert_false(is_local(far[i]));
}

/* ---- good answers ---- */

static void
serve_text(int fd, const GString *question G_GNUC_UNUSED, gpointer data)
{
  http_say(fd, data);
}

static void
assert_bytes(GBytes *got, const char *expected)
{
  g_autoptr(GString) text = g_string_new(NULL);
  g_string_append_len(text, g_bytes_get_data(got, NULL), (gssize)g_bytes_get_size(got));
  g_assert_cmpstr(text->str, ==, expected);
}

static void
expect(const char *answer, const char *body, int code)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *copy = g_strdup(answer);
  server = http_server_new(serve_text, copy);
  g_autoptr(GBytes) got = ask((BaseHttp){ 0 }, &error);
  stop_server();
  if (body) {
    g_assert_no_error(error);
    assert_bytes(got, body);
  } else {
    g_assert_null(got);
    g_assert_error(error, SIGNET_ERROR, code);
  }
}

#define OK "HTTP/1.1 200 OK\r\n"

static void
test_good(void)
{
  expect(OK "Content-Length: 5\r\n\r\nhello", "hello", 0);
  expect(OK "Content-Length: 5\r\n\r\nhello, and more", "hello", 0);
  expect(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "hello", 0);
  expect("HTTP/1.0 200\n\nhello", "hello", 0);
  expect(OK "\r\n", "", 0);
  expect(OK "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n",
         "hello", 0);
  expect("HTTP/1.1 100 Continue\r\n\r\n" OK "content-length:5\r\n\r\nhello", "hello", 0);
}

static void
test_bad(void)
{
  expect("", NULL, SIGNET_ERROR_BAD_INPUT);
  expect("hello\r\n\r\n", NULL, SIGNET_ERROR_BAD_INPUT);
  expect("HTTP/2 200 OK\r\n\r\n", NULL, SIGNET_ERROR_BAD_INPUT);
  expect("HTTP/1.1 2000 OK\r\n\r\n", NULL, SIGNET_ERROR_BAD_INPUT);
  expect("HTTP/1.1 404 Not Found\r\n\r\nhello", NULL, SIGNET_ERROR_NOT_FOUND);
  expect("HTTP/1.1 204 No Content\r\n\r\n", NULL, SIGNET_ERROR_NOT_FOUND);
  expect(OK, NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "Content-Length: 6\r\n\r\nhello", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "Content-Length: -5\r\n\r\nhello", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "Content-Length: 5, 5\r\n\r\nhello", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "Content-Length: 99999999999999999999\r\n\r\nhello", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "Content-Length: 100001\r\n\r\nhello", NULL, SIGNET_ERROR_TOO_LARGE);
  expect(OK "Content-Encoding: gzip\r\n\r\nhello", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "Transfer-Encoding: gzip\r\n\r\nhello", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", NULL,
         SIGNET_ERROR_BAD_INPUT);
  expect(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloo\r\n0\r\n\r\n", NULL,
         SIGNET_ERROR_BAD_INPUT);
  expect(OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello", NULL,
         SIGNET_ERROR_BAD_INPUT);
  expect(OK "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nhello", NULL,
         SIGNET_ERROR_BAD_INPUT);
  expect(OK "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK "no field\r\n\r\nhello", NULL, SIGNET_ERROR_BAD_INPUT);
  expect(OK " folded: x\r\n\r\nhello", NULL, SIGNET_ERROR_BAD_INPUT);
}

/* ---- servers that never end ---- */

static void
serve_head_without_end(int fd, const GString *question G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
  http_say(fd, OK);
  for (int i = 0; i < 10000; i++)
    http_say(fd, "X-Filler: yes\r\n");
}

static void
serve_line_without_end(int fd, const GString *question G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
  for (int i = 0; i < 2000; i++)
    http_say(fd, "HTTP/1.1 200 OK and so on");
}

static void
serve_body_without_end(int fd, const GString *question G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
  http_say(fd, OK "\r\n");
  for (int i = 0; i < 20000; i++)
    http_say(fd, "0123456789");
}

static void
serve_drops(int fd, const GString *question G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
  http_say(fd, OK "Content-Length: 10000\r\n\r\n");
  while (!http_server_stopping(server)) {
    http_say(fd, "x");
    g_usleep(5000);
  }
}

static void
serve_nothing(int fd G_GNUC_UNUSED, const GString *question G_GNUC_UNUSED,
              gpointer data G_GNUC_UNUSED)
{
  while (!http_server_stopping(server))
    g_usleep(5000);
}

static void
expect_failure(HttpServe serve, guint milliseconds, int code)
{
  g_autoptr(GError) error = NULL;
  gint64 before = g_get_monotonic_time();
  server = http_server_new(serve, NULL);
  g_autoptr(GBytes) got = ask((BaseHttp){ .deadline = base_deadline_in(milliseconds) }, &error);
  g_assert_cmpint(g_get_monotonic_time() - before, <, (gint64)(milliseconds + 1500) * 1000);
  stop_server();
  g_assert_null(got);
  g_assert_error(error, SIGNET_ERROR, code);
}

static void
test_endless(void)
{
  expect_failure(serve_head_without_end, MS, SIGNET_ERROR_BAD_INPUT);
  expect_failure(serve_line_without_end, MS, SIGNET_ERROR_BAD_INPUT);
  expect_failure(serve_body_without_end, MS, SIGNET_ERROR_TOO_LARGE);
  expect_failure(serve_drops, 200, SIGNET_ERROR_TIMEOUT);
  expect_failure(serve_nothing, 200, SIGNET_ERROR_TIMEOUT);
}

static void
test_unreached(void)
{
  g_autoptr(GError) error = NULL;
  server = http_server_new(serve_nothing, NULL);
  g_autofree char *url = http_server_url(server, "");
  stop_server();
  g_assert_null(ask((BaseHttp){ .url = url }, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_IO);
  g_clear_error(&error);
  g_assert_null(ask((BaseHttp){ .url = "http://host.invalid/" }, &error));
  g_assert_true(g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_IO) ||
                g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_TIMEOUT));
  g_clear_error(&error);
  g_assert_null(ask((BaseHttp){ .url = "ftp://host.invalid/" }, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

static void
test_no_local(void)
{
  g_autoptr(GError) error = NULL;
  server = http_server_new(serve_text, (char *)(guintptr)(OK "\r\nhello"));
  g_assert_null(ask((BaseHttp){ .no_local = TRUE }, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_DENIED);
  g_assert_cmpint(http_server_count(server), ==, 0);
  g_clear_error(&error);
  /* Nor by a proxy's hands. */
  g_autofree char *proxy = g_strdup_printf("127.0.0.1:%d", http_server_port(server));
  g_assert_null(
      ask((BaseHttp){ .url = "http://192.168.0.1/", .proxy = proxy, .no_local = TRUE }, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_DENIED);
  static const char *const names[] = { "http://localhost/", "http://LocalHost./",
                                       "http://a.localhost/", "http://127.1/" };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    g_assert_null(ask((BaseHttp){ .url = names[i], .proxy = proxy, .no_local = TRUE }, NULL));
  g_assert_cmpint(http_server_count(server), ==, 0);
  stop_server();
}

/* ---- redirections ---- */

typedef struct {
  const char *to; /* "%d" is the port */
  GPtrArray *questions;
} Elsewhere;

static void
serve_elsewhere(int fd, const GString *question, gpointer data)
{
  Elsewhere *elsewhere = data;
  g_ptr_array_add(elsewhere->questions, g_strdup(question->str));
  if (g_str_has_prefix(question->str, "GET /end")) {
    http_say(fd, OK "\r\nhello");
    return;
  }
  g_autofree char *port = g_strdup_printf("%d", http_server_port(server));
  g_auto(GStrv) parts = g_strsplit(elsewhere->to, "PORT", 2);
  g_autofree char *to = g_strjoinv(port, parts);
  g_autofree char *text = g_strdup_printf("HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\nnot this", to);
  http_say(fd, text);
}

static void
expect_elsewhere(const char *to, int redirections, gboolean found, guint questions)
{
  Elsewhere elsewhere = { to, g_ptr_array_new_with_free_func(g_free) };
  server = http_server_new(serve_elsewhere, &elsewhere);
  g_autoptr(GBytes) got = ask((BaseHttp){ .redirections = redirections }, NULL);
  stop_server();
  g_assert_cmpint(got != NULL, ==, found);
  g_assert_cmpuint(elsewhere.questions->len, ==, questions);
  g_ptr_array_unref(elsewhere.questions);
}

static void
test_elsewhere(void)
{
  expect_elsewhere("/end", 1, TRUE, 2);
  expect_elsewhere("http://127.0.0.1:PORT/end#part", 2, TRUE, 2);
  expect_elsewhere("/end", 0, FALSE, 1);
  expect_elsewhere("/x", 2, FALSE, 3);
  expect_elsewhere("", 2, FALSE, 1);
  expect_elsewhere("//127.0.0.1/end", 2, FALSE, 1);
  expect_elsewhere("file:///etc/passwd", 2, FALSE, 1);
  expect_elsewhere("ldap://127.0.0.1:PORT/end", 2, FALSE, 1);
  /* Another host inside this network: where a public server may not send anybody. */
  expect_elsewhere("http://127.0.0.2:PORT/end", 2, FALSE, 1);
}

/* ---- questions ---- */

static void
serve_echo(int fd, const GString *question, gpointer data G_GNUC_UNUSED)
{
  http_answer(fd, question->str, question->len);
}

static void
test_question(void)
{
  g_autoptr(GBytes) body = g_bytes_new_static("abc", 3);
  server = http_server_new(serve_echo, NULL);
  g_autoptr(GBytes) got = ask((BaseHttp){ .type = "application/x", .body = body }, NULL);
  g_autofree char *expected = g_strdup_printf(
      "POST /x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\nContent-Type: "
      "application/x\r\nContent-Length: 3\r\nAccept: */*\r\n\r\nabc",
      http_server_port(server));
  assert_bytes(got, expected);
  /* The environment's proxy is not asked. */
  g_setenv("http_proxy", "http://127.0.0.1:1", TRUE);
  g_autoptr(GBytes) plain = ask((BaseHttp){ 0 }, NULL);
  g_assert_nonnull(plain);
  g_unsetenv("http_proxy");
  g_autofree char *proxy = g_strdup_printf("http://127.0.0.1:%d", http_server_port(server));
  g_autoptr(GBytes) by_proxy =
      ask((BaseHttp){ .url = "http://ca.example.org:81/x?y", .proxy = proxy }, NULL);
  g_assert_true(g_str_has_prefix(g_bytes_get_data(by_proxy, NULL),
                                 "GET http://ca.example.org:81/x?y HTTP/1.1\r\n"
                                 "Host: ca.example.org:81\r\n"));
  g_autoptr(GError) error = NULL;
  g_assert_null(ask((BaseHttp){ .expect = "application/y" }, &error)); /* the answer has no type */
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  stop_server();
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  signal(SIGPIPE, SIG_IGN);
  g_test_add_func("/base/http/addresses-are-read-or-refused", test_url);
  g_test_add_func("/base/http/a-proxy-is-a-host-and-port", test_proxy_text);
  g_test_add_func("/base/http/local-addresses-are-known", test_local);
  g_test_add_func("/base/http/good-answers-are-read", test_good);
  g_test_add_func("/base/http/bad-answers-are-errors", test_bad);
  g_test_add_func("/base/http/servers-without-end-are-left-in-time", test_endless);
  g_test_add_func("/base/http/no-server-is-an-error-at-once", test_unreached);
  g_test_add_func("/base/http/nothing-is-asked-inside-this-network", test_no_local);
  g_test_add_func("/base/http/redirections-are-followed-so-far", test_elsewhere);
  g_test_add_func("/base/http/a-question-says-what-it-must-and-no-more", test_question);
  return g_test_run();
}
