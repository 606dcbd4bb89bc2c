/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One message to the CA and its answer, over HTTP (RFC 6712, RFC 9480 3): by base/http.h. */

#include "base/deadline.h"
#include "enroll/exchange.h"

typedef struct {
  const EnrollServer *server;
  BaseDeadline deadline;
  GError *failed; /* (nullable): why there was no connection */
} EnrollTransfer;

gboolean enroll_transfer_open(EnrollTransfer *transfer, const EnrollServer *server, GError **error);
void enroll_transfer_clear(EnrollTransfer *transfer);
/* An OSSL_CMP_transfer_cb_t; the context's argument is the EnrollTransfer. */
OSSL_CMP_MSG *enroll_transfer(OSSL_CMP_CTX *context, const OSSL_CMP_MSG *request);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EnrollTransfer, enroll_transfer_clear)
