/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/ocsp.h"

#include "trust/proof.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#define ANSWERS_MAX 100
#define CERTIFICATES_MAX 10
#define BITS_MIN 112        /* as in proof.c */
#define GRACE_S (24 * 3600) /* of an answer that does not say when the next one comes */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(OCSP_REQUEST, OCSP_REQUEST_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OCSP_RESPONSE, OCSP_RESPONSE_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OCSP_BASICRESP, OCSP_BASICRESP_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OCSP_CERTID, OCSP_CERTID_free)

/* By SHA-1: the one that every responder knows (RFC 5019 2.1.1), and nothing hangs on it but a name. */
GBytes *
trust_ocsp_request(const TrustQuestion *question)
{
  g_autoptr(OCSP_REQUEST) request = OCSP_REQUEST_new();
  g_autoptr(OCSP_CERTID) id = OCSP_cert_to_id(EVP_sha1(), question->certificate, question->issuer);
  guint8 *der = NULL;
  if (!request || !id || !OCSP_request_add0_id(request, id))
    return NULL;
  g_steal_pointer(&id);
  int length = i2d_OCSP_REQUEST(request, &der);
  GBytes *bytes = length > 0 ? g_bytes_new(der, (gsize)length) : NULL;
  OPENSSL_free(der);
  return bytes;
}

/* ---- who answers ---- */

static gboolean
is_current(X509 *certificate, gint64 now)
{
  return trust_time(X509_get0_notBefore(certificate)) <= now + TRUST_CLOCK_SKEW_S &&
         trust_time(X509_get0_notAfter(certificate)) >= now;
}

/* RFC 6960 4.2.2.2: issued by the very CA that is asked about, and for this. Whether this certificate was
 * revoked in turn is not asked: it would be by the same responder. */
static gboolean
is_delegate(X509 *signer, const TrustQuestion *question)
{
  X509 *issuer = question->issuer;
  EVP_PKEY *key = X509_get0_pubkey(issuer);
  int bits = 0;
  return (X509_get_extension_flags(signer) & EXFLAG_XKUSAGE) &&
         (X509_get_extended_key_usage(signer) & XKU_OCSP_SIGN) &&
         (!(X509_get_extension_flags(signer) & EXFLAG_KUSAGE) ||
          (X509_get_key_usage(signer) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION))) &&
         !(X509_get_extension_flags(signer) & EXFLAG_INVALID) &&
         X509_NAME_cmp(X509_get_issuer_name(signer), X509_get_subject_name(issuer)) == 0 &&
         X509_get_signature_info(signer, NULL, NULL, &bits, NULL) && bits >= BITS_MIN && key &&
         X509_verify(signer, key) == 1 && is_current(signer, question->now);
}

static gboolean
is_strong(const OCSP_BASICRESP *basic, X509 *signer)
{
  g_autofree char *why = NULL;
  g_autoptr(TrustProof) proof =
      trust_proof_new(OCSP_resp_get0_tbs_sigalg(basic), X509_get0_pubkey(signer), &why);
  return proof != NULL;
}

/* Whether that certificate is the responder's by its name or key, and signed the answer. */
static gboolean
signed_by(OCSP_BASICRESP *basic, X509 *signer)
{
  STACK_OF(X509) *one = sk_X509_new_null();
  gboolean holds = one && sk_X509_push(one, signer) > 0 &&
                   OCSP_basic_verify(basic, one, NULL, OCSP_NOINTERN | OCSP_NOVERIFY) > 0;
  sk_X509_free(one);
  return holds && is_strong(basic, signer);
}

static gboolean
is_authorised(OCSP_BASICRESP *basic, const TrustQuestion *question)
{
  const STACK_OF(X509) *given = OCSP_resp_get0_certs(basic);
  if (signed_by(basic, question->issuer))
    return TRUE;
  for (int i = 0; i < MIN(sk_X509_num(given), CERTIFICATES_MAX); i++)
    if (is_delegate(sk_X509_value(given, i), question) && signed_by(basic, sk_X509_value(given, i)))
      return TRUE;
  return FALSE;
}

/* ---- what is said ---- */

/* The responder may name the certificate by another hash than was asked with. */
static gboolean
is_about(const OCSP_SINGLERESP *single, const TrustQuestion *question)
{
  ASN1_OBJECT *object = NULL;
  const OCSP_CERTID *id = OCSP_SINGLERESP_get0_id(single);
  /* The getter takes what it does not change. */
  OCSP_id_get0_info(NULL, &object, NULL, NULL, (OCSP_CERTID *)(guintptr)id);
  const EVP_MD *digest = object ? EVP_get_digestbyobj(object) : NULL;
  g_autoptr(OCSP_CERTID) ours =
      digest ? OCSP_cert_to_id(digest, question->certificate, question->issuer) : NULL;
  return ours && OCSP_id_cmp(id, ours) == 0;
}

static gboolean
has_critical(OCSP_SINGLERESP *single)
{
  return OCSP_SINGLERESP_get_ext_by_critical(single, 1, -1) >= 0;
}

/* 0: not said */
static gint64
kept_since(OCSP_SINGLERESP *single)
{
  ASN1_GENERALIZEDTIME *time =
      OCSP_SINGLERESP_get1_ext_d2i(single, NID_id_pkix_OCSP_archiveCutoff, NULL, NULL);
  gint64 kept = trust_time(time);
  ASN1_GENERALIZEDTIME_free(time);
  return kept;
}

static TrustAnswer *
read_single(OCSP_SINGLERESP *single, const TrustQuestion *question)
{
  ASN1_GENERALIZEDTIME *revoked, *this_update, *next_update;
  int reason = -1;
  int status = OCSP_single_get0_status(single, &reason, &revoked, &this_update, &next_update);
  gint64 made = trust_time(this_update), until = next_update ? trust_time(next_update) : 0;
  gint64 now = question->now;
  TrustAnswer *answer;
  if (!made || (next_update && !until) || has_critical(single))
    return trust_answer_unknown("its answer is of a kind that signet does not know");
  until = until ? until : made + GRACE_S;
  g_autofree char *ended = trust_date(until);
  if (made > now + TRUST_CLOCK_SKEW_S)
    return trust_answer_unknown("its answer is of the future; is the clock right?");
  if (status == V_OCSP_CERTSTATUS_REVOKED) {
    /* Also when it is old: what is revoked stays so. */
    answer = g_new0(TrustAnswer, 1);
    answer->state = TRUST_REVOKED;
    answer->reason = g_strdup(trust_reason_name(reason));
    answer->revoked_at = MAX(trust_time(revoked), 1);
  } else if (until < now)
    answer = trust_answer_unknown("its answer was good until %s", ended);
  else if (status == V_OCSP_CERTSTATUS_GOOD &&
           trust_question_outlived(question, made, kept_since(single)))
    answer = trust_answer_unknown(TRUST_OUTLIVED);
  else if (status == V_OCSP_CERTSTATUS_GOOD) {
    answer = g_new0(TrustAnswer, 1);
    answer->state = TRUST_NOT_REVOKED;
  } else
    answer = trust_answer_unknown("it does not know the certificate");
  answer->proved = until >= now;
  answer->made = made;
  answer->until = until;
  return answer;
}

static TrustAnswer *
read_basic(OCSP_BASICRESP *basic, const TrustQuestion *question)
{
  int count = OCSP_resp_count(basic);
  if (OCSP_BASICRESP_get_ext_by_critical(basic, 1, -1) >= 0)
    return trust_answer_unknown("its answer is of a kind that signet does not know");
  if (!is_authorised(basic, question))
    return trust_answer_unknown("its answer is not signed by the issuer, nor for it");
  for (int i = 0; i < MIN(count, ANSWERS_MAX); i++)
    if (is_about(OCSP_resp_get0(basic, i), question))
      return read_single(OCSP_resp_get0(basic, i), question);
  return trust_answer_unknown("its answer is about another certificate");
}

static TrustAnswer *
read_response(GBytes *bytes, const TrustQuestion *question)
{
  gsize length;
  const guint8 *der = g_bytes_get_data(bytes, &length), *end = der + length;
  if (length > TRUST_OCSP_MAX)
    return trust_answer_unknown("its answer is too large");
  g_autoptr(OCSP_RESPONSE) response = d2i_OCSP_RESPONSE(NULL, &der, (long)length);
  if (!response || der != end)
    return trust_answer_unknown("its answer is damaged, or no OCSP");
  int status = OCSP_response_status(response);
  if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return trust_answer_unknown("it answers \"%s\"", OCSP_response_status_str(status));
  g_autoptr(OCSP_BASICRESP) basic = OCSP_response_get1_basic(response);
  return basic ? read_basic(basic, question)
               : trust_answer_unknown("its answer is damaged, or no OCSP");
}

TrustAnswer *
trust_ocsp_look(GBytes *response, const TrustQuestion *question)
{
  TrustAnswer *answer = read_response(response, question);
  ERR_clear_error();
  return answer;
}
