/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/keys.h"

/* Whole messages in memory, by the stage that streams. */

static CmsOpened *
take_over(BaseSink *unseal, BaseSink *memory)
{
  const CmsUnsealed *result = cms_unseal_result(unseal);
  CmsOpened *opened = g_new0(CmsOpened, 1);
  opened->content = base_sink_memory_bytes(memory);
  opened->authenticated = result->authenticated;
  opened->cipher = g_strdup(result->cipher);
  opened->key = g_strdup(result->key);
  opened->id = g_strdup(result->id);
  return opened;
}

CmsOpened *
cms_decrypt_with(const CmsKeys *keys, GBytes *message, GError **error)
{
  gsize length = 0;
  gconstpointer bytes = g_bytes_get_data(message, &length);
  if (length > CMS_CONTENT_MAX + CMS_STRUCTURE_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the message is over %zu MiB",
                   CMS_CONTENT_MAX / 1024 / 1024);
    return NULL;
  }
  g_autoptr(BaseSink) memory = base_sink_to_memory(length);
  g_autoptr(BaseSink) unseal = cms_unseal_with(keys, memory);
  return base_sink_write(unseal, bytes, length, error) && base_sink_finish(unseal, error)
             ? take_over(unseal, memory)
             : NULL;
}

void
cms_opened_free(CmsOpened *opened)
{
  if (!opened)
    return;
  if (opened->content)
    g_bytes_unref(opened->content);
  g_free(opened->cipher);
  g_free(opened->key);
  g_free(opened->id);
  g_free(opened);
}
