/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The list of mail roots as kept in the state folder: a few lines of text with an index by the
 * hash of the subject's name, then the certificates' DER, so that a check parses no more
 * of the 150 than have a name that stands in its chain. */

#include "base/cert.h"

#define TRUST_CACHE_MAX ((gsize)8 * 1024 * 1024)
#define TRUST_CACHE_ROOTS_MAX 1000

typedef struct {
  char *module;  /* path of what was asked */
  char *stamp;   /* its time and size then */
  gint64 made;   /* when it was asked */
  gint64 date;   /* the time of the module that the roots are of; 0: no roots */
  char *problem; /* (nullable) why the last try failed; the roots are of an earlier one */
} TrustCacheHead;

typedef struct TrustCache TrustCache;

/* `roots` (element-type BaseCert); `limits`: for each of them, as trust_cache_limit(). */
GBytes *trust_cache_build(const TrustCacheHead *head, GPtrArray *roots, const gint64 *limits,
                          GError **error);
/* BAD_INPUT when it is no such file, cut off, or of another version. */
TrustCache *trust_cache_parse(GBytes *bytes, GError **error);
void trust_cache_free(TrustCache *cache);

const TrustCacheHead *trust_cache_head(const TrustCache *cache);
guint trust_cache_count(const TrustCache *cache);
unsigned long trust_cache_hash(const X509_NAME *name);
/* Adds the roots (element-type BaseCert) whose subject has that hash; others may have it, too. */
void trust_cache_find(const TrustCache *cache, unsigned long hash, GPtrArray *into);
/* A root that its list is done with: only what was issued until then (seconds since 1970) counts. 0:
 * no limit. */
gint64 trust_cache_limit(const TrustCache *cache, const char *fingerprint);
/* (element-type BaseCert) */
GPtrArray *trust_cache_all(const TrustCache *cache);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustCache, trust_cache_free)
