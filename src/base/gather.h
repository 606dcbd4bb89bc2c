/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a stage puts out, gathered into pieces worth pushing: a line or a header alone costs the
 * next stage more than its bytes do. For the stages of this room. */

#include "base/flow.h"

#define BASE_GATHER_SIZE (16 * 1024) /* what stays in the first cache beside a stage's tables */
#define BASE_GATHER_SLACK 8          /* a stage may write whole words over the end */

typedef struct {
  BaseSink *next;
  gsize length;
  guint8 bytes[BASE_GATHER_SIZE + BASE_GATHER_SLACK];
} BaseGather;

/* Pushes what is there. */
gboolean base_gather_flush(BaseGather *gather, GError **error);
gboolean base_gather_put(BaseGather *gather, gconstpointer bytes, gsize length, GError **error);
/* Pushes, and finishes the next. */
gboolean base_gather_finish(BaseGather *gather, GError **error);
/* Wipes, and frees the next. */
void base_gather_clear(BaseGather *gather);
