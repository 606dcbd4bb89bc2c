/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/trust.h"

#include <string.h>

static TrustVerdict
judge(const TrustEvidence *evidence, const char *says)
{
  g_autofree char *sentence = NULL;
  TrustVerdict verdict = trust_judge(evidence, &sentence);
  g_test_message("%s: %s", trust_verdict_name(verdict), sentence);
  if (says)
    g_assert_nonnull(strstr(sentence, says));
  return verdict;
}

static void
test_order(void)
{
  const char *addresses[] = { "alice@example.org", "a.liddell@example.org", NULL };
  const char *none[] = { NULL };
  BaseCert cert = { 0 };
  BaseCert nameless = { 0 };
  TrustChain trusted = { TRUE, (char *)(guintptr) "CN=Root (trust.d/ca.pem)", NULL };
  TrustChain untrusted = { FALSE, NULL, (char *)(guintptr) "its root is not trusted" };
  cert.addresses = (char **)(guintptr)addresses;
  nameless.addresses = (char **)(guintptr)none;
  nameless.subject = (char *)(guintptr) "CN=Card";

  TrustEvidence e = { 0, &cert, FALSE, NULL, "alice@EXAMPLE.org", &trusted };
  g_assert_cmpint(judge(&e, "trusted by CN=Root"), ==, TRUST_GOOD);
  e.from = "a.liddell@example.org";
  g_assert_cmpint(judge(&e, NULL), ==, TRUST_GOOD);
  e.from = NULL;
  g_assert_cmpint(judge(&e, NULL), ==, TRUST_GOOD);
  e.chain = &untrusted;
  g_assert_cmpint(judge(&e, "its root is not trusted"), ==, TRUST_UNTRUSTED);
  e.chain = NULL;
  g_assert_cmpint(judge(&e, NULL), ==, TRUST_UNTRUSTED);
  e.from = "mallory@example.org";
  g_assert_cmpint(judge(&e, "says it comes from mallory@example.org"), ==, TRUST_MISMATCH);
  e.from = "Alice@example.org"; /* a local part is compared exactly */
  g_assert_cmpint(judge(&e, NULL), ==, TRUST_MISMATCH);
  e.from = "";
  e.chain = &trusted;
  g_assert_cmpint(judge(&e, "does not come from one address"), ==, TRUST_MISMATCH);
  e.certificate = &nameless;
  e.from = "alice@example.org";
  g_assert_cmpint(judge(&e, "CN=Card"), ==, TRUST_NO_ADDRESS);
  e.weak = TRUE;
  g_assert_cmpint(judge(&e, "broken hash"), ==, TRUST_BAD);
  e.state = 2;
  g_assert_cmpint(judge(&e, NULL), ==, TRUST_UNKNOWN);
  e.state = 1;
  e.reason = "the content was changed after signing";
  g_assert_cmpint(judge(&e, "was changed"), ==, TRUST_BAD);
  e.state = 0;
  e.weak = FALSE;
  e.certificate = NULL;
  g_assert_cmpint(judge(&e, NULL), ==, TRUST_UNKNOWN);
}

static void
test_names(void)
{
  g_assert_cmpstr(trust_verdict_name(TRUST_GOOD), ==, "good");
  g_assert_cmpstr(trust_verdict_name(TRUST_NO_ADDRESS), ==, "no-address");
  g_assert_cmpstr(trust_verdict_name(TRUST_UNKNOWN), ==, "unknown");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/trust/judge/gravest-first", test_order);
  g_test_add_func("/trust/judge/names-as-documented", test_names);
  return g_test_run();
}
