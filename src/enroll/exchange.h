/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One transaction's settings. */

#include "base/url.h"
#include "enroll/enroll.h"

#include <openssl/cmp.h>

/* http or https, without a query. */
gboolean enroll_url_parse(const char *text, BaseUrl *ret_url, GError **error);

/* How long, and what the protocol allows. */
gboolean enroll_set_protocol(OSSL_CMP_CTX *context, const EnrollServer *server, GError **error);
/* How answers are known to be the CA's, and ours by what. */
gboolean enroll_set_proof(OSSL_CMP_CTX *context, const EnrollServer *server,
                          const EnrollRequest *request, EVP_PKEY *signer, GError **error);
/* What is asked for. */
gboolean enroll_set_request(OSSL_CMP_CTX *context, const EnrollServer *server,
                            const EnrollRequest *request, EVP_PKEY *key, GError **error);
