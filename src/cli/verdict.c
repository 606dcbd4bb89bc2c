/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/verdict.h"

#include "base/error.h"

#include <stdio.h>

/* From best to worst. */
static const TrustVerdict severity[] = { TRUST_GOOD,      TRUST_NO_ADDRESS, TRUST_MISMATCH,
                                         TRUST_UNTRUSTED, TRUST_UNKNOWN,    TRUST_UNSIGNED,
                                         TRUST_BAD };

static gsize
rank(TrustVerdict verdict)
{
  for (gsize i = 0; i < G_N_ELEMENTS(severity); i++)
    if (severity[i] == verdict)
      return i;
  return G_N_ELEMENTS(severity);
}

static CliVerdict *
verdict_empty(void)
{
  CliVerdict *verdict = g_new0(CliVerdict, 1);
  verdict->lines = g_ptr_array_new_with_free_func(g_free);
  verdict->signatures = json_array();
  return verdict;
}

CliVerdict *
cli_verdict_unsigned(const char *sentence, TrustVerdict value)
{
  CliVerdict *verdict = verdict_empty();
  verdict->verdict = value;
  verdict->sentence = g_strdup(sentence);
  return verdict;
}

void
cli_verdict_free(CliVerdict *verdict)
{
  if (!verdict)
    return;
  g_free(verdict->sentence);
  g_free(verdict->from);
  g_ptr_array_unref(verdict->lines);
  json_decref(verdict->signatures);
  g_free(verdict);
}

static void
add_line(CliVerdict *verdict, const char *name, const char *value)
{
  g_autofree char *safe = cli_safe(value);
  if (*safe)
    g_ptr_array_add(verdict->lines, g_strdup_printf("  %-13s%s", name, safe));
}

static void
add_lines(CliVerdict *verdict, const CmsSignature *signature, const TrustChain *chain)
{
  const BaseCert *certificate = signature->certificate;
  if (certificate) {
    g_autofree char *addresses = cli_join(certificate->addresses, ", ", "none");
    add_line(verdict, "Signer", certificate->subject);
    add_line(verdict, "Addresses", addresses);
    add_line(verdict, "Issuer",
             certificate->self_signed ? "itself (self-signed)" : certificate->issuer);
    add_line(verdict, "Fingerprint", certificate->fingerprint);
  }
  if (signature->signing_time) {
    g_autofree char *when = cli_moment(signature->signing_time);
    g_autofree char *said = g_strdup_printf("%s, says the signer", when);
    add_line(verdict, "Signed", said);
  }
  g_autofree char *how =
      g_strdup_printf("%s, %s%s", signature->algorithm ? signature->algorithm : "?",
                      signature->digest ? signature->digest : "?", signature->weak ? ", weak" : "");
  add_line(verdict, "How", how);
  if (chain) {
    add_line(verdict, "Trusted by", chain->trusted ? chain->root : NULL);
    add_line(verdict, chain->trusted ? "Not checked" : "Not trusted", chain->reason);
  }
}

static json_t *
json_signature(const CmsSignature *signature, const TrustChain *chain, TrustVerdict value,
               const char *sentence)
{
  static const char *const states[] = { "good", "bad", "unknown" };
  const BaseCert *certificate = signature->certificate;
  json_t *object = json_pack(
      "{s:s, s:o, s:s, s:o, s:o, s:b, s:o, s:b, s:o, s:o}", "verdict", trust_verdict_name(value),
      "message", cli_json_text(sentence), "signature", states[signature->state], "digest",
      cli_json_text(signature->digest), "algorithm", cli_json_text(signature->algorithm), "weak",
      signature->weak, "signing_time", cli_json_time(signature->signing_time), "trusted",
      chain && chain->trusted, "root", cli_json_text(chain ? chain->root : NULL), "reason",
      cli_json_text(chain && chain->reason ? chain->reason : signature->reason));
  json_t *signer = json_null();
  if (certificate)
    signer = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "subject", cli_json_text(certificate->subject),
        "issuer", cli_json_text(certificate->issuer), "serial", cli_json_text(certificate->serial),
        "addresses", cli_json_strv(certificate->addresses), "fingerprint",
        cli_json_text(certificate->fingerprint), "not_before",
        cli_json_time(certificate->not_before), "not_after", cli_json_time(certificate->not_after));
  json_object_set_new(object, "signer", signer);
  return object;
}

static TrustVerdict
judge(TrustStore *store, const CmsVerified *verified, const CmsSignature *signature,
      const char *from, CliVerdict *verdict)
{
  g_autofree char *sentence = NULL;
  g_autoptr(TrustChain) chain =
      signature->certificate
          ? trust_chain_check(store, signature->certificate, verified->certificates, 0)
          : NULL;
  TrustEvidence evidence = {
    .state = (int)signature->state,
    .certificate = signature->certificate,
    .weak = signature->weak,
    .reason = signature->reason,
    .from = from,
    .chain = chain,
  };
  TrustVerdict value = trust_judge(&evidence, &sentence);
  if (!verdict->sentence || rank(value) > rank(verdict->verdict)) {
    g_free(verdict->sentence);
    verdict->sentence = g_strdup(sentence);
    verdict->verdict = value;
  }
  add_lines(verdict, signature, chain);
  json_array_append_new(verdict->signatures, json_signature(signature, chain, value, sentence));
  return value;
}

/* A signature on a part vouches for nothing beside it, and a reader shows all as one. */
static void
judge_outside(CliVerdict *verdict)
{
  if (verdict->verdict != TRUST_GOOD)
    return;
  g_autofree char *part = g_steal_pointer(&verdict->sentence);
  verdict->sentence = g_strdup_printf(
      "Only a part of this mail is signed, the rest may be anybody's; that part: %s", part);
  verdict->verdict = TRUST_UNSIGNED;
}

CliVerdict *
cli_verdict_new(const CmsVerified *verified, const char *from, int from_count, gboolean outside,
                GError **error)
{
  if (verified->signatures->len == 0)
    return cli_verdict_unsigned("Not signed: it only carries certificates.", TRUST_UNSIGNED);
  g_autoptr(TrustStore) store = trust_store_new(error);
  if (!store)
    return NULL;
  /* Two From addresses: whichever a reader sees, the signature cannot be for it alone. */
  if (from_count > 1)
    from = "";
  CliVerdict *verdict = verdict_empty();
  verdict->from = g_strdup(from);
  verdict->outside = outside;
  for (guint i = 0; i < verified->signatures->len; i++)
    judge(store, verified, g_ptr_array_index(verified->signatures, i), from, verdict);
  if (from_count == 0)
    add_line(verdict, "Not checked", "the mail has no From address to compare");
  if (from_count > 1)
    add_line(verdict, "Careful", "the mail has more than one From address");
  if (outside) {
    judge_outside(verdict);
    add_line(verdict, "Careful", "there is more in this mail than the signature covers");
  }
  return verdict;
}

CliVerdict *
cli_verdict_of_mail(const MimeMessage *mail, const char *from, int from_count, GBytes **ret_content,
                    GError **error)
{
  gboolean detached = mail->kind == MIME_SIGNED;
  g_autoptr(CmsVerified) verified = cms_verify(detached ? mail->signature : mail->content,
                                               detached ? mail->content : NULL, NULL, error);
  if (!verified)
    return NULL;
  CliVerdict *verdict = cli_verdict_new(verified, from, from_count, mail->outside, error);
  if (verdict && ret_content)
    *ret_content = verified->content ? g_bytes_ref(verified->content) : NULL;
  return verdict;
}

void
cli_verdict_print(const CliVerdict *verdict, int fd)
{
  FILE *stream = fd == 1 ? stdout : stderr;
  CliStyle style = verdict->verdict == TRUST_GOOD  ? CLI_GREEN
                   : verdict->verdict == TRUST_BAD ? CLI_RED
                                                   : CLI_YELLOW;
  g_autofree char *safe = cli_safe(verdict->sentence);
  g_autofree char *styled = cli_styled(fd, style, safe);
  fprintf(stream, "%s\n", styled);
  for (guint i = 0; i < verdict->lines->len; i++)
    fprintf(stream, "%s\n", (const char *)g_ptr_array_index(verdict->lines, i));
}

void
cli_verdict_json(const CliVerdict *verdict, json_t *object)
{
  json_object_set_new(object, "verdict", json_string(trust_verdict_name(verdict->verdict)));
  json_object_set_new(object, "message", cli_json_text(verdict->sentence));
  json_object_set_new(object, "from", cli_json_text(verdict->from));
  json_object_set_new(object, "outside", json_boolean(verdict->outside));
  json_object_set(object, "signatures", verdict->signatures);
}
