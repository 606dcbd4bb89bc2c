/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Mails to be signed or sealed, from text. */

#include "mime/write.h"

BaseInput *made_input(gconstpointer bytes, gsize length);
/* NULL with the error the caller's. */
MimeEntity *made_entity(BaseInput *input, MimePurpose purpose, MimeProtection protection,
                        GError **error);
/* What is pushed, as text; its length is checked to be what was said. */
char *made_text(MimeEntity *entity);
char *made_headers(MimeEntity *entity);
char *made_of(BaseSink *memory); /* finished; taken */
