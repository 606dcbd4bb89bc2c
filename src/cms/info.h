/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What cms_info() says of a message whose content was left out. */

#include "cms/message.h"

CmsInfo *cms_info_of(const CmsMessage *message, GError **error);
