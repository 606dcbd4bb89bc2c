/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Verdicts: is this signature by whom it says, and why. Chains by OpenSSL with
 * the S/MIME purpose, roots trusted for mail only (the trust.d folders); never the TLS
 * bundle. */

#include "base/cert.h"

typedef enum {
  TRUST_GOOD,
  TRUST_BAD,
  TRUST_UNTRUSTED,
  TRUST_MISMATCH,   /* signer's addresses are not the From address */
  TRUST_NO_ADDRESS, /* the certificate has no address */
  TRUST_UNSIGNED,
  TRUST_UNKNOWN /* cannot tell */
} TrustVerdict;

/* good, bad, untrusted, mismatch, no-address, unsigned, unknown. */
const char *trust_verdict_name(TrustVerdict verdict);

typedef struct {
  gboolean trusted;
  char *root;   /* (nullable) subject of the root, and from where: "CN=… (trust.d/ca.pem)" */
  char *reason; /* why not trusted, or what was not checked; one sentence */
} TrustChain;

typedef struct TrustStore TrustStore;

/* Roots from /etc/signet/trust.d and the user's; a bad file there is BAD_INPUT naming it. */
TrustStore *trust_store_new(GError **error);
void trust_store_free(TrustStore *store);
gboolean trust_store_add(TrustStore *store, const BaseCert *root, const char *origin,
                         GError **error);

/* `when`: 0 now. `intermediates` (element-type BaseCert), may be NULL. Never fails: not trusted
 * with a reason. */
TrustChain *trust_chain_check(TrustStore *store, const BaseCert *certificate,
                              GPtrArray *intermediates, gint64 when);
void trust_chain_free(TrustChain *chain);

/* What is known of one signature. */
typedef struct {
  int state;                   /* as CmsSignatureState: 0 good, 1 bad, 2 unknown */
  const BaseCert *certificate; /* (nullable) */
  gboolean weak;
  const char *reason; /* (nullable) */
  /* (nullable) the address the message claims; NULL: nothing to compare (plain CMS);
   * "": a mail without one single From address, which matches nobody */
  const char *from;
  const TrustChain *chain; /* (nullable) */
} TrustEvidence;

/* One sentence for a person in *ret_sentence (transfer full). */
TrustVerdict trust_judge(const TrustEvidence *evidence, char **ret_sentence);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustStore, trust_store_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustChain, trust_chain_free)
