/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Digests of content that passes, one for each hash its signers may have used, and as much of the
 * content itself as the rare signature needs that has no signed attributes. */

#include "cms/algorithm.h"

/* Content that is kept for a signer without signed attributes: pure Ed25519 signs the content
 * itself (RFC 8419 3.1), so longer content cannot be checked in constant memory. */
#define CMS_KEPT_MAX (1024 * 1024)

typedef struct CmsHashing CmsHashing;

CmsHashing *cms_hashing_new(void);
void cms_hashing_free(CmsHashing *hashing);

/* Both before the first byte. */
gboolean cms_hashing_add(CmsHashing *hashing, const CmsHash *hash, GError **error);
void cms_hashing_keep(CmsHashing *hashing);

gboolean cms_hashing_push(CmsHashing *hashing, gconstpointer bytes, gsize length, GError **error);

/* After the last byte. Borrowed; NULL: was not added. */
GBytes *cms_hashing_digest(CmsHashing *hashing, const CmsHash *hash);
/* Borrowed; NULL: was not kept, or is over CMS_KEPT_MAX. */
GBytes *cms_hashing_content(CmsHashing *hashing);
/* See cms_attribute_is_set(); FALSE where nothing was kept. */
gboolean cms_hashing_is_attributes(CmsHashing *hashing);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsHashing, cms_hashing_free)
