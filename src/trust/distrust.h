/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Certificates that a person (or the machine's keeper) trusts no more, though a list has them: lines of fingerprints in
 * trust.d/distrust. */

#include "base/cert.h"

/* Reads `folder`/distrust into `all` (fingerprint → path); a line that is no fingerprint is
 * BAD_INPUT. None is fine. */
gboolean trust_distrust_read(const char *folder, GHashTable *all, GError **error);

/* The user's own. *ret_path (optional): the file. */
gboolean trust_distrust_add(const BaseCert *root, char **ret_path, GError **error);
/* Fine when it is not there. */
gboolean trust_distrust_drop(const char *fingerprint, GError **error);
