/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where mail roots come from: a PKCS#11 module of roots, asked in a process of its own when it
 * has changed, and the list of the last time otherwise. */

#include "trust/cache.h"

typedef struct {
  TrustCache *cache; /* (nullable): no roots to be had */
  char *origin;      /* "NSS, 2026-03-14" */
  char *problem;     /* (nullable) why there are none, or old ones; half a sentence */
} TrustMailRoots;

/* By the settings. Never fails: `problem` says what did. */
TrustMailRoots *trust_mail_roots_new(void);
/* `program`: signet-token. `chosen`: PATH, "off", or NULL for the first that is there. */
TrustMailRoots *trust_mail_roots_new_from(const char *program, const char *chosen);
void trust_mail_roots_free(TrustMailRoots *roots);

/* What `program --mail-roots module` prints: PEM, of bounded size, within a deadline. */
GBytes *trust_roots_run(const char *program, const char *module, guint milliseconds,
                        GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustMailRoots, trust_mail_roots_free)
