/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The part of a mail that is sealed. */

#include <glib.h>

/* As mime_split(), without its re-encoding: no server sees what is sealed, so the text stays
 * as the person wrote it (RFC 8551 3.1.3 asks for 7 bits of what is signed only). */
gboolean cli_entity_to_seal(GBytes *message, GBytes **ret_entity, GBytes **ret_headers,
                            GError **error);
