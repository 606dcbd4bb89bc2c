/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One transaction's settings. */

#include "enroll/enroll.h"
#include "enroll/tls.h"

#include <openssl/cmp.h>

typedef struct {
  gboolean tls;
  char *host;
  char *port;
  int port_number;
  char *path;
} EnrollUrl;

gboolean enroll_url_parse(const char *text, EnrollUrl *ret_url, GError **error);
void enroll_url_clear(EnrollUrl *url);

/* How long, and what the protocol allows. */
gboolean enroll_set_protocol(OSSL_CMP_CTX *context, const EnrollServer *server, GError **error);
/* How answers are known to be the CA's, and ours by what. */
gboolean enroll_set_proof(OSSL_CMP_CTX *context, const EnrollServer *server,
                          const EnrollRequest *request, EVP_PKEY *signer, GError **error);
/* What is asked for. */
gboolean enroll_set_request(OSSL_CMP_CTX *context, const EnrollServer *server,
                            const EnrollRequest *request, EVP_PKEY *key, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EnrollUrl, enroll_url_clear)
