/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The part of a mail that is signed or sealed: which one it is, and what stands beside it. */

#include "mime/type.h"

#define MIME_DEPTH_MAX 10 /* of multiparts in multiparts */

typedef enum { MIME_FOUND_NOTHING, MIME_FOUND_SIGNED, MIME_FOUND_CMS } MimeFoundKind;

typedef struct {
  MimeFoundKind kind;
  MimeRange body;        /* SIGNED: the signed entity; CMS: the part's body */
  MimeEncoding encoding; /* of it; SIGNED: of the signature */
  MimeRange signature;   /* SIGNED: the signature's body */
  gboolean whole;        /* it is the entity itself, not a part of it */
  guint beside;          /* MimeBeside */
} MimeFound;

typedef enum {
  MIME_PART_BEFORE = 1 << 0,
  MIME_PART_AFTER = 1 << 1,
  MIME_TEXT_BEFORE = 1 << 2,
  MIME_TEXT_AFTER = 1 << 3
} MimeBeside;

/* The first one in `entity`, outermost first; `itself`: the entity itself only, none of its parts.
 * BAD_INPUT, TOO_LARGE: *ret_found says whether it was a signed one that is malformed. */
gboolean mime_search(const MimeGmime *gmime, BaseInput *input, MimeRange entity, gboolean itself,
                     MimeFound *ret_found, GError **error);
/* A phrase for each of `beside`: (element-type char) */
GPtrArray *mime_beside_phrases(guint beside, const char *word);

/* FALSE where the entity is cut off or garbled: a head that breaks off, a multipart without
 * boundaries or without its last one, however deep. */
gboolean mime_is_sound(const MimeGmime *gmime, BaseInput *input, MimeRange entity);
