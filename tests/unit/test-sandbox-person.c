/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/sandbox.h"

static void
test_words(void)
{
  static const struct {
    const char *text;
    const char *address;
    const char *kind;
    guint variants;
  } good[] = {
    { "alice@example.org", "alice@example.org", "ec:p256", 0 },
    { "Alice@EXAMPLE.org", "Alice@example.org", "ec:p256", 0 },
    { "a@example.org,rsa:2048", "a@example.org", "rsa:2048", 0 },
    { "a@example.org,expired", "a@example.org", "ec:p256", SANDBOX_EXPIRED },
    { "a@example.org,revoked,rsa:3072", "a@example.org", "rsa:3072", SANDBOX_REVOKED },
    { "a@example.org,untrusted,no-address", "a@example.org", "ec:p256",
      SANDBOX_UNTRUSTED | SANDBOX_NO_ADDRESS },
    { "a@example.org,split,old-keys", "a@example.org", "ec:p256",
      SANDBOX_SPLIT | SANDBOX_OLD_KEYS },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(SandboxPerson) person = sandbox_person_parse(good[i].text, FALSE, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(person->address, ==, good[i].address);
    g_assert_cmpstr(person->kind, ==, good[i].kind);
    g_assert_cmpuint(person->variants, ==, good[i].variants);
  }
}

static void
test_refused(void)
{
  static const struct {
    const char *text;
    gboolean contact;
  } bad[] = {
    { "", FALSE },
    { ",", FALSE },
    { "alice", FALSE },
    { "alice@example.org,", FALSE },
    { "alice@example.org,late", FALSE },
    { "alice@example.org,rsa:512", FALSE },
    { "alice@example.org,rsa:2048,ec:p256", FALSE },
    { "alice@example.org,ed25519,split", FALSE },
    { "\xc3\xa4@example.org", FALSE },
    { "alice@example.org,split", TRUE },
    { "alice@example.org,old-keys", TRUE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(sandbox_person_parse(bad[i].text, bad[i].contact, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sandbox/person/words-are-read", test_words);
  g_test_add_func("/sandbox/person/nonsense-is-usage", test_refused);
  return g_test_run();
}
