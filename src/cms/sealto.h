/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The recipients of a message that is sealed: which algorithms each one's key gets. */

#include "cms/flow.h"

#include <openssl/cms.h>

/* Each certificate once. One that cannot receive (Ed25519) is UNSUPPORTED. */
gboolean cms_sealto_add_all(CMS_ContentInfo *cms, const CmsSealing *sealing, GError **error);
