/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A token that has every key: it "decrypts" and "derives" zeros, so that a message whose content key is
 * all zeros opens. And bytes cut into pieces. */

#include "cms/keys.h"

/* `way` chooses how many keys match the first recipients, and of which kinds: one is RSA alone. */
CmsKeys fuzz_keys(guint8 *way);

/* What of `left` bytes comes next, 1 or more; *state moves on. State 0: all at once. */
gsize fuzz_piece(guint32 *state, gsize left);

/* Pushes all, and finishes. */
gboolean fuzz_push(BaseSink *sink, const guint8 *bytes, gsize length, guint32 state,
                   GError **error);

/* A folder of this program's own as all the places of the person, with these settings. */
void fuzz_home(const char *settings);
