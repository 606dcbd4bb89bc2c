/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Messages and content cut into pieces, for the stages of cms/flow.h. */

#include "cms/flow.h"

/* All at once, byte by byte, or as chance has it. */
typedef enum { WHOLE, BYTES, RANDOM, SPLITS } Split;

static inline GBytes *
pieces_content(gsize length)
{
  guint8 *bytes = g_malloc(length + 1);
  for (gsize i = 0; i < length; i++)
    bytes[i] = (guint8)(i * 7 + i / 251);
  return g_bytes_new_take(bytes, length);
}

static inline gboolean
pieces_push(BaseSink *sink, GBytes *bytes, Split split, GError **error)
{
  gsize left = 0;
  const guint8 *at = g_bytes_get_data(bytes, &left);
  while (left > 0) {
    gsize n = split == WHOLE ? left : split == BYTES ? 1 : (gsize)1 << g_random_int_range(0, 18);
    n = MIN(n, left);
    if (!base_sink_write(sink, at, n, error))
      return FALSE;
    at += n;
    left -= n;
  }
  return TRUE;
}

static inline CmsVerified *
pieces_result(BaseSink *sink, GBytes *bytes, Split split, GError **error)
{
  if (!pieces_push(sink, bytes, split, error) || !base_sink_finish(sink, error)) {
    g_assert_null(cms_verify_result(sink, NULL));
    return NULL;
  }
  return cms_verify_result(sink, error);
}

/* `content` of the result is what came out, as the whole-message verifier has it. */
static inline CmsVerified *
pieces_verify(GBytes *message, GPtrArray *extra, Split split, GError **error)
{
  g_autoptr(BaseSink) out = base_sink_to_memory(64 * 1024 * 1024);
  g_autoptr(BaseSink) sink = cms_verify_new(extra, out);
  CmsVerified *verified = pieces_result(sink, message, split, error);
  g_assert_cmpint(out->finished, ==, verified != NULL);
  if (verified)
    verified->content = base_sink_memory_bytes(out);
  return verified;
}

static inline const CmsSignature *
nth_signature(const CmsVerified *verified, guint n)
{
  g_assert_cmpuint(verified->signatures->len, >, n);
  return g_ptr_array_index(verified->signatures, n);
}
