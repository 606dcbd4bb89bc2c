/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/entity.h"

#include "base/error.h"
#include "mime/look.h"
#include "mime/outer.h"
#include "mime/quote.h"
#include "mime/scan.h"
#include "mime/stage.h"

#include <string.h>

struct MimeEntity {
  BaseInput *input; /* the caller's */
  MimePurpose purpose;
  MimeProtection protection;
  char *from;
  gboolean from_unclear;
  GBytes *headers; /* those outside */
  GBytes *head;    /* those of the entity and the empty line, CRLF */
  goffset body;    /* where it begins */
  MimeLook look;
  gboolean quoted;
  gint64 quoted_length; /* -1: not counted yet */
};

/* The headers that say what and how it is, looked at once. */
typedef struct {
  const MimeField *type;
  const MimeField *encoding;
} About;

/* ---- the header block ---- */

static gboolean
read_from(MimeEntity *entity, const MimeHeader *header, GError **error)
{
  int count = 0;
  int fields = 0;
  mime_header_from(header, &entity->from, &count, &fields);
  entity->from_unclear = fields > 0 && !entity->from;
  return fields <= 1 ||
         base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                        "the mail has %d From headers: nobody can tell who sends it", fields);
}

static gboolean
field_begins(const MimeField *field, const char *with)
{
  g_autofree char *text = field ? mime_field_text(field) : NULL;
  return text && g_ascii_strncasecmp(text, with, strlen(with)) == 0;
}

/* RFC 8551 3.1.3: what is signed must be 7-bit, or some server on the way breaks it. Only single
 * text parts are re-encoded; multiparts and attachments come from mailers that know. */
static gboolean
may_be_quoted(const About *about)
{
  gboolean text = !about->type || field_begins(about->type, "text/");
  return text && (!about->encoding || field_begins(about->encoding, "7bit") ||
                  field_begins(about->encoding, "8bit") || field_begins(about->encoding, "binary"));
}

static gboolean
is_protected(const MimeField *type)
{
  g_autofree char *text = type ? mime_field_text(type) : NULL;
  g_autofree char *lower = text ? g_ascii_strdown(text, -1) : NULL;
  const char *parameter = lower ? strstr(lower, "hp=") : NULL;
  return parameter && parameter > lower && strchr("; \t", parameter[-1]) != NULL;
}

/* ---- looking ---- */

static gboolean
push_body(MimeEntity *entity, BaseSink *stage, GError **error)
{
  goffset length = base_input_length(entity->input) - entity->body;
  return base_input_read(entity->input, entity->body, length, stage, error) &&
         base_sink_finish(stage, error);
}

/* RFC 1428: what it is, if it is no UTF-8, nobody knows. */
typedef struct {
  BaseSink sink;
  gboolean wrong;
  char held[8]; /* the start of a character */
  gsize length;
} Utf8;

static gsize
utf8_take(Utf8 *self, const char *bytes, gsize length)
{
  const char *end = bytes;
  if (self->wrong || g_utf8_validate_len(bytes, length, &end))
    return length;
  gsize rest = length - (gsize)(end - bytes);
  self->wrong = rest >= 4 || g_utf8_get_char_validated(end, (gssize)rest) != (gunichar)-2;
  return self->wrong ? length : length - rest;
}

static gboolean
utf8_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Utf8 *self = (Utf8 *)sink;
  const char *at = bytes;
  (void)error;
  while (self->length > 0 && length > 0) {
    self->held[self->length++] = *at++;
    length--;
    self->length -= utf8_take(self, self->held, self->length);
  }
  gsize taken = utf8_take(self, at, length);
  if (taken < length) {
    self->length = length - taken;
    memcpy(self->held, at + taken, self->length);
  }
  return TRUE;
}

static gboolean
utf8_finish(BaseSink *sink, GError **error)
{
  Utf8 *self = (Utf8 *)sink;
  (void)error;
  self->wrong |= self->length > 0;
  return TRUE;
}

static gboolean
charset_of(MimeEntity *entity, const char **ret_charset, GError **error)
{
  static const BaseSinkClass klass = { utf8_write, utf8_finish, NULL };
  Utf8 utf8 = { { &klass, FALSE, FALSE }, FALSE, { 0 }, 0 };
  *ret_charset = "us-ascii";
  if (!entity->look.eight_bit)
    return TRUE;
  if (!push_body(entity, &utf8.sink, error))
    return FALSE;
  *ret_charset = utf8.wrong ? "unknown-8bit" : "utf-8";
  return TRUE;
}

/* ---- the entity's own headers ---- */

/* A parameter behind a field that ends with a line end, and perhaps with a semicolon. */
static void
append_parameter(GString *head, const char *parameter)
{
  while (head->len && strchr("\r\n \t", head->str[head->len - 1]))
    g_string_truncate(head, head->len - 1);
  if (head->len && head->str[head->len - 1] == ';')
    parameter++;
  g_string_append_printf(head, "%s\r\n", parameter);
}

static void
append_field(GString *head, const MimeField *field, const About *about, const char *parameter)
{
  mime_field_append(head, field);
  if (parameter && field == about->type)
    append_parameter(head, parameter);
}

/* Changed for sealing too where it would be for signing: 7bit, or nothing, would be wrong then. */
static void
append_encoding(const MimeEntity *entity, GString *head)
{
  g_string_append_printf(head, "Content-Transfer-Encoding: %s\r\n",
                         entity->quoted ? "quoted-printable" : "8bit");
}

static gboolean
canonical_head(MimeEntity *entity, const GString *head, GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(2 * head->len + 2);
  g_autoptr(BaseSink) stage = mime_crlf_new(memory);
  if (!base_sink_write(stage, head->str, head->len, error) || !base_sink_finish(stage, error) ||
      !base_sink_write(memory, "\r\n", 2, error) || !base_sink_finish(memory, error))
    return FALSE;
  entity->head = base_sink_memory_bytes(memory);
  return TRUE;
}

static gboolean
make_head(MimeEntity *entity, const MimeHeader *header, const About *about, gboolean fragile,
          GError **error)
{
  g_autoptr(GString) head = g_string_new(NULL);
  const char *parameter = mime_inner_parameter(entity->protection);
  const char *charset = NULL;
  mime_inner_headers(header, entity->protection, head);
  for (guint i = 0; i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (mime_field_is_content(field) && !(fragile && field == about->encoding))
      append_field(head, field, about, parameter);
  }
  if (!about->type && !charset_of(entity, &charset, error))
    return FALSE;
  if (charset)
    g_string_append_printf(head, "Content-Type: text/plain; charset=%s%s\r\n", charset,
                           parameter ? parameter : "");
  if (fragile)
    append_encoding(entity, head);
  return canonical_head(entity, head, error);
}

/* ---- making ---- */

static gboolean
look_at_body(MimeEntity *entity, const MimeHeader *header, const About *about, GError **error)
{
  gboolean quotable = may_be_quoted(about);
  g_autoptr(BaseSink) look = mime_look_new(quotable, &entity->look);
  if (!push_body(entity, look, error))
    return FALSE;
  gboolean fragile = quotable && mime_look_is_fragile(&entity->look);
  entity->quoted = fragile && entity->purpose == MIME_FOR_SIGNING;
  return make_head(entity, header, about, fragile, error);
}

static gboolean
look_at(MimeEntity *entity, GError **error)
{
  g_auto(MimeHead) head = { .bytes = NULL };
  const MimeHeader *header = &head.header;
  About about = { NULL, NULL };
  if (!mime_head_read(entity->input, mime_range_of(entity->input), &head, error) ||
      !read_from(entity, header, error) ||
      !mime_header_find(header, "Content-Type", &about.type, error) ||
      !mime_header_find(header, "Content-Transfer-Encoding", &about.encoding, error))
    return FALSE;
  if (entity->protection != MIME_PROTECT_NOTHING && is_protected(about.type))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the mail program that wrote this mail has protected its headers already "
                          "(hp= in Content-Type); leave --protect-headers out");
  GString *outside = g_string_new(NULL);
  mime_outer_headers(header, entity->protection, outside);
  entity->headers = g_string_free_to_bytes(outside);
  entity->body = head.body.start;
  return look_at_body(entity, header, &about, error);
}

MimeEntity *
mime_entity_new(BaseInput *input, MimePurpose purpose, MimeProtection protection, GError **error)
{
  if (base_input_length(input) == 0) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the mail is empty");
    return NULL;
  }
  g_autoptr(MimeEntity) entity = g_new0(MimeEntity, 1);
  entity->input = input;
  entity->purpose = purpose;
  entity->protection = protection;
  entity->quoted_length = -1;
  return look_at(entity, error) ? g_steal_pointer(&entity) : NULL;
}

void
mime_entity_free(MimeEntity *entity)
{
  if (!entity)
    return;
  g_clear_pointer(&entity->headers, g_bytes_unref);
  g_clear_pointer(&entity->head, g_bytes_unref);
  g_free(entity->from);
  g_free(entity);
}

/* ---- asking ---- */

const char *
mime_entity_from(const MimeEntity *entity)
{
  return entity->from;
}

gboolean
mime_entity_from_is_unclear(const MimeEntity *entity)
{
  return entity->from_unclear;
}

GBytes *
mime_entity_headers(MimeEntity *entity)
{
  return entity->headers;
}

gboolean
mime_entity_is_text(const MimeEntity *entity)
{
  return entity->quoted || !entity->look.lone_cr;
}

static gboolean
count_quoted(MimeEntity *entity, GError **error)
{
  g_autoptr(BaseSink) count = base_sink_to_nowhere();
  g_autoptr(BaseSink) stage = mime_quote_new(TRUE, count);
  if (!push_body(entity, stage, error))
    return FALSE;
  entity->quoted_length = (gint64)base_sink_nowhere_count(count);
  return TRUE;
}

gboolean
mime_entity_length(MimeEntity *entity, gint64 *ret_length, GError **error)
{
  if (entity->quoted && entity->quoted_length < 0 && !count_quoted(entity, error))
    return FALSE;
  gint64 body = entity->quoted ? entity->quoted_length : entity->look.length + entity->look.lone_lf;
  *ret_length = (gint64)g_bytes_get_size(entity->head) + body;
  return TRUE;
}

/* ---- pushing ---- */

/* NULL: the body goes as it is. */
static BaseSink *
body_stage(const MimeEntity *entity, gboolean crlf, BaseSink *to)
{
  const MimeLook *look = &entity->look;
  if (entity->quoted)
    return mime_quote_new(crlf, to);
  if (crlf)
    return look->lone_lf > 0 ? mime_crlf_new(to) : NULL;
  return look->lone_lf < look->line_ends ? mime_lf_new(to) : NULL;
}

static gboolean
push_rest(MimeEntity *entity, gboolean crlf, BaseSink *to, GError **error)
{
  g_autoptr(BaseSink) stage = body_stage(entity, crlf, to);
  goffset length = base_input_length(entity->input) - entity->body;
  return stage ? push_body(entity, stage, error)
               : base_input_read(entity->input, entity->body, length, to, error);
}

gboolean
mime_entity_push(MimeEntity *entity, BaseSink *to, GError **error)
{
  gsize length = 0;
  gconstpointer head = g_bytes_get_data(entity->head, &length);
  return base_sink_write(to, head, length, error) && push_rest(entity, TRUE, to, error);
}

gboolean
mime_entity_push_newline(MimeEntity *entity, BaseSink *to, GError **error)
{
  gsize length = 0;
  gconstpointer head = g_bytes_get_data(entity->head, &length);
  g_autoptr(BaseSink) stage = mime_lf_new(to);
  return base_sink_write(stage, head, length, error) && base_sink_finish(stage, error) &&
         push_rest(entity, FALSE, to, error);
}
