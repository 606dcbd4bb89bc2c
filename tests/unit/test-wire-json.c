/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "wire/json.h"
#include "wire/limits.h"

#include <string.h>

static json_t *
parse(const char *text)
{
  json_t *object = json_loads(text, 0, NULL);
  g_assert_nonnull(object);
  return object;
}

static void
is_error(GError *error, int code, const char *named)
{
  g_assert_error(error, SIGNET_ERROR, code);
  g_assert_nonnull(strstr(error->message, named));
}

static void
text_is_checked(void)
{
  g_autoptr(WireJson) object = parse("{\"a\":\"four\",\"n\":null,\"i\":1}");
  const char *text = "before";
  g_autoptr(GError) error = NULL;
  g_assert_true(wire_json_get_text(object, "a", FALSE, 4, &text, NULL));
  g_assert_cmpstr(text, ==, "four");
  g_assert_true(wire_json_get_text(object, "n", TRUE, 4, &text, NULL));
  g_assert_null(text);
  text = "before";
  g_assert_false(wire_json_get_text(object, "a", FALSE, 3, &text, &error));
  is_error(error, SIGNET_ERROR_TOO_LARGE, "`a`");
  g_clear_error(&error);
  g_assert_false(wire_json_get_text(object, "n", FALSE, 3, &text, &error));
  is_error(error, SIGNET_ERROR_USAGE, "`n`");
  g_clear_error(&error);
  g_assert_false(wire_json_get_text(object, "i", TRUE, 3, &text, &error));
  is_error(error, SIGNET_ERROR_USAGE, "`i`");
  g_clear_error(&error);
  g_assert_false(wire_json_get_text(NULL, "x", FALSE, 3, &text, &error));
  is_error(error, SIGNET_ERROR_USAGE, "`x`");
  g_assert_cmpstr(text, ==, "before");
}

static void
numbers_and_truth_are_checked(void)
{
  g_autoptr(WireJson) object =
      parse("{\"i\":5,\"r\":5.5,\"t\":true,\"s\":\"x\",\"max\":9223372036854775807}");
  g_autoptr(GError) error = NULL;
  gint64 number = 0;
  gboolean truth = FALSE;
  g_assert_true(wire_json_get_int(object, "i", 0, 5, 5, &number, NULL));
  g_assert_cmpint(number, ==, 5);
  g_assert_true(wire_json_get_int(object, "none", 77, 0, 1, &number, NULL));
  g_assert_cmpint(number, ==, 77);
  g_assert_true(wire_json_get_int(object, "max", 0, 0, G_MAXINT64, &number, NULL));
  g_assert_cmpint(number, ==, G_MAXINT64);
  number = 3;
  g_assert_false(wire_json_get_int(object, "i", 0, 6, 9, &number, &error));
  is_error(error, SIGNET_ERROR_USAGE, "`i` must be from 6 to 9");
  g_clear_error(&error);
  g_assert_false(wire_json_get_int(object, "r", 0, 0, 9, &number, &error));
  is_error(error, SIGNET_ERROR_USAGE, "`r`");
  g_clear_error(&error);
  g_assert_cmpint(number, ==, 3);
  g_assert_true(wire_json_get_bool(object, "t", FALSE, &truth, NULL));
  g_assert_true(truth);
  g_assert_true(wire_json_get_bool(object, "none", TRUE, &truth, NULL));
  g_assert_true(truth);
  g_assert_false(wire_json_get_bool(object, "i", FALSE, &truth, &error));
  is_error(error, SIGNET_ERROR_USAGE, "`i`");
}

static gboolean
decodes(const char *text, gsize max, const char *expected, gsize length)
{
  g_autoptr(WireJson) object = json_object();
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(GError) error = NULL;
  wire_json_set_text(object, "b", text);
  if (!wire_json_get_base64(object, "b", FALSE, max, &bytes, &error)) {
    g_assert_true(error->code == SIGNET_ERROR_USAGE || error->code == SIGNET_ERROR_TOO_LARGE);
    g_assert_nonnull(strstr(error->message, "`b`"));
    return FALSE;
  }
  g_assert_cmpuint(g_bytes_get_size(bytes), ==, length);
  g_assert_cmpint(memcmp(g_bytes_get_data(bytes, NULL), expected, length), ==, 0);
  return TRUE;
}

static void
base64_is_checked(void)
{
  static const char *const bad[] = { "A",    "AB",       "ABC",       "A===",     "====", "AB=C",
                                     "A B=", "AB==CD==", "AAA\nAAAA", "AA-_AAAA", "=AAA" };
  g_assert_true(decodes("", 0, "", 0));
  g_assert_true(decodes("eHl6", 3, "xyz", 3));
  g_assert_true(decodes("eHk=", 2, "xy", 2));
  g_assert_true(decodes("eA==", 1, "x", 1));
  g_assert_false(decodes("eHl6", 2, "", 0)); /* the limit is of the bytes, not of the text */
  g_assert_false(decodes("eHk=", 1, "", 0));
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
    g_assert_false(decodes(bad[i], 100, "", 0));
  g_autoptr(WireJson) object = parse("{\"i\":1}");
  GBytes *bytes = (GBytes *)object;
  g_assert_true(wire_json_get_base64(object, "none", TRUE, 1, &bytes, NULL));
  g_assert_null(bytes);
  g_assert_false(wire_json_get_base64(object, "i", TRUE, 1, &bytes, NULL));
}

static void
secret_is_limited(void)
{
  g_autoptr(WireJson) object = json_object();
  g_autofree char *longest = g_strnfill(WIRE_PIN_MAX, '1');
  g_autofree char *longer = g_strnfill(WIRE_PIN_MAX + 1, '1');
  g_autoptr(BaseSecret) secret = NULL;
  BaseSecret *none = (BaseSecret *)object;
  g_autoptr(GError) error = NULL;
  wire_json_set_text(object, "pin", longest);
  g_assert_true(wire_json_get_secret(object, "pin", FALSE, &secret, NULL));
  g_assert_cmpstr(base_secret_text(secret), ==, longest);
  g_assert_true(wire_json_get_secret(object, "none", TRUE, &none, NULL));
  g_assert_null(none);
  wire_json_set_text(object, "pin", longer);
  g_assert_false(wire_json_get_secret(object, "pin", FALSE, &none, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  g_assert_null(strstr(error->message, "11111"));
}

static void
lists_are_checked(void)
{
  g_autoptr(WireJson) object = parse("{\"l\":[\"a\",\"b\"],\"m\":[\"a\",1],\"t\":\"a\",\"e\":[]}");
  g_auto(GStrv) list = NULL;
  g_auto(GStrv) empty = NULL;
  g_auto(GStrv) none = NULL;
  char **untouched = NULL;
  g_autoptr(GError) error = NULL;
  g_assert_true(wire_json_get_strv(object, "l", FALSE, 2, &list, NULL));
  g_assert_cmpuint(g_strv_length(list), ==, 2);
  g_assert_true(wire_json_get_strv(object, "e", FALSE, 2, &empty, NULL));
  g_assert_true(wire_json_get_strv(object, "none", TRUE, 2, &none, NULL));
  g_assert_nonnull(none); /* empty, not NULL */
  g_assert_cmpuint(g_strv_length(none), ==, 0);
  g_assert_false(wire_json_get_strv(object, "l", FALSE, 1, &untouched, &error));
  is_error(error, SIGNET_ERROR_TOO_LARGE, "`l`");
  g_assert_false(wire_json_get_strv(object, "m", FALSE, 9, &untouched, NULL));
  g_assert_false(wire_json_get_strv(object, "t", FALSE, 9, &untouched, NULL));
  g_assert_false(wire_json_get_strv(object, "none", FALSE, 9, &untouched, NULL));
  g_assert_null(untouched);
}

static void
setters_take_anything(void)
{
  g_autoptr(WireJson) object = json_object();
  const char *const strv[] = { "a", "b\xff", NULL };
  wire_json_set_text(object, "bad", "x\xff");
  wire_json_set_text(object, "null", NULL);
  wire_json_set_strv(object, "list", (char *const *)(gintptr)strv);
  wire_json_set_strv(object, "none", NULL);
  wire_json_set_base64(object, "b", "\0\1", 2);
  wire_json_set_base64(object, "e", NULL, 0);
  g_assert_cmpstr(json_string_value(json_object_get(object, "bad")), ==, "x\xef\xbf\xbd");
  g_assert_true(json_is_null(json_object_get(object, "null")));
  g_assert_cmpuint(json_array_size(json_object_get(object, "list")), ==, 2);
  g_assert_cmpuint(json_array_size(json_object_get(object, "none")), ==, 0);
  g_assert_cmpstr(json_string_value(json_object_get(object, "b")), ==, "AAE=");
  g_assert_cmpstr(json_string_value(json_object_get(object, "e")), ==, "");
}

static void
error_round_trips_with_its_details(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GError) back = NULL;
  const char *const candidates[] = { "one", "two", NULL };
  base_error_set(&error, SIGNET_ERROR_NONE_USABLE, "none of two");
  base_error_name_token(&error, "alice");
  base_error_count_tries(&error, 0);
  base_error_suggest(&error, "signet", "id", "list", NULL);
  base_error_details(error)->candidates = g_strdupv((char **)(gintptr)candidates);
  g_autoptr(WireJson) reply = wire_json_error(error);
  g_assert_cmpstr(json_string_value(json_object_get(reply, "error")), ==,
                  "org.signet.Error.NoneUsable");
  wire_json_take_error(reply, &back);
  g_assert_error(back, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE);
  g_assert_cmpstr(back->message, ==, "none of two");
  const SignetErrorDetails *details = signet_error_get_details(back);
  g_assert_cmpstr(details->token, ==, "alice");
  g_assert_cmpint(details->tries_left, ==, 0);
  g_assert_true(g_strv_equal((const char *const *)details->candidates, candidates));
  g_assert_cmpuint(g_strv_length(details->try_command), ==, 3);
  wire_json_take_error(reply, NULL);
}

static void
foreign_error_is_failed(void)
{
  g_autoptr(GError) error = g_error_new_literal(G_FILE_ERROR, 3, "x");
  g_autoptr(WireJson) reply = wire_json_error(error);
  g_assert_cmpstr(json_string_value(json_object_get(reply, "error")), ==,
                  "org.signet.Error.Failed");
}

static void
odd_error_replies_are_errors(void)
{
  static const struct {
    const char *text;
    int code;
  } cases[] = {
    { "{}", SIGNET_ERROR_FAILED },
    { "{\"error\":5}", SIGNET_ERROR_FAILED },
    { "{\"error\":\"org.signet.Error.TokenGone\"}", SIGNET_ERROR_TOKEN_GONE },
    { "{\"error\":\"org.signet.Error.TokenGone\",\"parameters\":[]}", SIGNET_ERROR_TOKEN_GONE },
    { "{\"error\":\"org.signet.Error.PinIncorrect\",\"parameters\":{\"message\":1,\"token\":2,"
      "\"tries_left\":-5,\"candidates\":{},\"try\":[1]}}",
      SIGNET_ERROR_PIN_INCORRECT },
    { "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"x\"}}",
      SIGNET_ERROR_VERSION },
    { "{\"error\":\"org.varlink.service.MethodNotFound\"}", SIGNET_ERROR_VERSION },
    { "{\"error\":\"org.varlink.service.PermissionDenied\"}", SIGNET_ERROR_DENIED },
    { "{\"error\":\"com.example.Other\"}", SIGNET_ERROR_FAILED },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(WireJson) reply = parse(cases[i].text);
    g_autoptr(GError) error = NULL;
    wire_json_take_error(reply, &error);
    g_assert_error(error, SIGNET_ERROR, cases[i].code);
    g_assert_cmpint(signet_error_get_details(error)->tries_left, ==, -1);
    g_assert_null(signet_error_get_details(error)->candidates);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  wire_json_start();
  g_test_add_func("/wire/json/text-is-checked", text_is_checked);
  g_test_add_func("/wire/json/numbers-and-truth-are-checked", numbers_and_truth_are_checked);
  g_test_add_func("/wire/json/base64-is-checked", base64_is_checked);
  g_test_add_func("/wire/json/secret-is-limited", secret_is_limited);
  g_test_add_func("/wire/json/lists-are-checked", lists_are_checked);
  g_test_add_func("/wire/json/setters-take-anything", setters_take_anything);
  g_test_add_func("/wire/json/error-round-trips-with-its-details",
                  error_round_trips_with_its_details);
  g_test_add_func("/wire/json/foreign-error-is-failed", foreign_error_is_failed);
  g_test_add_func("/wire/json/odd-error-replies-are-errors", odd_error_replies_are_errors);
  return g_test_run();
}
