/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/opened.h"

#include <string.h>

#define PROTECTED_MAX 1000 /* fields; each is compared with each */
#define PROTECTED_KIB 256  /* of them; each is held with what stands outside */
#define QUOTED_MAX 200     /* characters of a field, where a person is told of it */

/* Header protection (RFC 9788): the parameter hp of the payload's Content-Type says that its header
 * fields are the message's own. With hp="cipher" the sender says by HP-Outer what stood outside instead. */

void
mime_protected_free(MimeProtected *field)
{
  if (!field)
    return;
  g_free(field->name);
  g_free(field->inside);
  g_free(field->outside);
  g_free(field);
}

/* Describes the part, not the message. */
static gboolean
is_of_part(const MimeField *field)
{
  return mime_field_is_structural(field) || mime_field_is(field, "HP-Outer");
}

/* How many fields of that name stand before it. */
static guint
place_of(const MimeHeader *header, const MimeField *field)
{
  guint n = 0;
  for (guint i = 0; &g_array_index(header->fields, MimeField, i) < field; i++)
    if (mime_field_is_named_like(&g_array_index(header->fields, MimeField, i), field))
      n++;
  return n;
}

static char *
shown(const MimeOpened *opened, const MimeField *field)
{
  g_autofree char *raw = mime_field_text(field);
  return mime_shown(opened->gmime, raw);
}

/* The outer field of that name, in the same place among those; NULL: none. */
static char *
outside_of(const MimeOpened *opened, const MimeField *field)
{
  const GArray *fields = opened->head.header.fields;
  guint skip = place_of(&opened->inside.header, field);
  for (guint i = 0; i < fields->len; i++) {
    const MimeField *outer = &g_array_index(fields, MimeField, i);
    if (mime_field_is_named_like(outer, field) && skip-- == 0)
      return shown(opened, outer);
  }
  return NULL;
}

/* What HP-Outer says of it: "HP-Outer: Subject: [...]" (RFC 9788 2.2); NULL: it was left out. */
static char *
announced(const MimeOpened *opened, const MimeField *field)
{
  const GArray *fields = opened->inside.header.fields;
  guint skip = place_of(&opened->inside.header, field);
  for (guint i = 0; i < fields->len; i++) {
    const MimeField *outer = &g_array_index(fields, MimeField, i);
    if (!mime_field_is(outer, "HP-Outer"))
      continue;
    g_autofree char *text = mime_field_text(outer);
    char *colon = strchr(text, ':');
    if (!colon)
      continue;
    *colon = '\0';
    g_strchomp(text);
    if (strlen(text) == field->name_length &&
        g_ascii_strncasecmp(text, field->start, field->name_length) == 0 && skip-- == 0)
      return mime_shown(opened->gmime, g_strchug(colon + 1));
  }
  return NULL;
}

static void
add_field(MimeOpened *opened, const MimeField *field, gboolean cipher)
{
  MimeProtected *one = g_new0(MimeProtected, 1);
  g_autofree char *said = cipher ? announced(opened, field) : NULL;
  one->name = g_strndup(field->start, field->name_length);
  one->inside = shown(opened, field);
  one->outside = outside_of(opened, field);
  one->expected =
      g_strcmp0(one->inside, one->outside) == 0 || (cipher && g_strcmp0(said, one->outside) == 0);
  g_ptr_array_add(opened->protected, one);
  if (one->expected)
    return;
  const char *outside = one->outside ? one->outside : "";
  g_autofree char *quoted =
      g_utf8_substring(outside, 0, MIN(g_utf8_strlen(outside, -1), QUOTED_MAX));
  g_ptr_array_add(opened->notes,
                  g_strdup_printf("the %s outside is not the one that the sender protected%s%s",
                                  one->name, one->outside ? ": " : ", it is missing", quoted));
}

void
mime_protect_read(MimeOpened *opened)
{
  g_auto(MimeHead) head = { .bytes = NULL };
  g_auto(MimeType) type = { NULL, NULL };
  if (!opened->payload.input ||
      !mime_head_read(opened->payload.input, opened->payload.range, &head, NULL) ||
      !mime_type_read(opened->gmime, &head.header, &type, NULL))
    return;
  const char *hp = mime_type_parameter(&type, "hp");
  gboolean cipher = hp && g_ascii_strcasecmp(hp, "cipher") == 0;
  if (!hp || (!cipher && g_ascii_strcasecmp(hp, "clear") != 0))
    return;
  if (head.header.fields->len > PROTECTED_MAX || head.header.body > PROTECTED_KIB * 1024) {
    g_ptr_array_add(
        opened->notes,
        g_strdup_printf("it protects over %d headers, or over %d KiB of them, which were left out",
                        PROTECTED_MAX, PROTECTED_KIB));
    return;
  }
  opened->inside = head;
  head = (MimeHead){ .bytes = NULL };
  for (guint i = 0; i < opened->inside.header.fields->len; i++) {
    const MimeField *field = &g_array_index(opened->inside.header.fields, MimeField, i);
    if (!is_of_part(field) && !mime_field_is_of_way(field))
      add_field(opened, field, cipher);
  }
}
