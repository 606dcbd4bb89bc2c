/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/entity.h"

#include "mime/header.h"
#include "mime/mime.h"

#include <string.h>

#define QUOTED "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
#define PLAIN "Content-Transfer-Encoding: 8bit\r\n\r\n"

/* The canonical body as it came. */
static GBytes *
body_of(GBytes *message)
{
  gsize length;
  const char *bytes = g_bytes_get_data(message, &length);
  g_auto(MimeHeader) header = { NULL, 0, FALSE };
  if (!mime_header_read(bytes, length, &header, NULL))
    return NULL;
  g_autoptr(GBytes) raw = g_bytes_new_from_bytes(message, header.body, length - header.body);
  return mime_canonical(raw);
}

/* mime_split() puts the encoding last into the header block when it encoded. */
static GBytes *
without_quoting(GBytes *entity, GBytes *body)
{
  gsize length;
  const char *bytes = g_bytes_get_data(entity, &length);
  const char *end = g_strstr_len(bytes, (gssize)length, "\r\n\r\n");
  gsize head = end ? (gsize)(end - bytes) + 4 : 0;
  gsize quoted = strlen(QUOTED);
  if (head < quoted || memcmp(bytes + head - quoted, QUOTED, quoted) != 0)
    return g_bytes_ref(entity);
  g_autoptr(GBytes) after = g_bytes_new_from_bytes(entity, head, length - head);
  if (g_bytes_equal(after, body))
    return g_bytes_ref(entity);
  GByteArray *plain = g_byte_array_sized_new((guint)(head + g_bytes_get_size(body)));
  g_byte_array_append(plain, (const guint8 *)bytes, (guint)(head - quoted));
  g_byte_array_append(plain, (const guint8 *)PLAIN, (guint)strlen(PLAIN));
  g_byte_array_append(plain, g_bytes_get_data(body, NULL), (guint)g_bytes_get_size(body));
  return g_byte_array_free_to_bytes(plain);
}

gboolean
cli_entity_to_seal(GBytes *message, GBytes **ret_entity, GBytes **ret_headers, GError **error)
{
  g_autoptr(GBytes) entity = NULL;
  g_autoptr(GBytes) headers = NULL;
  if (!mime_split(message, &entity, &headers, error))
    return FALSE;
  g_autoptr(GBytes) body = body_of(message);
  *ret_entity = body ? without_quoting(entity, body) : g_bytes_ref(entity);
  *ret_headers = g_steal_pointer(&headers);
  return TRUE;
}
