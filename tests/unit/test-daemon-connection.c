/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one client does costs no other client anything. */
#include "daemon-world.h"
#include "wire/limits.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO "org.signet.Daemon.Hello"
/* Generous: two cores may be shared with other tests. A starved client waits for seconds. */
#define LATENCY_MAX_US 50000

#define CROWD 5
#define EACH 110 /* below the limit of one process, together above that of all */
#define NOBODY 65534

static World *world;

static json_t *
hello(void)
{
  return json_pack("{s:i}", "protocol", WIRE_PROTOCOL);
}

static void
assert_alive(Client *client)
{
  g_autofree char *error = client_error(client, HELLO, hello());
  g_assert_null(error);
}

static int
compare_times(gconstpointer a, gconstpointer b)
{
  gint64 x = *(const gint64 *)a;
  gint64 y = *(const gint64 *)b;
  return x < y ? -1 : x > y;
}

static gint64
median_latency(Client *client)
{
  gint64 times[101];
  for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
    gint64 start = g_get_monotonic_time();
    assert_alive(client);
    times[i] = g_get_monotonic_time() - start;
  }
  qsort(times, G_N_ELEMENTS(times), sizeof times[0], compare_times);
  return times[G_N_ELEMENTS(times) / 2];
}

static void
test_info(void)
{
  g_autoptr(Client) client = client_new(world);
  g_autoptr(TestJson) reply = client_call(client, "org.varlink.service.GetInfo", NULL);
  const json_t *parameters = json_object_get(reply, "parameters");
  g_assert_cmpstr(json_string_value(json_object_get(parameters, "product")), ==, "signetd");
  g_assert_cmpuint(json_array_size(json_object_get(parameters, "interfaces")), ==, 8);
}

static void
test_description(void)
{
  g_autoptr(Client) client = client_new(world);
  g_autofree char *path = g_build_filename(g_getenv("SIGNET_TEST_SOURCE"), "src", "wire",
                                           "org.signet.Key.varlink", NULL);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_autoptr(TestJson) reply = client_call(client, "org.varlink.service.GetInterfaceDescription",
                                          json_pack("{s:s}", "interface", "org.signet.Key"));
  const json_t *parameters = json_object_get(reply, "parameters");
  g_assert_cmpstr(json_string_value(json_object_get(parameters, "description")), ==, text);
}

static void
test_unknown(void)
{
  static const struct {
    const char *method;
    const char *error;
  } cases[] = {
    { "org.signet.Key.Steal", "MethodNotFound" },
    { "org.example.Other.Do", "InterfaceNotFound" },
    { "nonsense", "InterfaceNotFound" },
    { "", "InterfaceNotFound" },
    { "org.signet.Event.Watch", "ExpectedMore" },
    { "org.signet.Token.Describe", "Usage" },
    { "org.varlink.service.GetInterfaceDescription", "InvalidParameter" },
  };
  g_autoptr(Client) client = client_new(world);
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *error = client_error(client, cases[i].method, NULL);
    g_assert_cmpstr(error, ==, cases[i].error);
  }
  g_autofree char *version = client_error(client, HELLO, json_pack("{s:i}", "protocol", 99));
  g_assert_cmpstr(version, ==, "Version");
}

static void
check_garbage(const char *bytes, gsize length, const char *expected)
{
  g_autoptr(Client) other = client_new(world);
  g_autoptr(Client) client = client_new(world);
  client_send_raw(client, bytes, length);
  g_autoptr(TestJson) reply = client_receive(client);
  g_assert_nonnull(reply);
  g_assert_cmpstr(json_string_value(json_object_get(reply, "error")), ==, expected);
  g_assert_true(client_ended(client, 5000));
  assert_alive(other);
}

static void
test_garbage(void)
{
  g_autofree char *large = g_malloc(WIRE_MESSAGE_MAX + 4096);
  char deep[200];
  memset(large, ' ', WIRE_MESSAGE_MAX + 4096);
  memset(deep, '[', sizeof deep);
  deep[sizeof deep - 1] = '\0';
  check_garbage("GET / HTTP/1.1\r\n\r\n\0", 19, "org.signet.Error.BadInput");
  check_garbage("[1,2]\0", 6, "org.signet.Error.BadInput");
  check_garbage("\0", 1, "org.signet.Error.BadInput");
  check_garbage("{\"method\":\"\xff\"}\0", 15, "org.signet.Error.BadInput");
  check_garbage(deep, sizeof deep, "org.signet.Error.TooLarge");
  check_garbage(large, WIRE_MESSAGE_MAX + 4096, "org.signet.Error.TooLarge");
}

static void
test_pipelined(void)
{
  g_autoptr(Client) client = client_new(world);
  for (int i = 0; i < 100; i++)
    client_send(client, HELLO, hello(), FALSE);
  for (int i = 0; i < 100; i++) {
    g_autoptr(TestJson) reply = client_receive(client);
    g_assert_nonnull(reply);
  }
}

static void
test_stream(void)
{
  g_autoptr(Client) client = client_new(world);
  client_send(client, "org.signet.Token.List", NULL, TRUE);
  g_autoptr(TestJson) reply = client_receive(client);
  g_assert_nonnull(reply);
  g_assert_null(json_object_get(reply, "continues"));
  g_assert_null(json_object_get(reply, "error"));
  assert_alive(client);
}

/* Sends ahead without end in a thread of its own, and never reads. */
static gpointer
flood(gpointer data)
{
  Client *client = data;
  static const char message[] = "{\"method\":\"org.varlink.service.GetInfo\"}";
  for (int i = 0; i < 200000; i++)
    client_send_raw(client, message, sizeof message);
  return NULL;
}

static void
test_flood(void)
{
  g_autoptr(Client) client = client_new(world);
  g_autoptr(Client) flooding = client_new(world);
  g_autoptr(Client) half = client_new(world);
  g_autoptr(Client) silent = client_new(world);
  client_send_raw(half, "{\"method\":", 10);
  GThread *thread = g_thread_new("flood", flood, flooding);
  gint64 median = median_latency(client);
  g_test_message("median of a call while another client floods: %d us", (int)median);
  g_assert_cmpint(median, <, LATENCY_MAX_US);
  shutdown(flooding->fd, SHUT_RDWR);
  g_thread_join(thread);
  assert_alive(client);
  assert_alive(silent);
}

static void
test_half(void)
{
  g_autoptr(Client) half = client_new(world);
  client_send_raw(half, "{\"method\":", 10);
  g_autoptr(TestJson) reply = client_receive(half); /* after WIRE_HALF_MESSAGE_MS */
  g_assert_nonnull(reply);
  g_assert_cmpstr(json_string_value(json_object_get(reply, "error")), ==,
                  "org.signet.Error.Timeout");
  g_assert_true(client_ended(half, 5000));
}

static void
test_per_process(void)
{
  g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func((GDestroyNotify)client_free);
  for (int i = 0; i < WIRE_CONNECTIONS_PER_PROCESS; i++) {
    g_ptr_array_add(clients, client_new(world));
    assert_alive(clients->pdata[i]);
  }
  assert_alive(clients->pdata[0]); /* now the second is the longest idle */
  g_autoptr(Client) last = client_new(world);
  assert_alive(last);
  g_assert_true(client_ended(clients->pdata[1], 5000));
  assert_alive(clients->pdata[0]);
}

static void
hold(int report, int go)
{
  Client *clients[EACH];
  guint8 alive = 0;
  char byte = 0;
  for (gsize i = 0; i < EACH; i++) {
    clients[i] = client_new(world);
    assert_alive(clients[i]);
  }
  g_assert_cmpint(write(report, &byte, 1), ==, 1);
  g_assert_cmpint(read(go, &byte, 1), ==, 0); /* all have come */
  for (gsize i = 0; i < EACH; i++)
    alive = (guint8)(alive + !client_ended(clients[i], 0));
  g_assert_cmpint(write(report, &alive, 1), ==, 1);
  _exit(0);
}

/* Several processes, each within its own limit. */
static void
test_altogether(void)
{
  int report[2];
  int go[2];
  pid_t crowd[CROWD];
  guint alive = 0;
  guint8 byte = 0;
  g_assert_cmpint(pipe(report), ==, 0);
  g_assert_cmpint(pipe(go), ==, 0);
  for (gsize i = 0; i < CROWD; i++) {
    crowd[i] = fork();
    g_assert_cmpint(crowd[i], >=, 0);
    if (crowd[i] == 0) {
      close(go[1]);
      hold(report[1], go[0]);
    }
    g_assert_cmpint(read(report[0], &byte, 1), ==, 1);
  }
  close(go[1]);
  for (gsize i = 0; i < CROWD; i++) {
    g_assert_cmpint(read(report[0], &byte, 1), ==, 1);
    alive += byte;
    int status = -1;
    g_assert_cmpint(waitpid(-1, &status, 0), >, 0);
    g_assert_cmpint(status, ==, 0);
  }
  close(go[0]);
  close(report[0]);
  close(report[1]);
  /* Those who went first made room for nobody: all were counted before any went. */
  g_assert_cmpuint(alive, ==, WIRE_CONNECTIONS_MAX);
  g_autoptr(Client) client = client_new(world);
  assert_alive(client);
}

/* As nobody, over a socket that was made accessible on purpose. */
static void
be_stranger(void)
{
  if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
    _exit(2);
  g_autoptr(Client) client = client_new(world);
  g_autoptr(TestJson) reply = client_receive(client); /* before anything is asked */
  const char *error = json_string_value(json_object_get(reply, "error"));
  if (g_strcmp0(error, "org.signet.Error.Denied") != 0)
    _exit(3);
  _exit(client_ended(client, 5000) ? 0 : 4);
}

static void
test_stranger(void)
{
  int status = -1;
  if (getuid() != 0) {
    g_test_skip("only root can be somebody else: not applicable");
    return;
  }
  g_assert_cmpint(chmod(world->folder, 0711), ==, 0);
  g_assert_cmpint(chmod(world->socket, 0666), ==, 0);
  pid_t child = fork();
  if (child == 0)
    be_stranger();
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(chmod(world->socket, 0600), ==, 0);
  g_assert_cmpint(chmod(world->folder, 0700), ==, 0);
  g_assert_true(WIFEXITED(status));
  g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static void
test_half_closed(void)
{
  g_autoptr(Client) client = client_new(world);
  client_send(client, HELLO, hello(), FALSE);
  shutdown(client->fd, SHUT_WR);
  g_autoptr(TestJson) reply = client_receive(client);
  g_assert_nonnull(reply);
  g_assert_true(client_ended(client, 5000));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  world = world_new(NULL);
  world_start(world);
  g_test_add_func("/daemon/connection/info-names-interfaces", test_info);
  g_test_add_func("/daemon/connection/description-is-the-file", test_description);
  g_test_add_func("/daemon/connection/unknown-is-a-typed-error", test_unknown);
  g_test_add_func("/daemon/connection/garbage-gets-one-error-and-ends", test_garbage);
  g_test_add_func("/daemon/connection/pipelined-all-answered", test_pipelined);
  g_test_add_func("/daemon/connection/empty-list-ends", test_stream);
  g_test_add_func("/daemon/connection/half-closed-still-answered", test_half_closed);
  g_test_add_func("/daemon/connection/flood-starves-nobody", test_flood);
  g_test_add_func("/daemon/connection/half-message-times-out", test_half);
  g_test_add_func("/daemon/connection/another-user-is-refused", test_stranger);
  g_test_add_func("/daemon/connection/too-many-altogether-evicts-idle-ones", test_altogether);
  g_test_add_func("/daemon/connection/too-many-of-one-process-evicts-longest-idle",
                  test_per_process);
  int status = g_test_run();
  world_free(world);
  return status;
}
