/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One call over the socket: what a daemon may do wrong, and what a client makes of it. */

#include "test-client-server.h"

#include <signet/client.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS                                                                                     \
  "{\"parameters\":{\"version\":\"0.1.0\",\"pid\":7,\"started\":1,\"connections\":1,\"tokens\":2," \
  "\"unlocked\":[\"alice\"],\"ids\":3,\"warnings\":[],\"counters\":[{\"name\":\"calls\","          \
  "\"value\":5}]}}"
#define HELLO "{\"parameters\":{\"protocol\":1,\"version\":\"0.1.0\"}}"

static SignetClient *
connect_to(TestServer *server)
{
  g_autoptr(GError) error = NULL;
  SignetClient *client =
      signet_client_connect(test_server_path(server), SIGNET_CONNECT_NO_AUTOSTART, &error);
  g_assert_no_error(error);
  return client;
}

static void
assert_status_works(SignetClient *client)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(SignetStatus) status = signet_daemon_status(client, &error);
  g_assert_no_error(error);
  g_assert_cmpint(status->pid, ==, 7);
  g_assert_cmpstr(status->unlocked[0], ==, "alice");
  g_assert_cmpstr(status->counter_names[0], ==, "calls");
  g_assert_cmpint(status->counter_values[0], ==, 5);
}

static void
assert_status_fails(SignetClient *client, SignetError code)
{
  g_autoptr(GError) error = NULL;
  g_assert_null(signet_daemon_status(client, &error));
  g_assert_error(error, SIGNET_ERROR, (int)code);
}

static void
serve_status(TestPeer *peer)
{
  for (;;) {
    g_autoptr(WireJson) call = test_peer_read(peer);
    if (!call)
      return;
    test_peer_say(peer, STATUS);
  }
}

/* ---- Hello ---- */

static void
serve_pipelined(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  char bytes[4096];
  ssize_t got = recv(peer->fd, bytes, sizeof bytes, 0);
  g_assert_cmpint(got, >, 0);
  gsize first = strlen(bytes) + 1;
  g_assert_cmpuint(first, <, (gsize)got);
  g_assert_nonnull(strstr(bytes, "org.signet.Daemon.Hello"));
  g_assert_nonnull(strstr(bytes + first, "org.signet.Daemon.Status"));
  g_assert_cmpuint(first + strlen(bytes + first) + 1, ==, (gsize)got);
  test_peer_say_raw(peer, HELLO "\0" STATUS, sizeof(HELLO "\0" STATUS));
  g_autoptr(WireJson) second = test_peer_expect(peer, "org.signet.Daemon.Status");
  test_peer_say(peer, STATUS);
}

static void
test_hello_travels_with_first_call(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_pipelined, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  assert_status_works(client);
  assert_status_works(client); /* and is not said again */
}

static void
serve_version(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  g_autoptr(WireJson) hello = test_peer_read(peer);
  test_peer_say(peer, "{\"parameters\":{\"protocol\":2,\"version\":\"9.9\"}}");
  test_peer_say(peer, STATUS);
}

static void
test_other_protocol_is_version(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_version, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  assert_status_fails(client, SIGNET_ERROR_VERSION);
}

static void
serve_no_hello(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  g_autoptr(WireJson) hello = test_peer_read(peer);
  test_peer_say(peer, "{\"error\":\"org.varlink.service.InterfaceNotFound\","
                      "\"parameters\":{\"interface\":\"org.signet.Daemon\"}}");
}

static void
test_unknown_hello_is_version(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_no_hello, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  assert_status_fails(client, SIGNET_ERROR_VERSION);
}

/* A daemon with too many connections says so without reading and closes. */
static void
serve_turn_away(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  test_peer_say(
      peer, "{\"error\":\"org.signet.Error.Denied\",\"parameters\":{\"message\":\"too many\"}}");
}

static void
test_turned_away_is_told(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_turn_away, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  g_usleep(50000);
  assert_status_fails(client, SIGNET_ERROR_DENIED);
}

/* ---- faults ---- */

typedef struct {
  const char *bytes;
  gsize length;
  SignetError code;
} Fault;

/* Says the fault on the first connection, works on the others. */
static void
serve_fault(TestPeer *peer, gpointer data)
{
  const Fault *fault = data;
  test_peer_hello(peer);
  if (peer->number > 0) {
    serve_status(peer);
    return;
  }
  g_autoptr(WireJson) call = test_peer_expect(peer, "org.signet.Daemon.Status");
  test_peer_say_raw(peer, fault->bytes, fault->length);
}

static void
test_fault(gconstpointer data)
{
  g_autoptr(TestServer) server = test_server_new(serve_fault, (gpointer)(gintptr)data);
  g_autoptr(SignetClient) client = connect_to(server);
  assert_status_fails(client, ((const Fault *)data)->code);
  assert_status_works(client);
  g_assert_cmpint(test_server_connections(server), ==, 2);
}

static const Fault half = { "{\"parameters\":{\"ver", 19, SIGNET_ERROR_BAD_INPUT };
static const Fault garbage = { "\x01\xff garbage {}", 13, SIGNET_ERROR_BAD_INPUT };
static const Fault no_object = { "[1,2]", 6, SIGNET_ERROR_BAD_INPUT };
static const Fault continuing = { "{\"parameters\":{},\"continues\":true}", 35,
                                  SIGNET_ERROR_BAD_INPUT };
static const Fault deep = { "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]}", 59,
                            SIGNET_ERROR_TOO_LARGE };
static void
serve_huge(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  test_peer_hello(peer);
  if (peer->number > 0) {
    serve_status(peer);
    return;
  }
  g_autoptr(WireJson) call = test_peer_expect(peer, "org.signet.Daemon.Status");
  g_autofree char *bytes = g_malloc(1024 * 1024);
  memset(bytes, ' ', 1024 * 1024);
  test_peer_say_raw(peer, bytes, 1024 * 1024);
}

static void
test_huge_is_too_large(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_huge, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  assert_status_fails(client, SIGNET_ERROR_TOO_LARGE);
  assert_status_works(client);
}

static void
serve_slow(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  test_peer_hello(peer);
  if (peer->number > 0) {
    serve_status(peer);
    return;
  }
  g_autoptr(WireJson) call = test_peer_expect(peer, "org.signet.Daemon.Status");
  g_usleep(300000);
  test_peer_say(peer, "{\"parameters\":{\"late\":true}}");
}

static void
test_slow_times_out_and_late_answer_is_lost(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_slow, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  signet_client_set_timeout(client, 100);
  gint64 begun = g_get_monotonic_time();
  assert_status_fails(client, SIGNET_ERROR_TIMEOUT);
  gint64 took = (g_get_monotonic_time() - begun) / 1000;
  g_assert_cmpint(took, >=, 99);
  g_assert_cmpint(took, <, 290);
  signet_client_set_timeout(client, 5000);
  g_usleep(300000);
  assert_status_works(client);
}

/* One byte at a time, well within the deadline. */
static void
serve_dripping(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  test_peer_hello(peer);
  g_autoptr(WireJson) call = test_peer_expect(peer, "org.signet.Daemon.Status");
  for (gsize i = 0; i < sizeof STATUS; i++) {
    test_peer_say_raw(peer, STATUS + i, 1);
    g_usleep(200);
  }
}

static void
test_dripping_answer_is_put_together(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_dripping, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  assert_status_works(client);
}

static void
serve_answer_too_many(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  test_peer_hello(peer);
  if (peer->number > 0) {
    serve_status(peer);
    return;
  }
  g_autoptr(WireJson) call = test_peer_expect(peer, "org.signet.Daemon.Status");
  test_peer_say_raw(peer,
                    STATUS "\0"
                           "{\"parameters\":{}}",
                    sizeof STATUS + sizeof "{\"parameters\":{}}");
  g_assert_null(test_peer_read(peer)); /* the client gives this connection up */
}

static void
test_answer_out_of_step_is_never_taken(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_answer_too_many, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  assert_status_works(client);
  assert_status_works(client);
  g_assert_cmpint(test_server_connections(server), ==, 2);
}

/* ---- restarts ---- */

static int stops;

static void
serve_then_leave(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  test_peer_hello(peer);
  g_autoptr(WireJson) call = test_peer_read(peer);
  if (strstr(json_string_value(json_object_get(call, "method")), "Stop"))
    g_atomic_int_inc(&stops);
  else if (peer->number > 0)
    test_peer_say(peer, STATUS);
}

static void
test_lost_before_answer_repeats_once(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_then_leave, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  assert_status_works(client);
  g_assert_cmpint(test_server_connections(server), ==, 2);
}

static void
test_lost_before_answer_is_not_repeated_where_that_matters(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_then_leave, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  g_autoptr(GError) error = NULL;
  g_assert_false(signet_daemon_stop(client, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NO_DAEMON);
  g_assert_cmpint(g_atomic_int_get(&stops), ==, 1);
}

static void
serve_one_each(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  test_peer_hello(peer);
  g_autoptr(WireJson) call = test_peer_read(peer);
  gboolean stop = strstr(json_string_value(json_object_get(call, "method")), "Stop") != NULL;
  test_peer_say(peer, stop ? "{\"parameters\":{}}" : STATUS);
}

static void
test_restarted_between_calls_goes_unnoticed(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_one_each, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  g_autoptr(GError) error = NULL;
  assert_status_works(client);
  g_usleep(20000);
  g_assert_true(signet_daemon_stop(client, &error)); /* not repeatable, but was never sent */
  g_usleep(20000);
  assert_status_works(client);
  g_assert_cmpint(test_server_connections(server), ==, 3);
}

/* ---- fork ---- */

static void
serve_working(TestPeer *peer, gpointer data G_GNUC_UNUSED)
{
  test_peer_hello(peer);
  serve_status(peer);
}

static void
test_forked_child_is_refused(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_working, NULL);
  g_autoptr(SignetClient) client = connect_to(server);
  assert_status_works(client);
  int result[2];
  char verdict = '?';
  g_assert_cmpint(pipe(result), ==, 0);
  pid_t child = fork();
  if (child == 0) {
    GError *error = NULL;
    SignetStatus *status = signet_daemon_status(client, &error);
    verdict = status == NULL && error->code == SIGNET_ERROR_USAGE ? 'y' : 'n';
    _exit(write(result[1], &verdict, 1) == 1 ? 0 : 1);
  }
  g_assert_cmpint(read(result[0], &verdict, 1), ==, 1);
  g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
  g_assert_cmpint(verdict, ==, 'y');
  close(result[0]);
  close(result[1]);
  assert_status_works(client);
}

/* ---- threads ---- */

static gpointer
call_often(gpointer server)
{
  g_autoptr(SignetClient) client = connect_to(server);
  for (int i = 0; i < 50; i++)
    assert_status_works(client);
  return NULL;
}

static void
test_threads_have_a_client_each(void)
{
  g_autoptr(TestServer) server = test_server_new(serve_working, NULL);
  GThread *threads[8];
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("client", call_often, server);
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    g_thread_join(threads[i]);
}

/* ---- nobody there ---- */

static void
test_no_daemon_is_told(void)
{
  g_autoptr(GError) error = NULL;
  g_assert_null(signet_client_connect("/nonexistent/socket", SIGNET_CONNECT_NO_AUTOSTART, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NO_DAEMON);
  g_clear_error(&error);
  g_autofree char *longer = g_strnfill(200, 'x');
  g_assert_null(signet_client_connect(longer, SIGNET_CONNECT_NO_AUTOSTART, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/client/call/first-call-carries-hello", test_hello_travels_with_first_call);
  g_test_add_func("/client/call/other-protocol-is-version", test_other_protocol_is_version);
  g_test_add_func("/client/call/unknown-hello-is-version", test_unknown_hello_is_version);
  g_test_add_func("/client/call/turned-away-is-told", test_turned_away_is_told);
  g_test_add_data_func("/client/call/half-answer-is-bad-input", &half, test_fault);
  g_test_add_data_func("/client/call/garbage-is-bad-input", &garbage, test_fault);
  g_test_add_data_func("/client/call/no-object-is-bad-input", &no_object, test_fault);
  g_test_add_data_func("/client/call/continuing-is-bad-input", &continuing, test_fault);
  g_test_add_data_func("/client/call/deep-answer-is-too-large", &deep, test_fault);
  g_test_add_func("/client/call/huge-answer-is-too-large", test_huge_is_too_large);
  g_test_add_func("/client/call/slow-answer-is-timeout",
                  test_slow_times_out_and_late_answer_is_lost);
  g_test_add_func("/client/call/dripping-answer-works", test_dripping_answer_is_put_together);
  g_test_add_func("/client/call/surplus-answer-is-never-taken",
                  test_answer_out_of_step_is_never_taken);
  g_test_add_func("/client/call/lost-repeatable-is-repeated", test_lost_before_answer_repeats_once);
  g_test_add_func("/client/call/lost-other-is-not-repeated",
                  test_lost_before_answer_is_not_repeated_where_that_matters);
  g_test_add_func("/client/call/restart-between-is-unnoticed",
                  test_restarted_between_calls_goes_unnoticed);
  g_test_add_func("/client/call/forked-child-is-refused", test_forked_child_is_refused);
  g_test_add_func("/client/call/threads-with-a-client-each-work", test_threads_have_a_client_each);
  g_test_add_func("/client/call/nobody-there-is-no-daemon", test_no_daemon_is_told);
  return g_test_run();
}
