/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Header blocks (RFC 5322 2.2), taken apart in place: every byte of a field stays as it came.
 * No GMime here, so that signing does not load it. */

#include <glib.h>

#define MIME_HEADER_MAX (1024 * 1024)
#define MIME_FIELDS_MAX 10000

typedef struct {
  const char *start; /* the whole field with its folding and line ends */
  gsize length;
  gsize name_length;
  const char *value; /* after the colon, line ends included */
  gsize value_length;
} MimeField;

typedef struct {
  GArray *fields; /* (element-type MimeField), borrowing the bytes read */
  gsize body;     /* where the body begins */
  gboolean ended; /* by an empty line, not by the end of the bytes */
} MimeHeader;

/* BAD_INPUT names the line. An mbox's "From " line before the block is skipped. */
gboolean mime_header_read(const char *bytes, gsize length, MimeHeader *ret_header, GError **error);
void mime_header_clear(MimeHeader *header);

gboolean mime_field_is(const MimeField *field, const char *name);
gboolean mime_field_is_named_like(const MimeField *field, const MimeField *other);
gboolean mime_field_is_content(const MimeField *field); /* Content-* */
/* Says how the part is built (RFC 9788 1.3): Content-*, MIME-Version. */
gboolean mime_field_is_structural(const MimeField *field);
/* Written by servers on the way, not by the author. */
gboolean mime_field_is_of_way(const MimeField *field);

/* "\n" or "\r\n", by the first line; "\n" where there is none. */
const char *mime_line_end_of(GBytes *headers);

/* The value in one line, without the blanks around it. */
char *mime_field_text(const MimeField *field);

/* The one field of that name; NULL: none. Two of them are BAD_INPUT. */
gboolean mime_header_find(const MimeHeader *header, const char *name, const MimeField **ret_field,
                          GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MimeHeader, mime_header_clear)

/* The one address in the fields of that name, and how many there are over all of them; a group counts as
 * several. */
void mime_header_address(const MimeHeader *header, const char *name, char **ret_address,
                         int *ret_count, int *ret_fields);
void mime_header_from(const MimeHeader *header, char **ret_from, int *ret_count, int *ret_fields);
