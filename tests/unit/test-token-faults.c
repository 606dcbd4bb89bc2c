/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module that loses sessions, lies, hangs and dies; what the host makes of it. */
#include "token-harness.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const guint8 digest[32] = { 1, 2, 3 };
static const WireOperation sign_rsa = { .verb = WIRE_SIGN,
                                        .mechanism = WIRE_RSA_PKCS1,
                                        .hash = WIRE_SHA256,
                                        .data = digest,
                                        .data_length = sizeof digest };

/* A host over the faulty module, with one RSA key. */
static Host *
faulty_host(WireObject **ret_object)
{
  g_autoptr(GError) error = NULL;
  Host *host = host_new_faulty();
  *ret_object = host_generate(host, "rsa:2048", "key", WIRE_KEY_SIGN | WIRE_KEY_DECRYPT, &error);
  g_assert_no_error(error);
  host_forget_calls("C_Login");
  return host;
}

static void
test_lost_things_are_found_again(void)
{
  static const char *const faults[] = { "session-lost", "key-handle-lost", "general-error" };
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
    g_autoptr(GError) error = NULL;
    host_fault(faults[i]);
    g_autoptr(GBytes) signature = host_operate(host, object->key, &sign_rsa, "", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_bytes_get_size(signature), ==, 256);
  }
  g_assert_cmpuint(host_calls("C_Login"), ==, 0);
}

static void
test_find_that_stumbles_is_repeated(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_autoptr(GError) error = NULL;
  host_fault("general-error");
  g_autoptr(GPtrArray) objects = host_objects(host, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(objects->len, ==, 1);
}

/* SoftHSM while another process writes the token, or for good once it read that half. */
static void
test_token_that_answers_with_errors_is_kept(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_autoptr(GError) error = NULL;
  host_fault("silent");
  host_listen(host, 1500); /* some polls */
  g_assert_true(host_heard(host, WIRE_HOST_CHANGED));
  g_assert_false(host_heard(host, WIRE_HOST_LOGGED_OUT));
  g_autoptr(GBytes) answer = host_ask(host, WIRE_HOST_TOKENS, NULL, -1, &error);
  g_assert_null(answer);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_FAILED);
  g_clear_error(&error);
  g_autoptr(GBytes) signature = host_operate(host, object->key, &sign_rsa, "", &error);
  g_assert_no_error(error);
  g_assert_nonnull(signature);
  host_fault("");
  g_autoptr(WireToken) token = host_token(host); /* of the same generation */
  g_assert_cmphex(token->flags & WIRE_TOKEN_LOGGED_IN, ==, WIRE_TOKEN_LOGGED_IN);
  g_assert_cmpuint(host_calls("C_Login"), ==, 0);
}

static void
test_token_without_its_name_once_is_kept(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  host_fault("nameless");
  g_autoptr(WireToken) token = host_token(host);
  g_assert_cmphex(token->flags & WIRE_TOKEN_LOGGED_IN, ==, WIRE_TOKEN_LOGGED_IN);
  g_assert_cmpstr(token->label, ==, "faulty");
}

static void
test_list_without_a_known_key_is_confirmed(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) before = host_objects(host, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(before->len, ==, 1);
  host_fault("find-nothing");
  g_autoptr(GPtrArray) objects = host_objects(host, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(objects->len, ==, 1);
}

static void
test_lost_login_is_told_and_wants_pin(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_autoptr(GError) error = NULL;
  host_fault("not-logged-in");
  g_assert_null(host_operate(host, object->key, &sign_rsa, "", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_assert_true(host_heard(host, WIRE_HOST_LOGGED_OUT));
  g_assert_cmpuint(host_calls("C_Login"), ==, 0);
  g_assert_true(host_login(host, FALSE, TEST_PIN, NULL));
  g_autoptr(GBytes) signature = host_operate(host, object->key, &sign_rsa, "", NULL);
  g_assert_nonnull(signature);
}

static void
test_login_is_tried_exactly_once(void)
{
  static const struct {
    const char *fault;
    const char *pin;
    SignetError code;
  } cases[] = {
    { "", "999999", SIGNET_ERROR_PIN_INCORRECT },
    { "login-device-error", TEST_PIN, SIGNET_ERROR_FAILED },
    { "login-session-lost", TEST_PIN, SIGNET_ERROR_FAILED },
    { "already-logged-in", TEST_PIN, SIGNET_ERROR_FAILED },
    { "pin-locked", TEST_PIN, SIGNET_ERROR_PIN_BLOCKED },
  };
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_assert_true(host_logout(host, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    host_forget_calls("C_Login");
    host_fault(cases[i].fault);
    g_assert_false(host_login(host, FALSE, cases[i].pin, &error));
    g_assert_error(error, SIGNET_ERROR, (gint)cases[i].code);
    g_assert_cmpuint(host_calls("C_Login"), ==, 1);
    g_autoptr(WireToken) token = host_token(host);
    g_assert_false(token->flags & WIRE_TOKEN_LOGGED_IN);
  }
  host_forget_calls("C_Login");
  host_fault("");
  g_autoptr(GError) error = NULL;
  g_assert_false(host_login(host, FALSE, "12", &error)); /* too short: not even one */
  g_assert_cmpuint(host_calls("C_Login"), ==, 0);
}

static GBytes *
decrypt(Host *host, const WireObject *object, GError **error)
{
  guint8 data[256] = { 0x11 };
  WireOperation operation = { .verb = WIRE_DECRYPT,
                              .mechanism = WIRE_RSA_PKCS1,
                              .wanted = 32,
                              .data = data,
                              .data_length = sizeof data };
  return host_operate(host, object->key, &operation, "", error);
}

static void
test_failed_decryption_is_one_call_and_one_answer(void)
{
  static const char *const faults[] = { "", "general-error", "device-error", "long-plaintext" };
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_autoptr(GBytes) first = decrypt(host, object, NULL);
  g_assert_nonnull(first);
  for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
    g_autoptr(GError) error = NULL;
    host_forget_calls("C_Decrypt");
    host_fault(faults[i]);
    g_autoptr(GBytes) answer = decrypt(host, object, &error);
    g_assert_no_error(error);
    g_assert_true(g_bytes_equal(answer, first));
    g_assert_cmpuint(host_calls("C_Decrypt"), ==, 1);
  }
  host_forget_calls("C_Decrypt");
  host_fault("session-lost"); /* this one is repeated: nothing was decided */
  g_autoptr(GBytes) answer = decrypt(host, object, NULL);
  g_assert_true(g_bytes_equal(answer, first));
  g_assert_cmpuint(host_calls("C_Decrypt"), ==, 2);
}

/* A token that was taken away behind the module's back shows no keys. That is not "no key". */
static void
test_vanished_token_is_gone_and_not_empty(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  static const char *const faults[] = { "vanished", "vanishing" };
  for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
    g_autoptr(GError) error = NULL;
    host_fault(faults[i]);
    g_assert_null(host_operate(host, object->key, &sign_rsa, "", &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
    g_clear_error(&error);
    g_assert_null(host_objects(host, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
    g_clear_error(&error);
    host_fault("");
    g_autoptr(GBytes) signature = host_operate(host, object->key, &sign_rsa, "", &error);
    g_assert_no_error(error);
    g_assert_nonnull(signature);
  }
  g_autoptr(GError) error = NULL;
  host_fault("vanished");
  g_assert_null(decrypt(host, object, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
  g_assert_cmpuint(host_calls("C_Decrypt"), ==, 0);
  g_assert_cmpuint(host_calls("C_Login"), ==, 0);
}

static void
test_key_gone_from_its_token_is_not_found(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_autoptr(GError) error = NULL;
  host_fault("emptied");
  g_autoptr(GPtrArray) objects = host_objects(host, NULL);
  g_assert_cmpuint(objects->len, ==, 0);
  for (int i = 0; i < 2; i++) {
    g_clear_error(&error);
    g_assert_null(host_operate(host, object->key, &sign_rsa, "", &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND);
  }
  host_fault(""); /* who asks again is given a new list, with no login in between */
  g_clear_error(&error);
  g_autoptr(GBytes) signature = host_operate(host, object->key, &sign_rsa, "", &error);
  g_assert_no_error(error);
  g_assert_nonnull(signature);
}

/* A client then asks signetd for another one, and hears from it. */
static void
test_channel_ends_unanswered_when_its_key_is_missed(void)
{
  static const char *const faults[] = { "vanished", "emptied" };
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
    g_autoptr(GError) error = NULL;
    g_auto(WireChannel) channel = { .fd = -1 };
    int fd = host_open_channel(host, object->key, 1u << WIRE_SIGN, 1, &error);
    g_assert_no_error(error);
    wire_channel_start(&channel, fd);
    host_fault(faults[i]);
    g_assert_null(channel_operate(&channel, &sign_rsa, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE); /* end of file */
    g_assert_cmpuint(channel.header.serial, ==, 0);               /* and nothing before it */
    host_fault("");
  }
}

static void
test_key_that_wants_its_pin_each_time(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_autoptr(GError) error = NULL;
  g_autoptr(WireObject) key =
      host_generate(host, "rsa:2048", "strict", WIRE_KEY_SIGN | WIRE_KEY_ALWAYS_AUTH, &error);
  g_assert_no_error(error);
  g_assert_true(key->flags & WIRE_KEY_ALWAYS_AUTH);

  g_assert_null(host_operate(host, key->key, &sign_rsa, "", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
  g_clear_error(&error);
  g_assert_cmpuint(host_calls("C_Login"), ==, 0);
  g_assert_null(host_operate(host, key->key, &sign_rsa, "999999", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  g_assert_cmpuint(host_calls("C_Login"), ==, 1);
  for (int i = 0; i < 3; i++) {
    g_autoptr(GBytes) signature = host_operate(host, key->key, &sign_rsa, TEST_PIN, &error);
    g_assert_no_error(error);
    g_assert_nonnull(signature);
  }
  host_fault("general-error"); /* a PIN was given: not repeated */
  host_forget_calls("C_Login");
  g_assert_null(host_operate(host, key->key, &sign_rsa, TEST_PIN, NULL));
  g_assert_cmpuint(host_calls("C_Login"), ==, 1);
  g_assert_cmpint(host_open_channel(host, key->key, 1u << WIRE_SIGN, 1, &error), ==, -1);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_NO_CHANNEL);
  host_fault("");
  g_autoptr(GBytes) signature = host_operate(host, object->key, &sign_rsa, "", NULL);
  g_assert_nonnull(signature); /* the other key is as before */
}

static void
test_signature_of_absurd_length_is_an_error(void)
{
  static const char *const faults[] = { "long-signature", "short-signature" };
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
    g_autoptr(GError) error = NULL;
    host_fault(faults[i]);
    g_assert_null(host_operate(host, object->key, &sign_rsa, "", &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_FAILED);
  }
}

static void
test_lying_lists_do_no_harm(void)
{
  static const char *const faults[] = { "long-attributes", "no-attributes",    "garbage-attributes",
                                        "many-found",      "attribute-errors", "endless-find" };
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
    host_fault(faults[i]);
    g_autoptr(GPtrArray) objects = host_objects(host, NULL);
    host_fault("");
    g_autoptr(GPtrArray) after = host_objects(host, NULL);
    g_assert_cmpuint(after->len, ==, 1);
    g_assert_cmpstr(((WireObject *)after->pdata[0])->key, ==, object->key);
  }
  g_autoptr(GBytes) signature = host_operate(host, object->key, &sign_rsa, "", NULL);
  g_assert_nonnull(signature);
}

static void
test_removed_token_is_gone_and_comes_back_another(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_autoptr(GError) error = NULL;
  int fd = host_open_channel(host, object->key, 1u << WIRE_SIGN, 1, NULL);
  g_auto(WireChannel) channel = { .fd = -1 };
  wire_channel_start(&channel, fd);
  g_array_set_size(host->notices, 0);
  host_fault("removed");
  host_listen(host, 1200);
  g_assert_true(host_heard(host, WIRE_HOST_CHANGED));
  g_assert_true(host_heard(host, WIRE_HOST_CHANNEL_CLOSED));
  g_assert_null(host_operate(host, object->key, &sign_rsa, "", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
  host_fault("");
  g_autoptr(GPtrArray) tokens = host_tokens(host);
  gboolean found = FALSE;
  for (guint i = 0; i < tokens->len; i++) {
    WireToken *token = tokens->pdata[i];
    if (token->slot != host->slot)
      continue;
    found = TRUE;
    g_assert_cmpuint(token->generation, !=, host->generation);
  }
  g_assert_true(found);
}

static void
test_too_many_slots_is_an_error_only(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  host_fault("many-slots");
  g_assert_null(host_ask(host, WIRE_HOST_TOKENS, NULL, -1, NULL));
  host_fault("");
  g_autoptr(GPtrArray) tokens = host_tokens(host);
  g_assert_cmpuint(tokens->len, >=, 1);
}

static void
test_few_sessions_only_slow_things(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_auto(WirePacker) body = { 0 };
  host_fault("few-sessions");
  host_pack_token(host, &body);
  wire_pack_text(&body, object->key);
  wire_pack_text(&body, "");
  wire_operation_pack(&sign_rsa, &body);
  for (guint32 i = 1; i <= 30; i++) { /* all at once */
    WireHeader header = { (guint32)body.length, 1000 + i, WIRE_HOST_OPERATE, 0 };
    g_assert_true(
        wire_channel_send(&host->channel, &header, body.bytes, base_deadline_in(1000), NULL));
  }
  for (int answers = 0; answers < 30;) {
    g_assert_true(wire_channel_receive(&host->channel, NULL, base_deadline_in(20000), NULL));
    if (!host->channel.header.serial)
      continue;
    g_assert_cmpuint(host->channel.header.kind, ==, WIRE_OK);
    answers++;
  }
}

static void
test_hanging_module_ends_host_at_deadline(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_auto(WirePacker) body = { 0 };
  host_fault("hang");
  host_pack_token(host, &body);
  wire_pack_text(&body, object->key);
  wire_pack_text(&body, "");
  wire_operation_pack(&sign_rsa, &body);
  gint64 start = g_get_monotonic_time();
  g_assert_null(host_ask_in(host, WIRE_HOST_OPERATE, &body, -1, 300, NULL));
  g_assert_cmpint(host_wait(host), ==, 75);
  g_assert_cmpint((g_get_monotonic_time() - start) / 1000, >=, 300);
  g_assert_cmpint((g_get_monotonic_time() - start) / 1000, <, 5000);
}

static void
test_hanging_module_ends_with_the_broker(void)
{
  if (!host_possible())
    return;
  g_autoptr(WireObject) object = NULL;
  g_autoptr(Host) host = faulty_host(&object);
  g_auto(WirePacker) body = { 0 };
  host_fault("hang");
  host_pack_token(host, &body);
  wire_pack_text(&body, object->key);
  wire_pack_text(&body, "");
  wire_operation_pack(&sign_rsa, &body);
  WireHeader header = { (guint32)body.length, 77, WIRE_HOST_OPERATE, 0 };
  g_assert_true(
      wire_channel_send(&host->channel, &header, body.bytes, base_deadline_in(1000), NULL));
  g_usleep(100000);
  host_stop(host); /* waits for its end */
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/faults/lost-things-found-again", test_lost_things_are_found_again);
  g_test_add_func("/token/faults/find-stumbles-repeated", test_find_that_stumbles_is_repeated);
  g_test_add_func("/token/faults/errors-keep-token", test_token_that_answers_with_errors_is_kept);
  g_test_add_func("/token/faults/nameless-once-keeps-token",
                  test_token_without_its_name_once_is_kept);
  g_test_add_func("/token/faults/missing-key-confirmed",
                  test_list_without_a_known_key_is_confirmed);
  g_test_add_func("/token/faults/lost-login-told", test_lost_login_is_told_and_wants_pin);
  g_test_add_func("/token/faults/login-exactly-once", test_login_is_tried_exactly_once);
  g_test_add_func("/token/faults/failed-decryption-one-answer",
                  test_failed_decryption_is_one_call_and_one_answer);
  g_test_add_func("/token/faults/vanished-token-gone", test_vanished_token_is_gone_and_not_empty);
  g_test_add_func("/token/faults/removed-key-not-found", test_key_gone_from_its_token_is_not_found);
  g_test_add_func("/token/faults/missed-key-ends-channel",
                  test_channel_ends_unanswered_when_its_key_is_missed);
  g_test_add_func("/token/faults/always-authenticate", test_key_that_wants_its_pin_each_time);
  g_test_add_func("/token/faults/absurd-signature-error",
                  test_signature_of_absurd_length_is_an_error);
  g_test_add_func("/token/faults/lying-lists-no-harm", test_lying_lists_do_no_harm);
  g_test_add_func("/token/faults/removed-token-gone",
                  test_removed_token_is_gone_and_comes_back_another);
  g_test_add_func("/token/faults/too-many-slots-error", test_too_many_slots_is_an_error_only);
  g_test_add_func("/token/faults/few-sessions-still-work", test_few_sessions_only_slow_things);
  g_test_add_func("/token/faults/hang-ends-at-deadline", test_hanging_module_ends_host_at_deadline);
  g_test_add_func("/token/faults/hang-ends-with-broker", test_hanging_module_ends_with_the_broker);
  return g_test_run();
}
