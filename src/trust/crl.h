/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Looks a certificate up in a CRL (RFC 5280 5), which is read in one pass through a window: a list of
 * 200,000 entries costs OpenSSL 100 MB, and here as much as an empty one. */

#include "trust/question.h"

#define TRUST_CRL_MAX ((goffset)64 * 1024 * 1024)

/* A regular file, from its start, or bytes. Its signature is checked each time: what lies in a cache or a
 * folder proves nothing by lying there. */
typedef struct {
  int fd; /* -1: `bytes` */
  const guint8 *bytes;
  goffset length;
} TrustCrlSource;

#define TRUST_CRL_OF_ANOTHER "it is of another issuer"

/* DER. Never fails: UNKNOWN with a reason. */
TrustAnswer *trust_crl_look(const TrustCrlSource *source, const TrustQuestion *question);
