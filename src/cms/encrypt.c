/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/flow.h"

/* Whole messages in memory, by the stage that streams. */

GBytes *
cms_encrypt(GBytes *content, GPtrArray *recipients, const char *cipher, GError **error)
{
  gsize length = 0;
  gconstpointer bytes = g_bytes_get_data(content, &length);
  if (length > CMS_CONTENT_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the content is over %zu MiB",
                   CMS_CONTENT_MAX / 1024 / 1024);
    return NULL;
  }
  g_autoptr(BaseSink) memory = base_sink_to_memory(CMS_CONTENT_MAX + 2 * CMS_STRUCTURE_MAX);
  g_autoptr(BaseSink) seal = cms_seal_new(recipients, cipher, (gint64)length, memory, error);
  return seal && base_sink_write(seal, bytes, length, error) && base_sink_finish(seal, error)
             ? base_sink_memory_bytes(memory)
             : NULL;
}
