/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/judge.h"

#include "trust/question.h"

#define STATE_GOOD 0
#define STATE_BAD 1

const char *
trust_verdict_name(TrustVerdict verdict)
{
  static const char *const names[] = { "good",       "bad",      "untrusted", "mismatch",
                                       "no-address", "unsigned", "unknown" };
  return names[verdict];
}

const char *
trust_address_name(TrustAddress address)
{
  static const char *const names[] = { "same", "differs", "absent", "unclear", NULL };
  return names[address];
}

static const char *
or_else(const char *text, const char *fallback)
{
  return text ? text : fallback;
}

/* Of several addresses the one that the mail comes from. */
static char *
signer_name(const TrustSigner *signer, const TrustClaim *claim)
{
  const BaseCert *certificate = signer->certificate;
  if (signer->address == TRUST_ADDRESS_SAME && claim->from)
    return g_strdup(claim->from);
  if (signer->address == TRUST_ADDRESS_DIFFERS)
    return g_strjoinv(", ", certificate->addresses);
  if (certificate->addresses[0])
    return g_strdup(certificate->addresses[0]);
  return g_strdup(certificate->common_name ? certificate->common_name : certificate->subject);
}

/* (nullable) why this is not the mail's sender, half a sentence. */
static char *
mismatch_of(const TrustSigner *signer, const TrustClaim *claim)
{
  switch (signer->address) {
  case TRUST_ADDRESS_DIFFERS:
    return g_strdup_printf("the message says it comes from %s", claim->from);
  case TRUST_ADDRESS_UNCLEAR: /* with no From at all there is nothing that could deceive */
    return claim->from_count > 0 ? g_strdup("the message does not come from one address") : NULL;
  case TRUST_ADDRESS_SAME: /* readers show the name, and many show nothing else */
    return claim->display_address
               ? g_strdup("the name beside the sender's address shows another address")
               : NULL;
  case TRUST_ADDRESS_ABSENT:
  case TRUST_ADDRESS_NOTHING:
  default:
    return NULL;
  }
}

static char *
revoked_text(const TrustSigner *signer)
{
  const TrustRevocation *revocation = signer->revocation;
  g_autoptr(GString) text = g_string_new(NULL);
  if (!revocation->subject || g_strcmp0(revocation->subject, signer->certificate->subject) == 0)
    g_string_append(text, "the certificate was revoked");
  else
    g_string_append_printf(text, "the certificate of %s was revoked", revocation->subject);
  if (revocation->revoked_at) {
    g_autofree char *day = trust_date(revocation->revoked_at);
    g_string_append_printf(text, " on %s", day);
  }
  if (revocation->reason)
    g_string_append_printf(text, " (%s)", revocation->reason);
  if (signer->signing_time && signer->signing_time < revocation->revoked_at) {
    g_autofree char *day = trust_date(signer->signing_time);
    g_string_append_printf(text, ", and only the signer says that it was signed before, on %s",
                           day);
  }
  return g_string_free(g_steal_pointer(&text), FALSE);
}

static gboolean
is_revoked(const TrustSigner *signer)
{
  return signer->revocation && signer->revocation->state == TRUST_REVOKED;
}

static char *
untimely_text(const TrustSigner *signer)
{
  const BaseCert *certificate = signer->certificate;
  gboolean early = signer->signing_time < certificate->not_before;
  g_autofree char *said = trust_date(signer->signing_time);
  g_autofree char *limit = trust_date(early ? certificate->not_before : certificate->not_after);
  return g_strdup_printf(
      "the signer says that it was signed on %s, and the certificate is valid only %s %s", said,
      early ? "from" : "until", limit);
}

/* (nullable) why it is not trusted, half a sentence. */
static char *
objection_to(const TrustSigner *signer, TrustRevocationPolicy policy)
{
  const TrustChain *chain = signer->chain;
  if (!chain || !chain->trusted)
    return g_strdup_printf("the certificate is not trusted: %s",
                           or_else(chain ? chain->reason : NULL, "its chain was not checked"));
  if (is_revoked(signer))
    return revoked_text(signer);
  if (!signer->valid_then)
    return untimely_text(signer);
  if (policy == TRUST_REVOCATION_HARD && signer->revocation &&
      signer->revocation->state == TRUST_REVOCATION_UNKNOWN)
    return g_strdup_printf("whether the certificate was revoked could not be checked (%s), and the "
                           "setting revocation=hard asks for that",
                           or_else(signer->revocation->reason, "no answer"));
  return NULL;
}

static char *
good_text(const TrustSigner *signer, const char *who)
{
  const TrustChain *chain = signer->chain;
  g_autoptr(GString) text = g_string_new(NULL);
  if (chain->confirmed)
    g_string_append_printf(text, "Signed by %s, whose own certificate is trusted: %s", who,
                           or_else(chain->root, "by you"));
  else
    g_string_append_printf(text, "Signed by %s, trusted by %s", who,
                           or_else(chain->root, "a root of yours"));
  if (signer->expired) {
    g_autofree char *day = trust_date(signer->signing_time);
    g_string_append_printf(text, "; %s, after it was signed (on %s, says the signer)",
                           signer->expired, day);
  }
  if (signer->revocation && signer->revocation->state == TRUST_REVOCATION_UNKNOWN)
    g_string_append(text, "; whether it was revoked was not checked");
  g_string_append_c(text, '.');
  return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
settle(TrustSigner *signer, TrustVerdict verdict, char *sentence)
{
  signer->verdict = verdict;
  g_free(signer->sentence);
  signer->sentence = sentence;
}

/* What is revoked or not trusted is said beside whose it is. Which of the two is the verdict: an
 * address that differs is what a person has to know first, but what was revoked was so for a
 * reason. */
static void
judge_person(TrustSigner *signer, const TrustClaim *claim, TrustRevocationPolicy policy)
{
  g_autofree char *who = signer_name(signer, claim);
  g_autofree char *mismatch = mismatch_of(signer, claim);
  g_autofree char *objection = objection_to(signer, policy);
  gboolean absent = signer->address == TRUST_ADDRESS_ABSENT;
  gboolean revoked = objection && is_revoked(signer);
  if (mismatch && !revoked)
    settle(signer, TRUST_MISMATCH,
           g_strdup_printf("Signed by %s, but %s%s%s.", who, mismatch, objection ? "; and " : "",
                           objection ? objection : ""));
  else if (objection)
    settle(signer, TRUST_UNTRUSTED,
           g_strdup_printf("Signed by %s, but %s%s%s.", who, objection, mismatch ? "; and " : "",
                           mismatch ? mismatch : ""));
  else if (absent)
    settle(signer, TRUST_NO_ADDRESS,
           g_strdup_printf("Signed by %s, whose certificate has no address to compare with the "
                           "sender's.",
                           who));
  else
    settle(signer, TRUST_GOOD, good_text(signer, who));
}

static char *
weak_text(const TrustSigner *signer)
{
  if (signer->reason)
    return g_strdup_printf("The signature proves nothing: %s.", signer->reason);
  if (g_strcmp0(signer->digest, "sha1") == 0 || g_strcmp0(signer->digest, "md5") == 0)
    return g_strdup_printf("The signature proves nothing: it was made with %s, which is broken.",
                           *signer->digest == 's' ? "SHA-1" : "MD5");
  return g_strdup_printf("The signature proves nothing: its key of %d bits is too short.",
                         signer->certificate->bits);
}

/* The gravest first: a signature that proves nothing must not be talked of as if it named somebody. */
void
trust_judge(TrustSigner *signer, const TrustClaim *claim, TrustRevocationPolicy policy)
{
  if (signer->state == STATE_BAD)
    settle(signer, TRUST_BAD,
           g_strdup_printf("The signature is bad: %s.",
                           or_else(signer->reason, "it does not fit the message")));
  else if (signer->state != STATE_GOOD || !signer->certificate)
    settle(signer, TRUST_UNKNOWN,
           g_strdup_printf("The signature cannot be checked: %s.",
                           or_else(signer->reason, "the signer's certificate is not to be had")));
  else if (signer->weak)
    settle(signer, TRUST_BAD, weak_text(signer));
  else
    judge_person(signer, claim, policy);
}

/* ---- all of them ---- */

static gsize
rank(TrustVerdict verdict)
{
  /* From best to worst. */
  static const TrustVerdict severity[] = { TRUST_GOOD,      TRUST_NO_ADDRESS, TRUST_MISMATCH,
                                           TRUST_UNTRUSTED, TRUST_UNKNOWN,    TRUST_UNSIGNED,
                                           TRUST_BAD };
  for (gsize i = 0; i < G_N_ELEMENTS(severity); i++)
    if (severity[i] == verdict)
      return i;
  return G_N_ELEMENTS(severity);
}

/* A signature on a part vouches for nothing beside it, and a reader shows all as one. */
static void
judge_uncovered(TrustReport *report)
{
  if (report->uncovered->len == 0 || report->verdict != TRUST_GOOD)
    return;
  g_autofree char *part = g_steal_pointer(&report->sentence);
  report->sentence = g_strdup_printf(
      "Only a part of this mail is signed, the rest may be anybody's; that part: %s", part);
  report->verdict = TRUST_UNSIGNED;
}

void
trust_judge_all(TrustReport *report)
{
  const TrustSigner *worst = NULL;
  guint good = 0;
  for (guint i = 0; i < report->signers->len; i++) {
    const TrustSigner *signer = g_ptr_array_index(report->signers, i);
    good += signer->verdict == TRUST_GOOD;
    if (!worst || rank(signer->verdict) > rank(worst->verdict))
      worst = signer;
  }
  if (!worst)
    return;
  report->verdict = worst->verdict;
  g_free(report->sentence);
  guint all = report->signers->len;
  if (all == 1)
    report->sentence = g_strdup(worst->sentence);
  else if (good == all)
    report->sentence = g_strdup_printf("%u signatures, all good. %s", all, worst->sentence);
  else
    report->sentence = g_strdup_printf("%u signatures, %s good. %s", all, good ? "not all" : "none",
                                       worst->sentence);
  judge_uncovered(report);
}
