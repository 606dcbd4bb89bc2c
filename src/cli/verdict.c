/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/verdict.h"

#include "contacts/seen.h"

#include <stdio.h>

/* ---- making it ---- */

static GPtrArray *
evidences_of(const CmsVerified *verified)
{
  GPtrArray *evidences = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < verified->signatures->len; i++) {
    const CmsSignature *signature = g_ptr_array_index(verified->signatures, i);
    TrustEvidence *evidence = g_new0(TrustEvidence, 1);
    *evidence = (TrustEvidence){
      .state = (int)signature->state,
      .certificate = signature->certificate,
      .weak = signature->weak,
      .reason = signature->reason,
      .digest = signature->digest,
      .algorithm = signature->algorithm,
      .signing_time = signature->signing_time,
    };
    g_ptr_array_add(evidences, evidence);
  }
  return evidences;
}

static gboolean
shares_address(const BaseCert *one, const BaseCert *other)
{
  for (char **address = one->addresses; *address; address++)
    if (g_strv_contains((const char *const *)other->addresses, *address))
      return TRUE;
  return FALSE;
}

/* Of whose signature is good it is kept what they can read. The certificate to seal to is the
 * signer's word, so it has to be the signer's: else one could lower the ciphers of another. */
static void
note_capabilities(const CmsSignature *signature, const TrustSigner *signer)
{
  if (signer->verdict != TRUST_GOOD || !signature->ciphers)
    return;
  const BaseCert *to = signature->encryption ? signature->encryption : signature->certificate;
  if (to == signature->certificate || shares_address(to, signature->certificate))
    contacts_seen_note(to, (const char *const *)signature->ciphers, signature->signing_time);
}

TrustReport *
cli_verdict_new(const CmsVerified *verified, const TrustClaim *claim, GError **error)
{
  TrustRevocationPolicy policy;
  if (verified->signatures->len == 0)
    return trust_report_unsigned("Not signed: it only carries certificates.", TRUST_UNSIGNED);
  if (!trust_revocation_policy(&policy, error)) /* a setting that is wrong is said, not guessed */
    return NULL;
  g_autoptr(TrustStore) store = trust_store_new(error);
  if (!store)
    return NULL;
  g_autoptr(GPtrArray) evidences = evidences_of(verified);
  TrustReport *report = trust_report_new(store, evidences, verified->certificates, claim);
  for (guint i = 0; i < report->signers->len; i++)
    note_capabilities(g_ptr_array_index(verified->signatures, i),
                      g_ptr_array_index(report->signers, i));
  return report;
}

/* ---- for a person ---- */

#define INDENT 15
#define NARROWEST 40
#define DETAILED_MAX 5 /* signers; of more, only the sentence of each */

typedef struct {
  FILE *stream;
  int columns; /* 0: any number */
} Page;

/* "  Name         value", its further lines under the value. */
static void
print_line(const Page *page, const char *name, const char *value)
{
  g_autofree char *safe = cli_safe(value);
  g_auto(GStrv) words = g_strsplit(safe, " ", -1);
  int column = INDENT;
  if (!*safe)
    return;
  fprintf(page->stream, "  %-*s", INDENT - 2, name);
  for (int i = 0; words[i]; i++) {
    int width = cli_width(words[i]);
    gboolean breaks = i > 0 && page->columns && column + 1 + width > page->columns;
    if (breaks)
      fprintf(page->stream, "\n%*s", INDENT, "");
    column = (breaks ? INDENT : column + (i > 0)) + width;
    fprintf(page->stream, "%s%s", i > 0 && !breaks ? " " : "", words[i]);
  }
  fputc('\n', page->stream);
}

static void print_line_of(const Page *page, const char *name, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static void
print_line_of(const Page *page, const char *name, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *value = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  print_line(page, name, value);
}

static void
print_certificate(const Page *page, const TrustSigner *signer)
{
  const BaseCert *certificate = signer->certificate;
  g_autofree char *addresses = cli_join(certificate->addresses, ", ", "none");
  print_line(page, signer->verdict == TRUST_BAD ? "Names" : "Signer", certificate->subject);
  print_line(page, "Addresses", addresses);
  print_line(page, "Issuer",
             certificate->self_signed ? "itself (self-signed)" : certificate->issuer);
  print_line(page, "Fingerprint", certificate->fingerprint);
}

static void
print_dates(const Page *page, const TrustSigner *signer)
{
  const BaseCert *certificate = signer->certificate;
  if (signer->signing_time) {
    g_autofree char *when = cli_moment(signer->signing_time);
    print_line_of(page, "Signed", "%s, says the signer", when);
  }
  if (certificate && !(signer->valid_now && signer->valid_then)) {
    g_autofree char *from = cli_day(certificate->not_before);
    g_autofree char *until = cli_day(certificate->not_after);
    print_line_of(page, "Valid", "from %s until %s", from, until);
  }
}

char *
cli_revocation_text(const TrustRevocation *revocation)
{
  const char *how = revocation->how ? revocation->how : "an answer that was kept";
  g_autofree char *reason =
      revocation->reason ? g_strdup_printf(" (%s)", revocation->reason) : g_strdup("");
  g_autofree char *day = cli_day(revocation->revoked_at);
  switch (revocation->state) {
  case TRUST_NOT_REVOKED:
    return g_strdup_printf("no, says %s", how);
  case TRUST_REVOKED:
    return g_strdup_printf("on %s%s, says %s", day, reason, how);
  case TRUST_REVOCATION_UNKNOWN:
  default:
    return g_strconcat("not checked", reason, NULL);
  }
}

/* It may be an issuer's certificate that the answer is about. */
static void
print_revocation(const Page *page, const TrustSigner *signer)
{
  const TrustRevocation *revocation = signer->revocation;
  g_autofree char *text = cli_revocation_text(revocation);
  if (revocation->subject && g_strcmp0(revocation->subject, signer->certificate->subject) != 0)
    print_line_of(page, "Revoked", "%s: %s", revocation->subject, text);
  else
    print_line(page, "Revoked", text);
}

static void
print_trust(const Page *page, const TrustSigner *signer)
{
  const TrustChain *chain = signer->chain;
  if (!chain || signer->verdict == TRUST_BAD || signer->verdict == TRUST_UNKNOWN)
    return;
  if (chain->trusted)
    print_line(page, chain->confirmed ? "Trusted as" : "Trusted by", chain->root);
  print_line(page, "Missing", chain->missing);
  if (signer->revocation)
    print_revocation(page, signer);
}

static void
print_signer(const Page *page, const TrustSigner *signer)
{
  if (signer->certificate)
    print_certificate(page, signer);
  print_dates(page, signer);
  print_line_of(page, "How", "%s, %s%s", signer->algorithm ? signer->algorithm : "?",
                signer->digest ? signer->digest : "?", signer->weak ? ", weak" : "");
  print_trust(page, signer);
}

/* What the mail says of itself, beside the signatures. */
static void
print_claim(const Page *page, const TrustReport *report)
{
  gboolean sender_signed = FALSE;
  for (guint i = 0; i < report->signers->len; i++)
    sender_signed |=
        ((const TrustSigner *)g_ptr_array_index(report->signers, i))->sender == TRUST_ADDRESS_SAME;
  if (report->mail && report->from_count == 0)
    print_line(page, "Not checked", "the mail has no From address to compare");
  if (report->from_count > 1)
    print_line(page, "Careful", "the mail has more than one From address");
  if (report->display_address)
    print_line_of(page, "Careful", "the sender's name shows another address than %s",
                  report->from ? report->from : "the sender's");
  if (report->sender)
    print_line_of(page, "Sender", "%s, as the mail says%s", report->sender,
                  sender_signed ? ", and so does the certificate"
                                : "; the signature does not say so");
  if (report->uncovered->len)
    print_line(page, "Careful", "there is more in this mail than the signature covers");
  for (guint i = 0; i < report->uncovered->len; i++)
    print_line(page, "Not covered", g_ptr_array_index(report->uncovered, i));
}

static void
print_sentence(const Page *page, int fd, TrustVerdict verdict, const char *sentence)
{
  CliStyle style = verdict == TRUST_GOOD ? CLI_GREEN : verdict == TRUST_BAD ? CLI_RED : CLI_YELLOW;
  g_autofree char *safe = cli_safe(sentence);
  g_autofree char *wrapped = cli_wrapped(safe, page->columns);
  g_autofree char *styled = cli_styled(fd, style, wrapped);
  fprintf(page->stream, "%s\n", styled);
}

void
cli_verdict_print(const TrustReport *report, int fd)
{
  int columns = cli_columns(fd);
  const Page page = { fd == 1 ? stdout : stderr, columns ? MAX(columns - 1, NARROWEST) : 0 };
  guint n = report->signers->len;
  print_sentence(&page, fd, report->verdict, report->sentence);
  for (guint i = 0; i < n; i++) {
    const TrustSigner *signer = g_ptr_array_index(report->signers, i);
    if (n > 1) {
      g_autofree char *own = g_strdup_printf("Signature %u of %u: %s. %s", i + 1, n,
                                             trust_verdict_name(signer->verdict), signer->sentence);
      print_sentence(&page, fd, signer->verdict, own);
    }
    if (i < DETAILED_MAX)
      print_signer(&page, signer);
  }
  print_claim(&page, report);
}

/* ---- for a program ---- */

json_t *
cli_json_revocation(const TrustRevocation *revocation)
{
  static const char *const states[] = { "not-revoked", "revoked", "unknown" };
  if (!revocation)
    return json_null();
  return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "state", states[revocation->state], "subject",
                   cli_json_text(revocation->subject), "how", cli_json_text(revocation->how),
                   "reason", cli_json_text(revocation->reason), "checked",
                   cli_json_time(revocation->checked), "revoked_at",
                   cli_json_time(revocation->revoked_at));
}

static json_t *
json_trust(const TrustChain *chain)
{
  json_t *path = json_array();
  if (!chain) {
    json_decref(path);
    return json_null();
  }
  for (guint i = 0; i < chain->path->len; i++) {
    const BaseCert *step = g_ptr_array_index(chain->path, i);
    json_array_append_new(path, json_pack("{s:o, s:o}", "subject", cli_json_text(step->subject),
                                          "fingerprint", cli_json_text(step->fingerprint)));
  }
  return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "trusted", chain->trusted, "by",
                   chain->trusted ? json_string(chain->confirmed ? "person" : "root") : json_null(),
                   "root", cli_json_text(chain->root), "reason", cli_json_text(chain->reason),
                   "missing", cli_json_text(chain->missing), "path", path);
}

static json_t *
json_certificate(const BaseCert *certificate)
{
  if (!certificate)
    return json_null();
  return json_pack(
      "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "subject", cli_json_text(certificate->subject),
      "issuer", cli_json_text(certificate->issuer), "serial", cli_json_text(certificate->serial),
      "addresses", cli_json_strv(certificate->addresses), "fingerprint",
      cli_json_text(certificate->fingerprint), "not_before", cli_json_time(certificate->not_before),
      "not_after", cli_json_time(certificate->not_after));
}

static json_t *
json_signer(const TrustSigner *signer)
{
  static const char *const states[] = { "good", "bad", "unknown" };
  const TrustChain *chain = signer->chain;
  json_t *object =
      json_pack("{s:s, s:o, s:s, s:o, s:o, s:b, s:o, s:b, s:o, s:o}", "verdict",
                trust_verdict_name(signer->verdict), "message", cli_json_text(signer->sentence),
                "signature", states[signer->state], "digest", cli_json_text(signer->digest),
                "algorithm", cli_json_text(signer->algorithm), "weak", signer->weak, "signing_time",
                cli_json_time(signer->signing_time), "trusted", chain && chain->trusted, "root",
                cli_json_text(chain ? chain->root : NULL), "reason",
                cli_json_text(chain && chain->reason ? chain->reason : signer->reason));
  json_t *more = json_pack(
      "{s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "signer", json_certificate(signer->certificate),
      "address", cli_json_text(trust_address_name(signer->address)), "sender",
      cli_json_text(trust_address_name(signer->sender)), "valid_then", signer->valid_then,
      "valid_now", signer->valid_now, "expired", cli_json_text(signer->expired), "revocation",
      cli_json_revocation(signer->revocation), "trust", json_trust(chain));
  json_object_update(object, more);
  json_decref(more);
  return object;
}

void
cli_verdict_json(const TrustReport *report, json_t *object)
{
  json_t *uncovered = json_array();
  json_t *signatures = json_array();
  for (guint i = 0; i < report->uncovered->len; i++)
    json_array_append_new(uncovered, cli_json_text(g_ptr_array_index(report->uncovered, i)));
  for (guint i = 0; i < report->signers->len; i++)
    json_array_append_new(signatures, json_signer(g_ptr_array_index(report->signers, i)));
  json_object_set_new(object, "verdict", json_string(trust_verdict_name(report->verdict)));
  json_object_set_new(object, "message", cli_json_text(report->sentence));
  json_object_set_new(object, "from", cli_json_text(report->from));
  json_object_set_new(object, "sender", cli_json_text(report->sender));
  json_object_set_new(object, "display_address", json_boolean(report->display_address));
  json_object_set_new(object, "outside", json_boolean(report->uncovered->len > 0));
  json_object_set_new(object, "uncovered", uncovered);
  json_object_set_new(object, "signatures", signatures);
}
