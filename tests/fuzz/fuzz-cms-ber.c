/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/ber.h"
#include "fuzz-keys.h"

#include <string.h>

/* Two readings of the same bytes, whole and in pieces whose sizes the first byte rules, see the same and end
 * alike; and a sealed message, opened so, the same. */

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

/* ---- elements ---- */

static void
note(GByteArray *seen, guint8 what, gconstpointer bytes, gsize length)
{
  g_byte_array_append(seen, &what, 1);
  g_byte_array_append(seen, bytes, (guint)length);
}

static gboolean
begin(gpointer data, const CmsBerElement *element, GError **error)
{
  (void)error;
  g_assert(element->depth < CMS_BER_DEPTH_MAX && element->header_length >= 2);
  note(data, 1, element->header, element->header_length);
  return TRUE;
}

static gboolean
take(gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  (void)error;
  g_byte_array_append(data, bytes, (guint)length);
  return TRUE;
}

static gboolean
end(gpointer data, const CmsBerElement *element, GError **error)
{
  (void)error;
  guint8 depth = (guint8)element->depth;
  note(data, 2, &depth, 1);
  return TRUE;
}

static gboolean
read_elements(const guint8 *bytes, gsize length, gsize step, GByteArray *seen)
{
  static const CmsBerEvents events = { begin, take, end };
  g_autoptr(CmsBer) ber = cms_ber_new(&events, seen);
  for (gsize at = 0; at < length; at += step)
    if (!cms_ber_push(ber, bytes + at, MIN(step, length - at), NULL))
      return FALSE;
  return cms_ber_done(ber, NULL);
}

/* ---- a sealed message ---- */

/* One recipient is ours with one key, or with two, so that content is kept until the end. */
static GBytes *
open_sealed(const guint8 *bytes, gsize length, gsize step, guint8 way)
{
  CmsKeys keys = fuzz_keys(&way);
  g_autoptr(BaseSink) memory = base_sink_to_memory(1 << 20);
  g_autoptr(BaseSink) sink = cms_unseal_with(&keys, memory);
  for (gsize at = 0; at < length; at += step)
    if (!base_sink_write(sink, bytes + at, MIN(step, length - at), NULL))
      return NULL;
  return base_sink_finish(sink, NULL) ? base_sink_memory_bytes(memory) : NULL;
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
  if (length < 2)
    return 0;
  gsize step = 1u + bytes[0] % 16;
  guint8 way = (guint8)(bytes[0] >> 4);
  g_autoptr(GByteArray) whole = g_byte_array_new();
  g_autoptr(GByteArray) pieces = g_byte_array_new();
  gboolean good = read_elements(bytes + 1, length - 1, length - 1, whole);
  g_assert_true(good == read_elements(bytes + 1, length - 1, step, pieces));
  g_assert_true(whole->len == pieces->len && !memcmp(whole->data, pieces->data, whole->len));
  g_autoptr(GBytes) one = open_sealed(bytes + 1, length - 1, length - 1, way);
  g_autoptr(GBytes) two = open_sealed(bytes + 1, length - 1, step, way);
  g_assert_true(!one == !two && (!one || g_bytes_equal(one, two)));
  return 0;
}
