/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/header.h"
#include "mime/mime.h"

#include <string.h>

#define MIME_MESSAGE_MAX CMS_CONTENT_MAX

static void
append_field(GString *to, const MimeField *field)
{
  g_string_append_len(to, field->start, (gssize)field->length);
  if (to->str[to->len - 1] != '\n')
    g_string_append(to, "\r\n");
}

static GBytes *
other_headers(const MimeHeader *header)
{
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (!mime_field_is_content(field) && !mime_field_is(field, "MIME-Version"))
      append_field(text, field);
  }
  return g_string_free_to_bytes(text);
}

static gboolean
field_begins(const MimeField *field, const char *with)
{
  g_autofree char *text = field ? mime_field_text(field) : NULL;
  return text && g_ascii_strncasecmp(text, with, strlen(with)) == 0;
}

static gboolean
is_eight_bit(GBytes *body)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(body, &length);
  for (gsize i = 0; i < length; i++)
    if (bytes[i] & 0x80)
      return TRUE;
  return FALSE;
}

static const char *
charset_of(GBytes *body)
{
  gsize length = 0;
  const char *bytes = g_bytes_get_data(body, &length);
  if (!is_eight_bit(body))
    return "us-ascii";
  return g_utf8_validate_len(bytes, length, NULL) ? "utf-8" : "unknown-8bit"; /* RFC 1428 */
}

/* The entity's headers that say what and how it is, looked at once. */
typedef struct {
  const MimeField *type;
  const MimeField *encoding;
} About;

/* RFC 8551 3.1.3: what is signed must be 7-bit, or some server on the way breaks it. Only single
 * text parts are re-encoded; multiparts and attachments come from mailers that know. */
static gboolean
wants_quoting(const About *about, GBytes *body)
{
  gboolean text = !about->type || field_begins(about->type, "text/");
  gboolean plain = !about->encoding || field_begins(about->encoding, "7bit") ||
                   field_begins(about->encoding, "8bit") || field_begins(about->encoding, "binary");
  return text && plain && mime_is_fragile(body);
}

static GBytes *
make_entity(const MimeHeader *header, const About *about, GBytes *body)
{
  gboolean quote = wants_quoting(about, body);
  g_autoptr(GBytes) sent = quote ? mime_quoted(body) : g_bytes_ref(body);
  g_autoptr(GString) head = g_string_new(NULL);
  for (guint i = 0; i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (mime_field_is_content(field) && !(quote && field == about->encoding))
      append_field(head, field);
  }
  if (!about->type)
    g_string_append_printf(head, "Content-Type: text/plain; charset=%s\r\n", charset_of(body));
  if (quote)
    g_string_append(head, "Content-Transfer-Encoding: quoted-printable\r\n");
  g_autoptr(GBytes) raw = g_bytes_new(head->str, head->len);
  g_autoptr(GBytes) fields = mime_canonical(raw);
  GString *entity = g_string_sized_new(g_bytes_get_size(fields) + g_bytes_get_size(sent) + 3);
  g_string_append_len(entity, g_bytes_get_data(fields, NULL), (gssize)g_bytes_get_size(fields));
  g_string_append(entity, "\r\n");
  if (g_bytes_get_size(sent))
    g_string_append_len(entity, g_bytes_get_data(sent, NULL), (gssize)g_bytes_get_size(sent));
  return g_string_free_to_bytes(entity);
}

gboolean
mime_split(GBytes *message, GBytes **ret_entity, GBytes **ret_headers, GError **error)
{
  gsize length = 0;
  const char *bytes = g_bytes_get_data(message, &length);
  g_auto(MimeHeader) header = { NULL, 0, FALSE };
  About about = { NULL, NULL };
  if (length > MIME_MESSAGE_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the mail is over %zu MiB",
                          MIME_MESSAGE_MAX / 1024 / 1024);
  if (length == 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the mail is empty");
  if (!mime_header_read(bytes, length, &header, error) ||
      !mime_header_find(&header, "Content-Type", &about.type, error) ||
      !mime_header_find(&header, "Content-Transfer-Encoding", &about.encoding, error))
    return FALSE;
  g_autoptr(GBytes) raw = g_bytes_new_from_bytes(message, header.body, length - header.body);
  g_autoptr(GBytes) body = mime_canonical(raw);
  *ret_entity = make_entity(&header, &about, body);
  *ret_headers = other_headers(&header);
  return TRUE;
}

/* Headers that a mail program writes into what it seals. Not To: of all headers its three bytes
 * are the likeliest in noise, and it never stands alone. */
static const char *const known_table[] = { "MIME-Version", "From", "Subject", "Date",
                                           "Message-ID" };

gboolean
mime_is_entity(GBytes *entity)
{
  gsize length = 0;
  const char *bytes = g_bytes_get_data(entity, &length);
  g_auto(MimeHeader) header = { NULL, 0, FALSE };
  gboolean known = FALSE;
  if (length == 0 || !mime_header_read(bytes, length, &header, NULL))
    return FALSE;
  for (guint i = 0; i < header.fields->len && !known; i++) {
    const MimeField *field = &g_array_index(header.fields, MimeField, i);
    known = mime_field_is_content(field);
    for (gsize k = 0; k < G_N_ELEMENTS(known_table) && !known; k++)
      known = mime_field_is(field, known_table[k]);
  }
  for (gsize i = 0; i < header.body && known; i++)
    known = (guchar)bytes[i] >= ' ' || bytes[i] == '\t' || bytes[i] == '\r' || bytes[i] == '\n';
  return known;
}
