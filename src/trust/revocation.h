/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Was a certificate taken back: OCSP and CRLs, from files, the cache and the network.
 *
 * Only certificates of a chain that is trusted are asked about, so that a stranger's mail cannot make signet
 * call an address of the stranger's choice. What comes back is checked against the issuer, bounded, and kept on
 * disk until its own nextUpdate; a server that does not answer is left alone for a while. */

#include "base/cert.h"

typedef enum {
  TRUST_REVOCATION_SOFT, /* asked; no answer is said, and does not count against the signer */
  TRUST_REVOCATION_HARD, /* no answer: the signature is not good */
  TRUST_REVOCATION_OFF   /* not asked; answers in files and the cache still count */
} TrustRevocationPolicy;

typedef enum {
  TRUST_NOT_REVOKED,
  TRUST_REVOKED,
  TRUST_REVOCATION_UNKNOWN /* not checked: `reason` */
} TrustRevocationState;

typedef struct {
  TrustRevocationState state;
  char *subject;     /* (nullable) REVOKED, UNKNOWN: which certificate of the chain */
  char *how;         /* (nullable) "CRL of http://… of 2026-11-24", "OCSP, http://…" */
  char *reason;      /* (nullable) "keyCompromise"; UNKNOWN: why, half a sentence */
  gint64 checked;    /* when the answer was made; 0: none */
  gint64 revoked_at; /* 0: not revoked */
} TrustRevocation;

/* The setting revocation in [trust]. */
gboolean trust_revocation_policy(TrustRevocationPolicy *ret_policy, GError **error);

/* `path` (element-type BaseCert): the chain, leaf first, root last. Never fails. The worst of all its
 * certificates but the root. All within one deadline (the setting deadline in [trust], milliseconds). */
TrustRevocation *trust_revocation_check(const GPtrArray *path, TrustRevocationPolicy policy);
void trust_revocation_free(TrustRevocation *revocation);

/* Missing issuers by the certificate's AIA (RFC 5280 4.2.2.1): (element-type BaseCert), what is cached, and, where
 * `fetch`, what the network gives; bounded in depth. Nothing is trusted by it: it only completes chains. */
GPtrArray *trust_issuers_find(const BaseCert *certificate, gboolean fetch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustRevocation, trust_revocation_free)
