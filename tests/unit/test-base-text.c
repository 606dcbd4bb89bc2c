/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"

static void
shows(const char *text, gssize length, const char *expected)
{
  g_autofree char *shown = base_text_shown(text, length);
  g_assert_cmpstr(shown, ==, expected);
}

static void
plain_stays(void)
{
  shows("", -1, "");
  shows("Alice M\xc3\xbcller, \\ back", -1, "Alice M\xc3\xbcller, \\ back");
  shows("\xd9\x85\xe2\x80\x8c\xd8\xa7", -1, "\xd9\x85\xe2\x80\x8c\xd8\xa7"); /* U+200C */
  shows("cut here", 3, "cut");
  g_assert_null(base_text_shown(NULL, -1));
}

static void
control_is_escaped(void)
{
  shows("a\nb\x1b[31m\x7f", -1, "a\\0Ab\\1B[31m\\7F");
  shows("\xc2\x9b", -1, "\\C2\\9B");               /* CSI in one character */
  shows("\xe2\x80\xaegpj", -1, "\\E2\\80\\AEgpj"); /* right-to-left override */
  shows("\xe2\x80\xa8next line", -1, "\\E2\\80\\A8next line");
}

static void
bad_utf8_becomes_valid(void)
{
  shows("a\xff", -1, "a\xef\xbf\xbd");
  shows("a\0b", 3,
        "a\xef\xbf\xbd"
        "b");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/base/text/plain-stays", plain_stays);
  g_test_add_func("/base/text/control-is-escaped", control_is_escaped);
  g_test_add_func("/base/text/bad-utf8-becomes-valid", bad_utf8_becomes_valid);
  return g_test_run();
}
