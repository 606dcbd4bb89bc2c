/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real signet-token over SoftHSM, in a temporary folder. */
#include "daemon-world.h"

#include <glib/gstdio.h>
#include <signal.h>
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

static char *
find_module(void)
{
  static const char *const files[] = { "/usr/lib/softhsm/libsofthsm2.so",
                                       "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                                       "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so" };
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++)
    if (g_file_test(files[i], G_FILE_TEST_EXISTS))
      return g_strdup(files[i]);
  return NULL;
}

static gboolean
make_always_key(void)
{
  g_autofree char *tool = g_find_program_in_path("pkcs11-tool");
  g_autofree char *config = world_path(world, "data/signet/softhsm/softhsm2.conf");
  g_autofree char *module = find_module();
  if (!tool || !module)
    return FALSE;
  g_autofree char *command = g_strdup_printf(
      "env SOFTHSM2_CONF=%s %s --module %s --token-label alice --login --pin 5678 --keypairgen "
      "--key-type EC:prime256v1 --label always --id 4242 --usage-sign --always-auth",
      config, tool, module);
  int status = -1;
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;
  g_assert_true(g_spawn_command_line_sync(command, &out, &err, &status, NULL));
  if (status != 0)
    g_test_message("%s", err);
  return status == 0;
}

/* (nullable) the name of the key that wants its PIN each time */
static char *
find_always_key(Client *client)
{
  char *found = NULL;
  gboolean more = TRUE;
  client_send(client, "org.signet.Id.List", NULL, TRUE);
  while (more) {
    g_autoptr(TestJson) reply = client_receive(client);
    const json_t *id = json_object_get(json_object_get(reply, "parameters"), "id");
    const json_t *key = json_array_get(json_object_get(id, "keys"), 0);
    if (!found && json_is_true(json_object_get(key, "always_authenticate")))
      found = g_strdup(json_string_value(json_object_get(key, "key")));
    more = json_is_true(json_object_get(reply, "continues"));
  }
  return found;
}

static void
assert_sign(Client *client, const char *key, const char *pin, const char *expected)
{
  g_autofree char *error = client_error(
      client, "org.signet.Key.Sign",
      json_pack("{s:s,s:s,s:s,s:s,s:s?}", "key", key, "mechanism", "ecdsa", "hash", "sha256",
                "data", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "pin", pin));
  g_assert_cmpstr(error, ==, expected);
}

static void
test_always_authenticate(void)
{
  if (!make_always_key()) {
    g_test_skip("pkcs11-tool or SoftHSM is not installed, or cannot make such a key");
    return;
  }
  world_kill(world, SIGTERM); /* a token that is known is not searched again for others' keys */
  world_start(world);
  g_autoptr(Client) client = client_new(world);
  g_autofree char *locked = client_error(client, "org.signet.Token.Unlock",
                                         json_pack("{s:s,s:s}", "token", "alice", "pin", "5678"));
  g_autofree char *key = find_always_key(client);
  g_assert_null(locked);
  g_assert_nonnull(key);
  assert_sign(client, key, NULL, "PinRequired"); /* unlocked is not enough */
  assert_sign(client, key, "0000", "PinIncorrect");
  assert_sign(client, key, "0000", "PinRefused"); /* known to be wrong: not tried */
  assert_sign(client, key, "5678", NULL);
  assert_sign(client, key, "5678", NULL);
  assert_sign(client, key, NULL, "PinRequired"); /* nothing was left open */
  g_autofree char *channel =
      client_error(client, "org.signet.Key.OpenChannel",
                   json_pack("{s:s,s:[s]}", "key", key, "operations", "sign"));
  g_assert_cmpstr(channel, ==, "NoChannel");
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
  g_test_add_func("/daemon/soft/key-that-always-authenticates", test_always_authenticate);
  g_test_add_func("/daemon/soft/token-made-by-others-is-seen", test_others_token);
  g_test_add_func("/daemon/soft/unknown-token-is-not-found", test_unknown_token);
  int status = g_test_run();
  world_free(world);
  return status;
}
