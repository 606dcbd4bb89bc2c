/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* OCSP (RFC 6960): what to ask, and what an answer says.
 *
 * No nonce is sent: an answer is kept until its nextUpdate, so one that is played again within that time
 * says what would have been read from disk; and many responders sign ahead and know no nonce. */

#include "trust/question.h"

#define TRUST_OCSP_MAX (64 * 1024)
#define TRUST_OCSP_REQUEST_TYPE "application/ocsp-request"

/* DER; NULL when the certificate cannot be asked about. */
GBytes *trust_ocsp_request(const TrustQuestion *question);
/* Never fails: UNKNOWN with a reason. Believed when signed by the issuer, or by whom the issuer
 * certified for it (RFC 6960 4.2.2.2). */
TrustAnswer *trust_ocsp_look(GBytes *response, const TrustQuestion *question);
