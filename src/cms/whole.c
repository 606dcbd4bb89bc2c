/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/keys.h"

/* Whole messages in memory, each by the stage that streams. */

#define ROOM_MAX (CMS_CONTENT_MAX + 2 * CMS_STRUCTURE_MAX)

static gboolean
push(BaseSink *sink, GBytes *bytes, GError **error)
{
  gsize length = 0;
  gconstpointer data = g_bytes_get_data(bytes, &length);
  if (length > CMS_CONTENT_MAX + CMS_STRUCTURE_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the message is over %zu MiB",
                          CMS_CONTENT_MAX / 1024 / 1024);
  return base_sink_write(sink, data, length, error) && base_sink_finish(sink, error);
}

GBytes *
cms_sign_with(const CmsKeys *keys, const CmsSigner *signer, GBytes *content, gboolean detached,
              GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(ROOM_MAX);
  g_autoptr(BaseSink) sink =
      cms_sign_new_with(keys, signer, detached, (gint64)g_bytes_get_size(content), memory, error);
  return sink && push(sink, content, error) ? base_sink_memory_bytes(memory) : NULL;
}

CmsVerified *
cms_verify(GBytes *message, GBytes *detached, GPtrArray *extra_certificates, GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(ROOM_MAX);
  g_autoptr(BaseSink) sink = detached ? cms_verify_detached_new(message, extra_certificates, error)
                                      : cms_verify_new(extra_certificates, memory);
  if (!sink || !push(sink, detached ? detached : message, error))
    return NULL;
  CmsVerified *verified = cms_verify_result(sink, error);
  if (verified)
    verified->content = detached ? g_bytes_ref(detached) : base_sink_memory_bytes(memory);
  return verified;
}

GBytes *
cms_encrypt(GBytes *content, GPtrArray *recipients, const char *cipher, GError **error)
{
  CmsSealing sealing = { recipients, cipher, FALSE, (gint64)g_bytes_get_size(content) };
  g_autoptr(BaseSink) memory = base_sink_to_memory(ROOM_MAX);
  g_autoptr(BaseSink) sink = cms_seal_new(&sealing, memory, error);
  return sink && push(sink, content, error) ? base_sink_memory_bytes(memory) : NULL;
}

CmsOpened *
cms_decrypt_with(const CmsKeys *keys, GBytes *message, GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(ROOM_MAX);
  g_autoptr(BaseSink) sink = cms_unseal_with(keys, memory);
  if (!push(sink, message, error))
    return NULL;
  const CmsUnsealed *result = cms_unseal_result(sink);
  CmsOpened *opened = g_new0(CmsOpened, 1);
  opened->content = base_sink_memory_bytes(memory);
  opened->authenticated = result->authenticated;
  opened->cipher = g_strdup(result->cipher);
  opened->key = g_strdup(result->key);
  opened->id = g_strdup(result->id);
  return opened;
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
