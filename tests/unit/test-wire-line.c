/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/json.h"
#include "wire/limits.h"
#include "wire/line.h"

#include <signet/error.h>

#include <string.h>

static void
put(WireLines *lines, const char *bytes, gsize length)
{
  memcpy(wire_lines_room(lines, length), bytes, length);
  wire_lines_filled(lines, length);
}

static void
takes_number(WireLines *lines, int expected)
{
  g_autoptr(WireJson) message = NULL;
  g_autoptr(GError) error = NULL;
  g_assert_true(wire_lines_take(lines, &message, &error));
  g_assert_no_error(error);
  g_assert_nonnull(message);
  g_assert_cmpint(json_integer_value(json_object_get(message, "n")), ==, expected);
}

static void
takes_nothing(WireLines *lines)
{
  json_t *message = (json_t *)lines; /* anything */
  g_assert_true(wire_lines_take(lines, &message, NULL));
  g_assert_null(message);
}

static void
refuses(const char *bytes, gsize length, int code)
{
  g_auto(WireLines) lines = { 0 };
  g_autoptr(GError) error = NULL;
  json_t *message = NULL;
  put(&lines, bytes, length);
  g_assert_false(wire_lines_take(&lines, &message, &error));
  g_assert_error(error, SIGNET_ERROR, code);
  g_assert_null(message);
}

static void
messages_are_taken_one_by_one(void)
{
  g_auto(WireLines) lines = { 0 };
  takes_nothing(&lines);
  put(&lines, "{\"n\":1}\0{\"n\":2}\0{\"n\"", 20);
  takes_number(&lines, 1);
  takes_number(&lines, 2);
  takes_nothing(&lines);
  takes_nothing(&lines);
  g_assert_cmpuint(lines.length, ==, 4);
  put(&lines, ":3}", 4);
  takes_number(&lines, 3);
  g_assert_cmpuint(lines.length, ==, 0);
}

static void
byte_by_byte_is_the_same(void)
{
  static const char bytes[] = "{\"n\":41}\0{\"n\":42}";
  g_auto(WireLines) lines = { 0 };
  int next = 41;
  for (gsize i = 0; i < sizeof bytes; i++) {
    put(&lines, bytes + i, 1);
    if (bytes[i] == '\0')
      takes_number(&lines, next++);
    else
      takes_nothing(&lines);
  }
  g_assert_cmpint(next, ==, 43);
}

static void
bad_messages_are_refused(void)
{
  refuses("", 1, SIGNET_ERROR_BAD_INPUT);
  refuses("[]", 3, SIGNET_ERROR_BAD_INPUT);
  refuses("1", 2, SIGNET_ERROR_BAD_INPUT);
  refuses("{\"a\":1} x", 10, SIGNET_ERROR_BAD_INPUT);
  refuses("{\"a\":1,\"a\":2}", 14, SIGNET_ERROR_BAD_INPUT); /* which one counts? */
  refuses("{\"a\":\"\\u0000\"}", 15, SIGNET_ERROR_BAD_INPUT);
  refuses("{\"a\":\"\xff\"}", 10, SIGNET_ERROR_BAD_INPUT);
  refuses("{\"a\":99999999999999999999}", 27, SIGNET_ERROR_BAD_INPUT);
  refuses("]]]]{", 6, SIGNET_ERROR_BAD_INPUT);
}

static char *
nested(int depth)
{
  GString *text = g_string_new("{\"a\":");
  for (int i = 1; i < depth; i++)
    g_string_append_c(text, '[');
  for (int i = 1; i < depth; i++)
    g_string_append_c(text, ']');
  g_string_append_c(text, '}');
  return g_string_free(text, FALSE);
}

static void
depth_is_limited(void)
{
  g_auto(WireLines) lines = { 0 };
  g_autofree char *deepest = nested(WIRE_DEPTH_MAX);
  g_autofree char *deeper = nested(WIRE_DEPTH_MAX + 1);
  g_autofree char *abyss = g_strnfill(100000, '[');
  g_autoptr(WireJson) message = NULL;
  refuses(deeper, strlen(deeper) + 1, SIGNET_ERROR_TOO_LARGE);
  refuses(abyss, strlen(abyss) + 1, SIGNET_ERROR_TOO_LARGE);
  put(&lines, deepest, strlen(deepest) + 1);
  g_assert_true(wire_lines_take(&lines, &message, NULL));
  g_assert_nonnull(message);
}

static void
brackets_in_strings_do_not_nest(void)
{
  g_auto(WireLines) lines = { 0 };
  static const char text[] = "{\"n\":5,\"t\":\"[[[[[[[[[[\\\"[[[[[[[[[[[[[[[\\\\\"}";
  put(&lines, text, sizeof text);
  takes_number(&lines, 5);
}

static void
size_is_limited_with_and_without_an_end(void)
{
  g_autofree char *text = g_malloc(WIRE_MESSAGE_MAX + 2);
  memset(text, ' ', WIRE_MESSAGE_MAX + 2);
  memcpy(text, "{\"n\":6}", 7);
  refuses(text, WIRE_MESSAGE_MAX + 1, SIGNET_ERROR_TOO_LARGE); /* no end in sight */
  text[WIRE_MESSAGE_MAX + 1] = '\0';
  refuses(text, WIRE_MESSAGE_MAX + 2, SIGNET_ERROR_TOO_LARGE);
  text[WIRE_MESSAGE_MAX] = '\0';
  g_auto(WireLines) lines = { 0 };
  put(&lines, text, WIRE_MESSAGE_MAX);
  takes_nothing(&lines);
  put(&lines, text + WIRE_MESSAGE_MAX, 1);
  takes_number(&lines, 6);
  g_assert_null(lines.bytes); /* the large buffer is not kept */
}

static void
taken_bytes_are_wiped(void)
{
  g_auto(WireLines) lines = { 0 };
  static const char text[] = "{\"n\":1,\"pin\":\"123456\"}\0{\"n\":2";
  put(&lines, text, sizeof text - 1);
  takes_number(&lines, 1);
  g_assert_cmpuint(lines.start, >, 0);
  for (gsize i = 0; i < lines.start; i++)
    g_assert_cmpint(lines.bytes[i], ==, 0);
}

/* Quadratic moving would take minutes here. */
static void
thousands_of_tiny_messages_are_cheap(void)
{
  g_auto(WireLines) lines = { 0 };
  const guint n = 300000;
  char *room = wire_lines_room(&lines, n * 3);
  for (guint i = 0; i < n; i++)
    memcpy(room + 3 * (gsize)i, "{}", 3);
  wire_lines_filled(&lines, n * 3);
  for (guint i = 0; i < n; i++) {
    g_autoptr(WireJson) message = NULL;
    g_assert_true(wire_lines_take(&lines, &message, NULL));
    g_assert_nonnull(message);
  }
  takes_nothing(&lines);
}

static void
room_is_found_behind_taken_messages(void)
{
  g_auto(WireLines) lines = { 0 };
  for (int i = 0; i < 1000; i++) {
    g_autofree char *text = g_strdup_printf("{\"n\":%d}", i);
    put(&lines, text, strlen(text) + 1);
    put(&lines, "{\"n\"", 4); /* half of the next stays across */
    takes_number(&lines, i);
    put(&lines, ":7}", 4);
    takes_number(&lines, 7);
    g_assert_cmpuint(lines.size, <, 200);
  }
}

static void
text_round_trips_compactly(void)
{
  g_autoptr(WireJson) message = json_object();
  gsize length = 0;
  g_autofree char *large = g_strnfill(100000, 'x');
  wire_json_set_text(message, "a", "\xc3\xbc\"\n");
  json_object_set_new(message, "n", json_integer(8));
  char *text = wire_json_text(message, &length);
  g_assert_cmpstr(text, ==, "{\"a\":\"\xc3\xbc\\\"\\n\",\"n\":8}");
  g_assert_cmpuint(length, ==, strlen(text) + 1);
  wire_text_free(text, length);
  wire_json_set_text(message, "a", large);
  text = wire_json_text(message, &length);
  g_auto(WireLines) lines = { 0 };
  put(&lines, text, length);
  takes_number(&lines, 8);
  wire_text_free(text, length);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  wire_json_start();
  g_test_add_func("/wire/line/messages-are-taken-one-by-one", messages_are_taken_one_by_one);
  g_test_add_func("/wire/line/byte-by-byte-is-the-same", byte_by_byte_is_the_same);
  g_test_add_func("/wire/line/bad-messages-are-refused", bad_messages_are_refused);
  g_test_add_func("/wire/line/depth-is-limited", depth_is_limited);
  g_test_add_func("/wire/line/brackets-in-strings-do-not-nest", brackets_in_strings_do_not_nest);
  g_test_add_func("/wire/line/size-is-limited-with-and-without-an-end",
                  size_is_limited_with_and_without_an_end);
  g_test_add_func("/wire/line/taken-bytes-are-wiped", taken_bytes_are_wiped);
  g_test_add_func("/wire/line/thousands-of-tiny-messages-are-cheap",
                  thousands_of_tiny_messages_are_cheap);
  g_test_add_func("/wire/line/room-is-found-behind-taken-messages",
                  room_is_found_behind_taken_messages);
  g_test_add_func("/wire/line/text-round-trips-compactly", text_round_trips_compactly);
  return g_test_run();
}
