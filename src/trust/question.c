/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/question.h"

#include "base/url.h"

#include <string.h>
#include <time.h>

gboolean
trust_question_outlived(const TrustQuestion *question, gint64 made, gint64 kept)
{
  gint64 end = trust_time(X509_get0_notAfter(question->certificate));
  return made > end && (!kept || kept > end);
}

TrustAnswer *
trust_answer_unknown(const char *format, ...)
{
  va_list list;
  TrustAnswer *answer = g_new0(TrustAnswer, 1);
  va_start(list, format);
  answer->state = TRUST_REVOCATION_UNKNOWN;
  answer->reason = g_strdup_vprintf(format, list);
  va_end(list);
  return answer;
}

void
trust_answer_free(TrustAnswer *answer)
{
  if (!answer)
    return;
  g_free(answer->reason);
  g_free(answer);
}

const char *
trust_reason_name(int reason)
{
  static const char *const names[] = {
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    NULL,
    /* removeFromCRL: a hold that ended, in a CRL that says only what changed; here not believed */
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise",
  };
  return reason >= 0 && reason < (int)G_N_ELEMENTS(names) ? names[reason] : NULL;
}

gint64
trust_time(const ASN1_TIME *time)
{
  struct tm parts;
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1)
    return 0;
  return MAX((gint64)timegm(&parts), 0);
}

char *
trust_date(gint64 at)
{
  g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(at);
  return date ? g_date_time_format(date, "%Y-%m-%d") : g_strdup("an impossible date");
}

/* ---- points ---- */

static void
add_url(GPtrArray *urls, const GENERAL_NAME *name)
{
  g_auto(BaseUrl) url = { 0 };
  if (name->type != GEN_URI || urls->len >= TRUST_POINTS_MAX)
    return;
  const ASN1_STRING *text = name->d.uniformResourceIdentifier;
  int length = ASN1_STRING_length(text);
  if (length <= 0 || length > BASE_URL_MAX ||
      memchr(ASN1_STRING_get0_data(text), '\0', (gsize)length))
    return;
  g_autofree char *copy = g_strndup((const char *)ASN1_STRING_get0_data(text), (gsize)length);
  if (base_url_parse(copy, &url))
    g_ptr_array_add(urls, g_steal_pointer(&copy));
}

/* RFC 5280 4.2.1.13. A point of another CRL issuer (an indirect CRL), or of some reasons only, is not
 * one that can answer. */
GPtrArray *
trust_points_crl(X509 *certificate)
{
  GPtrArray *urls = g_ptr_array_new_with_free_func(g_free);
  STACK_OF(DIST_POINT) *all =
      X509_get_ext_d2i(certificate, NID_crl_distribution_points, NULL, NULL);
  for (int i = 0; i < sk_DIST_POINT_num(all); i++) {
    const DIST_POINT *point = sk_DIST_POINT_value(all, i);
    if (point->CRLissuer || point->reasons || !point->distpoint || point->distpoint->type != 0)
      continue;
    const GENERAL_NAMES *names = point->distpoint->name.fullname;
    for (int j = 0; j < sk_GENERAL_NAME_num(names); j++)
      add_url(urls, sk_GENERAL_NAME_value(names, j));
  }
  sk_DIST_POINT_pop_free(all, DIST_POINT_free);
  return urls;
}

/* RFC 5280 4.2.2.1 */
static GPtrArray *
information_access(X509 *certificate, int method)
{
  GPtrArray *urls = g_ptr_array_new_with_free_func(g_free);
  AUTHORITY_INFO_ACCESS *all = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
  for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(all); i++) {
    const ACCESS_DESCRIPTION *access = sk_ACCESS_DESCRIPTION_value(all, i);
    if (OBJ_obj2nid(access->method) == method)
      add_url(urls, access->location);
  }
  AUTHORITY_INFO_ACCESS_free(all);
  return urls;
}

GPtrArray *
trust_points_ocsp(X509 *certificate)
{
  return information_access(certificate, NID_ad_OCSP);
}

GPtrArray *
trust_points_issuers(X509 *certificate)
{
  return information_access(certificate, NID_ad_ca_issuers);
}
