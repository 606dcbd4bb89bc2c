/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/opened.h"
#include "mime/stage.h"

#include <string.h>

typedef struct {
  BaseSink *to;
  BaseSink *lines; /* into `to`, with its line ends; the caller's */
  const char *eol;
} Writer;

static BaseSink *
lines_to(const char *eol, BaseSink *to)
{
  return strcmp(eol, "\n") == 0 ? mime_lf_new(to) : mime_crlf_new(to);
}

static gboolean
put_text(Writer *writer, const char *text, GError **error)
{
  return base_sink_write(writer->lines, text, strlen(text), error);
}

static gboolean
put_field(Writer *writer, const MimeField *field, GError **error)
{
  return base_sink_write(writer->lines, field->start, field->length, error) &&
         (field->start[field->length - 1] == '\n' || put_text(writer, writer->eol, error));
}

/* ---- the headers of the mail, the protected ones in their place ---- */

/* Its place is the outer one's. */
static gboolean
is_protected(const MimeOpened *opened, const MimeField *field)
{
  if (opened->other_from && !opened->vouched && mime_field_is(field, "From"))
    return FALSE;
  for (guint i = 0; i < opened->protected->len; i++)
    if (mime_field_is(field, ((MimeProtected *)g_ptr_array_index(opened->protected, i))->name))
      return TRUE;
  return FALSE;
}

/* All the protected ones of that name. */
static gboolean
put_protected(const MimeOpened *opened, Writer *writer, const MimeField *like, GError **error)
{
  const GArray *fields = opened->inside.header.fields;
  for (guint i = 0; i < fields->len; i++) {
    const MimeField *field = &g_array_index(fields, MimeField, i);
    if (mime_field_is_named_like(field, like) && !put_field(writer, field, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
is_first(const GArray *fields, guint index)
{
  const MimeField *field = &g_array_index(fields, MimeField, index);
  for (guint i = 0; i < index; i++)
    if (mime_field_is_named_like(&g_array_index(fields, MimeField, i), field))
      return FALSE;
  return TRUE;
}

static gboolean
stands_in(const GArray *fields, const MimeField *field)
{
  for (guint i = 0; i < fields->len; i++)
    if (mime_field_is_named_like(&g_array_index(fields, MimeField, i), field))
      return TRUE;
  return FALSE;
}

/* Protected ones that do not stand outside at all. */
static gboolean
put_missing(const MimeOpened *opened, Writer *writer, GError **error)
{
  const GArray *inside = opened->inside.header.fields;
  for (guint i = 0; inside && i < inside->len; i++) {
    const MimeField *field = &g_array_index(inside, MimeField, i);
    if (is_protected(opened, field) && is_first(inside, i) &&
        !stands_in(opened->head.header.fields, field) &&
        !put_protected(opened, writer, field, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
put_headers(const MimeOpened *opened, Writer *writer, GError **error)
{
  const GArray *fields = opened->head.header.fields;
  for (guint i = 0; i < fields->len; i++) {
    const MimeField *field = &g_array_index(fields, MimeField, i);
    if (mime_field_is_content(field) || mime_field_is(field, "MIME-Version"))
      continue;
    gboolean replaced = is_protected(opened, field);
    if (replaced ? is_first(fields, i) && !put_protected(opened, writer, field, error)
                 : !put_field(writer, field, error))
      return FALSE;
  }
  return put_missing(opened, writer, error) && put_text(writer, "MIME-Version: 1.0", error) &&
         put_text(writer, writer->eol, error);
}

/* ---- the entity ---- */

/* Of the opened entity only what describes it: its own From or Subject beside the outer
 * ones would be a mail with two of each. */
static gboolean
put_head(Writer *writer, const MimeHead *head, GError **error)
{
  for (guint i = 0; i < head->header.fields->len; i++) {
    const MimeField *field = &g_array_index(head->header.fields, MimeField, i);
    if (mime_field_is_content(field) && !put_field(writer, field, error))
      return FALSE;
  }
  return put_text(writer, writer->eol, error) && base_sink_finish(writer->lines, error);
}

gboolean
mime_opened_write_mail(MimeOpened *opened, BaseSink *to, GError **error)
{
  const MimeSource *source = &opened->output;
  g_auto(MimeHead) head = { .bytes = NULL };
  if (!source->input)
    return base_input_read(opened->mail.input, 0, opened->mail.range.length, to, error);
  if (!mime_head_read(source->input, source->range, &head, error))
    return FALSE;
  const char *eol = mime_line_end_of(opened->head.bytes);
  g_autoptr(BaseSink) lines = lines_to(eol, to);
  g_autoptr(BaseSink) body = lines_to(eol, to);
  Writer writer = { to, lines, eol };
  if (!put_headers(opened, &writer, error) || !put_head(&writer, &head, error))
    return FALSE;
  /* Line ends are changed only where that can be taken back by whoever reads it. */
  BaseSink *into = source->crlf && strcmp(eol, "\n") == 0 ? body : to;
  return base_input_read(source->input, head.body.start, head.body.length, into, error) &&
         base_sink_finish(body, error);
}

gboolean
mime_opened_write_content(MimeOpened *opened, BaseSink *to, GError **error)
{
  const MimeSource *source = &opened->content;
  if (!source->input)
    return TRUE;
  gboolean detached = opened->innermost->kind == MIME_SIGNED;
  g_autoptr(BaseSink) canonical = detached ? mime_crlf_new(to) : mime_pass_on(to);
  return base_input_read(source->input, source->range.start, source->range.length, canonical,
                         error) &&
         base_sink_finish(canonical, error);
}
