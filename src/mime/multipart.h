/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Taking multiparts (RFC 2046 5.1) apart by their boundary, byte for byte: a signature is over
 * what was sent, not over what a parser would write again. */

#include <glib.h>

#define MIME_PARTS_MAX 10000

typedef struct {
  const char *start;
  gsize length; /* without the line end before the boundary */
} MimeSpan;

typedef struct {
  GArray *parts; /* (element-type MimeSpan) */
  MimeSpan preamble;
  MimeSpan epilogue;
  gboolean closed; /* by its last boundary */
} MimeParts;

gboolean mime_parts_read(const char *body, gsize length, const char *boundary, MimeParts *ret_parts,
                         GError **error);
void mime_parts_clear(MimeParts *parts);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MimeParts, mime_parts_clear)
