/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A token is never blocked by us: what each PIN costs, counted by a fake host. */
#include "daemon-world.h"
#include "daemon/pins.h"
#include "wire/host.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <unistd.h>

#define PROFILE "[token]\npin-max=3\n[deadline]\noperation=1000\nstart=20000\n"
#define NO_MAX "[deadline]\noperation=1000\nstart=20000\n"
#define SIGN "org.signet.Key.Sign"

static char *
unlock(Client *client, const char *pin, gboolean repeat)
{
  return client_error(client, "org.signet.Token.Unlock",
                      json_pack("{s:s,s:s,s:b}", "token", "fake", "pin", pin, "repeat", repeat));
}

static void
assert_unlock(Client *client, const char *pin, gboolean repeat, const char *expected)
{
  g_autofree char *error = unlock(client, pin, repeat);
  g_assert_cmpstr(error, ==, expected);
}

static World *
started(const char *profile)
{
  World *world = world_new(profile);
  world_start(world);
  return world;
}

static void
test_wrong(void)
{
  g_autoptr(World) world = started(NO_MAX);
  g_autoptr(Client) client = client_new(world);
  assert_unlock(client, "9999", FALSE, "PinIncorrect");
  g_assert_cmpuint(world_asked(world, "login"), ==, 1);
  assert_unlock(client, "9999", FALSE, "PinRefused"); /* known: not tried */
  g_assert_cmpuint(world_asked(world, "login"), ==, 1);
  assert_unlock(client, "9999", TRUE, "PinIncorrect"); /* the person insists */
  g_assert_cmpuint(world_asked(world, "login"), ==, 2);
  assert_unlock(client, "1", FALSE, "PinRefused"); /* too short */
  assert_unlock(client, "", FALSE, "PinRefused");
  g_assert_cmpuint(world_asked(world, "login"), ==, 2);
  assert_unlock(client, "1234", FALSE, NULL);
  g_assert_cmpuint(world_asked(world, "login"), ==, 3);
  assert_unlock(client, "9999", FALSE, NULL); /* unlocked already: nothing is checked */
  g_assert_cmpuint(world_asked(world, "login"), ==, 3);
}

static void
test_one_short(void)
{
  g_autoptr(World) world = started(PROFILE);
  Client *client = client_new(world);
  assert_unlock(client, "1111", FALSE, "PinIncorrect");
  client_free(client);
  world_kill(world, SIGKILL); /* what was counted is on the disk */
  world_start(world);
  client = client_new(world);
  assert_unlock(client, "2222", FALSE, "PinIncorrect");
  assert_unlock(client, "1234", TRUE, "PinRefused"); /* one more could block it */
  g_assert_cmpuint(world_asked(world, "login"), ==, 2);
  client_free(client);
}

static void
test_crash_counts(void)
{
  g_autoptr(World) world = started(PROFILE);
  g_autoptr(Client) client = client_new(world);
  world_behave(world, "login", "crash");
  assert_unlock(client, "1234", FALSE, "TokenGone");
  g_assert_cmpuint(world_asked(world, "login"), ==, 1); /* never repeated */
  assert_unlock(client, "1234", FALSE, "TokenGone");
  assert_unlock(client, "1234", FALSE, "PinRefused"); /* both counted */
  g_assert_cmpuint(world_asked(world, "login"), ==, 2);
}

static void
sign(Client *client, const char *expected)
{
  g_autofree char *error =
      client_error(client, SIGN,
                   json_pack("{s:s,s:s,s:s,s:s}", "key", world_key, "mechanism", "ecdsa", "hash",
                             "sha256", "data", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
  g_assert_cmpstr(error, ==, expected);
}

/* The PIN was changed elsewhere while the host was down: the cached one is tried once. */
static void
test_cached_once(void)
{
  g_autoptr(World) world = started(NO_MAX);
  g_autoptr(Client) client = client_new(world);
  assert_unlock(client, "1234", FALSE, NULL);
  world_behave(world, "operate", "crash");
  world_behave(world, "login", "wrong");
  sign(client, "PinIncorrect");
  world_behave(world, "operate", "");
  sign(client, "PinRequired");
  g_assert_cmpuint(world_asked(world, "login"), ==, 2);
}

static void
test_cached_crash(void)
{
  g_autoptr(World) world = started(NO_MAX);
  g_autoptr(Client) client = client_new(world);
  assert_unlock(client, "1234", FALSE, NULL);
  world_behave(world, "operate", "crash");
  world_behave(world, "login", "crash");
  sign(client, "TokenGone");
  world_behave(world, "operate", "");
  world_behave(world, "login", "");
  sign(client, "PinRequired");
  g_assert_cmpuint(world_asked(world, "login"), ==, 2);
}

static void
test_blocked(void)
{
  g_autoptr(World) world = world_new(NO_MAX);
  g_autofree char *flags = g_strdup_printf("%u", (guint)WIRE_TOKEN_USER_LOCKED);
  world_behave(world, "flags", flags);
  world_start(world);
  g_autoptr(Client) client = client_new(world);
  assert_unlock(client, "1234", FALSE, "PinBlocked");
  g_assert_cmpuint(world_asked(world, "login"), ==, 0);
}

/* Two at once: one login, the other finds it unlocked. */
static void
test_together(void)
{
  g_autoptr(World) world = started(NO_MAX);
  g_autoptr(Client) one = client_new(world);
  g_autoptr(Client) two = client_new(world);
  world_behave(world, "login", "slow 200");
  client_send(one, "org.signet.Token.Unlock",
              json_pack("{s:s,s:s}", "token", "fake", "pin", "1234"), FALSE);
  assert_unlock(two, "1234", FALSE, NULL);
  g_autoptr(TestJson) reply = client_receive(one);
  g_assert_null(json_object_get(reply, "error"));
  g_assert_cmpuint(world_asked(world, "login"), ==, 1);
}

static void
change(World *world, const char *tokens)
{
  guint before = world_asked(world, "tokens");
  world_behave(world, "tokens", tokens);
  world_behave(world, "changed", "yes");
  while (world_asked(world, "tokens") == before)
    g_usleep(1000);
}

/* Pulled out and put back: the PIN went with it. */
static void
test_removed(void)
{
  g_autoptr(World) world = started(NO_MAX);
  g_autoptr(Client) client = client_new(world);
  assert_unlock(client, "1234", FALSE, NULL);
  sign(client, NULL);
  change(world, "none");
  g_usleep(50000); /* its answer is on its way */
  sign(client, "TokenGone");
  assert_unlock(client, "1234", FALSE, "TokenGone");
  change(world, "");
  g_usleep(50000);
  sign(client, "PinRequired");
  g_assert_cmpuint(world_asked(world, "login"), ==, 1);
  assert_unlock(client, "1234", FALSE, NULL);
  sign(client, NULL);
}

static void
test_memory(void)
{
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "signet-pins-XXXXXX", NULL);
  int fd = g_mkstemp(path);
  g_autoptr(BaseSecret) pin = base_secret_new_from("1111", 4);
  g_autoptr(BaseSecret) other = base_secret_new_from("2222", 4);
  close(fd);
  g_autoptr(DaemonPins) pins = daemon_pins_new(path);
  daemon_pins_attempt(pins, "a");
  daemon_pins_was_wrong(pins, "a", pin);
  g_assert_true(daemon_pins_known_wrong(pins, "a", pin));
  g_assert_false(daemon_pins_known_wrong(pins, "a", other));
  g_assert_false(daemon_pins_known_wrong(pins, "b", pin));
  g_assert_cmpuint(daemon_pins_failures(pins, "a"), ==, 1);
  daemon_pins_attempt(pins, "a");
  daemon_pins_not_tried(pins, "a");
  g_assert_cmpuint(daemon_pins_failures(pins, "a"), ==, 1);
  daemon_pins_attempt(pins, "a");

  g_autoptr(DaemonPins) later = daemon_pins_new(path);
  g_assert_cmpuint(daemon_pins_failures(later, "a"), ==, 2);
  g_assert_false(daemon_pins_known_wrong(later, "a", pin)); /* hashes are in memory only */
  daemon_pins_was_right(later, "a");
  g_assert_cmpuint(daemon_pins_failures(later, "a"), ==, 0);

  g_assert_true(g_file_set_contents(path, "x\n\0\xff y\n5 5 5\n", -1, NULL));
  g_autoptr(DaemonPins) damaged = daemon_pins_new(path);
  g_assert_cmpuint(daemon_pins_failures(damaged, "a"), ==, 0);
  g_unlink(path);
}

#define TPM_A "@tpm\nMaker\nTPM\n0\nfirst"
#define TPM_B "@tpm\nMaker\nTPM\n0\nsecond"
#define CARD_A "@device\nMaker\nCard\n7\nPIN"
#define CARD_B "@device\nMaker\nCard\n7\nSignature PIN"
#define OTHER_CARD "@device\nMaker\nCard\n8\nPIN"

static void
test_scopes(void)
{
  g_autoptr(World) world = world_new(NULL);
  g_autofree char *path = world_path(world, "pins");
  g_autoptr(DaemonPins) pins = daemon_pins_new(path);
  g_assert_cmpstr(daemon_pins_scope("token"), ==, "");
  g_assert_cmpstr(daemon_pins_scope("tpm"), ==, "@tpm");
  daemon_pins_attempt(pins, TPM_A);
  daemon_pins_attempt(pins, CARD_A);
  daemon_pins_attempt(pins, CARD_B);
  daemon_pins_attempt(pins, "\nMaker\nSoft\n1\nfirst");
  g_assert_cmpuint(daemon_pins_failures(pins, TPM_B), ==, 1);
  g_assert_cmpuint(daemon_pins_failures(pins, CARD_A), ==, 2);
  g_assert_cmpuint(daemon_pins_failures(pins, OTHER_CARD), ==, 0);
  g_assert_cmpuint(daemon_pins_failures(pins, "\nMaker\nSoft\n1\nsecond"), ==, 0);
  daemon_pins_was_right(pins, CARD_B);
  g_assert_cmpuint(daemon_pins_failures(pins, CARD_B), ==, 1); /* the other one's stays */
  daemon_pins_was_right(pins, TPM_B);

  g_autoptr(DaemonPins) later = daemon_pins_new(path);
  g_assert_cmpuint(daemon_pins_failures(later, TPM_B), ==, 1);
  g_assert_cmpuint(daemon_pins_failures(later, TPM_B "\nso"), ==, 0); /* the way out stays open */
  daemon_pins_attempt(later, TPM_B "\nso");
  g_assert_cmpuint(daemon_pins_failures(later, TPM_A), ==, 2);
  daemon_pins_was_right(later, TPM_B "\nso");
  g_assert_cmpuint(daemon_pins_failures(later, TPM_A), ==, 0);
}

/* One card, a token for each of its PINs: what was wrong for any is counted for all. */
static void
test_scope_of_profile(void)
{
  g_autoptr(World) world = started(PROFILE "[token]\npin-scope=device\n");
  g_autoptr(Client) client = client_new(world);
  assert_unlock(client, "1111", FALSE, "PinIncorrect");
  assert_unlock(client, "1234", FALSE, NULL);
  assert_unlock(client, "1111", FALSE, NULL);
  g_autofree char *pins = world_path(world, "state/signet/pins");
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(pins, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, ""); /* the right one took it back */
}

/* The clock that goes on in sleep jumps. */
static void
test_sleep(void)
{
  const char *tests = g_getenv("SIGNET_TEST_BUILD");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip("a sanitizer must be loaded first");
  return;
#endif
  g_autoptr(World) world = world_new(NO_MAX);
  g_autofree char *clock = g_build_filename(tests, "tests", "libdaemon-clock.so", NULL);
  world->environment = g_environ_setenv(world->environment, "LD_PRELOAD", clock, TRUE);
  world_start(world);
  g_autoptr(Client) client = client_new(world);
  assert_unlock(client, "1234", FALSE, NULL);
  sign(client, NULL);
  world_write(world, "fake/slept", "");
  sign(client, "PinRequired"); /* noticed by the call itself */
  assert_unlock(client, "1234", FALSE, NULL);
  sign(client, NULL);
  g_assert_cmpuint(world_asked(world, "logout"), ==, 1);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/pins/memory-keeps-counts-not-pins", test_memory);
  g_test_add_func("/daemon/pins/wrong-costs-one-login", test_wrong);
  g_test_add_func("/daemon/pins/stops-one-short-across-restarts", test_one_short);
  g_test_add_func("/daemon/pins/crash-during-login-counts-and-is-not-repeated", test_crash_counts);
  g_test_add_func("/daemon/pins/cached-and-wrong-is-used-once", test_cached_once);
  g_test_add_func("/daemon/pins/cached-and-crash-is-used-once", test_cached_crash);
  g_test_add_func("/daemon/pins/blocked-is-never-tried", test_blocked);
  g_test_add_func("/daemon/pins/removed-token-is-locked-when-back", test_removed);
  g_test_add_func("/daemon/pins/scopes-count-together", test_scopes);
  g_test_add_func("/daemon/pins/scope-of-profile-counted", test_scope_of_profile);
  g_test_add_func("/daemon/pins/sleep-locks-at-once", test_sleep);
  g_test_add_func("/daemon/pins/two-unlocks-share-one-login", test_together);
  return g_test_run();
}
