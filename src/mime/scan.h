/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where the parts of a mail lie, by offset, found in constant memory at the speed of memchr(): a
 * signature is over what was sent, not over what a parser would write again. */

#include "base/flow.h"
#include "mime/header.h"

#define MIME_PARTS_MAX 10000
#define MIME_BOUNDARY_MAX 200 /* RFC 2046 says 70; some exceed it */

typedef struct {
  goffset start;
  goffset length;
} MimeRange;

MimeRange mime_range_of(const BaseInput *input); /* all of it */

/* ---- an entity's header block ---- */

typedef struct {
  GBytes *bytes;
  MimeHeader header; /* borrows of `bytes` */
  MimeRange body;
} MimeHead;

/* As mime_header_read(): the block is bounded there. */
gboolean mime_head_read(BaseInput *input, MimeRange entity, MimeHead *ret_head, GError **error);
void mime_head_clear(MimeHead *head);

/* TRUE when it is one of a mail, or a part of it, and no noise: what opens to anything else was altered. */
gboolean mime_head_is_entity(const MimeHead *head);

/* ---- a multipart's parts (RFC 2046 5.1) ---- */

typedef struct {
  GArray *parts; /* (element-type MimeRange), without the line ends before the boundaries */
  MimeRange preamble;
  MimeRange epilogue;
  gboolean closed; /* by its last boundary */
} MimeParts;

/* BAD_INPUT: no boundary line at all; TOO_LARGE: more than MIME_PARTS_MAX. */
gboolean mime_parts_read(BaseInput *input, MimeRange body, const char *boundary,
                         MimeParts *ret_parts, GError **error);
void mime_parts_clear(MimeParts *parts);

/* Nothing but white space. */
gboolean mime_range_is_blank(BaseInput *input, MimeRange range, gboolean *ret_blank,
                             GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MimeHead, mime_head_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MimeParts, mime_parts_clear)
