/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Verdicts: is this signature by whom it says, and why. Chains by OpenSSL with
 * the S/MIME purpose, roots trusted for mail only (the trust.d folders, and the mail roots that
 * come with NSS); never the TLS bundle. */

#include "trust/revocation.h"

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
  gboolean confirmed; /* not by a CA: this very certificate is in trust.d */
  char *root;      /* (nullable) subject of the root, and from where: "CN=… (trust.d/ca.pem)" */
  char *reason;    /* (nullable) why not trusted, half a sentence */
  char *missing;   /* (nullable) the issuer that is not to be had */
  GPtrArray *path; /* (element-type BaseCert) leaf first, as far as it could be built */
} TrustChain;

typedef struct TrustStore TrustStore;

/* Roots from /etc/signet/trust.d and the user's; a bad file there is BAD_INPUT naming it. Mail roots
 * of a module are looked at when a chain needs them. */
TrustStore *trust_store_new(GError **error);
void trust_store_free(TrustStore *store);
gboolean trust_store_add(TrustStore *store, const BaseCert *root, const char *origin,
                         GError **error);

/* `when`: 0 now. `intermediates` (element-type BaseCert), may be NULL; missing ones are taken from
 * what trust_issuers_find() gives. Never fails: not trusted with a reason. Revocation is apart. */
TrustChain *trust_chain_check(TrustStore *store, const BaseCert *certificate,
                              GPtrArray *intermediates, gint64 when);
void trust_chain_free(TrustChain *chain);

/* ---- the roots themselves: store.c, add.c ---- */

typedef enum { TRUST_PLACE_USER, TRUST_PLACE_SYSTEM, TRUST_PLACE_MODULE } TrustPlace;

typedef struct {
  BaseCert *certificate;
  TrustPlace place;
  char *path;             /* USER, SYSTEM: the file; else NULL */
  char *origin;           /* "trust.d/ca.pem", "NSS, 2026-03-14" */
  const char *distrusted; /* (nullable) the file that says so; the store's */
  gint64 issued_until;    /* only what it issued until then counts; 0: all */
} TrustRoot;

/* All: the user's, the system's, then the module's: (element-type TrustRoot). */
GPtrArray *trust_store_list(TrustStore *store);
/* (nullable) half a sentence: why there are no mail roots, or old ones; and (nullable) from where. */
const char *trust_store_mail_problem(TrustStore *store);
const char *trust_store_mail_origin(TrustStore *store);

typedef enum {
  TRUST_FIT_ROOT,         /* a CA's own */
  TRUST_FIT_SELF,         /* a self-signed certificate of a person: trusts it alone */
  TRUST_FIT_INTERMEDIATE, /* completes chains; trust comes from its root */
  TRUST_FIT_NOT           /* neither a CA's nor self-signed */
} TrustFit;

TrustFit trust_root_fit(const BaseCert *root);
/* FALSE: what it says it is for rules mail out (a TLS-only root). */
gboolean trust_root_is_for_mail(const BaseCert *root);

/* Into the user's trust.d, in a file named by its fingerprint, and off the user's distrust
 * list; fine when it is there. REFUSED for TRUST_FIT_NOT, and where /etc distrusts it. */
gboolean trust_add_root(const BaseCert *root, GError **error);
/* Where that puts it. */
char *trust_root_path(const BaseCert *root);
/* The user's own file is removed; any other root, or one that shares its file, is put on the user's distrust
 * list. *ret_path: the file that was removed or changed; *ret_removed: removed. */
gboolean trust_remove_root(const TrustRoot *root, char **ret_path, gboolean *ret_removed,
                           GError **error);

/* ---- the chain step by step: why.c ---- */

typedef struct {
  BaseCert *certificate;
  char *origin;                /* (nullable) as TrustRoot's; NULL: it was among those given */
  GPtrArray *problems;         /* (element-type char): sentences' halves; empty: nothing wrong */
  TrustRevocation *revocation; /* (nullable) trust_why_ask() */
} TrustStep;

typedef enum {
  TRUST_NEEDS_NOTHING,
  TRUST_NEEDS_ISSUER, /* of the last step: it is nowhere to be had */
  TRUST_NEEDS_ROOT,   /* the last step is a root that is not trusted for mail */
  TRUST_NEEDS_OTHER   /* another certificate: this one is expired, unfit, … */
} TrustNeed;

typedef struct {
  gboolean trusted;
  char *reason;     /* (nullable) as TrustChain's */
  GPtrArray *steps; /* (element-type TrustStep), the certificate first; never empty */
  TrustNeed need;
  char *url; /* (nullable) NEEDS_ISSUER: where the last step says its issuer is */
} TrustWhy;

TrustWhy *trust_why(TrustStore *store, const BaseCert *certificate, GPtrArray *intermediates);
/* Of a chain that is trusted: whether each certificate was revoked. Not trusted any more where
 * one was, or where `policy` asks for an answer and there is none. */
void trust_why_ask(TrustWhy *why, TrustRevocationPolicy policy);
void trust_why_free(TrustWhy *why);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustStore, trust_store_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustChain, trust_chain_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustWhy, trust_why_free)
