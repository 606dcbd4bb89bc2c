/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/gmime.h"
#include "mime/header.h"
#include "mime/mime.h"
#include "mime/multipart.h"

#include <string.h>

#define DEPTH_MAX 10
#define BOUNDARY_MAX 200 /* RFC 2046 says 70; some exceed it */

/* What some mailers put before the first part of what they sign; nobody sees it. */
static const char *const preamble_table[] = {
  "This is an S/MIME signed message",
  "This is a cryptographically signed message in MIME format.",
  "This is a multi-part message in MIME format.",
};

/* The search for the part that is ours. */
typedef struct {
  const MimeGmime *gmime;
  MimeMessage *message; /* filled once */
  guint parts;          /* all seen, against MIME_PARTS_MAX */
  gboolean found;
  gboolean outside;
} Search;

/* ---- header values, by GMime ---- */

/* A Content-Type, and GMime to ask about it. */
typedef struct {
  const MimeGmime *gmime;
  GMimeContentType *type;
} Type;

static void
type_clear(Type *type)
{
  if (type->type)
    type->gmime->object_unref(type->type);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Type, type_clear)

static gboolean
content_type(const MimeGmime *gmime, const MimeHeader *header, Type *ret_type, GError **error)
{
  const MimeField *field = NULL;
  if (!mime_header_find(header, "Content-Type", &field, error))
    return FALSE;
  g_autofree char *text = field ? mime_field_text(field) : g_strdup("text/plain");
  *ret_type = (Type){ gmime, gmime->content_type_parse(NULL, text) };
  return TRUE;
}

static const char *
parameter(const Type *type, const char *name)
{
  return type->gmime->parameter(type->type, name);
}

static gboolean
is_type(const Type *type, const char *media, const char *subtype)
{
  const char *own = type->gmime->media_type(type->type);
  const char *own_subtype = type->gmime->media_subtype(type->type);
  return own && own_subtype && g_ascii_strcasecmp(own, media) == 0 &&
         (strcmp(subtype, "*") == 0 || g_ascii_strcasecmp(own_subtype, subtype) == 0);
}

static gboolean
named_like(const Type *type, const char *ending)
{
  const char *name = parameter(type, "name");
  gsize length = name ? strlen(name) : 0;
  gsize tail = strlen(ending);
  return length >= tail && g_ascii_strcasecmp(name + length - tail, ending) == 0;
}

static gboolean
is_cms(const Type *type)
{
  return is_type(type, "application", "pkcs7-mime") ||
         is_type(type, "application", "x-pkcs7-mime") ||
         (is_type(type, "application", "octet-stream") &&
          (named_like(type, "smime.p7m") || named_like(type, "smime.p7c")));
}

static gboolean
is_signature(const Type *type)
{
  return is_type(type, "application", "pkcs7-signature") ||
         is_type(type, "application", "x-pkcs7-signature") ||
         (is_type(type, "application", "octet-stream") && named_like(type, "smime.p7s"));
}

static gboolean
is_signed(const Type *type)
{
  const char *protocol = parameter(type, "protocol");
  return is_type(type, "multipart", "signed") && protocol &&
         (g_ascii_strcasecmp(protocol, "application/pkcs7-signature") == 0 ||
          g_ascii_strcasecmp(protocol, "application/x-pkcs7-signature") == 0);
}

/* Control characters and those that turn the direction of text could draw another
 * line on a terminal than the mail has. */
static gboolean
is_shown(gunichar c)
{
  return !g_unichar_iscntrl(c) && !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

static char *
shown(const char *text)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *out = g_string_new(NULL);
  for (char *at = valid; *at; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    g_string_append_unichar(out, is_shown(c) ? c : 0xfffd);
  }
  return g_string_free(out, FALSE);
}

static char *
subject_of(const MimeGmime *gmime, const MimeHeader *header)
{
  for (guint i = 0; i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (!mime_field_is(field, "Subject"))
      continue;
    g_autofree char *raw = mime_field_text(field);
    g_autofree char *text = gmime->header_decode_text(NULL, raw);
    return shown(text ? text : raw);
  }
  return NULL;
}

/* ---- bodies ---- */

static gboolean
decode_body(const MimeGmime *gmime, const MimeHeader *header, const char *body, gsize length,
            GBytes **ret_bytes, GError **error)
{
  const MimeField *field = NULL;
  GMimeEncoding state;
  if (!mime_header_find(header, "Content-Transfer-Encoding", &field, error))
    return FALSE;
  g_autofree char *text = field ? mime_field_text(field) : g_strdup("7bit");
  gmime->encoding_init_decode(&state, gmime->encoding_from_string(text));
  guint8 *out = g_try_malloc(gmime->encoding_outlen(&state, length) + 1);
  if (!out)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "no memory for a part of %zu bytes",
                          length);
  gsize n = gmime->encoding_flush(&state, body, length, (char *)out);
  *ret_bytes = g_bytes_new_take(out, n);
  return TRUE;
}

static gboolean
span_is_blank(MimeSpan span)
{
  for (gsize i = 0; i < span.length; i++)
    if (!g_ascii_isspace(span.start[i]))
      return FALSE;
  return TRUE;
}

static gboolean
preamble_is_known(MimeSpan span)
{
  g_autofree char *text = g_strndup(span.start, span.length);
  g_strstrip(text);
  for (gsize i = 0; i < G_N_ELEMENTS(preamble_table); i++)
    if (strcmp(text, preamble_table[i]) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
take_cms(Search *search, const MimeHeader *header, const char *body, gsize length, GError **error)
{
  g_autoptr(GBytes) der = NULL;
  if (!decode_body(search->gmime, header, body, length, &der, error))
    return FALSE;
  g_autoptr(CmsInfo) info = cms_info(der, error);
  if (!info)
    return FALSE;
  switch (info->type) {
  case CMS_TYPE_SIGNED:
    search->message->kind = MIME_OPAQUE_SIGNED;
    break;
  case CMS_TYPE_CERTIFICATES:
    search->message->kind = MIME_CERTIFICATES;
    break;
  case CMS_TYPE_ENVELOPED:
  case CMS_TYPE_AUTH_ENVELOPED:
    search->message->kind = MIME_SEALED;
    break;
  case CMS_TYPE_OTHER:
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "the mail holds CMS of a type that is no mail: %s", info->type_name);
  }
  search->message->content = g_steal_pointer(&der);
  search->found = TRUE;
  return TRUE;
}

static gboolean
read_parts(Search *search, const Type *type, const char *body, gsize length, MimeParts *parts,
           GError **error)
{
  const char *boundary = parameter(type, "boundary");
  if (!boundary || !*boundary || strlen(boundary) > BOUNDARY_MAX)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the mail says it has several parts, but not their boundary");
  if (!mime_parts_read(body, length, boundary, parts, error))
    return FALSE;
  search->parts += parts->parts->len;
  if (search->parts > MIME_PARTS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the mail has over %d parts",
                          MIME_PARTS_MAX);
  if (!(span_is_blank(parts->preamble) || preamble_is_known(parts->preamble)) ||
      !span_is_blank(parts->epilogue))
    search->outside = TRUE;
  return TRUE;
}

static gboolean
take_signed(Search *search, const Type *type, const char *body, gsize length, GError **error)
{
  g_auto(MimeParts) parts = { NULL, { NULL, 0 }, { NULL, 0 }, FALSE };
  g_auto(MimeHeader) header = { NULL, 0, FALSE };
  g_auto(Type) second = { NULL, NULL };
  if (!read_parts(search, type, body, length, &parts, error))
    return FALSE;
  if (parts.parts->len < 2 || !parts.closed)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the signed mail is cut short: content, signature and end are not all "
                          "there");
  const MimeSpan *content = &g_array_index(parts.parts, MimeSpan, 0);
  const MimeSpan *signature = &g_array_index(parts.parts, MimeSpan, 1);
  search->outside |= parts.parts->len > 2;
  if (!mime_header_read(signature->start, signature->length, &header, error) ||
      !content_type(search->gmime, &header, &second, error))
    return FALSE;
  if (!is_signature(&second))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the signed mail's second part is no signature");
  if (!decode_body(search->gmime, &header, signature->start + header.body,
                   signature->length - header.body, &search->message->signature, error))
    return FALSE;
  g_autoptr(GBytes) raw = g_bytes_new(content->start, content->length);
  search->message->content = mime_canonical(raw);
  search->message->kind = MIME_SIGNED;
  search->found = TRUE;
  return TRUE;
}

static gboolean search_entity(Search *search, const char *bytes, gsize length, int depth,
                              GError **error);

static gboolean
search_multipart(Search *search, const Type *type, const char *body, gsize length, int depth,
                 GError **error)
{
  g_auto(MimeParts) parts = { NULL, { NULL, 0 }, { NULL, 0 }, FALSE };
  if (depth >= DEPTH_MAX)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the mail's parts are nested over %d deep",
                          DEPTH_MAX);
  if (!read_parts(search, type, body, length, &parts, error))
    return FALSE;
  for (guint i = 0; i < parts.parts->len; i++) {
    const MimeSpan *part = &g_array_index(parts.parts, MimeSpan, i);
    if (!search_entity(search, part->start, part->length, depth + 1, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
search_entity(Search *search, const char *bytes, gsize length, int depth, GError **error)
{
  g_auto(MimeHeader) header = { NULL, 0, FALSE };
  g_auto(Type) type = { NULL, NULL };
  if (search->found) {
    search->outside = TRUE;
    return TRUE;
  }
  if (!mime_header_read(bytes, length, &header, depth ? NULL : error)) {
    search->outside = TRUE; /* a part no program can read: not ours, and not covered */
    return depth > 0;
  }
  if (!content_type(search->gmime, &header, &type, error))
    return FALSE;
  const char *body = bytes + header.body;
  gsize rest = length - header.body;
  if (is_signed(&type))
    return take_signed(search, &type, body, rest, error);
  if (is_cms(&type))
    return take_cms(search, &header, body, rest, error);
  if (is_type(&type, "multipart", "*"))
    return search_multipart(search, &type, body, rest, depth, error);
  search->outside = TRUE;
  return TRUE;
}

/* ---- the message ---- */

static gboolean
fill_message(const MimeGmime *gmime, MimeMessage *message, GBytes *raw, GError **error)
{
  gsize length = 0;
  const char *bytes = g_bytes_get_data(raw, &length);
  g_auto(MimeHeader) header = { NULL, 0, FALSE };
  g_autoptr(GBytes) entity = NULL;
  Search search = { gmime, message, 0, FALSE, FALSE };
  int fields = 0;
  if (!mime_split(raw, &entity, &message->headers, error) ||
      !mime_header_read(bytes, length, &header, error))
    return FALSE;
  mime_header_from(&header, &message->from, &message->from_count, &fields);
  if (fields > 1) { /* a reader may show either */
    g_clear_pointer(&message->from, g_free);
    message->from_count = MAX(message->from_count, fields);
  }
  message->subject = subject_of(gmime, &header);
  if (!search_entity(&search, bytes, length, 0, error))
    return FALSE;
  message->outside = search.found && search.outside;
  if (!search.found)
    message->content = g_steal_pointer(&entity);
  return TRUE;
}

MimeMessage *
mime_read(GBytes *message, GError **error)
{
  const MimeGmime *gmime = mime_gmime(error);
  if (!gmime)
    return NULL;
  g_autoptr(MimeMessage) read = g_new0(MimeMessage, 1);
  read->kind = MIME_PLAIN;
  return fill_message(gmime, read, message, error) ? g_steal_pointer(&read) : NULL;
}

void
mime_message_free(MimeMessage *message)
{
  if (!message)
    return;
  g_free(message->from);
  g_free(message->subject);
  g_clear_pointer(&message->headers, g_bytes_unref);
  g_clear_pointer(&message->content, g_bytes_unref);
  g_clear_pointer(&message->signature, g_bytes_unref);
  g_free(message);
}
