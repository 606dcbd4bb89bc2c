/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/crl.h"

#include "trust/proof.h"
#include "trust/window.h"

#include <openssl/err.h>
#include <string.h>

#define HEAD_SEEN 4096        /* holds version and algorithm for sure */
#define ENTRY_MAX (16 * 1024) /* also of a name */
#define SIGNATURE_MAX 2048
#define KEPT_OID "2.5.29.60"    /* expiredCertsOnCRL, X.509 9.5.2.8: a GeneralizedTime */
#define GRACE_S (7 * 24 * 3600) /* of a list that does not say when the next one comes */

typedef STACK_OF(X509_EXTENSION) Extensions;

static void
extensions_free(Extensions *all)
{
  sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Extensions, extensions_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_ALGOR, X509_ALGOR_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_NAME, X509_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_TIME, ASN1_TIME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ISSUING_DIST_POINT, ISSUING_DIST_POINT_free)

typedef struct {
  const TrustQuestion *question;
  TrustWindow window;
  goffset end;       /* of tbsCertList */
  GBytes *algorithm; /* its DER */
  TrustProof *proof;
  gint64 made;
  gint64 until;
  gint64 kept; /* 0: not said; else certificates that expired since are still in it */
  gboolean found;
  int reason; /* CRLReason; -1: none */
  gint64 revoked_at;
  gboolean strange; /* a critical extension that is not known, or what only an indirect CRL has */
  gboolean outside; /* not a list that this certificate could be in */
  char *why;        /* (nullable) what is wrong with it */
} Crl;

static void
crl_clear(Crl *crl)
{
  trust_window_clear(&crl->window);
  g_clear_pointer(&crl->algorithm, g_bytes_unref);
  trust_proof_free(crl->proof);
  g_free(crl->why);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Crl, crl_clear)

static gboolean
wrong(Crl *crl, const char *why)
{
  if (!crl->why)
    crl->why = g_strdup(why);
  return FALSE;
}

static gboolean
damaged(Crl *crl)
{
  return wrong(crl, "it is damaged, or no CRL");
}

static gboolean
hash(gconstpointer bytes, gsize length, gpointer data)
{
  return trust_proof_take(data, bytes, length);
}

/* The next element, whole, up to `max`; left behind. */
static const guint8 *
take(Crl *crl, guint8 tag, gsize max, gsize *ret_length)
{
  TrustElement element;
  if (!trust_window_element(&crl->window, crl->end, &element) || element.tag != tag ||
      element.length > (goffset)(max - element.head))
    return NULL;
  gsize length = element.head + (gsize)element.length;
  const guint8 *bytes = trust_window_see(&crl->window, length);
  if (!bytes || !trust_window_skip(&crl->window, (goffset)length))
    return NULL;
  *ret_length = length;
  return bytes;
}

static gboolean
next_is(Crl *crl, guint8 tag)
{
  TrustElement element;
  return crl->window.at < crl->end && trust_window_element(&crl->window, crl->end, &element) &&
         element.tag == tag;
}

/* ---- the head ---- */

static gboolean
enter(Crl *crl, guint8 tag, goffset end, goffset *ret_end)
{
  TrustElement element;
  if (!trust_window_element(&crl->window, end, &element) || element.tag != tag ||
      !trust_window_skip(&crl->window, (goffset)element.head))
    return FALSE;
  *ret_end = crl->window.at + element.length;
  return TRUE;
}

/* The algorithm stands behind the first bytes that it covers. */
static gboolean
start_hash(Crl *crl)
{
  goffset start = crl->window.at;
  gsize length;
  if (!enter(crl, 0x30, crl->window.length, &crl->end))
    return damaged(crl);
  if (next_is(crl, 0x02)) {
    const guint8 *version = take(crl, 0x02, 3, &length);
    if (!version || length != 3 || version[2] > 1)
      return damaged(crl);
  }
  const guint8 *der = take(crl, 0x30, HEAD_SEEN, &length);
  if (!der)
    return damaged(crl);
  crl->algorithm = g_bytes_new(der, length);
  g_autoptr(X509_ALGOR) algorithm = d2i_X509_ALGOR(NULL, &der, (long)length);
  if (!algorithm)
    return damaged(crl);
  crl->proof = trust_proof_new(algorithm, X509_get0_pubkey(crl->question->issuer), &crl->why);
  if (!crl->proof)
    return FALSE;
  crl->window.at = start;
  crl->window.passed = start;
  crl->window.pass = hash;
  crl->window.data = crl->proof;
  goffset again;
  return enter(crl, 0x30, crl->window.length, &again) &&
         (!next_is(crl, 0x02) || take(crl, 0x02, 3, &length)) &&
         take(crl, 0x30, HEAD_SEEN, &length);
}

static gboolean
check_issuer(Crl *crl)
{
  gsize length;
  const guint8 *der = take(crl, 0x30, ENTRY_MAX, &length);
  g_autoptr(X509_NAME) name = der ? d2i_X509_NAME(NULL, &der, (long)length) : NULL;
  if (!name)
    return damaged(crl);
  X509 *issuer = crl->question->issuer;
  if (X509_NAME_cmp(name, X509_get_subject_name(issuer)) != 0)
    return wrong(crl, TRUST_CRL_OF_ANOTHER);
  if ((X509_get_extension_flags(issuer) & EXFLAG_KUSAGE) &&
      !(X509_get_key_usage(issuer) & KU_CRL_SIGN))
    return wrong(crl, "the issuer may not sign CRLs");
  return TRUE;
}

static gboolean
take_time(Crl *crl, gint64 *ret_time)
{
  gsize length;
  const guint8 *der = take(crl, next_is(crl, 0x17) ? 0x17 : 0x18, 64, &length);
  g_autoptr(ASN1_TIME) time = der ? d2i_ASN1_TIME(NULL, &der, (long)length) : NULL;
  *ret_time = trust_time(time);
  return *ret_time > 0 || damaged(crl);
}

static gboolean
take_dates(Crl *crl)
{
  if (!take_time(crl, &crl->made))
    return FALSE;
  return (!next_is(crl, 0x17) && !next_is(crl, 0x18)) || take_time(crl, &crl->until);
}

/* ---- the entries ---- */

/* Of every entry: what is critical and not known spoils the whole list (RFC 5280 5.3). */
static gboolean
read_entry_extensions(Crl *crl, const guint8 *der, gsize length, int *ret_reason)
{
  const guint8 *end = der + length;
  g_autoptr(Extensions) all = d2i_X509_EXTENSIONS(NULL, &der, (long)length);
  if (!all || der != end)
    return FALSE;
  for (int i = 0; i < sk_X509_EXTENSION_num(all); i++) {
    X509_EXTENSION *extension = sk_X509_EXTENSION_value(all, i);
    int id = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (id == NID_certificate_issuer || (X509_EXTENSION_get_critical(extension) &&
                                         id != NID_crl_reason && id != NID_invalidity_date))
      crl->strange = TRUE;
    ASN1_ENUMERATED *reason = id == NID_crl_reason ? X509V3_EXT_d2i(extension) : NULL;
    if (id == NID_crl_reason && !reason)
      return FALSE;
    if (reason)
      *ret_reason = (int)ASN1_ENUMERATED_get(reason);
    ASN1_ENUMERATED_free(reason);
  }
  return TRUE;
}

/* A reason alone, not critical, is what nearly all have: read without OpenSSL. */
static gboolean
is_plain_reason(const guint8 *der, gsize length, int *ret_reason)
{
  static const guint8 plain[] = { 0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55,
                                  0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01 };
  if (length != sizeof plain + 1 || memcmp(der, plain, sizeof plain) != 0)
    return FALSE;
  *ret_reason = der[sizeof plain];
  return TRUE;
}

static gboolean
note_found(Crl *crl, const guint8 *date, gsize length, int reason)
{
  g_autoptr(ASN1_TIME) time = d2i_ASN1_TIME(NULL, &date, (long)length);
  crl->found = TRUE;
  crl->reason = reason;
  crl->revoked_at = trust_time(time);
  return crl->revoked_at > 0;
}

/* SEQUENCE { INTEGER, Time, SEQUENCE OF Extension OPTIONAL } */
static gboolean
read_entry(Crl *crl, const guint8 *wanted, gsize wanted_length)
{
  TrustElement whole, number, date;
  gsize length;
  int reason = -1;
  const guint8 *at = take(crl, 0x30, ENTRY_MAX, &length);
  if (!at || !trust_element_read(at, length, &whole))
    return FALSE;
  const guint8 *end = at + length;
  at += whole.head;
  if (!trust_element_read(at, (gsize)(end - at), &number) || number.tag != 0x02 ||
      number.length < 1 || number.length > end - at - (goffset)number.head)
    return FALSE;
  const guint8 *value = at + number.head;
  at = value + number.length;
  if (!trust_element_read(at, (gsize)(end - at), &date) || (date.tag != 0x17 && date.tag != 0x18) ||
      date.length > end - at - (goffset)date.head)
    return FALSE;
  gsize date_length = date.head + (gsize)date.length, left = (gsize)(end - at) - date_length;
  if (left && !is_plain_reason(at + date_length, left, &reason) &&
      !read_entry_extensions(crl, at + date_length, left, &reason))
    return FALSE;
  gboolean same =
      (gsize)number.length == wanted_length && memcmp(value, wanted, wanted_length) == 0;
  return !same || note_found(crl, at, date_length, reason);
}

static gboolean
read_entries(Crl *crl)
{
  goffset end;
  guint8 *der = NULL;
  TrustElement number;
  const ASN1_INTEGER *serial = X509_get0_serialNumber(crl->question->certificate);
  if (!next_is(crl, 0x30))
    return TRUE;
  int length = i2d_ASN1_INTEGER(serial, &der);
  gboolean fine = length > 0 && trust_element_read(der, (gsize)length, &number) &&
                  enter(crl, 0x30, crl->end, &end) && end <= crl->end;
  while (fine && crl->window.at < end)
    fine = read_entry(crl, der + number.head, (gsize)number.length) && crl->window.at <= end;
  OPENSSL_free(der);
  return fine || damaged(crl);
}

/* ---- what the list is about ---- */

static gboolean
shares_name(const GENERAL_NAMES *of_list, const GENERAL_NAMES *of_point)
{
  for (int i = 0; i < sk_GENERAL_NAME_num(of_list); i++)
    for (int j = 0; j < sk_GENERAL_NAME_num(of_point); j++)
      if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(of_list, i), sk_GENERAL_NAME_value(of_point, j)) ==
          0)
        return TRUE;
  return FALSE;
}

/* RFC 5280 6.3.3 (b)(2)(i): a CA that has several lists says in each which certificates it is for; one
 * of them in place of another would hide a revocation. */
static gboolean
is_named_by(X509 *certificate, const DIST_POINT_NAME *name)
{
  gboolean named = FALSE;
  STACK_OF(DIST_POINT) *all =
      X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
  for (int i = 0; name->type == 0 && i < sk_DIST_POINT_num(all); i++) {
    const DIST_POINT *point = sk_DIST_POINT_value(all, i);
    named = named || (point->distpoint && point->distpoint->type == 0 && !point->CRLissuer &&
                      shares_name(name->name.fullname, point->distpoint->name.fullname));
  }
  sk_DIST_POINT_pop_free(all, DIST_POINT_free);
  return named;
}

static gboolean
read_scope(Crl *crl, X509_EXTENSION *extension)
{
  g_autoptr(ISSUING_DIST_POINT) scope = X509V3_EXT_d2i(extension);
  X509 *certificate = crl->question->certificate;
  gboolean ca = (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
  if (!scope)
    return FALSE;
  if (scope->indirectCRL > 0)
    crl->strange = TRUE;
  if (scope->onlyattr > 0 || scope->onlysomereasons || (scope->onlyuser > 0 && ca) ||
      (scope->onlyCA > 0 && !ca) ||
      (scope->distpoint && !is_named_by(certificate, scope->distpoint)))
    crl->outside = TRUE;
  return TRUE;
}

static gboolean
is_kept_since(X509_EXTENSION *extension)
{
  char oid[sizeof KEPT_OID + 1];
  return OBJ_obj2txt(oid, sizeof oid, X509_EXTENSION_get_object(extension), 1) > 0 &&
         strcmp(oid, KEPT_OID) == 0;
}

static void
read_kept_since(Crl *crl, X509_EXTENSION *extension)
{
  const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
  const guint8 *der = ASN1_STRING_get0_data(value);
  g_autoptr(ASN1_TIME) time = d2i_ASN1_TIME(NULL, &der, ASN1_STRING_length(value));
  crl->kept = trust_time(time);
}

static gboolean
read_extensions(Crl *crl)
{
  goffset end;
  gsize length;
  if (crl->window.at == crl->end)
    return TRUE;
  if (!enter(crl, 0xa0, crl->end, &end) || end != crl->end)
    return FALSE;
  const guint8 *der = take(crl, 0x30, TRUST_WINDOW, &length);
  if (!der || crl->window.at != crl->end)
    return FALSE;
  const guint8 *stop = der + length;
  g_autoptr(Extensions) all = d2i_X509_EXTENSIONS(NULL, &der, (long)length);
  if (!all || der != stop)
    return FALSE;
  for (int i = 0; i < sk_X509_EXTENSION_num(all); i++) {
    X509_EXTENSION *extension = sk_X509_EXTENSION_value(all, i);
    int id = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (id == NID_issuing_distribution_point) {
      if (!read_scope(crl, extension))
        return FALSE;
    } else if (is_kept_since(extension)) {
      read_kept_since(crl, extension);
    } else if (id == NID_delta_crl || X509_EXTENSION_get_critical(extension)) {
      crl->strange = TRUE;
    }
  }
  return TRUE;
}

/* ---- the signature ---- */

static gboolean
check_signature(Crl *crl)
{
  gsize length, wanted_length;
  if (!trust_window_flush(&crl->window))
    return wrong(crl, "it is too large for its kind of signature");
  crl->window.pass = NULL;
  crl->end = crl->window.length;
  const guint8 *outer = take(crl, 0x30, HEAD_SEEN, &length);
  const guint8 *inner = g_bytes_get_data(crl->algorithm, &wanted_length);
  if (!outer || length != wanted_length || memcmp(outer, inner, length) != 0)
    return damaged(crl);
  const guint8 *bits = take(crl, 0x03, SIGNATURE_MAX, &length);
  TrustElement element;
  if (!bits || !trust_element_read(bits, length, &element) || element.length < 2 ||
      bits[element.head] != 0 || crl->window.at != crl->end)
    return damaged(crl);
  return trust_proof_holds(crl->proof, bits + element.head + 1, (gsize)element.length - 1) ||
         wrong(crl, "its signature is not the issuer's");
}

static gboolean
read_crl(Crl *crl)
{
  goffset end;
  crl->end = crl->window.length;
  if (!enter(crl, 0x30, crl->window.length, &end) || end != crl->window.length)
    return damaged(crl);
  if (!start_hash(crl) || !check_issuer(crl) || !take_dates(crl) || !read_entries(crl))
    return damaged(crl);
  return (read_extensions(crl) || damaged(crl)) && check_signature(crl);
}

/* ---- the answer ---- */

static TrustAnswer *
judge(const Crl *crl)
{
  gint64 now = crl->question->now;
  gint64 until = crl->until ? crl->until : crl->made + GRACE_S;
  g_autofree char *ended = trust_date(until);
  TrustAnswer *answer;
  if (crl->strange)
    answer = trust_answer_unknown("it is of a kind that signet does not know");
  else if (crl->found) {
    /* Also of an old list: what is revoked stays so. */
    answer = g_new0(TrustAnswer, 1);
    answer->state = TRUST_REVOKED;
    answer->reason = g_strdup(trust_reason_name(crl->reason));
    answer->revoked_at = crl->revoked_at;
  } else if (crl->outside)
    answer = trust_answer_unknown("it is not about this certificate");
  else if (crl->made > now + TRUST_CLOCK_SKEW_S)
    answer = trust_answer_unknown("it is of the future; is the clock right?");
  else if (until < now)
    answer = trust_answer_unknown("it was good until %s", ended);
  else if (trust_question_outlived(crl->question, crl->made, crl->kept))
    answer = trust_answer_unknown(TRUST_OUTLIVED);
  else {
    answer = g_new0(TrustAnswer, 1);
    answer->state = TRUST_NOT_REVOKED;
  }
  answer->proved = crl->made <= now + TRUST_CLOCK_SKEW_S && until >= now;
  answer->made = crl->made;
  answer->until = until;
  return answer;
}

TrustAnswer *
trust_crl_look(const TrustCrlSource *source, const TrustQuestion *question)
{
  g_auto(Crl) crl = {
    .question = question,
    .window = { .fd = source->fd, .bytes = source->bytes, .length = source->length },
    .reason = -1,
  };
  gboolean read = source->length <= TRUST_CRL_MAX ? read_crl(&crl) : wrong(&crl, "it is too large");
  ERR_clear_error();
  return read ? judge(&crl) : trust_answer_unknown("%s", crl.why);
}
