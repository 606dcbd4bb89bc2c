/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/armor.h"
#include "cms/cms.h"

#define PEM_LINE 64

GBytes *
cms_read(GBytes *bytes, const char *name, GError **error)
{
  gsize length = 0;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  g_autoptr(BaseSink) memory = base_sink_to_memory(MAX(length, 1));
  g_autoptr(BaseSink) armor = cms_armor_new(name, (goffset)length, memory);
  if (!base_sink_write(armor, data, length, error) || !base_sink_finish(armor, error))
    return NULL;
  return base_sink_memory_bytes(memory);
}

GBytes *
cms_to_pem(GBytes *der)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(der, &length);
  GString *pem = g_string_new("-----BEGIN CMS-----\n");
  for (gsize at = 0; at < length; at += PEM_LINE / 4 * 3) {
    g_autofree char *line = g_base64_encode(bytes + at, MIN(length - at, PEM_LINE / 4 * 3));
    g_string_append(pem, line);
    g_string_append_c(pem, '\n');
  }
  g_string_append(pem, "-----END CMS-----\n");
  return g_string_free_to_bytes(pem);
}
