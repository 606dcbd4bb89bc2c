/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A CMS file as people have it, DER, PEM or bare base64, made DER as it comes. */

#include "base/flow.h"

/* A stage; `out` stays the caller's, and is finished. `name` and (absolute) line numbers are in the
 * errors, BAD_INPUT; `length` of the whole, which tells DER from base64 that looks like it. */
BaseSink *cms_armor_new(const char *name, goffset length, BaseSink *out);
