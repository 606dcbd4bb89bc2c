/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "enroll/enroll.h"

#include "base/deadline.h"
#include "base/error.h"
#include "enroll/check.h"
#include "enroll/transfer.h"
#include "provider/provider.h"

#include <openssl/err.h>

#define WAIT_MIN_S 1 /* a CA that says "in 0 seconds" is not asked without end */

typedef STACK_OF(X509) Certificates;

static void
certificates_free(Certificates *certificates)
{
  sk_X509_pop_free(certificates, X509_free);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Certificates, certificates_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OSSL_CMP_CTX, OSSL_CMP_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OSSL_LIB_CTX, provider_context_free)

typedef struct {
  const EnrollServer *server;
  const EnrollRequest *request;
  const EnrollCalls *calls;
  EnrollTransfer transfer;
  GError *failed; /* why the certificate was not accepted */
  gboolean stored;
} Exchange;

/* ---- the certificate ---- */

static Certificates *
received_certificates(OSSL_CMP_CTX *context)
{
  Certificates *all = OSSL_CMP_CTX_get1_extraCertsIn(context);
  g_autoptr(Certificates) more = OSSL_CMP_CTX_get1_caPubs(context);
  if (!all)
    return g_steal_pointer(&more);
  while (sk_X509_num(more) > 0) {
    X509 *certificate = sk_X509_shift(more);
    if (!sk_X509_push(all, certificate))
      X509_free(certificate);
  }
  return all;
}

static gboolean
take_certificate(OSSL_CMP_CTX *context, Exchange *exchange, X509 *x509, GError **error)
{
  g_autoptr(BaseCert) certificate = base_cert_new_from_x509(x509, error);
  if (!certificate || !enroll_check_certificate(certificate, &exchange->request->subject,
                                                g_get_real_time() / G_USEC_PER_SEC, error))
    return FALSE;
  g_autoptr(Certificates) received = received_certificates(context);
  g_autoptr(GPtrArray) chain = enroll_chain(x509, received);
  return exchange->calls->store(certificate->der, chain, exchange->calls->data, error);
}

/* An OSSL_CMP_certConf_cb_t. OpenSSL's own finding in `fail_info` is about the key only, which is
 * compared here in signet's way. It is called with implicit confirmation too. */
static int
on_certificate(OSSL_CMP_CTX *context, X509 *certificate, int fail_info G_GNUC_UNUSED,
               const char **text)
{
  Exchange *exchange = OSSL_CMP_CTX_get_certConf_cb_arg(context);
  g_clear_error(&exchange->failed);
  ERR_set_mark();
  exchange->stored = take_certificate(context, exchange, certificate, &exchange->failed);
  ERR_pop_to_mark();
  if (exchange->stored)
    return 0;
  gboolean ours = !g_error_matches(exchange->failed, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  *text = ours ? "the certificate cannot be stored" : "not the certificate that was asked for";
  return 1 << (ours ? OSSL_CMP_PKIFAILUREINFO_systemFailure
                    : OSSL_CMP_PKIFAILUREINFO_incorrectData);
}

/* ---- the exchange ---- */

/* What the token says comes before what OpenSSL makes of it. */
static gboolean
fail(OSSL_CMP_CTX *context, Exchange *exchange, GError **error)
{
  GError *reason = provider_take_error();
  if (!reason && exchange->failed)
    reason = g_steal_pointer(&exchange->failed);
  if (!reason && exchange->transfer.failed)
    reason = g_steal_pointer(&exchange->transfer.failed);
  if (reason)
    g_propagate_error(error, reason);
  else
    enroll_failure(context, exchange->server, error);
  ERR_clear_error();
  if (exchange->stored)
    g_prefix_error(error, "the certificate came and is stored, but the CA did not acknowledge that "
                          "it is accepted, and may take it back: ");
  return FALSE;
}

static gboolean
wait_for_it(const Exchange *exchange, int seconds, GError **error)
{
  gint64 left_s = base_deadline_left(exchange->transfer.deadline) / 1000;
  if (seconds < WAIT_MIN_S)
    seconds = WAIT_MIN_S;
  if (seconds > left_s)
    return base_error_set(
        error, SIGNET_ERROR_TIMEOUT,
        "the CA at %s is not ready; it says to ask again in %d s, and --timeout %u "
        "is over before",
        exchange->server->url, seconds, exchange->server->timeout_s);
  if (exchange->calls->wait)
    exchange->calls->wait(seconds, exchange->calls->data);
  g_usleep((gulong)seconds * G_USEC_PER_SEC);
  return TRUE;
}

static gboolean
ask_for_certificate(OSSL_CMP_CTX *context, Exchange *exchange, GError **error)
{
  static const int kinds[] = { OSSL_CMP_IR, OSSL_CMP_CR, OSSL_CMP_KUR };
  for (;;) {
    int seconds = 0;
    int done = OSSL_CMP_try_certreq(context, kinds[exchange->request->kind], NULL, &seconds);
    if (done == 1)
      return TRUE;
    if (done == 0)
      return fail(context, exchange, error);
    if (!wait_for_it(exchange, seconds, error))
      return FALSE;
  }
}

static gboolean
ask_for_revocation(OSSL_CMP_CTX *context, Exchange *exchange, GError **error)
{
  return OSSL_CMP_exec_RR_ses(context) == 1 || fail(context, exchange, error);
}

/* OpenSSL writes to standard error by itself where nobody listens. */
static int
on_log(const char *function G_GNUC_UNUSED, const char *file G_GNUC_UNUSED, int line G_GNUC_UNUSED,
       OSSL_CMP_severity level G_GNUC_UNUSED, const char *message G_GNUC_UNUSED)
{
  return 1;
}

static EVP_PKEY *
public_key_of(GBytes *certificate, GBytes **ret_spki, GError **error)
{
  g_autoptr(BaseCert) facts = base_cert_new(certificate, error);
  X509 *x509 = facts ? base_cert_to_x509(facts, error) : NULL;
  EVP_PKEY *key = x509 ? X509_get_pubkey(x509) : NULL;
  guint8 *der = NULL;
  int length = key ? i2d_PUBKEY(key, &der) : 0;
  X509_free(x509);
  if (length <= 0) {
    EVP_PKEY_free(key);
    if (facts)
      base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "cannot read the certificate's key");
    return NULL;
  }
  *ret_spki = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  return key;
}

static EVP_PKEY *
signer_key(OSSL_LIB_CTX *library, const EnrollRequest *request, GError **error)
{
  g_autoptr(GBytes) spki = NULL;
  g_autoptr(EVP_PKEY) public_key = public_key_of(request->signer_certificate, &spki, error);
  return public_key ? provider_key_new(library, request->signer, spki, error) : NULL;
}

static gboolean
run(OSSL_LIB_CTX *library, Exchange *exchange, GError **error)
{
  const EnrollRequest *request = exchange->request;
  gboolean revoke = request->kind == ENROLL_REVOCATION, signs = !exchange->server->secret;
  g_autoptr(EVP_PKEY) signer = signs ? signer_key(library, request, error) : NULL;
  if (signs && !signer)
    return FALSE;
  g_autoptr(EVP_PKEY) key =
      revoke ? NULL
             : provider_key_new(library, request->subject.key, request->subject.public_key, error);
  if (!revoke && !key)
    return FALSE;
  g_autoptr(OSSL_CMP_CTX) context = OSSL_CMP_CTX_new(library, NULL);
  /* With more to log OpenSSL empties its error queue into the log, in the middle of things. */
  if (!context || !OSSL_CMP_CTX_set_log_cb(context, on_log) ||
      !OSSL_CMP_CTX_set_log_verbosity(context, OSSL_CMP_LOG_CRIT) ||
      !OSSL_CMP_CTX_set_certConf_cb(context, on_certificate) ||
      !OSSL_CMP_CTX_set_certConf_cb_arg(context, exchange) ||
      !OSSL_CMP_CTX_set_transfer_cb(context, enroll_transfer) ||
      !OSSL_CMP_CTX_set_transfer_cb_arg(context, &exchange->transfer))
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot prepare CMP");
  if (!enroll_set_protocol(context, exchange->server, error) ||
      !enroll_set_proof(context, exchange->server, request, signer, error) ||
      !enroll_set_request(context, exchange->server, request, key, error))
    return FALSE;
  g_clear_error(&exchange->failed);
  g_autoptr(GError) stale = provider_take_error();
  ERR_clear_error();
  gboolean done = revoke ? ask_for_revocation(context, exchange, error)
                         : ask_for_certificate(context, exchange, error);
  return done;
}

gboolean
enroll_run(SignetClient *client, const EnrollServer *server, const EnrollRequest *request,
           const EnrollCalls *calls, GError **error)
{
  Exchange exchange = { .server = server, .request = request, .calls = calls };
  if (!enroll_check_server(server, request->kind, request->signer != NULL, error))
    return FALSE;
  if (!server->secret && !request->signer)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "neither a secret nor a certificate to sign with");
  g_autoptr(OSSL_LIB_CTX) library = provider_context_new(client, error);
  gboolean done = library && enroll_transfer_open(&exchange.transfer, server, error) &&
                  run(library, &exchange, error);
  enroll_transfer_clear(&exchange.transfer);
  g_clear_error(&exchange.failed);
  return done;
}
