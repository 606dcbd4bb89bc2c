/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/outer.h"

#include <string.h>

#define OUTER_NAME "HP-Outer"

static gboolean
is_one_of(const MimeField *field, const char *const *names)
{
  for (; *names; names++)
    if (mime_field_is(field, *names))
      return TRUE;
  return FALSE;
}

/* Bcc would tell all recipients what the mail server takes out. */
static gboolean
is_not_for_inside(const MimeField *field)
{
  static const char *const names[] = { "Bcc", "Resent-Bcc", OUTER_NAME, NULL };
  return mime_field_is_structural(field) || mime_field_is_of_way(field) || is_one_of(field, names);
}

/* hcp_baseline (RFC 9788 3.2.1): Subject is hidden, Comments and Keywords are left out. Outlook repeats
 * the Subject in Thread-Topic. */
static gboolean
is_left_out(const MimeField *field, MimeProtection protection)
{
  static const char *const names[] = { "Comments", "Keywords", "Thread-Topic", NULL };
  return protection == MIME_PROTECT_SEALED && is_one_of(field, names);
}

static gboolean
is_hidden(const MimeField *field, MimeProtection protection)
{
  return protection == MIME_PROTECT_SEALED && mime_field_is(field, "Subject");
}

static const char *
line_end_of(const MimeField *field)
{
  gsize n = field->length;
  return n >= 2 && field->start[n - 1] == '\n' && field->start[n - 2] != '\r' ? "\n" : "\r\n";
}

void
mime_field_append(GString *to, const MimeField *field)
{
  g_string_append_len(to, field->start, (gssize)field->length);
  if (to->str[to->len - 1] != '\n')
    g_string_append(to, "\r\n");
}

static void
append_outside(GString *to, const MimeField *field, MimeProtection protection)
{
  if (is_hidden(field, protection))
    g_string_append_printf(to, "Subject: [...]%s", line_end_of(field));
  else if (!is_left_out(field, protection))
    mime_field_append(to, field);
}

void
mime_outer_headers(const MimeHeader *header, MimeProtection protection, GString *to)
{
  for (guint i = 0; i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    gboolean ours = protection != MIME_PROTECT_NOTHING && mime_field_is(field, OUTER_NAME);
    if (!mime_field_is_structural(field) && !ours)
      append_outside(to, field, protection);
  }
}

/* RFC 9788 2.2.1: name and value of what stands outside. */
static void
append_outer(GString *to, const MimeField *field, MimeProtection protection)
{
  if (is_left_out(field, protection))
    return;
  g_string_append(to, OUTER_NAME ": ");
  append_outside(to, field, protection);
}

void
mime_inner_headers(const MimeHeader *header, MimeProtection protection, GString *to)
{
  if (protection == MIME_PROTECT_NOTHING)
    return;
  for (guint i = 0; i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (!is_not_for_inside(field))
      mime_field_append(to, field);
  }
  for (guint i = 0; i < header->fields->len && protection == MIME_PROTECT_SEALED; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (!is_not_for_inside(field))
      append_outer(to, field, protection);
  }
}

const char *
mime_inner_parameter(MimeProtection protection)
{
  switch (protection) {
  case MIME_PROTECT_SIGNED:
    return "; hp=\"clear\"";
  case MIME_PROTECT_SEALED:
    return "; hp=\"cipher\"";
  case MIME_PROTECT_NOTHING:
    break;
  }
  return NULL;
}
