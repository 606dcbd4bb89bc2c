/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes that open files: started, given the PIN, handed over, ended; by a fake one. */
#include "daemon-world.h"
#include "wire/transfer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROFILE "[token]\noperations=4\n[deadline]\noperation=1000\nstart=3000\n"
#define OPEN "org.signet.Transfer.Open"
#define TRANSFERS_PER_PROCESS 4

static char *
open_error(Client *client, const char *token)
{
  return client_error(client, OPEN, token ? json_pack("{s:s}", "token", token) : NULL);
}

static pid_t
transfer_pid(World *world)
{
  g_autofree char *path = world_path(world, "fake/transfer-pid");
  g_autofree char *text = NULL;
  for (int i = 0; i < 1000 && !g_file_get_contents(path, &text, NULL, NULL); i++)
    g_usleep(10000);
  g_assert_nonnull(text);
  return (pid_t)strtol(text, NULL, 10);
}

static void
assert_ends(pid_t pid)
{
  for (int i = 0; i < 1000; i++) {
    if (kill(pid, 0) != 0 && errno == ESRCH)
      return;
    g_usleep(10000);
  }
  g_error("the process %d does not end", (int)pid);
}

/* The descriptor that came with the last reply; one frame there is answered. */
static void
assert_talks(Client *client)
{
  g_auto(WireChannel) channel = { 0 };
  const WireHeader header = { .length = 3, .serial = 7, .kind = WIRE_TRANSFER_DATA };
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(client->passed, >=, 0);
  wire_channel_start(&channel, client->passed);
  client->passed = -1;
  g_assert_true(wire_channel_send(&channel, &header, "abc", base_deadline_in(10000), &error));
  g_assert_true(wire_channel_receive(&channel, NULL, base_deadline_in(10000), &error));
  g_assert_no_error(error);
  g_assert_cmpint(channel.header.kind, ==, WIRE_OK);
  g_assert_cmpuint(channel.header.serial, ==, 7);
}

static void
test_without_token(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  g_autoptr(TestJson) reply = client_call(client, OPEN, NULL);
  g_assert_null(json_object_get(reply, "error"));
  g_assert_true(json_is_null(json_object_get(json_object_get(reply, "parameters"), "token")));
  assert_talks(client); /* closes it */
  assert_ends(transfer_pid(world));
  g_assert_cmpuint(world_asked(world, "bind"), ==, 0);
}

static void
test_bound(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  g_autofree char *locked = open_error(client, "fake");
  g_assert_cmpstr(locked, ==, "PinRequired");
  client_unlock(client);
  guint listed = world_asked(world, "objects");
  g_autoptr(TestJson) reply = client_call(client, OPEN, json_pack("{s:s}", "token", "fake"));
  const json_t *token = json_object_get(json_object_get(reply, "parameters"), "token");
  g_assert_cmpstr(json_string_value(token), ==, "fake");
  g_assert_cmpuint(world_asked(world, "bind"), ==, 1);
  assert_talks(client);
  assert_ends(transfer_pid(world));
  for (int i = 0; i < 1000 && world_asked(world, "objects") == listed; i++)
    g_usleep(10000);
  g_assert_cmpuint(world_asked(world, "objects"), >, listed); /* its end has the token read */
}

static void
test_wrong_pin(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  world_behave(world, "transfer", "wrong");
  g_autofree char *wrong = open_error(client, "fake");
  g_autofree char *again = open_error(client, "fake");
  g_assert_cmpstr(wrong, ==, "PinIncorrect");
  g_assert_cmpstr(again, ==, "PinRequired");
  g_assert_cmpuint(world_asked(world, "bind"), ==, 1);
  assert_ends(transfer_pid(world));
}

/* A PIN that was changed by another program is tried by one of several at once. */
static void
test_wrong_pin_of_many(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  Client *clients[TRANSFERS_PER_PROCESS];
  guint incorrect = 0, required = 0;
  for (int i = 0; i < TRANSFERS_PER_PROCESS; i++)
    clients[i] = client_new(world);
  client_unlock(clients[0]);
  world_behave(world, "transfer", "wrong");
  for (int i = 0; i < TRANSFERS_PER_PROCESS; i++)
    client_send(clients[i], OPEN, json_pack("{s:s}", "token", "fake"), FALSE);
  for (int i = 0; i < TRANSFERS_PER_PROCESS; i++) {
    g_autoptr(TestJson) reply = client_receive(clients[i]);
    const char *error = json_string_value(json_object_get(reply, "error"));
    incorrect += g_strcmp0(error, "org.signet.Error.PinIncorrect") == 0;
    required += g_strcmp0(error, "org.signet.Error.PinRequired") == 0;
    client_free(clients[i]);
  }
  g_assert_cmpuint(incorrect, ==, 1);
  g_assert_cmpuint(required, ==, TRANSFERS_PER_PROCESS - 1);
  g_assert_cmpuint(world_asked(world, "bind"), ==, 1);
}

static void
test_misbehaves(gconstpointer data)
{
  const char *const *both = data;
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  world_behave(world, "transfer", both[0]);
  g_autofree char *error = open_error(client, "fake");
  g_assert_cmpstr(error, ==, both[1]);
  assert_ends(transfer_pid(world));
  /* Whether the token saw the PIN is not known: it is used no more. */
  g_autofree char *again = open_error(client, "fake");
  g_assert_cmpstr(again, ==, "PinRequired");
  world_behave(world, "transfer", "");
  client_unlock(client);
  g_autofree char *fine = open_error(client, "fake");
  g_assert_cmpstr(fine, ==, NULL);
}

static void
test_lock(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  client_unlock(client);
  g_autofree char *opened = open_error(client, "fake");
  g_assert_null(opened);
  g_autofree char *locked = client_error(client, "org.signet.Token.Lock", NULL);
  g_assert_null(locked);
  assert_ends(transfer_pid(world));
}

static void
test_lock_meanwhile(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  g_autoptr(Client) other = client_new(world);
  client_unlock(client);
  world_behave(world, "transfer", "hang");
  client_send(client, OPEN, json_pack("{s:s}", "token", "fake"), FALSE);
  while (world_asked(world, "bind") == 0)
    g_usleep(1000);
  g_autofree char *locked = client_error(other, "org.signet.Token.Lock", NULL);
  g_autoptr(TestJson) reply = client_receive(client);
  g_assert_null(locked);
  g_assert_cmpstr(json_string_value(json_object_get(reply, "error")), ==,
                  "org.signet.Error.PinRequired");
  assert_ends(transfer_pid(world));
}

static void
hold_all_that_one_may(World *world, int *held)
{
  g_autoptr(Client) client = client_new(world);
  for (int i = 0; i < TRANSFERS_PER_PROCESS; i++) {
    g_autofree char *error = open_error(client, NULL);
    g_assert_null(error);
    held[i] = client->passed;
    client->passed = -1;
  }
  g_autofree char *many = open_error(client, NULL);
  g_assert_cmpstr(many, ==, "TooLarge");
}

/* Another program: says when it holds all that it may, and ends when told to. */
static pid_t
hold_elsewhere(World *world, const int *ready, const int *go)
{
  pid_t pid = fork();
  g_assert_cmpint(pid, >=, 0);
  if (pid > 0)
    return pid;
  int held[TRANSFERS_PER_PROCESS];
  char byte = 'x';
  close(go[1]);
  hold_all_that_one_may(world, held);
  g_assert_cmpint(write(ready[1], &byte, 1), ==, 1);
  g_assert_cmpint(read(go[0], &byte, 1), ==, 0);
  _exit(0);
}

static void
assert_room_again(Client *client)
{
  g_autofree char *error = NULL;
  for (int i = 0; i < 1000; i++) {
    g_free(error);
    error = open_error(client, NULL);
    if (!error)
      break;
    g_usleep(10000);
  }
  g_assert_null(error);
}

static void
test_limit(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  int held[TRANSFERS_PER_PROCESS];
  int ready[2], go[2], status;
  char byte;
  g_assert_cmpint(pipe(ready), ==, 0);
  g_assert_cmpint(pipe(go), ==, 0);
  pid_t other = hold_elsewhere(world, ready, go);
  close(ready[1]);
  close(go[0]);
  g_assert_cmpint(read(ready[0], &byte, 1), ==, 1); /* 0: it died */
  close(ready[0]);
  hold_all_that_one_may(world, held);
  close(go[1]);
  g_assert_cmpint(waitpid(other, &status, 0), ==, other);
  g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  g_autoptr(Client) client = client_new(world);
  close(held[0]);
  assert_room_again(client);
  for (int i = 1; i < TRANSFERS_PER_PROCESS; i++)
    close(held[i]);
}

static void
test_stop(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  g_autofree char *error = open_error(client, NULL);
  g_assert_null(error);
  pid_t pid = transfer_pid(world);
  world_kill(world, SIGTERM);
  assert_ends(pid); /* though the descriptor is open here */
}

static void
test_client_leaves(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  Client *client = client_new(world);
  client_unlock(client);
  world_behave(world, "transfer", "slow 300");
  client_send(client, OPEN, json_pack("{s:s}", "token", "fake"), FALSE);
  while (world_asked(world, "bind") == 0)
    g_usleep(1000);
  client_free(client);
  assert_ends(transfer_pid(world));
}

static void
test_finish(void)
{
  g_autoptr(World) world = world_started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  g_autofree char *unknown =
      client_error(client, "org.signet.Transfer.Finish", json_pack("{s:s}", "token", "nobody"));
  g_assert_cmpstr(unknown, ==, "NotFound");
  guint listed = world_asked(world, "objects");
  g_autofree char *error =
      client_error(client, "org.signet.Transfer.Finish", json_pack("{s:s}", "token", "fake"));
  g_assert_null(error);
  g_assert_cmpuint(world_asked(world, "objects"), ==, listed + 1);
}

int
main(int argc, char **argv)
{
  static const char *const hang[] = { "hang", "Timeout" };
  static const char *const crash[] = { "crash", "Failed" };
  static const char *const garbage[] = { "garbage", "BadInput" };
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/transfer/no-token-looks-only", test_without_token);
  g_test_add_func("/daemon/transfer/token-is-bound-by-its-pin", test_bound);
  g_test_add_func("/daemon/transfer/wrong-pin-is-booked-once", test_wrong_pin);
  g_test_add_func("/daemon/transfer/wrong-pin-of-many-is-tried-once", test_wrong_pin_of_many);
  g_test_add_data_func("/daemon/transfer/hang-is-timeout", hang, test_misbehaves);
  g_test_add_data_func("/daemon/transfer/crash-is-failure", crash, test_misbehaves);
  g_test_add_data_func("/daemon/transfer/garbage-is-bad-input", garbage, test_misbehaves);
  g_test_add_func("/daemon/transfer/lock-ends-it", test_lock);
  g_test_add_func("/daemon/transfer/lock-meanwhile-is-pin-required", test_lock_meanwhile);
  g_test_add_func("/daemon/transfer/one-program-leaves-room", test_limit);
  g_test_add_func("/daemon/transfer/stop-ends-it", test_stop);
  g_test_add_func("/daemon/transfer/client-leaves-it-ends", test_client_leaves);
  g_test_add_func("/daemon/transfer/finish-reads-the-token", test_finish);
  return g_test_run();
}
