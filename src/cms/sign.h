/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One signature in the making: everything of a SignedData but its content, whose digest is
 * known last. What whole messages and those that stream have in common. */

#include "cms/hashing.h"
#include "cms/keys.h"

typedef struct CmsSigning CmsSigning;

/* Takes copies; what is wrong with the signer is found here, before any content passes. */
CmsSigning *cms_signing_new(const CmsKeys *keys, const CmsSigner *signer, GError **error);
void cms_signing_free(CmsSigning *signing);

const CmsHash *cms_signing_hash(const CmsSigning *signing);

/* What is signed is a Receipt (cms/receipt.h); `original`: the digest for msgSigDigest. */
void cms_signing_be_receipt(CmsSigning *signing, GBytes *original);

/* Without content and signed by nobody. `exact`: it is as long as the real one will be; not so with
 * ECDSA, whose signatures (DER of two integers) differ in length. */
CmsAsnSigned *cms_signing_draft(const CmsSigning *signing, gboolean *ret_exact, GError **error);

/* Asks the key. Without content. */
CmsAsnSigned *cms_signing_sign(const CmsSigning *signing, GBytes *digest, GError **error);

/* With its content, or detached. Asks the key. */
GBytes *cms_signing_whole(const CmsSigning *signing, GBytes *content, gboolean detached,
                          GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsSigning, cms_signing_free)
