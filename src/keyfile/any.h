/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Any file: tells what it is and hands its parts on. */

#include "keyfile/reader.h"

/* FALSE: the whole file is refused, or is nothing we know (BAD_INPUT says what it is). */
gboolean keyfile_any_read(KeyfileReader *reader, const guint8 *bytes, gsize length, GError **error);
