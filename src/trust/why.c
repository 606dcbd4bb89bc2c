/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/question.h"
#include "trust/store.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>

#define URL_MAX 1024

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_STORE_CTX, X509_STORE_CTX_free)

typedef struct {
  int depth;
  int code;
  char *text;
} Finding;

static void
finding_free(gpointer data)
{
  g_free(((Finding *)data)->text);
  g_free(data);
}

static gboolean
is_untrusted_root(int code)
{
  return code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
         code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
}

/* Everything that is wrong, not only the first: the check goes on after each. */
static int
note_finding(int good, X509_STORE_CTX *context)
{
  GPtrArray *findings = X509_STORE_CTX_get_app_data(context);
  int code = X509_STORE_CTX_get_error(context);
  int depth = X509_STORE_CTX_get_error_depth(context);
  if (good || trust_chain_is_for_all(context))
    return 1;
  for (guint i = 0; i < findings->len; i++) {
    const Finding *before = g_ptr_array_index(findings, i);
    /* One missing issuer is reported twice, by two names. */
    if (before->depth == depth && (before->code == code || (trust_chain_is_missing(before->code) &&
                                                            trust_chain_is_missing(code))))
      return 1;
  }
  Finding *finding = g_new0(Finding, 1);
  *finding = (Finding){ depth, code, trust_chain_reason(context) };
  g_ptr_array_add(findings, finding);
  return 1;
}

static void
step_free(gpointer data)
{
  TrustStep *step = data;
  base_cert_free(step->certificate);
  trust_revocation_free(step->revocation);
  g_free(step->origin);
  g_ptr_array_unref(step->problems);
  g_free(step);
}

static void
add_step(TrustWhy *why, const TrustStore *store, BaseCert *certificate)
{
  TrustStep *step = g_new0(TrustStep, 1);
  const char *by = g_hash_table_lookup(store->distrusted, certificate->fingerprint);
  step->certificate = certificate;
  step->origin = g_strdup(g_hash_table_lookup(store->origins, certificate->fingerprint));
  step->problems = g_ptr_array_new_with_free_func(g_free);
  if (by)
    g_ptr_array_add(step->problems, g_strdup_printf("it is distrusted by %s", by));
  g_ptr_array_add(why->steps, step);
}

static void
add_steps(TrustWhy *why, const TrustStore *store, STACK_OF(X509) * chain,
          const BaseCert *certificate)
{
  for (int i = 0; i < sk_X509_num(chain); i++) {
    BaseCert *cert = base_cert_new_from_x509(sk_X509_value(chain, i), NULL);
    if (cert)
      add_step(why, store, cert);
  }
  if (why->steps->len == 0)
    add_step(why, store, base_cert_new(certificate->der, NULL));
}

static void
add_findings(TrustWhy *why, GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++) {
    Finding *finding = g_ptr_array_index(findings, i);
    guint at = MIN((guint)MAX(finding->depth, 0), why->steps->len - 1);
    TrustStep *step = g_ptr_array_index(why->steps, at);
    TrustNeed need = trust_chain_is_missing(finding->code) ? TRUST_NEEDS_ISSUER
                     : is_untrusted_root(finding->code)    ? TRUST_NEEDS_ROOT
                                                           : TRUST_NEEDS_OTHER;
    /* What is wrong with the certificate itself no added root mends. */
    why->need = MAX(why->need, need);
    g_ptr_array_add(step->problems, g_strdup(finding->text));
  }
}

/* For a CA's certificate, whose purpose OpenSSL would judge as a person's. */
static void
add_unfit(TrustWhy *why)
{
  for (guint i = 0; i < why->steps->len; i++) {
    TrustStep *step = g_ptr_array_index(why->steps, i);
    if ((step->certificate->use & BASE_USE_CA) && !trust_root_is_for_mail(step->certificate)) {
      g_ptr_array_add(step->problems, g_strdup("it may not issue certificates for mail"));
      why->need = TRUST_NEEDS_OTHER;
    }
  }
}

/* RFC 5280 4.2.2.1: the issuer's certificate may be told by caIssuers. */
static char *
issuer_url(const BaseCert *certificate)
{
  g_autoptr(X509) x509 = base_cert_to_x509(certificate, NULL);
  AUTHORITY_INFO_ACCESS *all = x509 ? X509_get_ext_d2i(x509, NID_info_access, NULL, NULL) : NULL;
  char *url = NULL;
  for (int i = 0; !url && i < sk_ACCESS_DESCRIPTION_num(all); i++) {
    const ACCESS_DESCRIPTION *access = sk_ACCESS_DESCRIPTION_value(all, i);
    if (OBJ_obj2nid(access->method) != NID_ad_ca_issuers || access->location->type != GEN_URI)
      continue;
    const ASN1_STRING *text = access->location->d.uniformResourceIdentifier;
    int length = ASN1_STRING_length(text);
    if (length > 0 && length <= URL_MAX)
      url = g_strndup((const char *)ASN1_STRING_get0_data(text), (gsize)length);
  }
  AUTHORITY_INFO_ACCESS_free(all);
  return url;
}

static void
add_no_ca(TrustWhy *why, const TrustStore *store)
{
  for (guint i = 1; i < why->steps->len; i++) {
    TrustStep *step = g_ptr_array_index(why->steps, i);
    char *no_ca = step->problems->len ? NULL : trust_chain_no_ca(store, step->certificate);
    if (!no_ca)
      continue;
    g_ptr_array_add(step->problems, no_ca);
    why->need = TRUST_NEEDS_OTHER;
  }
}

/* The list that has the root is done with it. */
static void
add_too_late(TrustWhy *why, const TrustStore *store)
{
  const TrustStep *first = g_ptr_array_index(why->steps, 0);
  const TrustStep *last = g_ptr_array_index(why->steps, why->steps->len - 1);
  char *late = trust_chain_too_late(store, last->certificate, first->certificate);
  if (late) {
    g_ptr_array_add(last->problems, late);
    why->need = TRUST_NEEDS_OTHER;
  }
}

static void
conclude(TrustWhy *why, TrustStore *store)
{
  const TrustStep *last = g_ptr_array_index(why->steps, why->steps->len - 1);
  const char *mail_problem = trust_store_mail_problem(store);
  why->trusted = TRUE;
  for (guint i = 0; i < why->steps->len; i++) {
    const TrustStep *step = g_ptr_array_index(why->steps, i);
    if (step->problems->len == 0)
      continue;
    if (why->trusted)
      why->reason = g_strdup(g_ptr_array_index(step->problems, 0));
    why->trusted = FALSE;
    if (why->need == TRUST_NEEDS_NOTHING)
      why->need = TRUST_NEEDS_OTHER; /* distrusted, and nothing else */
  }
  if (why->need == TRUST_NEEDS_ISSUER)
    why->url = issuer_url(last->certificate);
  if ((why->need == TRUST_NEEDS_ISSUER || why->need == TRUST_NEEDS_ROOT) && mail_problem) {
    g_autofree char *short_one = why->reason;
    why->reason = g_strdup_printf("%s (%s)", short_one, mail_problem);
  }
}

/* FALSE: it could not be checked, which is not the same as nothing found. */
static gboolean
check(TrustStore *store, X509 *x509, STACK_OF(X509) * untrusted, gboolean ca,
      X509_STORE_CTX *context, GPtrArray *findings)
{
  trust_store_add_issuers(store, x509, untrusted);
  if (!trust_chain_prepare(context, store, x509, untrusted, 0))
    return FALSE;
  if (ca) /* X509_STORE_CTX_set_purpose() does nothing the second time */
    X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(context), X509_PURPOSE_ANY);
  X509_STORE_CTX_set_app_data(context, findings);
  X509_STORE_CTX_set_verify_cb(context, note_finding);
  return X509_verify_cert(context) == 1;
}

static gboolean
lacks_issuer(const GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++)
    if (trust_chain_is_missing(((const Finding *)g_ptr_array_index(findings, i))->code))
      return TRUE;
  return FALSE;
}

/* As check(), and once more with issuers that an earlier mail had, or that were fetched. */
static gboolean
check_twice(TrustStore *store, X509 *x509, STACK_OF(X509) * untrusted, gboolean ca,
            X509_STORE_CTX *context, GPtrArray *findings)
{
  gboolean checked = check(store, x509, untrusted, ca, context, findings);
  if (!checked || !lacks_issuer(findings) || !trust_chain_add_issuers(store, context, untrusted))
    return checked;
  g_ptr_array_set_size(findings, 0);
  X509_STORE_CTX_cleanup(context);
  return check(store, x509, untrusted, ca, context, findings);
}

TrustWhy *
trust_why(TrustStore *store, const BaseCert *certificate, GPtrArray *intermediates)
{
  TrustWhy *why = g_new0(TrustWhy, 1);
  g_autoptr(X509) x509 = base_cert_to_x509(certificate, NULL);
  g_autoptr(X509_STORE_CTX) context = X509_STORE_CTX_new();
  g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(finding_free);
  STACK_OF(X509) *untrusted = trust_chain_stack(store, intermediates);
  gboolean ca = (certificate->use & BASE_USE_CA) != 0;
  gboolean checked = x509 && context && check_twice(store, x509, untrusted, ca, context, findings);
  why->steps = g_ptr_array_new_with_free_func(step_free);
  add_steps(why, store, checked ? X509_STORE_CTX_get0_chain(context) : NULL, certificate);
  add_findings(why, findings);
  if (!checked) {
    TrustStep *first = g_ptr_array_index(why->steps, 0);
    g_ptr_array_add(first->problems, g_strdup("its chain could not be checked"));
  }
  add_no_ca(why, store);
  if (ca)
    add_unfit(why);
  else
    add_too_late(why, store);
  conclude(why, store);
  g_clear_pointer(&context, X509_STORE_CTX_free); /* it borrows the stack */
  sk_X509_pop_free(untrusted, X509_free);
  ERR_clear_error();
  return why;
}

/* (nullable) what its answer means, half a sentence. */
static char *
revocation_problem(const TrustRevocation *revocation, TrustRevocationPolicy policy)
{
  if (revocation->state == TRUST_REVOKED) {
    g_autofree char *day = trust_date(revocation->revoked_at);
    return g_strdup_printf("it was revoked%s%s%s%s%s", revocation->revoked_at ? " on " : "",
                           revocation->revoked_at ? day : "", revocation->reason ? " (" : "",
                           revocation->reason ? revocation->reason : "",
                           revocation->reason ? ")" : "");
  }
  if (revocation->state == TRUST_REVOCATION_UNKNOWN && policy == TRUST_REVOCATION_HARD)
    return g_strdup_printf("whether it was revoked could not be checked (%s), and the setting "
                           "revocation=hard asks for that",
                           revocation->reason ? revocation->reason : "no answer");
  return NULL;
}

void
trust_why_ask(TrustWhy *why, TrustRevocationPolicy policy)
{
  /* A stranger's chain names servers of the stranger's choice. */
  for (guint i = 0; why->trusted && i + 1 < why->steps->len; i++) {
    TrustStep *step = g_ptr_array_index(why->steps, i);
    const TrustStep *issuer = g_ptr_array_index(why->steps, i + 1);
    g_autoptr(GPtrArray) pair = g_ptr_array_new();
    g_ptr_array_add(pair, step->certificate);
    g_ptr_array_add(pair, issuer->certificate);
    step->revocation = trust_revocation_check(pair, policy);
    char *problem = revocation_problem(step->revocation, policy);
    if (!problem)
      continue;
    g_ptr_array_add(step->problems, problem);
    why->trusted = FALSE;
    why->need = TRUST_NEEDS_OTHER;
    g_free(why->reason);
    why->reason = g_strdup_printf("%s: %s", step->certificate->subject, problem);
  }
}

void
trust_why_free(TrustWhy *why)
{
  if (!why)
    return;
  g_free(why->reason);
  g_clear_pointer(&why->steps, g_ptr_array_unref);
  g_free(why->url);
  g_free(why);
}
