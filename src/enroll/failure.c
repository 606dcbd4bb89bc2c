/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/text.h"
#include "enroll/check.h"

#include <openssl/cmperr.h>
#include <openssl/err.h>
#include <string.h>

/* PKIFailureInfo, RFC 4210 5.2.3 and appendix F, by bit. */
static const char *const fail_words[] = {
  "it does not know or allow the algorithm",
  "the signature or MAC of the request is wrong (is the secret right?)",
  "it does not do this kind of request",
  "the clock here differs too much from its own",
  "it finds no certificate that fits",
  "the request's form is wrong",
  "it is not the CA that the request names",
  "the request holds wrong data",
  "the request has no time where it should",
  "the key was not proved to be ours",
  "the certificate has been revoked already",
  "the certificate has been confirmed already",
  "the request is protected in the wrong way",
  "the recipient's nonce is wrong",
  "its source of time is not available",
  "it does not allow the policy",
  "it does not allow the extension",
  "what it would need to know is not available",
  "the sender's nonce is wrong",
  "it does not issue such a certificate",
  "it does not trust who signed the request",
  "the transaction number is in use",
  "it does not know this version of CMP",
  "this is not allowed to the sender",
  "it is not at work now",
  "it has failed inside",
  "it has such a certificate already",
  NULL,
};

char *
enroll_failure_words(int fail_info)
{
  g_autoptr(GString) words = g_string_new(NULL);
  for (int bit = 0; fail_info > 0 && fail_words[bit]; bit++)
    if (fail_info & (1 << bit))
      g_string_append_printf(words, "%s%s", words->len ? "; " : "", fail_words[bit]);
  return words->len ? g_strdup(words->str) : NULL;
}

/* What the CA says for people: cut to a length, made plain. */
static char *
spoken(OSSL_CMP_CTX *context)
{
  const OSSL_CMP_PKIFREETEXT *texts = OSSL_CMP_CTX_get0_statusString(context);
  g_autoptr(GString) all = g_string_new(NULL);
  for (int i = 0; i < sk_ASN1_UTF8STRING_num(texts) && all->len < ENROLL_TEXT_MAX; i++) {
    const ASN1_UTF8STRING *text = sk_ASN1_UTF8STRING_value(texts, i);
    g_autofree char *shown = base_text_shown((const char *)ASN1_STRING_get0_data(text),
                                             MIN(ASN1_STRING_length(text), ENROLL_TEXT_MAX));
    g_string_append_printf(all, "%s%s", all->len ? ", " : "", shown);
  }
  return all->len ? g_strdup(all->str) : NULL;
}

typedef struct {
  gboolean refused;  /* by the CA, in a message that is believed */
  gboolean unproved; /* its answer was not protected as it should */
  gboolean late;
  gboolean garbled;
  gboolean mismatched; /* of nonces, transactions, kinds of answers */
  char *newest;        /* a reason in OpenSSL's words */
  char *details;       /* what the CA put beside its status */
} Symptoms;

static void
symptoms_clear(Symptoms *symptoms)
{
  g_free(symptoms->newest);
  g_free(symptoms->details);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Symptoms, symptoms_clear)

static void
see_cmp(Symptoms *symptoms, int reason, const char *data)
{
  switch (reason) {
  case CMP_R_RECEIVED_ERROR:
  case CMP_R_REQUEST_REJECTED_BY_SERVER:
    symptoms->refused = TRUE;
    break;
  case CMP_R_ERROR_VALIDATING_PROTECTION:
  case CMP_R_ERROR_VALIDATING_SIGNATURE:
  case CMP_R_MISSING_PROTECTION:
  case CMP_R_WRONG_PBM_VALUE:
  case CMP_R_MISSING_TRUST_ANCHOR:
  case CMP_R_MISSING_TRUST_STORE:
  case CMP_R_NO_SUITABLE_SENDER_CERT:
  case CMP_R_POTENTIALLY_INVALID_CERTIFICATE:
  case CMP_R_SRVCERT_DOES_NOT_VALIDATE_MSG:
  case CMP_R_SENDER_GENERALNAME_TYPE_NOT_SUPPORTED:
  case CMP_R_WRONG_ALGORITHM_OID:
    symptoms->unproved = TRUE;
    break;
  case CMP_R_TOTAL_TIMEOUT:
    symptoms->late = TRUE;
    break;
  case CMP_R_UNEXPECTED_PKIBODY:
  case CMP_R_TRANSACTIONID_UNMATCHED:
  case CMP_R_RECIPNONCE_UNMATCHED:
  case CMP_R_UNEXPECTED_PVNO:
  case CMP_R_CERTRESPONSE_NOT_FOUND:
  case CMP_R_CERTIFICATE_NOT_FOUND:
    symptoms->mismatched = TRUE;
    break;
  default:
    break;
  }
  const char *details = data ? strstr(data, "errorDetails: ") : NULL;
  if (details && !symptoms->details)
    symptoms->details = base_text_shown(details + strlen("errorDetails: "), -1);
}

static void
look(Symptoms *symptoms)
{
  const char *data;
  int flags;
  unsigned long code;
  while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags))) {
    const char *text = flags & ERR_TXT_STRING ? data : NULL;
    if (ERR_GET_LIB(code) == ERR_LIB_CMP)
      see_cmp(symptoms, ERR_GET_REASON(code), text);
    else if (ERR_GET_LIB(code) == ERR_LIB_ASN1)
      symptoms->garbled = TRUE;
    const char *reason = ERR_reason_error_string(code);
    if (!reason)
      continue;
    g_free(symptoms->newest);
    g_autofree char *shown = base_text_shown(text, -1);
    symptoms->newest = shown && *shown && strlen(shown) < ENROLL_TEXT_MAX
                           ? g_strdup_printf("%s (%s)", reason, shown)
                           : g_strdup(reason);
  }
}

static gboolean
refused(OSSL_CMP_CTX *context, const EnrollServer *server, const Symptoms *symptoms, GError **error)
{
  g_autofree char *said = spoken(context);
  g_autofree char *words = enroll_failure_words(OSSL_CMP_CTX_get_failInfoCode(context));
  const char *also =
      symptoms->details && g_strcmp0(symptoms->details, said) != 0 ? symptoms->details : NULL;
  return base_error_set(error, SIGNET_ERROR_DENIED, "the CA at %s refused%s%s%s%s%s%s%s",
                        server->url, said ? ", saying: \"" : "", said ? said : "", said ? "\"" : "",
                        words ? "; " : "", words ? words : "", also ? "; " : "", also ? also : "");
}

gboolean
enroll_failure(OSSL_CMP_CTX *context, const EnrollServer *server, GError **error)
{
  g_auto(Symptoms) symptoms = { 0 };
  look(&symptoms);
  const char *reason = symptoms.newest;
  if (symptoms.refused)
    return refused(context, server, &symptoms, error);
  /* OpenSSL 3.0 has no error where the sender's name is not the one expected. */
  if (symptoms.unproved || !symptoms.newest)
    return base_error_set(
        error, SIGNET_ERROR_FAILED,
        "the answer from %s is not proved to be the CA's, and was not believed%s: %s", server->url,
        server->secret ? " (is the secret right?)" : "",
        symptoms.newest ? symptoms.newest : "it comes from another sender");
  if (symptoms.mismatched)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the answer from %s does not fit the question: %s", server->url, reason);
  if (symptoms.late)
    return base_error_set(error, SIGNET_ERROR_TIMEOUT,
                          "the CA at %s did not answer in time (--timeout %u)", server->url,
                          server->timeout_s);
  if (symptoms.garbled)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "what %s answers is no CMP message: %s",
                          server->url, reason);
  return base_error_set(error, SIGNET_ERROR_FAILED, "the exchange with %s failed: %s", server->url,
                        reason);
}
