/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a TrustStore holds, for the files of this folder. */

#include "trust/roots.h"
#include "trust/trust.h"

#define TRUST_FOLDER "trust.d"

struct TrustStore {
  X509_STORE *store;
  GHashTable *origins;    /* fingerprint (char) → where from (char) */
  GHashTable *distrusted; /* fingerprint (char) → the file that says so (char) */
  GPtrArray *roots;       /* (element-type TrustRoot): of the trust.d folders */
  TrustMailRoots *mail;   /* (nullable) not looked at yet */
  int searches;           /* for missing issuers so far */
  GHashTable *parsed;     /* fingerprint (char) → X509: trust_store_x509() */
};

char *trust_store_user_folder(void);
char *trust_store_system_folder(void);

/* Looks for them when first called. */
TrustMailRoots *trust_store_mail(TrustStore *store);

/* Puts those mail roots into the store that an issuer in this chain may be; TRUE when there was
 * one that was not in it. */
gboolean trust_store_add_issuers(TrustStore *store, X509 *x509, STACK_OF(X509) * untrusted);

/* (nullable) to be freed. Of a message's certificates, which are asked for again for each of its signers, and
 * cost OpenSSL more to read than to check. */
X509 *trust_store_x509(TrustStore *store, const BaseCert *certificate);

/* ---- chain.c, for why.c ---- */

typedef STACK_OF(X509) TrustStack;

TrustStack *trust_chain_stack(TrustStore *store, const GPtrArray *certs);
void trust_chain_stack_add(TrustStore *store, TrustStack *stack, const GPtrArray *certs);
/* What OpenSSL found against a certificate is no reason: it is for all purposes. */
gboolean trust_chain_is_for_all(X509_STORE_CTX *context);
/* An issuer is nowhere to be had. */
gboolean trust_chain_is_missing(int code);
/* Adds to `untrusted` what trust_issuers_find() knows above the last certificate of a chain that
 * could not be built; TRUE when there is something. */
gboolean trust_chain_add_issuers(TrustStore *store, X509_STORE_CTX *context,
                                 STACK_OF(X509) * untrusted);
/* A file of trust.d, of the person or the system, has this very certificate. */
gboolean trust_store_has_own(const TrustStore *store, const BaseCert *certificate);
/* What X509_STORE_CTX_get_error() says, in half a sentence. */
char *trust_chain_reason(X509_STORE_CTX *context);
gboolean trust_chain_prepare(X509_STORE_CTX *context, const TrustStore *store, X509 *x509,
                             STACK_OF(X509) * untrusted, gint64 when);
/* (nullable) what speaks against a chain that is otherwise good, in half a sentence: an issuer in
 * it is no CA, a certificate is distrusted, or its root counts only for what it issued earlier. */
char *trust_chain_objection(const TrustStore *store, X509_STORE_CTX *context);
/* (nullable) the first of these only. */
char *trust_chain_no_ca(const TrustStore *store, const BaseCert *issuer);
/* (nullable) the last of these only. `root`: of the chain of `certificate`. */
char *trust_chain_too_late(const TrustStore *store, const BaseCert *root,
                           const BaseCert *certificate);
