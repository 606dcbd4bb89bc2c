/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text from outside (names in certificates, labels of tokens, messages of peers)
 * made safe to show on a terminal and to keep on one line. */

#include <glib.h>

/* A copy in valid UTF-8. Control characters (C1 too: 0x9b starts a terminal's escape
 * sequences), line separators and the characters that turn the direction of writing come
 * as \XX for each of their bytes. `length` -1: up to the NUL. NULL gives NULL. */
char *base_text_shown(const char *text, gssize length);

/* What base_text_shown() leaves as it is. */
gboolean base_text_is_plain(gunichar c);
