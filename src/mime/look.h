/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One look over the body of a mail: what mail servers would change of it, and how long it is
 * with CRLF line ends. */

#include "base/flow.h"

#define MIME_LINE_MAX 998 /* RFC 5322 2.1.1, without CRLF */

typedef struct {
  gint64 length;
  gint64 line_ends; /* LF, with and without CR */
  gint64 lone_lf;   /* of them without CR */
  gboolean lone_cr; /* no line end: content */
  gboolean eight_bit;
  gboolean nul;
  gboolean long_line; /* over MIME_LINE_MAX; looked for with `lines` only, as the next */
  gboolean from_line; /* begins with "From " */
} MimeLook;

/* Servers, or programs that keep mail in mbox files, would change it. */
gboolean mime_look_is_fragile(const MimeLook *look);

/* A sink; `ret_look` is filled in by finish(). */
BaseSink *mime_look_new(gboolean lines, MimeLook *ret_look);
