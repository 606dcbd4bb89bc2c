/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/verdict.h"

#include "trust/judge.h"

#include <string.h>

/* Clocks differ: a signature made with a certificate of the same hour may give an earlier time. */
#define CLOCK_SECONDS (24 * 3600)

static void
signer_free(gpointer data)
{
  TrustSigner *signer = data;
  g_free(signer->sentence);
  g_free(signer->reason);
  base_cert_free(signer->certificate);
  g_free(signer->digest);
  g_free(signer->algorithm);
  g_free(signer->expired);
  trust_chain_free(signer->chain);
  trust_revocation_free(signer->revocation);
  g_free(signer);
}

static gboolean
has_address(const BaseCert *certificate, const char *wanted)
{
  for (char **address = certificate->addresses; *address; address++)
    if (base_address_equal(*address, wanted))
      return TRUE;
  return FALSE;
}

static TrustAddress
address_of(const BaseCert *certificate, const TrustClaim *claim)
{
  if (!claim->mail)
    return TRUST_ADDRESS_NOTHING;
  /* Two From addresses: whichever a reader sees, the signature cannot be for it alone. */
  if (claim->from_count == 0)
    return TRUST_ADDRESS_UNCLEAR;
  if (!certificate->addresses[0])
    return TRUST_ADDRESS_ABSENT;
  if (claim->from_count > 1 || !claim->from)
    return TRUST_ADDRESS_UNCLEAR;
  return has_address(certificate, claim->from) ? TRUST_ADDRESS_SAME : TRUST_ADDRESS_DIFFERS;
}

static TrustAddress
sender_of(const BaseCert *certificate, const TrustClaim *claim)
{
  if (!claim->mail || !claim->sender)
    return TRUST_ADDRESS_NOTHING;
  return has_address(certificate, claim->sender) ? TRUST_ADDRESS_SAME : TRUST_ADDRESS_DIFFERS;
}

/* As it stands now; else, where dates alone speak against it, as it stood when it was signed. */
static void
add_chain(TrustStore *store, TrustSigner *signer, GPtrArray *certificates, gint64 now)
{
  signer->chain = trust_chain_check(store, signer->certificate, certificates, 0);
  gint64 then = signer->signing_time;
  if (signer->chain->trusted || then <= 0 || then >= now)
    return;
  TrustChain *before = trust_chain_check(store, signer->certificate, certificates, then);
  if (!before->trusted) {
    trust_chain_free(before);
    return;
  }
  signer->expired = g_steal_pointer(&signer->chain->reason);
  trust_chain_free(signer->chain);
  signer->chain = before;
}

static TrustSigner *
signer_new(const TrustEvidence *evidence, const TrustClaim *claim)
{
  TrustSigner *signer = g_new0(TrustSigner, 1);
  signer->state = evidence->state;
  signer->reason = g_strdup(evidence->reason);
  signer->digest = g_strdup(evidence->digest);
  signer->algorithm = g_strdup(evidence->algorithm);
  signer->weak = evidence->weak;
  signer->signing_time = evidence->signing_time;
  signer->address = TRUST_ADDRESS_NOTHING;
  signer->sender = TRUST_ADDRESS_NOTHING;
  signer->certificate =
      evidence->certificate ? base_cert_new(evidence->certificate->der, NULL) : NULL;
  if (signer->certificate) {
    signer->address = address_of(signer->certificate, claim);
    signer->sender = sender_of(signer->certificate, claim);
  }
  return signer;
}

static void
add_dates(TrustSigner *signer, gint64 now)
{
  const BaseCert *certificate = signer->certificate;
  gint64 then = signer->signing_time;
  /* Not in its last second, as OpenSSL has it, which checks the chain: both must tell the same. */
  signer->valid_now = now >= certificate->not_before && now < certificate->not_after;
  signer->valid_then = !then || (then >= certificate->not_before - CLOCK_SECONDS &&
                                 then <= certificate->not_after + CLOCK_SECONDS);
}

/* (nullable) what was answered for another signature of the same signer: a message may have a
 * hundred, and a CRL many megabytes. */
static TrustRevocation *
answer_before(const TrustReport *report, const TrustSigner *signer)
{
  for (guint i = 0; i < report->signers->len; i++) {
    const TrustSigner *before = g_ptr_array_index(report->signers, i);
    const TrustRevocation *answer = before->revocation;
    if (!answer || strcmp(before->certificate->fingerprint, signer->certificate->fingerprint) != 0)
      continue;
    TrustRevocation *copy = g_memdup2(answer, sizeof *answer);
    copy->subject = g_strdup(answer->subject);
    copy->how = g_strdup(answer->how);
    copy->reason = g_strdup(answer->reason);
    return copy;
  }
  return NULL;
}

static void
add_facts(const TrustReport *report, TrustStore *store, TrustSigner *signer,
          GPtrArray *certificates, TrustRevocationPolicy policy)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  add_dates(signer, now);
  add_chain(store, signer, certificates, now);
  /* Who is asked is written in the certificates: nobody is for a stranger's, nor for what proves
   * nothing anyway. */
  if (!signer->chain->trusted || signer->state != 0 || signer->weak || signer->chain->path->len < 2)
    return;
  signer->revocation = answer_before(report, signer);
  if (!signer->revocation)
    signer->revocation = trust_revocation_check(signer->chain->path, policy);
}

static TrustReport *
report_new(void)
{
  TrustReport *report = g_new0(TrustReport, 1);
  report->signers = g_ptr_array_new_with_free_func(signer_free);
  report->uncovered = g_ptr_array_new_with_free_func(g_free);
  return report;
}

static TrustReport *
report_of(const TrustClaim *claim)
{
  TrustReport *report = report_new();
  report->mail = claim->mail;
  report->from_count = claim->from_count;
  report->from = g_strdup(claim->from);
  report->sender = g_strdup(claim->sender);
  report->display_address = claim->display_address;
  for (guint i = 0; claim->uncovered && i < claim->uncovered->len; i++)
    g_ptr_array_add(report->uncovered, g_strdup(g_ptr_array_index(claim->uncovered, i)));
  return report;
}

TrustReport *
trust_report_new(TrustStore *store, const GPtrArray *evidences, GPtrArray *certificates,
                 const TrustClaim *claim)
{
  TrustReport *report = report_of(claim);
  TrustRevocationPolicy policy = TRUST_REVOCATION_HARD; /* where the setting cannot be read */
  trust_revocation_policy(&policy, NULL);
  for (guint i = 0; i < evidences->len; i++) {
    TrustSigner *signer = signer_new(g_ptr_array_index(evidences, i), claim);
    if (signer->certificate)
      add_facts(report, store, signer, certificates, policy);
    trust_judge(signer, claim, policy);
    g_ptr_array_add(report->signers, signer);
  }
  trust_judge_all(report);
  return report;
}

TrustReport *
trust_report_unsigned(const char *sentence, TrustVerdict verdict)
{
  TrustReport *report = report_new();
  report->verdict = verdict;
  report->sentence = g_strdup(sentence);
  return report;
}

void
trust_report_free(TrustReport *report)
{
  if (!report)
    return;
  g_free(report->sentence);
  g_ptr_array_unref(report->signers);
  g_ptr_array_unref(report->uncovered);
  g_free(report->from);
  g_free(report->sender);
  g_free(report);
}
