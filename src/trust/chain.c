/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/question.h"
#include "trust/revocation.h"
#include "trust/store.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 20
/* A stranger's mail may carry a thousand, for each of a hundred signers. */
#define INTERMEDIATES_MAX 100
/* Each may take a whole deadline, where issuers are fetched. */
#define SEARCHES_MAX 10
/* OpenSSL's level of 112 bits: no SHA-1 nor MD5 in certificates below the root, RSA from 2,048 */
#define AUTH_LEVEL 2

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_STORE_CTX, X509_STORE_CTX_free)

static void
stack_free(STACK_OF(X509) * stack)
{
  sk_X509_pop_free(stack, X509_free);
}

void
trust_chain_stack_add(TrustStore *store, TrustStack *stack, const GPtrArray *certs)
{
  for (guint i = 0; certs && i < certs->len && i < INTERMEDIATES_MAX; i++) {
    X509 *x509 = trust_store_x509(store, g_ptr_array_index(certs, i));
    if (x509 && sk_X509_push(stack, x509) <= 0)
      X509_free(x509);
  }
}

TrustStack *
trust_chain_stack(TrustStore *store, const GPtrArray *certs)
{
  STACK_OF(X509) *stack = sk_X509_new_null();
  trust_chain_stack_add(store, stack, certs);
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

static Names
names_of(X509 *x509)
{
  Names names = { NULL, NULL, NULL, NULL };
  g_autoptr(BaseCert) cert = x509 ? base_cert_new_from_x509(x509, NULL) : NULL;
  names.subject = g_strdup(cert ? cert->subject : "a certificate");
  names.issuer = g_strdup(cert ? cert->issuer : "its issuer");
  names.from = trust_date(cert ? cert->not_before : 0);
  names.until = trust_date(cert ? cert->not_after : 0);
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
  case X509_V_ERR_PERMITTED_VIOLATION:
  case X509_V_ERR_EXCLUDED_VIOLATION:
    return g_strdup_printf("the certificate of %s is for a name or an address that its CA may not "
                           "issue for",
                           of.subject);
  case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    return g_strdup("its chain of certificates is too long");
  default:
    return g_strdup_printf("the certificate of %s: %s", of.subject,
                           X509_verify_cert_error_string(code));
  }
}

gboolean
trust_store_has_own(const TrustStore *store, const BaseCert *certificate)
{
  for (guint i = 0; i < store->roots->len; i++) {
    const TrustRoot *root = g_ptr_array_index(store->roots, i);
    if (!root->distrusted && strcmp(root->certificate->fingerprint, certificate->fingerprint) == 0)
      return TRUE;
  }
  return FALSE;
}

/* A person's certificate that stands in trust.d is trusted by that, whoever issued it; an issuer
 * that stands there is not, without its root. */
static gboolean
confirm(X509_STORE_CTX *context, const TrustStore *store, X509 *x509)
{
  g_autoptr(BaseCert) leaf = base_cert_new_from_x509(x509, NULL);
  if (leaf && !(leaf->use & BASE_USE_CA) && trust_store_has_own(store, leaf))
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  return leaf != NULL;
}

/* OpenSSL takes anyExtendedKeyUsage alone for not meant for mail; RFC 8551 4.4.4 says that it is. */
gboolean
trust_chain_is_for_all(X509_STORE_CTX *context)
{
  X509 *x509 = X509_STORE_CTX_get_current_cert(context);
  if (X509_STORE_CTX_get_error(context) != X509_V_ERR_INVALID_PURPOSE || !x509)
    return FALSE;
  guint32 extended = X509_get_extended_key_usage(x509);
  if (extended == G_MAXUINT32 || !(extended & XKU_ANYEKU))
    return FALSE;
  if (X509_STORE_CTX_get_error_depth(context) > 0)
    return X509_check_ca(x509) == 1;
  return (X509_get_key_usage(x509) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0;
}

static int
on_finding(int good, X509_STORE_CTX *context)
{
  return good || trust_chain_is_for_all(context);
}

gboolean
trust_chain_prepare(X509_STORE_CTX *context, const TrustStore *store, X509 *x509,
                    STACK_OF(X509) * untrusted, gint64 when)
{
  if (!X509_STORE_CTX_init(context, store->store, x509, untrusted) ||
      !X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SMIME_SIGN))
    return FALSE;
  X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
  X509_STORE_CTX_set_verify_cb(context, on_finding);
  X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
  X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CHECK_SS_SIGNATURE);
  if (when)
    X509_VERIFY_PARAM_set_time(param, (time_t)when);
  return confirm(context, store, x509);
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
  g_autofree char *day = trust_date(limit);
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

gboolean
trust_chain_is_missing(int code)
{
  return code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
         code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
         code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

/* A missing root may only be missing because the list of roots is. */
static char *
with_mail_problem(TrustStore *store, int code, char *reason)
{
  const char *problem = NULL;
  if (trust_chain_is_missing(code) || code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
    problem = trust_store_mail_problem(store);
  if (!problem)
    return reason;
  char *longer = g_strdup_printf("%s (%s)", reason, problem);
  g_free(reason);
  return longer;
}

static GPtrArray *
path_of(X509_STORE_CTX *context, const BaseCert *leaf)
{
  GPtrArray *path = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  int n = sk_X509_num(X509_STORE_CTX_get0_chain(context));
  for (int i = 0; i < n; i++) {
    BaseCert *cert = cert_at(context, i);
    if (cert)
      g_ptr_array_add(path, cert);
  }
  if (path->len == 0)
    g_ptr_array_add(path, base_cert_new(leaf->der, NULL));
  return path;
}

static char *
root_of(const TrustStore *store, const GPtrArray *path, gboolean confirmed)
{
  const BaseCert *root = g_ptr_array_index(path, confirmed ? 0 : path->len - 1);
  const char *origin = g_hash_table_lookup(store->origins, root->fingerprint);
  return g_strdup_printf("%s (%s)", root->subject, origin ? origin : "?");
}

/* What the check of one certificate goes through. */
typedef struct {
  TrustStore *store;
  const BaseCert *leaf;
  X509 *x509;
  TrustStack *untrusted;
  gint64 when;
} Check;

static void
conclude(const Check *check, X509_STORE_CTX *context, gboolean valid, TrustChain *chain)
{
  int code = X509_STORE_CTX_get_error(context);
  char *objection = valid ? trust_chain_objection(check->store, context) : NULL;
  chain->path = path_of(context, check->leaf);
  chain->trusted = valid && !objection;
  if (chain->trusted) {
    chain->confirmed = trust_store_has_own(check->store, check->leaf);
    chain->root = root_of(check->store, chain->path, chain->confirmed);
    return;
  }
  if (!valid && trust_chain_is_missing(code)) {
    const BaseCert *last = g_ptr_array_index(chain->path, chain->path->len - 1);
    chain->missing = g_strdup(last->issuer);
  }
  chain->reason =
      objection ? objection : with_mail_problem(check->store, code, trust_chain_reason(context));
}

typedef enum { FROM_OWN, FROM_MAIL_ROOTS, FROM_KEPT_ISSUERS } Round;

/* TRUE: there is more to try with. */
static gboolean
prepare_round(const Check *check, Round round, X509_STORE_CTX *before)
{
  if (round == FROM_MAIL_ROOTS)
    trust_store_add_issuers(check->store, check->x509, check->untrusted);
  return round != FROM_KEPT_ISSUERS ||
         (trust_chain_is_missing(X509_STORE_CTX_get_error(before)) &&
          trust_chain_add_issuers(check->store, before, check->untrusted));
}

gboolean
trust_chain_add_issuers(TrustStore *store, X509_STORE_CTX *context, STACK_OF(X509) * untrusted)
{
  int n = sk_X509_num(X509_STORE_CTX_get0_chain(context));
  g_autoptr(BaseCert) last = cert_at(context, n - 1);
  gboolean may = last && store->searches++ < SEARCHES_MAX;
  g_autoptr(GPtrArray) found = may ? trust_issuers_find(last, FALSE) : NULL;
  if (!found || found->len == 0)
    return FALSE;
  trust_chain_stack_add(store, untrusted, found);
  trust_store_add_issuers(store, X509_STORE_CTX_get0_cert(context), untrusted);
  return TRUE;
}

/* The person's own roots first: where they do, nothing that a module gives or fails to give
 * matters. Then those of the list, then issuers that the mail lacks and an earlier one had. */
static void
check_rounds(const Check *check, TrustChain *chain)
{
  g_autoptr(X509_STORE_CTX) context = NULL;
  gboolean valid = FALSE;
  for (Round round = FROM_OWN; round <= FROM_KEPT_ISSUERS && !valid; round++) {
    if (!prepare_round(check, round, context))
      break;
    g_clear_pointer(&context, X509_STORE_CTX_free);
    context = X509_STORE_CTX_new();
    if (!context ||
        !trust_chain_prepare(context, check->store, check->x509, check->untrusted, check->when))
      return;
    valid = X509_verify_cert(context) == 1;
  }
  conclude(check, context, valid, chain);
}

TrustChain *
trust_chain_check(TrustStore *store, const BaseCert *certificate, GPtrArray *intermediates,
                  gint64 when)
{
  TrustChain *chain = g_new0(TrustChain, 1);
  g_autoptr(X509) x509 = base_cert_to_x509(certificate, NULL);
  Check check = { store, certificate, x509, trust_chain_stack(store, intermediates), when };
  if (x509)
    check_rounds(&check, chain);
  if (!chain->path) {
    chain->path = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
    chain->reason = g_strdup("its chain could not be checked");
  }
  stack_free(check.untrusted);
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
  g_free(chain->missing);
  g_clear_pointer(&chain->path, g_ptr_array_unref);
  g_free(chain);
}
