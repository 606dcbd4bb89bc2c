/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/header.h"

#include "base/error.h"

#include <string.h>

void
mime_header_clear(MimeHeader *header)
{
  g_clear_pointer(&header->fields, g_array_unref);
}

/* Length of the line with its end; *ret_text without it. */
static gsize
line_at(const char *at, gsize rest, gsize *ret_text)
{
  const char *end = memchr(at, '\n', rest);
  gsize length = end ? (gsize)(end - at) + 1 : rest;
  gsize text = end ? length - 1 : length;
  if (end && text > 0 && at[text - 1] == '\r')
    text--;
  *ret_text = text;
  return length;
}

static gboolean
line_is_clean(const char *at, gsize text)
{
  return !memchr(at, '\0', text) && !memchr(at, '\r', text);
}

static gboolean
is_blank(char c)
{
  return c == ' ' || c == '\t';
}

static gboolean
start_field(MimeHeader *header, const char *at, gsize length, gsize text)
{
  const char *colon = memchr(at, ':', text);
  gsize name = colon ? (gsize)(colon - at) : 0;
  /* Blanks before the colon are obsolete (RFC 5322 4.5), yet read by most programs. */
  while (name > 0 && is_blank(at[name - 1]))
    name--;
  if (name == 0)
    return FALSE;
  for (gsize i = 0; i < name; i++)
    if (at[i] < 33 || at[i] > 126)
      return FALSE;
  gsize skip = (gsize)(colon - at) + 1;
  MimeField field = { at, length, name, at + skip, length - skip };
  g_array_append_val(header->fields, field);
  return TRUE;
}

static gboolean
take_line(MimeHeader *header, const char *at, gsize length, gsize text)
{
  if (!line_is_clean(at, text))
    return FALSE;
  if (!is_blank(*at))
    return start_field(header, at, length, text);
  if (header->fields->len == 0)
    return FALSE;
  MimeField *last = &g_array_index(header->fields, MimeField, header->fields->len - 1);
  last->length += length;
  last->value_length += length;
  return TRUE;
}

/* An mbox's "From alice Mon Nov …", which is no header; "From : alice" is one. */
static gboolean
is_mbox_line(const char *at, gsize text)
{
  if (text <= 5 || memcmp(at, "From ", 5) != 0)
    return FALSE;
  gsize i = 5;
  while (i < text && is_blank(at[i]))
    i++;
  return i < text && at[i] != ':';
}

gboolean
mime_header_read(const char *bytes, gsize length, MimeHeader *ret_header, GError **error)
{
  g_auto(MimeHeader) header = { g_array_new(FALSE, FALSE, sizeof(MimeField)), 0, FALSE };
  gsize at = 0;
  for (guint line = 1; at < length && !header.ended; line++) {
    gsize text = 0;
    gsize whole = line_at(bytes + at, length - at, &text);
    gboolean mbox = line == 1 && is_mbox_line(bytes, text);
    header.ended = text == 0;
    if (!header.ended && !mbox && !take_line(&header, bytes + at, whole, text))
      return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                            "line %u is not a mail header: a mail begins with headers like "
                            "\"From:\", then an empty line",
                            line);
    at += whole;
    if (at > MIME_HEADER_MAX + 2 || header.fields->len > MIME_FIELDS_MAX)
      return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                            "the mail has over %d KiB or %d lines of headers",
                            MIME_HEADER_MAX / 1024, MIME_FIELDS_MAX);
  }
  header.body = at;
  *ret_header = header;
  header.fields = NULL;
  return TRUE;
}

gboolean
mime_field_is(const MimeField *field, const char *name)
{
  return field->name_length == strlen(name) &&
         g_ascii_strncasecmp(field->start, name, field->name_length) == 0;
}

gboolean
mime_field_is_named_like(const MimeField *field, const MimeField *other)
{
  return field->name_length == other->name_length &&
         g_ascii_strncasecmp(field->start, other->start, field->name_length) == 0;
}

gboolean
mime_field_is_content(const MimeField *field)
{
  return field->name_length > 8 && g_ascii_strncasecmp(field->start, "content-", 8) == 0;
}

gboolean
mime_field_is_structural(const MimeField *field)
{
  return mime_field_is_content(field) || mime_field_is(field, "MIME-Version");
}

const char *
mime_line_end_of(GBytes *headers)
{
  gsize length = 0;
  const char *bytes = headers ? g_bytes_get_data(headers, &length) : NULL;
  const char *end = length ? memchr(bytes, '\n', length) : NULL;
  return end && end > bytes && end[-1] == '\r' ? "\r\n" : "\n";
}

gboolean
mime_field_is_of_way(const MimeField *field)
{
  static const char *const names[] = {
    "Received",
    "Return-Path",
    "Delivered-To",
    "X-Envelope-To",
    "Received-SPF",
    "DKIM-Signature",
    "ARC-Seal",
    "ARC-Message-Signature",
    "X-Received",
    "Authentication-Results",
    "ARC-Authentication-Results",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (mime_field_is(field, names[i]))
      return TRUE;
  return FALSE;
}

char *
mime_field_text(const MimeField *field)
{
  GString *text = g_string_sized_new(field->value_length);
  for (gsize i = 0; i < field->value_length; i++)
    if (field->value[i] != '\r' && field->value[i] != '\n')
      g_string_append_c(text, field->value[i]);
  char *one = g_string_free(text, FALSE);
  return g_strstrip(one);
}

gboolean
mime_header_find(const MimeHeader *header, const char *name, const MimeField **ret_field,
                 GError **error)
{
  const MimeField *found = NULL;
  for (guint i = 0; i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (!mime_field_is(field, name))
      continue;
    if (found)
      return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the mail has two %s headers", name);
    found = field;
  }
  *ret_field = found;
  return TRUE;
}
