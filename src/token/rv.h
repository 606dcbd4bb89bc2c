/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* CK_RV: named, classified and turned into errors here and nowhere else. */

#include "base/error.h"

#include <p11-kit/pkcs11.h>

/* "CKR_PIN_INCORRECT"; a static text for unknown ones. */
const char *token_rv_name(CK_RV rv);

/* Sets "<what>: <plain words> (CKR_...)"; returns FALSE. */
gboolean token_rv_set(GError **error, CK_RV rv, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The session, token, login or a handle was lost: what was asked did not happen,
 * and may be asked again on a fresh session. */
gboolean token_rv_is_loss(CK_RV rv);

/* As above, or one of the codes that modules use for everything (GENERAL_ERROR,
 * FUNCTION_FAILED, DEVICE_ERROR): worth one more try where a repeat does no harm. */
gboolean token_rv_is_transient(CK_RV rv);
