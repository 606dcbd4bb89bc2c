/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Is what the CA sent what was asked for; and what to say when it sent none. */

#include "enroll/enroll.h"

#include <openssl/cmp.h>

/* For our key, for all of our addresses and no other, for mail, valid now, and of no CA. */
gboolean enroll_check_certificate(const BaseCert *certificate, const EnrollSubject *subject,
                                  gint64 now, GError **error);

/* Those of `candidates` that lead from `certificate` up, roots left out: (element-type GBytes). */
GPtrArray *enroll_chain(X509 *certificate, STACK_OF(X509) * candidates);

/* Why the exchange failed, from OpenSSL's queue (which is emptied) and what the CA said. */
gboolean enroll_failure(OSSL_CMP_CTX *context, const EnrollServer *server, GError **error);
/* "the request was malformed" for badRequest …; RFC 4210 5.2.3. NULL for none. */
char *enroll_failure_words(int fail_info);
