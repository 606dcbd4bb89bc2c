/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/type.h"

#include "base/error.h"
#include "mime/stage.h"

#include <string.h>

#define TYPE_MAX (16 * 1024) /* each parameter takes many times its bytes to read */

void
mime_type_clear(MimeType *type)
{
  if (type->type)
    type->gmime->object_unref(g_steal_pointer(&type->type));
}

gboolean
mime_type_read(const MimeGmime *gmime, const MimeHeader *header, MimeType *ret_type, GError **error)
{
  const MimeField *field = NULL;
  if (!mime_header_find(header, "Content-Type", &field, error))
    return FALSE;
  if (field && field->value_length > TYPE_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the mail has a Content-Type of over %d KiB", TYPE_MAX / 1024);
  g_autofree char *text = field ? mime_field_text(field) : g_strdup("text/plain");
  *ret_type = (MimeType){ gmime, gmime->content_type_parse(NULL, text) };
  return TRUE;
}

const char *
mime_type_parameter(const MimeType *type, const char *name)
{
  return type->gmime->parameter(type->type, name);
}

gboolean
mime_type_is(const MimeType *type, const char *media, const char *subtype)
{
  const char *own = type->gmime->media_type(type->type);
  const char *own_subtype = type->gmime->media_subtype(type->type);
  return own && own_subtype && g_ascii_strcasecmp(own, media) == 0 &&
         (strcmp(subtype, "*") == 0 || g_ascii_strcasecmp(own_subtype, subtype) == 0);
}

static gboolean
named_like(const MimeType *type, const char *ending)
{
  const char *name = mime_type_parameter(type, "name");
  gsize length = name ? strlen(name) : 0;
  gsize tail = strlen(ending);
  return length >= tail && g_ascii_strcasecmp(name + length - tail, ending) == 0;
}

gboolean
mime_type_is_cms(const MimeType *type)
{
  return mime_type_is(type, "application", "pkcs7-mime") ||
         mime_type_is(type, "application", "x-pkcs7-mime") ||
         (mime_type_is(type, "application", "octet-stream") &&
          (named_like(type, "smime.p7m") || named_like(type, "smime.p7c")));
}

gboolean
mime_type_is_signature(const MimeType *type)
{
  return mime_type_is(type, "application", "pkcs7-signature") ||
         mime_type_is(type, "application", "x-pkcs7-signature") ||
         (mime_type_is(type, "application", "octet-stream") && named_like(type, "smime.p7s"));
}

gboolean
mime_type_is_signed(const MimeType *type)
{
  const char *protocol = mime_type_parameter(type, "protocol");
  return mime_type_is(type, "multipart", "signed") && protocol &&
         (g_ascii_strcasecmp(protocol, "application/pkcs7-signature") == 0 ||
          g_ascii_strcasecmp(protocol, "application/x-pkcs7-signature") == 0);
}

const char *
mime_type_boundary(const MimeType *type, GError **error)
{
  const char *boundary = mime_type_parameter(type, "boundary");
  if (boundary && *boundary && strlen(boundary) <= MIME_BOUNDARY_MAX)
    return boundary;
  base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                 "the mail says it has several parts, but not their boundary");
  return NULL;
}

/* ---- encodings ---- */

gboolean
mime_encoding_read(const MimeHeader *header, MimeEncoding *ret_encoding, GError **error)
{
  const MimeField *field = NULL;
  if (!mime_header_find(header, "Content-Transfer-Encoding", &field, error))
    return FALSE;
  g_autofree char *text = field ? mime_field_text(field) : g_strdup("7bit");
  text[strcspn(text, " \t;(")] = '\0'; /* a comment (RFC 2045 6.1) */
  *ret_encoding = g_ascii_strcasecmp(text, "base64") == 0             ? MIME_BASE64
                  : g_ascii_strcasecmp(text, "quoted-printable") == 0 ? MIME_QUOTED
                                                                      : MIME_AS_IT_IS;
  return TRUE;
}

BaseSink *
mime_encoding_decoder(MimeEncoding encoding, BaseSink *next)
{
  switch (encoding) {
  case MIME_BASE64:
    return base_sink_base64_decode(next);
  case MIME_QUOTED:
    return mime_unquote_new(next);
  case MIME_AS_IT_IS:
  default:
    return mime_pass_new(next);
  }
}

/* ---- for a person ---- */

/* Control characters and those that turn the direction of text could draw another
 * line on a terminal than the mail has. */
static gboolean
is_shown(gunichar c)
{
  return !g_unichar_iscntrl(c) && !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

char *
mime_shown(const MimeGmime *gmime, const char *raw)
{
  g_autofree char *text = gmime->header_decode_text(NULL, raw);
  g_autofree char *valid = g_utf8_make_valid(text ? text : raw, -1);
  GString *out = g_string_new(NULL);
  for (char *at = valid; *at; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    g_string_append_unichar(out, is_shown(c) ? c : 0xfffd);
  }
  return g_string_free(out, FALSE);
}
