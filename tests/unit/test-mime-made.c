/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-mime-made.h"

#define MADE_MAX (64 * 1024 * 1024)

BaseInput *
made_input(gconstpointer bytes, gsize length)
{
  g_autoptr(BaseSpool) spool = base_spool_new(FALSE, NULL);
  BaseSink *sink = base_spool_sink(spool);
  g_assert_true(base_sink_write(sink, bytes, length, NULL) && base_sink_finish(sink, NULL));
  return base_input_from_spool(g_steal_pointer(&spool));
}

MimeEntity *
made_entity(BaseInput *input, MimePurpose purpose, MimeProtection protection, GError **error)
{
  MimeEntity *entity = mime_entity_new(input, purpose, protection, error);
  if (error && entity)
    g_assert_no_error(*error);
  return entity;
}

char *
made_of(BaseSink *memory)
{
  g_autoptr(BaseSink) owned = memory;
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(owned);
  return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

char *
made_text(MimeEntity *entity)
{
  g_autoptr(GError) error = NULL;
  BaseSink *memory = base_sink_to_memory(MADE_MAX);
  gint64 length = -1;
  g_assert_true(mime_entity_length(entity, &length, &error));
  g_assert_true(mime_entity_push(entity, memory, &error));
  g_assert_true(base_sink_finish(memory, &error));
  g_assert_no_error(error);
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  g_assert_cmpint(length, ==, (gint64)g_bytes_get_size(bytes));
  return made_of(memory);
}

char *
made_headers(MimeEntity *entity)
{
  GBytes *headers = mime_entity_headers(entity);
  return g_strndup(g_bytes_get_data(headers, NULL), g_bytes_get_size(headers));
}
