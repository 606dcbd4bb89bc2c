/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts that hang, crash and lie, by a fake one. */
#include "daemon-world.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROFILE "[token]\noperations=4\n[deadline]\noperation=1000\nstart=2000\n"
#define SIGN "org.signet.Key.Sign"
#define DIGEST "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static json_t *
sign_parameters(void)
{
  return json_pack("{s:s,s:s,s:s,s:s}", "key", world_key, "mechanism", "ecdsa", "hash", "sha256",
                   "data", DIGEST);
}

static void
assert_signs(Client *client, const char *expected)
{
  g_autofree char *error = client_error(client, SIGN, sign_parameters());
  g_assert_cmpstr(error, ==, expected);
}

static void
test_sign(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  assert_signs(client, "PinRequired");
  client_unlock(client);
  assert_signs(client, NULL);
  g_assert_cmpuint(world_asked(world, "login"), ==, 1);
}

static void
test_crash(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  world_behave(world, "operate", "crash");
  client_send(client, SIGN, sign_parameters(), FALSE);
  while (world_asked(world, "operate") == 0)
    g_usleep(1000);
  world_behave(world, "operate", "");
  g_autoptr(TestJson) reply = client_receive(client);
  g_assert_nonnull(reply);
  g_assert_null(json_object_get(reply, "error")); /* logged in again and repeated, once */
  g_assert_cmpuint(world_asked(world, "login"), ==, 2);
  g_assert_cmpuint(world_asked(world, "operate"), ==, 2);
}

static void
test_crash_twice(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  world_behave(world, "operate", "crash");
  assert_signs(client, "TokenGone");
  g_assert_cmpuint(world_asked(world, "operate"), ==, 2);
  world_behave(world, "operate", "");
  assert_signs(client, NULL);
}

static void
test_hang(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  world_behave(world, "operate", "hang");
  gint64 start = g_get_monotonic_time();
  assert_signs(client, "Timeout");
  gint64 took = g_get_monotonic_time() - start;
  g_assert_cmpint(took, >=, 1000 * 1000);
  g_assert_cmpint(took, <, 4000 * 1000);
  world_behave(world, "operate", "");
  assert_signs(client, NULL);
}

static void
test_garbage(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  world_behave(world, "operate", "garbage");
  assert_signs(client, "TokenGone");
  world_behave(world, "operate", "");
  assert_signs(client, NULL);
}

static void
test_breaker(void)
{
  g_autoptr(World) world = world_new(PROFILE);
  world_behave(world, "tokens", "crash");
  world_start(world);
  g_autoptr(Client) client = client_new(world);
  g_autoptr(TestJson) reply = client_call(client, "org.signet.Token.ListModules", NULL);
  const json_t *module = json_object_get(json_object_get(reply, "parameters"), "module");
  g_assert_cmpstr(json_string_value(json_object_get(module, "state")), ==, "failed");
  g_assert_nonnull(json_string_value(json_object_get(module, "problem")));
  g_assert_cmpuint(world_asked(world, "hello"), ==, 5);
}

/* A hanging operation holds up nobody who needs no token. */
static void
test_others(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  g_autoptr(Client) other = client_new(world);
  client_unlock(client);
  world_behave(world, "operate", "hang");
  client_send(client, SIGN, sign_parameters(), FALSE);
  gint64 start = g_get_monotonic_time();
  for (int i = 0; i < 100; i++) {
    g_autofree char *error = client_error(other, "org.signet.Token.List", NULL);
    g_assert_null(error);
  }
  g_assert_cmpint(g_get_monotonic_time() - start, <, 900 * 1000);
  g_autoptr(TestJson) reply = client_receive(client);
  g_assert_nonnull(json_object_get(reply, "error"));
}

static void
test_client_leaves(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  Client *leaving = client_new(world);
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  world_behave(world, "operate", "slow 300");
  client_send(leaving, SIGN, sign_parameters(), FALSE);
  while (world_asked(world, "operate") == 0)
    g_usleep(1000);
  client_free(leaving);
  world_behave(world, "operate", "");
  assert_signs(client, NULL);
}

static void
test_channel(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  char byte = 0;
  client_unlock(client);
  g_autofree char *opened =
      client_error(client, "org.signet.Key.OpenChannel",
                   json_pack("{s:s,s:[s]}", "key", world_key, "operations", "sign"));
  g_assert_null(opened);
  g_assert_cmpint(client->passed, >=, 0);
  g_assert_cmpint(recv(client->passed, &byte, 1, MSG_DONTWAIT), ==, -1); /* open */
  g_autofree char *locked = client_error(client, "org.signet.Token.Lock", NULL);
  g_assert_null(locked);
  g_assert_cmpint(recv(client->passed, &byte, 1, 0), ==, 0); /* the end */
  assert_signs(client, "PinRequired");
}

static void
test_watch(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  g_autoptr(Client) watcher = client_new(world);
  static const char *const expected[] = { "in", "unlocked", "locked" };
  client_send(watcher, "org.signet.Event.Watch", NULL, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS(expected); i++) {
    g_autoptr(TestJson) reply = client_receive(watcher);
    const json_t *event = json_object_get(json_object_get(reply, "parameters"), "event");
    g_assert_cmpstr(json_string_value(json_object_get(event, "event")), ==, expected[i]);
    if (i == 0)
      client_unlock(client);
    if (i == 1) {
      g_autofree char *locked = client_error(client, "org.signet.Token.Lock", NULL);
      g_assert_null(locked);
    }
  }
}

/* What cannot be listed is not gone: asked again, then the host is started anew, and the token is
 * unlocked all the while. */
static void
test_silent_token(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  guint before = world_asked(world, "hello");
  world_behave(world, "tokens", "fail");
  world_behave(world, "changed", "yes");
  for (int i = 0; i < 1000 && world_asked(world, "hello") == before; i++)
    g_usleep(10000);
  world_behave(world, "tokens", "");
  g_assert_cmpuint(world_asked(world, "hello"), >, before);
  assert_signs(client, NULL);
}

/* Many tell a watcher that never reads: it is dropped, the others go on. */
static void
test_deaf_watcher(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  g_autoptr(Client) deaf = client_new(world);
  gboolean ended = FALSE;
  client_send(deaf, "org.signet.Event.Watch", NULL, TRUE);
  for (int i = 0; i < 20000 && !ended; i++) {
    client_unlock(client);
    g_autofree char *locked = client_error(client, "org.signet.Token.Lock", NULL);
    g_assert_null(locked);
    if (i % 1000 == 999) {
      g_autoptr(TestJson) reply = client_call(client, "org.signet.Daemon.Status", NULL);
      const json_t *parameters = json_object_get(reply, "parameters");
      ended = json_integer_value(json_object_get(parameters, "connections")) == 1;
    }
  }
  g_assert_true(ended);
  assert_signs(client, "PinRequired");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/hosts/unlocked-signs", test_sign);
  g_test_add_func("/daemon/hosts/crash-is-repeated-once", test_crash);
  g_test_add_func("/daemon/hosts/crash-twice-is-token-gone", test_crash_twice);
  g_test_add_func("/daemon/hosts/hang-is-timeout", test_hang);
  g_test_add_func("/daemon/hosts/garbage-is-token-gone", test_garbage);
  g_test_add_func("/daemon/hosts/crashing-always-is-given-up", test_breaker);
  g_test_add_func("/daemon/hosts/hang-holds-up-nobody-else", test_others);
  g_test_add_func("/daemon/hosts/client-leaves-answer-is-dropped", test_client_leaves);
  g_test_add_func("/daemon/hosts/lock-revokes-channels", test_channel);
  g_test_add_func("/daemon/hosts/watch-tells-in-unlocked-locked", test_watch);
  g_test_add_func("/daemon/hosts/silent-token-stays-unlocked", test_silent_token);
  if (g_test_slow())
    g_test_add_func("/daemon/hosts/watcher-that-never-reads-is-dropped", test_deaf_watcher);
  return g_test_run();
}
