/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-mime-made.h"

#include <string.h>

/* The one sender, or nobody: whatever a reader may show otherwise is in doubt. */

static void
assert_from(const char *headers, const char *expected)
{
  g_autofree char *mail = g_strconcat(headers, "\n\nbody\n", NULL);
  g_autoptr(BaseInput) input = made_input(mail, strlen(mail));
  g_autoptr(GError) error = NULL;
  g_autoptr(MimeEntity) entity = made_entity(input, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING, &error);
  g_assert_no_error(error);
  g_test_message("%s", headers);
  g_assert_cmpstr(mime_entity_from(entity), ==, expected);
}

static void
test_one(void)
{
  assert_from("From: alice@Example.ORG", "alice@example.org");
  assert_from("from:alice@example.org", "alice@example.org");
  assert_from("From: Alice <alice@example.org>", "alice@example.org");
  assert_from("From: \"Liddell, Alice <x@y>\" <alice@example.org>", "alice@example.org");
  assert_from("From: Alice (at home, <not@this>) <alice@example.org>", "alice@example.org");
  assert_from("Subject: x\nFrom: Alice\n <alice@example.org>", "alice@example.org");
  assert_from("Subject: x\r\nFrom:\r\n\talice@example.org\r\nTo: y", "alice@example.org");
  assert_from("From: bob@example.org <alice@example.org>", "alice@example.org");
  assert_from("From : alice@example.org", "alice@example.org");
  assert_from("From alice@example.org Mon Nov 23 2026\nFrom: bob@example.org", "bob@example.org");
  assert_from("From: Alice <alice@example.org>,", "alice@example.org");
}

static void
test_none(void)
{
  assert_from("Subject: x", NULL);
  assert_from("From:", NULL);
  assert_from("From: Alice", NULL);
  assert_from("From: alice@example.org, bob@example.org", NULL);
  assert_from("From: <alice@example.org> <bob@example.org>", NULL);
  assert_from("From: <alice@example.org> bob@example.org", NULL);
  assert_from("From: friends: alice@example.org;", NULL);
  assert_from("From: <@relay:alice@example.org", NULL);
  assert_from("From: \"alice\"@example.org", NULL);
  assert_from("From: ((((alice@example.org", NULL);
  assert_from("From: \"alice@example.org", NULL);
  assert_from("From: alice@example.org\\", NULL);
  assert_from("From: a\x01"
              "b@example.org",
              NULL);
  assert_from("X-From: alice@example.org", NULL);
  assert_from("Subject: x\n\nFrom: alice@example.org", NULL);
}

/* Then nobody is to sign it as the default ID. */
static void
test_unclear(void)
{
  static const struct {
    const char *mail;
    gboolean unclear;
  } table[] = {
    { "Subject: x\n\n", FALSE },
    { "From: alice@example.org\n\n", FALSE },
    { "From: Doe, Alice <alice@example.org>\n\n", TRUE },
    { "From: alice@example.org, bob@example.org\n\n", TRUE },
    { "From: (alice@example.org)\n\n", TRUE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(BaseInput) input = made_input(table[i].mail, strlen(table[i].mail));
    g_autoptr(MimeEntity) entity = made_entity(input, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING, NULL);
    g_assert_cmpint(mime_entity_from_is_unclear(entity), ==, table[i].unclear);
  }
}

static void
assert_bad(const char *mail, gsize length)
{
  g_autoptr(BaseInput) input = made_input(mail, length);
  g_autoptr(GError) error = NULL;
  g_assert_null(mime_entity_new(input, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
}

static void
test_bad(void)
{
  static const char two[] = "From: a@example.org\nFROM: b@example.org\n\n";
  static const char same[] = "From: a@example.org\nFrom : a@example.org\n\n";
  static const char none[] = "Hello there\n";
  static const char zero[] = "From: a@ex\0ample.org\n\n";
  static const char cr[] = "Subject: x\rFrom: b@example.org\nFrom: a@example.org\n\n";
  static const char folded[] = " x\nFrom: a@example.org\n\n";
  assert_bad(two, sizeof two - 1);
  assert_bad(same, sizeof same - 1);
  assert_bad(none, sizeof none - 1);
  assert_bad(zero, sizeof zero - 1);
  assert_bad(cr, sizeof cr - 1);
  assert_bad(folded, sizeof folded - 1);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mime/from/one-address-found", test_one);
  g_test_add_func("/mime/from/none-or-several-nobody", test_none);
  g_test_add_func("/mime/from/there-without-one-address-unclear", test_unclear);
  g_test_add_func("/mime/from/two-or-malformed-refused", test_bad);
  return g_test_run();
}
