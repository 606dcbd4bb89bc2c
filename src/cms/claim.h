/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which of our keys a sealed message names, and the content key by one after the other. */

#include "cms/recipient.h"

typedef struct CmsClaims CmsClaims;

/* `keys` is copied. */
CmsClaims *cms_claims_new(const CmsKeys *keys);
/* One RecipientInfo after the other: the catalogue is asked about some hundred at a time, no token yet, and
 * only entries that name a key of ours are kept, so that memory does not depend on how many there are. */
gboolean cms_claims_add(CmsClaims *claims, const guint8 *bytes, gsize length, GError **error);
/* After the last; CANNOT_DECRYPT when there were none. */
gboolean cms_claims_ready(CmsClaims *claims, GError **error);
void cms_claims_free(CmsClaims *claims);

/* The content key, `wanted` bytes, by the next of our keys. PIN_REQUIRED, TOKEN_GONE, TIMEOUT, DENIED …
 * stop at once. When none is left: why the first did not open it, else TOKEN_GONE naming the token of
 * a key that is away (DENIED of one given up as lost, UNSUPPORTED where it is there and may not), else CANNOT_DECRYPT naming who could. */
BaseSecret *cms_claims_next(CmsClaims *claims, gsize wanted, GError **error);
/* Whose the last one is; the claims' own. */
const SignetMatch *cms_claims_match(const CmsClaims *claims);
/* FALSE: the last one may be a wrong key that only the content will show to be wrong, and there
 * is another to try. */
gboolean cms_claims_settled(const CmsClaims *claims);
/* The content did not open with the last one. Takes `problem`. */
void cms_claims_refuse(CmsClaims *claims, GError *problem);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsClaims, cms_claims_free)
