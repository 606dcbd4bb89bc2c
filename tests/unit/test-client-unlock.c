/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A locked token: one question, one try, one repetition. */

#include "base/error.h"
#include "test-client-server.h"

#include <signet/key.h>

#include <stdlib.h>
#include <string.h>

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PIN_REQUIRED                                                                    \
  "{\"error\":\"org.signet.Error.PinRequired\",\"parameters\":{\"message\":\"locked\"," \
  "\"token\":\"alice\",\"tries_left\":2}}"
#define SIGNATURE "{\"parameters\":{\"signature\":\"MAYCAQECAQIwBgIBAQIBAg==\"}}"
#define UNLOCKED "{\"parameters\":{\"already\":false}}"
#define ALREADY "{\"parameters\":{\"already\":true}}"
#define INCORRECT                                                                           \
  "{\"error\":\"org.signet.Error.PinIncorrect\",\"parameters\":{\"message\":\"wrong PIN\"," \
  "\"token\":\"alice\",\"tries_left\":1,\"try\":[\"signet\",\"token\",\"unblock\",\"alice\"]}}"

/* What the daemon is asked and says, in order. */
typedef struct {
  const char *method; /* short */
  const char *answer;
} Step;

typedef struct {
  const Step *steps;
  gsize n;
  GPtrArray *seen; /* calls, as JSON */
} Script;

static void
serve_script(TestPeer *peer, gpointer data)
{
  Script *script = data;
  test_peer_hello(peer);
  for (gsize i = 0; i < script->n; i++) {
    json_t *call = test_peer_read(peer);
    g_assert_nonnull(call);
    g_assert_true(g_str_has_suffix(json_string_value(json_object_get(call, "method")),
                                   script->steps[i].method));
    g_ptr_array_add(script->seen, call);
    test_peer_say(peer, script->steps[i].answer);
  }
  g_assert_null(test_peer_read(peer));
}

typedef struct {
  Script script;
  TestServer *server;
  SignetClient *client;
  int asked;
  const char *pin; /* what the person types; NULL: leaves it to pinentry */
  gboolean cancel;
} Fixture;

static void
start(Fixture *fixture, const Step *steps, gsize n)
{
  memset(fixture, 0, sizeof *fixture);
  fixture->script =
      (Script){ steps, n, g_ptr_array_new_with_free_func((GDestroyNotify)json_decref) };
  fixture->server = test_server_new(serve_script, &fixture->script);
  fixture->client =
      signet_client_connect(test_server_path(fixture->server), SIGNET_CONNECT_NO_AUTOSTART, NULL);
}

static void
finish(Fixture *fixture, guint calls)
{
  signet_client_free(fixture->client);
  test_server_free(fixture->server);
  g_assert_cmpuint(fixture->script.seen->len, ==, calls);
  g_ptr_array_unref(fixture->script.seen);
}

static const char *
seen_text(Fixture *fixture, guint call, const char *name)
{
  json_t *parameters = json_object_get(g_ptr_array_index(fixture->script.seen, call), "parameters");
  return json_string_value(json_object_get(parameters, name));
}

static gboolean
ask(const char *token, int tries_left, gpointer user_data, char **ret_pin, GError **error)
{
  Fixture *fixture = user_data;
  fixture->asked++;
  g_assert_cmpstr(token, ==, "alice");
  g_assert_cmpint(tries_left, ==, 2);
  if (fixture->cancel)
    return base_error_set(error, SIGNET_ERROR_CANCELLED, "no");
  *ret_pin = fixture->pin ? strdup(fixture->pin) : NULL;
  return TRUE;
}

static GBytes *
sign(Fixture *fixture, GError **error)
{
  static const guint8 digest[32] = { 1 };
  const SignetOperation operation = {
    .mechanism = SIGNET_ECDSA, .hash = "sha256", .data = digest, .data_length = sizeof digest
  };
  return signet_key_sign(fixture->client, KEY, &operation, error);
}

static void
test_typed_pin_unlocks_and_repeats(void)
{
  static const Step steps[] = { { ".Sign", PIN_REQUIRED },
                                { ".Unlock", UNLOCKED },
                                { ".Sign", SIGNATURE } };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, steps, 3);
  fixture.pin = "1234";
  signet_client_set_ask(fixture.client, TRUE, ask, &fixture);
  g_autoptr(GBytes) signature = sign(&fixture, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_bytes_get_size(signature), ==, 16);
  g_assert_cmpint(fixture.asked, ==, 1);
  g_assert_cmpstr(seen_text(&fixture, 0, "hash"), ==, "sha256");
  g_assert_cmpstr(seen_text(&fixture, 0, "mechanism"), ==, "ecdsa");
  g_assert_cmpstr(seen_text(&fixture, 1, "pin"), ==, "1234");
  g_assert_cmpstr(seen_text(&fixture, 1, "token"), ==, "alice");
  g_assert_null(seen_text(&fixture, 2, "pin"));
  finish(&fixture, 3);
}

static void
test_wrong_pin_is_tried_once(void)
{
  static const Step steps[] = { { ".Sign", PIN_REQUIRED }, { ".Unlock", INCORRECT } };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, steps, 2);
  fixture.pin = "0000";
  signet_client_set_ask(fixture.client, TRUE, ask, &fixture);
  g_assert_null(sign(&fixture, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  const SignetErrorDetails *details = signet_error_get_details(error);
  g_assert_cmpint(details->tries_left, ==, 1);
  g_assert_cmpstr(details->token, ==, "alice");
  g_assert_cmpstr(details->try_command[2], ==, "unblock");
  g_assert_cmpint(fixture.asked, ==, 1);
  finish(&fixture, 2);
}

static void
test_still_locked_after_unlock_asks_no_more(void)
{
  static const Step steps[] = { { ".Sign", PIN_REQUIRED },
                                { ".Unlock", UNLOCKED },
                                { ".Sign", PIN_REQUIRED } };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, steps, 3);
  fixture.pin = "1234";
  signet_client_set_ask(fixture.client, TRUE, ask, &fixture);
  g_assert_null(sign(&fixture, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_assert_cmpint(fixture.asked, ==, 1);
  finish(&fixture, 3);
}

/* CKA_ALWAYS_AUTHENTICATE: the token is unlocked, this key wants the PIN with the operation. */
static void
test_always_authenticate_gets_pin_with_operation(void)
{
  static const Step steps[] = { { ".Sign", PIN_REQUIRED },
                                { ".Unlock", ALREADY },
                                { ".Sign", PIN_REQUIRED },
                                { ".Sign", SIGNATURE } };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, steps, 4);
  fixture.pin = "1234";
  signet_client_set_ask(fixture.client, TRUE, ask, &fixture);
  g_autoptr(GBytes) signature = sign(&fixture, &error);
  g_assert_no_error(error);
  g_assert_cmpint(fixture.asked, ==, 1);
  g_assert_null(seen_text(&fixture, 2, "pin"));
  g_assert_cmpstr(seen_text(&fixture, 3, "pin"), ==, "1234");
  finish(&fixture, 4);
}

static void
test_nobody_asks_is_pin_required(void)
{
  static const Step steps[] = { { ".Sign", PIN_REQUIRED } };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, steps, 1);
  signet_client_set_ask(fixture.client, FALSE, ask, &fixture);
  g_assert_null(sign(&fixture, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_assert_cmpint(signet_error_get_details(error)->tries_left, ==, 2);
  g_assert_cmpint(fixture.asked, ==, 0);
  finish(&fixture, 1);
}

static void
test_cancel_stops(void)
{
  static const Step steps[] = { { ".Sign", PIN_REQUIRED } };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, steps, 1);
  fixture.cancel = TRUE;
  signet_client_set_ask(fixture.client, TRUE, ask, &fixture);
  g_assert_null(sign(&fixture, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANCELLED);
  finish(&fixture, 1);
}

static void
test_pinentry_gets_surroundings(void)
{
  static const Step steps[] = { { ".Sign", PIN_REQUIRED },
                                { ".Unlock", UNLOCKED },
                                { ".Sign", SIGNATURE } };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  g_setenv("DISPLAY", ":7", TRUE);
  g_setenv("GPG_TTY", "/dev/pts/77", TRUE);
  g_setenv("LC_ALL", "de_DE.UTF-8", TRUE);
  g_setenv("TERM", "xterm", TRUE);
  g_setenv("XAUTHORITY", "/\xff", TRUE); /* no UTF-8: left out */
  start(&fixture, steps, 3);
  g_autoptr(GBytes) signature = sign(&fixture, &error);
  g_assert_no_error(error);
  json_t *unlock = json_object_get(g_ptr_array_index(fixture.script.seen, 1), "parameters");
  json_t *interaction = json_object_get(unlock, "interaction");
  g_assert_null(json_object_get(unlock, "pin"));
  g_assert_cmpstr(json_string_value(json_object_get(interaction, "display")), ==, ":7");
  g_assert_cmpstr(json_string_value(json_object_get(interaction, "locale")), ==, "de_DE.UTF-8");
  g_assert_cmpstr(json_string_value(json_object_get(interaction, "term")), ==, "xterm");
  g_assert_cmpstr(json_string_value(json_object_get(interaction, "operation")), ==, "sign");
  g_assert_nonnull(json_object_get(interaction, "tty"));
  g_assert_null(json_object_get(interaction, "xauthority"));
  finish(&fixture, 3);
}

/* The program's own question may leave it to pinentry. */
static void
test_ask_without_answer_is_pinentry(void)
{
  static const Step steps[] = { { ".Sign", PIN_REQUIRED },
                                { ".Unlock", UNLOCKED },
                                { ".Sign", SIGNATURE } };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  start(&fixture, steps, 3);
  signet_client_set_ask(fixture.client, TRUE, ask, &fixture);
  g_autoptr(GBytes) signature = sign(&fixture, &error);
  g_assert_no_error(error);
  json_t *unlock = json_object_get(g_ptr_array_index(fixture.script.seen, 1), "parameters");
  g_assert_nonnull(json_object_get(unlock, "interaction"));
  finish(&fixture, 3);
}

static void
test_explicit_unlock_says_already(void)
{
  static const Step steps[] = { { ".Unlock", ALREADY } };
  Fixture fixture;
  g_autoptr(GError) error = NULL;
  gboolean already = FALSE;
  start(&fixture, steps, 1);
  g_assert_true(signet_token_unlock(fixture.client, "alice", "1234", TRUE, &already, &error));
  g_assert_true(already);
  json_t *unlock = json_object_get(g_ptr_array_index(fixture.script.seen, 0), "parameters");
  g_assert_true(json_is_true(json_object_get(unlock, "repeat")));
  finish(&fixture, 1);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/client/unlock/typed-pin-unlocks-and-repeats",
                  test_typed_pin_unlocks_and_repeats);
  g_test_add_func("/client/unlock/wrong-pin-is-tried-once", test_wrong_pin_is_tried_once);
  g_test_add_func("/client/unlock/still-locked-asks-no-more",
                  test_still_locked_after_unlock_asks_no_more);
  g_test_add_func("/client/unlock/always-authenticate-gets-pin",
                  test_always_authenticate_gets_pin_with_operation);
  g_test_add_func("/client/unlock/nobody-asks-is-pin-required", test_nobody_asks_is_pin_required);
  g_test_add_func("/client/unlock/cancel-stops", test_cancel_stops);
  g_test_add_func("/client/unlock/pinentry-gets-surroundings", test_pinentry_gets_surroundings);
  g_test_add_func("/client/unlock/ask-without-answer-is-pinentry",
                  test_ask_without_answer_is_pinentry);
  g_test_add_func("/client/unlock/explicit-unlock-says-already", test_explicit_unlock_says_already);
  return g_test_run();
}
