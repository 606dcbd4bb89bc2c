/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Checks a signature over bytes that pass by, by the AlgorithmIdentifier that stands beside it. */

#include <glib.h>
#include <openssl/x509.h>

typedef struct TrustProof TrustProof;

/* NULL: (transfer full) *ret_why, half a sentence: unknown, broken, not of this kind of key. */
TrustProof *trust_proof_new(const X509_ALGOR *algorithm, EVP_PKEY *key, char **ret_why);
gboolean trust_proof_take(TrustProof *proof, gconstpointer bytes, gsize length);
gboolean trust_proof_holds(TrustProof *proof, gconstpointer signature, gsize length);
void trust_proof_free(TrustProof *proof);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustProof, trust_proof_free)
