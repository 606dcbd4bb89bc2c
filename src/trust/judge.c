/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/trust.h"

#define STATE_GOOD 0
#define STATE_BAD 1

const char *
trust_verdict_name(TrustVerdict verdict)
{
  static const char *const names[] = { "good",       "bad",      "untrusted", "mismatch",
                                       "no-address", "unsigned", "unknown" };
  return names[verdict];
}

static gboolean
has_address(const BaseCert *certificate, const char *from)
{
  for (char **address = certificate->addresses; *address; address++)
    if (base_address_equal(*address, from))
      return TRUE;
  return FALSE;
}

/* Of several addresses the one that the mail comes from. */
static char *
signer_name(const TrustEvidence *evidence)
{
  const BaseCert *certificate = evidence->certificate;
  if (evidence->from && has_address(certificate, evidence->from))
    return g_strdup(evidence->from);
  if (certificate->addresses[0])
    return g_strdup(certificate->addresses[0]);
  return g_strdup(certificate->common_name ? certificate->common_name : certificate->subject);
}

static TrustVerdict
judge_address(const TrustEvidence *evidence, const char *who, char **ret_sentence)
{
  const BaseCert *certificate = evidence->certificate;
  if (!certificate->addresses[0]) {
    *ret_sentence = g_strdup_printf("Signed by %s, whose certificate has no address to compare "
                                    "with the sender's.",
                                    who);
    return TRUST_NO_ADDRESS;
  }
  if (*evidence->from == '\0') {
    *ret_sentence =
        g_strdup_printf("Signed by %s, but the message does not come from one address.", who);
    return TRUST_MISMATCH;
  }
  g_autofree char *all = g_strjoinv(", ", certificate->addresses);
  *ret_sentence =
      g_strdup_printf("Signed by %s, but the message says it comes from %s.", all, evidence->from);
  return TRUST_MISMATCH;
}

static const char *
or_else(const char *text, const char *fallback)
{
  return text ? text : fallback;
}

/* The gravest first: a signature that proves nothing must not be talked of as if it named somebody. */
TrustVerdict
trust_judge(const TrustEvidence *evidence, char **ret_sentence)
{
  if (evidence->state == STATE_BAD) {
    *ret_sentence = g_strdup_printf("The signature is bad: %s.",
                                    or_else(evidence->reason, "it does not fit the message"));
    return TRUST_BAD;
  }
  if (evidence->state != STATE_GOOD || !evidence->certificate) {
    *ret_sentence =
        g_strdup_printf("The signature cannot be checked: %s.",
                        or_else(evidence->reason, "the signer's certificate is not to be had"));
    return TRUST_UNKNOWN;
  }
  if (evidence->weak) {
    *ret_sentence =
        g_strdup_printf("The signature proves nothing: %s.",
                        or_else(evidence->reason,
                                "it was made with a broken hash (MD5, SHA-1) or too short a key"));
    return TRUST_BAD;
  }
  g_autofree char *who = signer_name(evidence);
  if (evidence->from && !has_address(evidence->certificate, evidence->from))
    return judge_address(evidence, who, ret_sentence);
  if (!evidence->chain || !evidence->chain->trusted) {
    *ret_sentence = g_strdup_printf(
        "Signed by %s, but the certificate is not trusted: %s.", who,
        or_else(evidence->chain ? evidence->chain->reason : NULL, "its chain was not checked"));
    return TRUST_UNTRUSTED;
  }
  *ret_sentence = g_strdup_printf("Signed by %s, trusted by %s; %s.", who,
                                  or_else(evidence->chain->root, "a root of yours"),
                                  or_else(evidence->chain->reason, "all was checked"));
  return TRUST_GOOD;
}
