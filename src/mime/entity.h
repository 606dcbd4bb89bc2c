/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What of an entity write.c needs beside mime/write.h. */

#include "mime/write.h"

/* With LF for CRLF; for an entity that mime_entity_is_text() only. */
gboolean mime_entity_push_newline(MimeEntity *entity, BaseSink *to, GError **error);
/* Every CR in it belongs to a line end. */
gboolean mime_entity_is_text(const MimeEntity *entity);
