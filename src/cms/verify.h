/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Checking the signers of a message whose content was hashed already: what whole messages and
 * those that stream have in common. */

#include "cms/hashing.h"
#include "cms/message.h"

/* The digests that these signers need, and their content where one of them signs without
 * attributes. */
CmsHashing *cms_verify_hashing(const CmsAsnSigned *data, GError **error);

/* Each signer on its own; TOO_LARGE with over CMS_SIGNERS_MAX. A digest that `hashing` does not
 * hold leaves its signer unknown. `content` of the result is NULL. */
CmsVerified *cms_verify_signers(const CmsAsnSigned *data, CmsHashing *hashing,
                                GPtrArray *extra_certificates, GError **error);
