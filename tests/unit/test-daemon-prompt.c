/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking for a PIN, by a pinentry of the test's own. */
#include "daemon-world.h"

#include <string.h>
#include <sys/stat.h>

#define PROFILE "[deadline]\noperation=1000\nstart=2000\n"

/* Speaks Assuan's server side. What it is told goes to `told`; what it answers to GETPIN is
 * in `answer`, after as many seconds as `delay` says. */
static const char script[] = "#!/bin/sh\n"
                             "cd \"${0%/*}\" || exit 1\n"
                             "echo 'OK at your service'\n"
                             "while read -r line; do\n"
                             "  echo \"$line\" >>told\n"
                             "  case $line in\n"
                             "  GETPIN) sleep \"$(cat delay)\"; cat answer ;;\n"
                             "  BYE) echo OK; exit 0 ;;\n"
                             "  *) echo OK ;;\n"
                             "  esac\n"
                             "done\n";

static World *
started(void)
{
  World *world = world_new(PROFILE);
  g_autofree char *path = world_path(world, "pinentry");
  g_autofree char *config = g_strdup_printf("[pin]\npinentry=%s\n", path);
  g_autofree char *program = g_strdup(script);
  world_write(world, "pinentry", program);
  g_assert_cmpint(chmod(path, 0700), ==, 0);
  world_write(world, "config/signet/signet.conf", config);
  world_write(world, "answer", "D 1234\nOK\n");
  world_write(world, "delay", "0");
  world_start(world);
  return world;
}

static json_t *
parameters(void)
{
  return json_pack("{s:s,s:{s:s,s:s}}", "token", "fake", "interaction", "tty", "/dev/pts/77",
                   "operation", "sign 100% of it");
}

static char *
unlock(Client *client)
{
  return client_error(client, "org.signet.Token.Unlock", parameters());
}

static char *
told(World *world)
{
  g_autofree char *path = world_path(world, "told");
  char *text = NULL;
  return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

static void
test_asks(void)
{
  g_autoptr(World) world = started();
  g_autoptr(Client) client = client_new(world);
  g_autofree char *error = unlock(client);
  g_autofree char *text = told(world);
  g_assert_null(error);
  g_assert_nonnull(strstr(text, "OPTION ttyname=/dev/pts/77"));
  g_assert_nonnull(strstr(text, "SETDESC PIN of \"fake\""));
  g_assert_nonnull(strstr(text, "sign 100%25 of it"));
  g_assert_cmpuint(world_asked(world, "login"), ==, 1);
}

static void
test_cancel(void)
{
  g_autoptr(World) world = started();
  g_autoptr(Client) client = client_new(world);
  world_write(world, "answer", "ERR 83886179 Operation cancelled <Pinentry>\n");
  g_autofree char *error = unlock(client);
  g_assert_cmpstr(error, ==, "Cancelled");
  g_assert_cmpuint(world_asked(world, "login"), ==, 0);
}

static void
test_broken(void)
{
  g_autoptr(World) world = started();
  g_autoptr(Client) client = client_new(world);
  world_write(world, "pinentry", "#!/bin/sh\nexit 1\n");
  g_autofree char *error = unlock(client);
  g_assert_cmpstr(error, ==, "PinRequired");
}

static void
test_nobody(void)
{
  g_autoptr(World) world = started();
  g_autoptr(Client) client = client_new(world);
  g_autofree char *error =
      client_error(client, "org.signet.Token.Unlock", json_pack("{s:s}", "token", "fake"));
  g_autofree char *text = told(world);
  g_assert_cmpstr(error, ==, "PinRequired");
  g_assert_cmpstr(text, ==, "");
}

static void
test_shared(void)
{
  g_autoptr(World) world = started();
  g_autoptr(Client) one = client_new(world);
  g_autoptr(Client) two = client_new(world);
  world_write(world, "delay", "0.5");
  client_send(one, "org.signet.Token.Unlock", parameters(), FALSE);
  g_autofree char *error = unlock(two);
  g_autoptr(TestJson) reply = client_receive(one);
  g_autofree char *text = told(world);
  g_assert_null(error);
  g_assert_null(json_object_get(reply, "error"));
  g_assert_null(strstr(strstr(text, "GETPIN") + 1, "GETPIN")); /* one question */
  g_assert_cmpuint(world_asked(world, "login"), ==, 1);
}

/* The last client that waits takes the question with it, and the next one gets its own. */
static void
test_leaves(void)
{
  g_autoptr(World) world = started();
  g_autoptr(Client) client = client_new(world);
  Client *leaving = client_new(world);
  gboolean asked = FALSE;
  world_write(world, "delay", "60");
  client_send(leaving, "org.signet.Token.Unlock", parameters(), FALSE);
  while (!asked) {
    g_autofree char *text = told(world);
    asked = strstr(text, "GETPIN") != NULL;
    g_usleep(1000);
  }
  client_free(leaving);
  world_write(world, "delay", "0");
  for (int i = 0; i < 20; i++) { /* until it is seen that the other left */
    g_autofree char *listed = client_error(client, "org.signet.Token.List", NULL);
    g_assert_null(listed);
  }
  g_autofree char *error = unlock(client);
  g_assert_null(error);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/prompt/asks-with-the-clients-surroundings", test_asks);
  g_test_add_func("/daemon/prompt/cancel-is-cancelled-and-costs-nothing", test_cancel);
  g_test_add_func("/daemon/prompt/broken-pinentry-is-pin-required", test_broken);
  g_test_add_func("/daemon/prompt/without-interaction-nobody-is-asked", test_nobody);
  g_test_add_func("/daemon/prompt/two-share-one-question", test_shared);
  g_test_add_func("/daemon/prompt/last-client-leaving-dismisses", test_leaves);
  return g_test_run();
}
