/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

static void
safe_is(const char *text, const char *expected)
{
  g_autofree char *safe = cli_safe(text);
  g_assert_cmpstr(safe, ==, expected);
}

static void
test_safe(void)
{
  safe_is("Alice, caf\xc3\xa9", "Alice, caf\xc3\xa9");
  safe_is("\033[31mred\007", "\\x1b[31mred\\x07");
  safe_is("two\nlines", "two\\x0alines");
  safe_is("bad \xff\xc3", "bad \\xff\\xc3");
  /* U+202E turns the reading direction round */
  safe_is("moc.\xe2\x80\xaegro", "moc.\\u202egro");
  /* U+009B is a control sequence introducer to some terminals */
  safe_is("\xc2\x9b"
          "31m",
          "\\u009b31m");
  safe_is(NULL, "");
}

static void
test_width(void)
{
  g_assert_cmpint(cli_width("abc"), ==, 3);
  g_assert_cmpint(cli_width("caf\xc3\xa9"), ==, 4);
  g_assert_cmpint(cli_width("cafe\xcc\x81"), ==, 4);
  g_assert_cmpint(cli_width("\xe5\x90\x8d\xe5\x89\x8d"), ==, 4);
  g_assert_cmpint(cli_width(""), ==, 0);
}

static void
wrapped_is(const char *text, int columns, const char *expected)
{
  g_autofree char *wrapped = cli_wrapped(text, columns);
  g_assert_cmpstr(wrapped, ==, expected);
}

static void
test_wrapped(void)
{
  wrapped_is("one two three", 0, "one two three");
  wrapped_is("one two three", 13, "one two three");
  wrapped_is("one two three", 8, "one two\n  three");
  wrapped_is("longer-than-that", 8, "longer-than-that");
  wrapped_is("one two three\n  signet id list\nfour five six", 9,
             "one two\n  three\n  signet id list\nfour five\n  six");
  wrapped_is("", 8, "");
}

static void
test_nearest(void)
{
  static const char *const words[] = { "list", "lock", "unlock", "unblock", NULL };
  g_assert_cmpstr(cli_nearest("lits", words), ==, "list");
  g_assert_cmpstr(cli_nearest("unlok", words), ==, "unlock");
  g_assert_cmpstr(cli_nearest("unb", words), ==, "unblock");
  g_assert_null(cli_nearest("watermelon", words));
}

static void
test_join(void)
{
  char *words[] = { (char *)(guintptr) "a\033", (char *)(guintptr) "b", NULL };
  g_autofree char *joined = cli_join(words, ", ", "none");
  g_autofree char *none = cli_join(NULL, ", ", "none");
  g_assert_cmpstr(joined, ==, "a\\x1b, b");
  g_assert_cmpstr(none, ==, "none");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cli/style/strange-text-is-made-visible", test_safe);
  g_test_add_func("/cli/style/width-counts-columns", test_width);
  g_test_add_func("/cli/style/long-lines-are-broken-between-words", test_wrapped);
  g_test_add_func("/cli/style/nearest-word", test_nearest);
  g_test_add_func("/cli/style/join", test_join);
  return g_test_run();
}
