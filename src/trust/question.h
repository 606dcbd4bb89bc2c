/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One certificate of which it is asked whether it was revoked, and one answer: what crl.c, ocsp.c and
 * revocation.c pass to each other. */

#include "trust/revocation.h"

#include <openssl/x509v3.h>

#define TRUST_CLOCK_SKEW_S (5 * 60)

typedef struct {
  X509 *certificate;
  X509 *issuer;
  gint64 now;
} TrustQuestion;

typedef struct {
  TrustRevocationState state;
  gboolean proved; /* by the issuer's signature, and current: worth keeping */
  char *reason; /* (nullable): REVOKED: in the words of RFC 5280; UNKNOWN: why, half a sentence */
  gint64 made;  /* thisUpdate */
  gint64 until; /* nextUpdate; 0: not said */
  gint64 revoked_at; /* 0: not revoked */
} TrustAnswer;

/* The certificate had expired when the answer was made, which need not know of it any more (RFC 5280 3.3, RFC 6960
 * 4.4.4): that it is not said to be revoked proves nothing. `kept`: what expired since then is still known; 0:
 * not said. */
gboolean trust_question_outlived(const TrustQuestion *question, gint64 made, gint64 kept);
#define TRUST_OUTLIVED "it was made after the certificate expired, and need not know of it any more"

TrustAnswer *trust_answer_unknown(const char *format, ...) G_GNUC_PRINTF(1, 2);
void trust_answer_free(TrustAnswer *answer);
/* (nullable) "keyCompromise" … of CRLReason, RFC 5280 5.3.1; what may be taken back again is
 * "certificateHold". */
#define TRUST_REASON_HOLD 6
const char *trust_reason_name(int reason);
/* Seconds since 1970; 0: no time. */
gint64 trust_time(const ASN1_TIME *time);
/* "2026-11-24" */
char *trust_date(gint64 at);

/* ---- where a certificate says that its issuer answers: (element-type char), at most
 * TRUST_POINTS_MAX of each ---- */

#define TRUST_POINTS_MAX 4

GPtrArray *trust_points_crl(X509 *certificate);
GPtrArray *trust_points_ocsp(X509 *certificate);
GPtrArray *trust_points_issuers(X509 *certificate);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustAnswer, trust_answer_free)
