/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/store.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <time.h>

#define DEPTH_MAX 20
#define INTERMEDIATES_MAX 1000
/* OpenSSL's level of 112 bits: no SHA-1 nor MD5 in certificates below the root, RSA from 2,048 */
#define AUTH_LEVEL 2

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_STORE_CTX, X509_STORE_CTX_free)

static void
stack_free(STACK_OF(X509) * stack)
{
  sk_X509_pop_free(stack, X509_free);
}

TrustStack *
trust_chain_stack(GPtrArray *certs)
{
  STACK_OF(X509) *stack = sk_X509_new_null();
  for (guint i = 0; certs && i < certs->len && i < INTERMEDIATES_MAX; i++) {
    X509 *x509 = base_cert_to_x509(g_ptr_array_index(certs, i), NULL);
    if (x509 && sk_X509_push(stack, x509) <= 0)
      X509_free(x509);
  }
  return stack;
}

/* A few facts of the certificate that a problem is about, as text. */
typedef struct {
  char *subject;
  char *issuer;
  char *from;
  char *until;
} Names;

static void
names_clear(Names *names)
{
  g_free(names->subject);
  g_free(names->issuer);
  g_free(names->from);
  g_free(names->until);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Names, names_clear)

static char *
date_text(gint64 at)
{
  g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(at);
  return date ? g_date_time_format(date, "%Y-%m-%d") : g_strdup("an impossible date");
}

static Names
names_of(X509 *x509)
{
  Names names = { NULL, NULL, NULL, NULL };
  g_autoptr(BaseCert) cert = x509 ? base_cert_new_from_x509(x509, NULL) : NULL;
  names.subject = g_strdup(cert ? cert->subject : "a certificate");
  names.issuer = g_strdup(cert ? cert->issuer : "its issuer");
  names.from = date_text(cert ? cert->not_before : 0);
  names.until = date_text(cert ? cert->not_after : 0);
  return names;
}

/* Which link is missing, and what of it, in one sentence. */
char *
trust_chain_reason(X509_STORE_CTX *context)
{
  int code = X509_STORE_CTX_get_error(context);
  gboolean own = X509_STORE_CTX_get_error_depth(context) == 0;
  g_auto(Names) of = names_of(X509_STORE_CTX_get_current_cert(context));
  switch (code) {
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    return g_strdup_printf(
        "no trusted root: %s was issued by %s, which is neither trusted for mail "
        "nor in the message",
        of.subject, of.issuer);
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    return g_strdup_printf("%s is self-signed and not trusted for mail", of.subject);
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    return g_strdup_printf("its root, %s, is not trusted for mail", of.subject);
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return g_strdup_printf("the certificate of %s expired on %s", of.subject, of.until);
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return g_strdup_printf("the certificate of %s is valid only from %s", of.subject, of.from);
  case X509_V_ERR_INVALID_PURPOSE:
    return g_strdup_printf(own ? "the certificate of %s is not for signing mail"
                               : "%s may not issue certificates for mail",
                           of.subject);
  case X509_V_ERR_INVALID_CA:
    return g_strdup_printf("%s may not issue certificates", of.subject);
  case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    return g_strdup_printf("the certificate of %s was not issued by %s: its signature is wrong",
                           of.subject, of.issuer);
  case X509_V_ERR_CA_MD_TOO_WEAK:
    return g_strdup_printf("the certificate of %s is signed with a broken hash", of.subject);
  case X509_V_ERR_EE_KEY_TOO_SMALL:
  case X509_V_ERR_CA_KEY_TOO_SMALL:
    return g_strdup_printf("the key of %s is too short", of.subject);
  case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    return g_strdup("its chain of certificates is too long");
  default:
    return g_strdup_printf("the certificate of %s: %s", of.subject,
                           X509_verify_cert_error_string(code));
  }
}

static char *
root_of(const TrustStore *store, X509_STORE_CTX *context)
{
  STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
  int n = chain ? sk_X509_num(chain) : 0;
  g_autoptr(BaseCert) root =
      n > 0 ? base_cert_new_from_x509(sk_X509_value(chain, n - 1), NULL) : NULL;
  if (!root)
    return NULL;
  const char *origin = g_hash_table_lookup(store->origins, root->fingerprint);
  return g_strdup_printf("%s (%s)", root->subject, origin ? origin : "?");
}

gboolean
trust_chain_prepare(X509_STORE_CTX *context, const TrustStore *store, X509 *x509,
                    STACK_OF(X509) * untrusted, gint64 when)
{
  if (!X509_STORE_CTX_init(context, store->store, x509, untrusted) ||
      !X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SMIME_SIGN))
    return FALSE;
  X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
  X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CHECK_SS_SIGNATURE);
  if (when)
    X509_VERIFY_PARAM_set_time(param, (time_t)when);
  return TRUE;
}

char *
trust_chain_too_late(const TrustStore *store, const BaseCert *root, const BaseCert *certificate)
{
  const char *origin = g_hash_table_lookup(store->origins, root->fingerprint);
  if (!store->mail || !store->mail->cache || g_strcmp0(origin, store->mail->origin) != 0)
    return NULL; /* the person's own: no list's limit counts */
  gint64 limit = trust_cache_limit(store->mail->cache, root->fingerprint);
  if (!limit || certificate->not_before <= limit)
    return NULL;
  g_autofree char *day = date_text(limit);
  return g_strdup_printf("its root, %s, is trusted only for what it issued until %s (%s)",
                         root->subject, day, origin);
}

static BaseCert *
cert_at(X509_STORE_CTX *context, int at)
{
  STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
  return at >= 0 && at < sk_X509_num(chain)
             ? base_cert_new_from_x509(sk_X509_value(chain, at), NULL)
             : NULL;
}

/* OpenSSL takes a self-signed certificate without basicConstraints (version 1, or keyCertSign alone)
 * for a CA's; trusted here, it stands for its holder only. A list of mail roots knows what it names. */
char *
trust_chain_no_ca(const TrustStore *store, const BaseCert *issuer)
{
  const char *origin = g_hash_table_lookup(store->origins, issuer->fingerprint);
  if ((issuer->use & BASE_USE_CA) ||
      (origin && store->mail && g_strcmp0(origin, store->mail->origin) == 0))
    return NULL;
  return g_strdup_printf("%s may not issue certificates", issuer->subject);
}

char *
trust_chain_objection(const TrustStore *store, X509_STORE_CTX *context)
{
  int n = sk_X509_num(X509_STORE_CTX_get0_chain(context));
  for (int i = 1; i < n; i++) {
    g_autoptr(BaseCert) issuer = cert_at(context, i);
    char *no_ca = issuer ? trust_chain_no_ca(store, issuer) : NULL;
    if (no_ca || !issuer)
      return no_ca ? no_ca : g_strdup("its chain could not be checked");
  }
  for (int i = 0; g_hash_table_size(store->distrusted) && i < n; i++) {
    g_autoptr(BaseCert) cert = cert_at(context, i);
    const char *by = cert ? g_hash_table_lookup(store->distrusted, cert->fingerprint) : NULL;
    if (by)
      return g_strdup_printf("%s is distrusted by %s", cert->subject, by);
  }
  if (!store->mail)
    return NULL;
  g_autoptr(BaseCert) leaf = cert_at(context, 0);
  g_autoptr(BaseCert) root = cert_at(context, n - 1);
  return leaf && root ? trust_chain_too_late(store, root, leaf) : NULL;
}

/* A missing root may only be missing because the list of roots is. */
static char *
with_mail_problem(TrustStore *store, int code, char *reason)
{
  const char *problem = NULL;
  if (code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
      code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
      code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
      code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
    problem = trust_store_mail_problem(store);
  if (!problem)
    return reason;
  char *longer = g_strdup_printf("%s (%s)", reason, problem);
  g_free(reason);
  return longer;
}

/* TRUE: settled, trusted or not. FALSE: not trusted, with the reason in *chain. */
static gboolean
check_once(TrustStore *store, X509 *x509, STACK_OF(X509) * untrusted, gint64 when, gboolean last,
           TrustChain *chain)
{
  g_autoptr(X509_STORE_CTX) context = X509_STORE_CTX_new();
  if (!context || !trust_chain_prepare(context, store, x509, untrusted, when)) {
    chain->reason = g_strdup("its chain could not be checked");
    return TRUE;
  }
  gboolean valid = X509_verify_cert(context) == 1;
  if (!valid && !last)
    return FALSE;
  g_autofree char *objection = valid ? trust_chain_objection(store, context) : NULL;
  chain->trusted = valid && !objection;
  if (chain->trusted)
    chain->root = root_of(store, context);
  if (chain->trusted)
    chain->reason = g_strdup("whether it was revoked was not checked");
  else if (objection)
    chain->reason = g_steal_pointer(&objection);
  else
    chain->reason =
        with_mail_problem(store, X509_STORE_CTX_get_error(context), trust_chain_reason(context));
  return TRUE;
}

/* The person's own roots first: where they do, nothing that a module gives or fails to give matters. */
TrustChain *
trust_chain_check(TrustStore *store, const BaseCert *certificate, GPtrArray *intermediates,
                  gint64 when)
{
  TrustChain *chain = g_new0(TrustChain, 1);
  g_autoptr(X509) x509 = base_cert_to_x509(certificate, NULL);
  STACK_OF(X509) *untrusted = trust_chain_stack(intermediates);
  if (!x509)
    chain->reason = g_strdup("its chain could not be checked");
  else if (!check_once(store, x509, untrusted, when, FALSE, chain)) {
    trust_store_add_issuers(store, x509, untrusted);
    check_once(store, x509, untrusted, when, TRUE, chain);
  }
  stack_free(untrusted);
  ERR_clear_error();
  return chain;
}

void
trust_chain_free(TrustChain *chain)
{
  if (!chain)
    return;
  g_free(chain->root);
  g_free(chain->reason);
  g_free(chain);
}
