/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host program as the broker sees it: greeting, tokens, PINs, its end. */
#include "token-harness.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL_FLAGS (WIRE_KEY_SIGN | WIRE_KEY_DECRYPT | WIRE_KEY_DERIVE)

static void
test_new_module_shows_blank_token(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new();
  g_autoptr(GPtrArray) tokens = host_tokens(host);
  g_assert_cmpuint(tokens->len, ==, 1);
  WireToken *token = tokens->pdata[0];
  g_assert_false(token->flags & WIRE_TOKEN_INITIALIZED);
  g_assert_true(g_str_has_prefix(token->uri, "pkcs11:"));
  g_assert_cmpstr(token->manufacturer, ==, "SoftHSM project");
}

static void
test_init_gives_usable_token(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) answer = host_init(host, TOKEN_NO_SLOT, "alice", TEST_SO_PIN, TEST_PIN, &error);
  g_assert_no_error(error);
  g_autoptr(WireToken) token = host_token(host);
  g_assert_nonnull(token);
  g_assert_cmpstr(token->label, ==, "alice");
  g_assert_true(token->flags & WIRE_TOKEN_INITIALIZED);
  g_assert_true(token->flags & WIRE_TOKEN_USER_PIN_SET);
  g_assert_true(token->flags & WIRE_TOKEN_LOGIN_REQUIRED);
  g_assert_false(token->flags & WIRE_TOKEN_LOGGED_IN);
}

static void
test_init_of_used_token_is_refused(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) answer = host_init(host, host->slot, "bob", TEST_SO_PIN, TEST_PIN, &error);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_REFUSED);
}

static void
test_second_token_is_apart(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  guint32 first = host->slot;
  g_autoptr(GBytes) answer =
      host_init(host, TOKEN_NO_SLOT, "test token", TEST_SO_PIN, "654321", &error);
  g_assert_no_error(error);
  g_assert_cmpuint(host->slot, !=, first);
  g_assert_true(host_login(host, FALSE, "654321", &error));
}

static void
test_short_pin_spends_no_try(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_assert_true(host_logout(host, NULL));
  g_assert_false(host_login(host, FALSE, "1", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REFUSED);
  g_autoptr(WireToken) token = host_token(host);
  g_assert_false(token->flags & WIRE_TOKEN_USER_COUNT_LOW);
}

static void
test_wrong_pin_is_incorrect_then_right_one_works(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_assert_true(host_logout(host, NULL));
  g_assert_false(host_login(host, FALSE, "999999", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_autoptr(WireToken) low = host_token(host);
  g_assert_true(low->flags & WIRE_TOKEN_USER_COUNT_LOW); /* SoftHSM's whole account of tries */
  g_clear_error(&error);
  g_assert_true(host_login(host, FALSE, TEST_PIN, &error));
  g_autoptr(WireToken) token = host_token(host);
  g_assert_true(token->flags & WIRE_TOKEN_LOGGED_IN);
}

static void
test_login_when_unlocked_never_succeeds(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_assert_false(host_login(host, FALSE, "999999", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

static void
test_so_pin_is_checked_and_logged_out(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_assert_true(host_logout(host, NULL));
  g_assert_false(host_login(host, TRUE, "11111111", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  g_assert_true(host_login(host, TRUE, TEST_SO_PIN, &error));
  g_assert_true(host_login(host, FALSE, TEST_PIN, &error));
}

static GBytes *
two_pins(Host *host, guint16 kind, const char *first, const char *second, GError **error)
{
  g_auto(WirePacker) body = { 0 };
  host_pack_token(host, &body);
  wire_pack_text(&body, first);
  wire_pack_text(&body, second);
  return host_ask(host, kind, &body, -1, error);
}

static void
test_pin_change_and_reset(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) wrong = two_pins(host, WIRE_HOST_SET_PIN, "000000", "222222", &error);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_PIN_INCORRECT);
  g_clear_error(&error);
  g_autoptr(GBytes) changed = two_pins(host, WIRE_HOST_SET_PIN, TEST_PIN, "222222", &error);
  g_assert_no_error(error);
  g_assert_true(host_logout(host, NULL));
  g_assert_true(host_login(host, FALSE, "222222", &error));
  g_autoptr(GBytes) reset = two_pins(host, WIRE_HOST_INIT_PIN, TEST_SO_PIN, "333333", &error);
  g_assert_no_error(error);
  g_assert_true(host_heard(host, WIRE_HOST_LOGGED_OUT));
  g_assert_true(host_login(host, FALSE, "333333", &error));
}

static void
test_stale_generation_is_token_gone(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  host->generation += 100;
  g_assert_null(host_objects(host, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
}

static void
test_request_before_hello_is_an_error(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_with(NULL, NULL);
  g_autoptr(GError) error = NULL;
  g_assert_null(host_ask(host, WIRE_HOST_TOKENS, NULL, -1, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

static void
test_other_protocol_is_a_version_error(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_with(NULL, NULL);
  g_autoptr(GError) error = NULL;
  g_auto(WirePacker) body = { 0 };
  wire_pack_u32(&body, WIRE_PROTOCOL + 1);
  wire_pack_bytes(&body, "0123456789abcdef0123456789abcdef", 32);
  g_assert_null(host_ask(host, WIRE_HOST_HELLO, &body, -1, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_VERSION);
}

static void
test_missing_module_is_token_down(void)
{
  g_autoptr(Host) host =
      host_new_with("/nowhere/no-such-module.so", "[profile]\nname=x\n[module]\nfiles=x.so\n");
  g_autoptr(GError) error = NULL;
  g_auto(WirePacker) body = { 0 };
  wire_pack_u32(&body, WIRE_PROTOCOL);
  wire_pack_bytes(&body, "0123456789abcdef0123456789abcdef", 32);
  g_assert_null(host_ask(host, WIRE_HOST_HELLO, &body, -1, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_DOWN);
}

static void
test_unknown_and_cut_requests_are_bad_input(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_autoptr(GError) error = NULL;
  g_assert_null(host_ask(host, 0x77, NULL, -1, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_clear_error(&error);
  for (guint16 kind = WIRE_HOST_OBJECTS; kind <= WIRE_HOST_ABILITIES; kind++) {
    g_auto(WirePacker) body = { 0 };
    host_pack_token(host, &body);
    wire_pack_u8(&body, 0xff);
    wire_pack_u32(&body, 0xffffffff);
    g_assert_null(host_ask(host, kind, &body, -1, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    g_clear_error(&error);
  }
  g_autoptr(WireToken) token = host_token(host); /* and nothing happened */
  g_assert_true(token->flags & WIRE_TOKEN_LOGGED_IN);
}

static void
test_broker_gone_ends_host(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  shutdown(host->channel.fd, SHUT_RDWR);
  g_assert_cmpint(host_wait(host), ==, 0);
}

static void
test_garbage_frame_ends_host(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new();
  guint8 garbage[64];
  memset(garbage, 0xee, sizeof garbage);
  g_assert_cmpint(send(host->channel.fd, garbage, sizeof garbage, MSG_NOSIGNAL), ==, 64);
  g_assert_cmpint(host_wait(host), ==, 0);
}

static void
test_passed_deadline_ends_host(void)
{
  if (!host_possible())
    return;
  g_autoptr(Host) host = host_new_token();
  g_auto(WirePacker) body = { 0 };
  WireHeader header = { 0 };
  host_pack_token(host, &body);
  wire_pack_text(&body, "rsa:4096"); /* seconds, in SoftHSM */
  wire_pack_text(&body, "slow");
  wire_pack_bytes(&body, NULL, 0);
  wire_pack_u32(&body, ALL_FLAGS);
  for (guint i = 0; i < 8; i++) {
    header = (WireHeader){ (guint32)body.length, 100 + i, WIRE_HOST_GENERATE, 5 };
    g_assert_true(
        wire_channel_send(&host->channel, &header, body.bytes, base_deadline_in(1000), NULL));
  }
  int status = host_wait(host); /* some may be found late before they start; the first is not */
  g_assert_cmpint(status, ==, 75);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/token/host/new-module-shows-blank-token", test_new_module_shows_blank_token);
  g_test_add_func("/token/host/init-gives-usable-token", test_init_gives_usable_token);
  g_test_add_func("/token/host/init-of-used-token-refused", test_init_of_used_token_is_refused);
  g_test_add_func("/token/host/second-token-is-apart", test_second_token_is_apart);
  g_test_add_func("/token/host/short-pin-spends-no-try", test_short_pin_spends_no_try);
  g_test_add_func("/token/host/wrong-pin-incorrect",
                  test_wrong_pin_is_incorrect_then_right_one_works);
  g_test_add_func("/token/host/login-when-unlocked-fails", test_login_when_unlocked_never_succeeds);
  g_test_add_func("/token/host/so-pin-checked-and-logged-out",
                  test_so_pin_is_checked_and_logged_out);
  g_test_add_func("/token/host/pin-change-and-reset", test_pin_change_and_reset);
  g_test_add_func("/token/host/stale-generation-token-gone", test_stale_generation_is_token_gone);
  g_test_add_func("/token/host/request-before-hello-error", test_request_before_hello_is_an_error);
  g_test_add_func("/token/host/other-protocol-version-error",
                  test_other_protocol_is_a_version_error);
  g_test_add_func("/token/host/missing-module-token-down", test_missing_module_is_token_down);
  g_test_add_func("/token/host/bad-requests-bad-input",
                  test_unknown_and_cut_requests_are_bad_input);
  g_test_add_func("/token/host/broker-gone-ends", test_broker_gone_ends_host);
  g_test_add_func("/token/host/garbage-frame-ends", test_garbage_frame_ends_host);
  g_test_add_func("/token/host/passed-deadline-ends", test_passed_deadline_ends_host);
  return g_test_run();
}
