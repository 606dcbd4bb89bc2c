/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real signet-token over SoftHSM, in a temporary folder. */
#include "daemon-world.h"

#include <glib/gstdio.h>
#include <unistd.h>

static World *world;

/* A real world: profiles and signet-token of the build. */
static void
make_real(void)
{
  static const char *const links[][2] = { { "signet-token", "signet-token" },
                                          { "share/tokens/softhsm.profile",
                                            "share/tokens/softhsm.profile" } };
  for (gsize i = 0; i < G_N_ELEMENTS(links); i++) {
    g_autofree char *from = g_build_filename(g_getenv("SIGNET_TEST_BUILD"), links[i][0], NULL);
    g_autofree char *to = world_path(world, links[i][1]);
    g_assert_cmpint(symlink(from, to), ==, 0);
  }
}

static char *
init(Client *client, const char *label)
{
  return client_error(client, "org.signet.Token.Init",
                      json_pack("{s:s,s:s,s:b}", "label", label, "pin", "1234", "soft", TRUE));
}

static guint
tokens_listed(Client *client)
{
  guint n = 0;
  gboolean more = TRUE;
  client_send(client, "org.signet.Token.List", NULL, TRUE);
  while (more) {
    g_autoptr(TestJson) reply = client_receive(client);
    const json_t *token = json_object_get(json_object_get(reply, "parameters"), "token");
    const char *state = json_string_value(json_object_get(token, "state"));
    n += g_strcmp0(state, "present") == 0;
    more = json_is_true(json_object_get(reply, "continues"));
  }
  return n;
}

static void
test_init(void)
{
  g_autoptr(Client) client = client_new(world);
  g_autofree char *first = init(client, "alice");
  g_autofree char *again = init(client, "alice");
  g_autofree char *second = init(client, "bob");
  g_autofree char *config = world_path(world, "data/signet/softhsm/softhsm2.conf");
  g_assert_null(first);
  g_assert_cmpstr(again, ==, "Refused");
  g_assert_null(second);
  g_assert_cmpuint(tokens_listed(client), ==, 2);
  g_assert_true(g_file_test(config, G_FILE_TEST_EXISTS));
}

static void
test_refusals(void)
{
  static const struct {
    const char *label;
    const char *pin;
    const char *error;
  } cases[] = {
    { "", "1234", "Usage" },       { "a label that is longer than thirty-two", "1234", "Usage" },
    { "x\ny", "1234", "Usage" },   { "carol", "1", "PinRefused" },
    { "carol", "", "PinRefused" },
  };
  g_autoptr(Client) client = client_new(world);
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *error = client_error(
        client, "org.signet.Token.Init",
        json_pack("{s:s,s:s,s:b}", "label", cases[i].label, "pin", cases[i].pin, "soft", TRUE));
    g_assert_cmpstr(error, ==, cases[i].error);
  }
  g_autofree char *used =
      client_error(client, "org.signet.Token.Init",
                   json_pack("{s:s,s:s,s:s}", "label", "dave", "pin", "1234", "token", "alice"));
  g_assert_cmpstr(used, ==, "Refused");
  g_assert_cmpuint(tokens_listed(client), ==, 2);
}

static void
test_pins(void)
{
  g_autoptr(Client) client = client_new(world);
  g_autofree char *wrong = client_error(client, "org.signet.Token.ChangePin",
                                        json_pack("{s:s,s:s,s:s,s:s}", "token", "alice", "which",
                                                  "user", "old", "9999", "new", "5678"));
  g_autofree char *changed = client_error(client, "org.signet.Token.ChangePin",
                                          json_pack("{s:s,s:s,s:s,s:s}", "token", "alice", "which",
                                                    "user", "old", "1234", "new", "5678"));
  g_autofree char *unlocked = client_error(client, "org.signet.Token.Unlock",
                                           json_pack("{s:s,s:s}", "token", "alice", "pin", "5678"));
  g_autoptr(TestJson) reply = client_call(client, "org.signet.Token.Lock", NULL);
  const json_t *locked = json_object_get(json_object_get(reply, "parameters"), "locked");
  g_assert_cmpstr(wrong, ==, "PinIncorrect");
  g_assert_null(changed);
  g_assert_null(unlocked);
  g_assert_cmpuint(json_array_size(locked), ==, 1);
}

/* SoftHSM itself would never see it. */
static void
test_others_token(void)
{
  g_autofree char *tool = g_find_program_in_path("softhsm2-util");
  g_autofree char *config = world_path(world, "data/signet/softhsm/softhsm2.conf");
  g_autoptr(Client) client = client_new(world);
  if (!tool) {
    g_test_skip("softhsm2-util is not installed");
    return;
  }
  g_autofree char *command =
      g_strdup_printf("env SOFTHSM2_CONF=%s %s --init-token --free --label other --pin 1234 "
                      "--so-pin 12345678",
                      config, tool);
  int status = -1;
  g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, &status, NULL));
  g_assert_cmpint(status, ==, 0);
  guint seen = 0;
  for (int i = 0; i < 100 && seen < 3; i++) {
    g_usleep(50000);
    seen = tokens_listed(client);
  }
  g_assert_cmpuint(seen, ==, 3);
}

static void
test_unknown_token(void)
{
  g_autoptr(Client) client = client_new(world);
  g_autofree char *error = client_error(client, "org.signet.Token.Unlock",
                                        json_pack("{s:s,s:s}", "token", "nobody", "pin", "1234"));
  g_assert_cmpstr(error, ==, "NotFound");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  world = world_new(NULL);
  make_real();
  world_start(world);
  g_test_add_func("/daemon/soft/init-makes-tokens", test_init);
  g_test_add_func("/daemon/soft/init-refuses-what-is-wrong", test_refusals);
  g_test_add_func("/daemon/soft/pin-changes", test_pins);
  g_test_add_func("/daemon/soft/token-made-by-others-is-seen", test_others_token);
  g_test_add_func("/daemon/soft/unknown-token-is-not-found", test_unknown_token);
  int status = g_test_run();
  world_free(world);
  return status;
}
