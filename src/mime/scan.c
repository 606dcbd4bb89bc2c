/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/scan.h"

#include "base/error.h"

#include <string.h>

MimeRange
mime_range_of(const BaseInput *input)
{
  return (MimeRange){ 0, base_input_length(input) };
}

/* ---- parts ---- */

/* Where in a line the scanner is. A line may come in any number of pieces. */
typedef enum {
  AT_DELIMITER, /* all bytes so far are "--boundary"'s */
  AT_DASHES,    /* behind it: perhaps "--" */
  AT_BLANKS,    /* behind that: blanks until the line ends */
  AT_TEXT       /* any other line */
} Place;

typedef struct {
  BaseSink sink;
  char *delimiter; /* "--boundary" */
  gsize delimiter_length;
  MimeParts *parts;
  Place place;
  gsize matched;  /* AT_DELIMITER, AT_DASHES: bytes of it */
  gboolean last;  /* this boundary has its "--" */
  gboolean first; /* no boundary yet */
  gboolean crlf;  /* the line before ended in CRLF */
  guint8 before;  /* the byte before this piece */
  goffset at;     /* of the piece, in the input */
  goffset line;   /* where this line begins */
  goffset start;  /* of the part, or of the preamble */
} Scanner;

/* From `start` to the line end before `line`: that one belongs to the boundary. */
static MimeRange
range_before(const Scanner *scanner)
{
  goffset length = scanner->line - scanner->start;
  if (length > 0)
    length--;
  if (length > 0 && scanner->crlf)
    length--;
  return (MimeRange){ scanner->start, length };
}

static gboolean
add_part(MimeParts *parts, MimeRange range, GError **error)
{
  if (parts->parts->len == MIME_PARTS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the mail has over %d parts",
                          MIME_PARTS_MAX);
  g_array_append_val(parts->parts, range);
  return TRUE;
}

static gboolean
end_part(Scanner *scanner, GError **error)
{
  MimeRange range = range_before(scanner);
  if (!scanner->first)
    return add_part(scanner->parts, range, error);
  scanner->parts->preamble = range;
  scanner->first = FALSE;
  return TRUE;
}

/* `next`: where the line after the boundary begins. */
static gboolean
take_boundary(Scanner *scanner, goffset next, GError **error)
{
  if (!end_part(scanner, error))
    return FALSE;
  scanner->start = next;
  scanner->parts->closed = scanner->last;
  return TRUE;
}

static gboolean
is_boundary(const Scanner *scanner)
{
  return scanner->place == AT_BLANKS || (scanner->place == AT_DASHES && scanner->matched == 0);
}

/* One byte of what may be a boundary line (RFC 2046 5.1.1: blanks may follow it). */
static void
take_byte(Scanner *scanner, guint8 c)
{
  gboolean blank = c == ' ' || c == '\t' || c == '\r';
  Place next = AT_TEXT;
  if (scanner->place == AT_DELIMITER && c == (guint8)scanner->delimiter[scanner->matched]) {
    next = AT_DELIMITER;
    if (++scanner->matched == scanner->delimiter_length) {
      next = AT_DASHES;
      scanner->matched = 0;
    }
  } else if (scanner->place == AT_DASHES && c == '-') {
    next = AT_DASHES;
    if (++scanner->matched == 2) {
      next = AT_BLANKS;
      scanner->last = TRUE;
    }
  } else if (blank && is_boundary(scanner))
    next = AT_BLANKS;
  scanner->place = next;
}

static void
begin_line(Scanner *scanner, goffset line, gboolean crlf)
{
  scanner->line = line;
  scanner->crlf = crlf;
  scanner->place = AT_DELIMITER;
  scanner->matched = 0;
  scanner->last = FALSE;
}

static gboolean
scan_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Scanner *scanner = (Scanner *)sink;
  const guint8 *start = bytes;
  const guint8 *end = start + length;
  for (const guint8 *at = start; at < end && !scanner->parts->closed;) {
    while (at < end && *at != '\n' && scanner->place != AT_TEXT)
      take_byte(scanner, *at++);
    const guint8 *newline = memchr(at, '\n', (gsize)(end - at));
    if (!newline)
      break;
    goffset next = scanner->at + (newline + 1 - start);
    if (is_boundary(scanner) && !take_boundary(scanner, next, error))
      return FALSE;
    begin_line(scanner, next, (newline > start ? newline[-1] : scanner->before) == '\r');
    at = newline + 1;
  }
  scanner->before = end[-1];
  scanner->at += (goffset)length;
  return TRUE;
}

static gboolean
scan_finish(BaseSink *sink, GError **error)
{
  Scanner *scanner = (Scanner *)sink;
  MimeParts *parts = scanner->parts;
  /* The last boundary may be the last line, and that may have no end. */
  if (!parts->closed && is_boundary(scanner) && !take_boundary(scanner, scanner->at, error))
    return FALSE;
  if (scanner->first)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the mail says it has several parts, and has no boundary between them");
  if (parts->closed)
    return TRUE;
  return add_part(parts, (MimeRange){ scanner->start, scanner->at - scanner->start }, error);
}

gboolean
mime_parts_read(BaseInput *input, MimeRange body, const char *boundary, MimeParts *ret_parts,
                GError **error)
{
  static const BaseSinkClass klass = { scan_write, scan_finish, NULL };
  g_auto(MimeParts) parts = { .parts = g_array_new(FALSE, FALSE, sizeof(MimeRange)) };
  g_autofree char *delimiter = g_strconcat("--", boundary, NULL);
  Scanner scanner = {
    .sink.klass = &klass,
    .delimiter = delimiter,
    .delimiter_length = strlen(delimiter),
    .parts = &parts,
    .first = TRUE,
    .at = body.start,
    .line = body.start,
    .start = body.start,
  };
  goffset end = body.start + body.length;
  if (!base_input_read(input, body.start, body.length, &scanner.sink, error) ||
      !base_sink_finish(&scanner.sink, error))
    return FALSE;
  parts.epilogue = (MimeRange){ parts.closed ? scanner.start : end, 0 };
  parts.epilogue.length = end - parts.epilogue.start;
  *ret_parts = parts;
  parts.parts = NULL;
  return TRUE;
}

void
mime_parts_clear(MimeParts *parts)
{
  g_clear_pointer(&parts->parts, g_array_unref);
}

/* ---- the head ---- */

#define HEAD_FIRST 4096

/* Where the body begins; 0: the empty line is not among these bytes. */
static gsize
head_end(const char *bytes, gsize length)
{
  for (gsize line = 0; line < length;) {
    const char *newline = memchr(bytes + line, '\n', length - line);
    gsize text = newline ? (gsize)(newline - bytes) - line : 0;
    if (!newline)
      return 0;
    if (text == 0 || (text == 1 && bytes[line] == '\r'))
      return (gsize)(newline - bytes) + 1;
    line = (gsize)(newline - bytes) + 1;
  }
  return 0;
}

static GBytes *
read_range(BaseInput *input, goffset start, gsize length, GError **error)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(length);
  if (!base_input_read(input, start, (goffset)length, memory, error) ||
      !base_sink_finish(memory, error))
    return NULL;
  return base_sink_memory_bytes(memory);
}

gboolean
mime_head_read(BaseInput *input, MimeRange entity, MimeHead *ret_head, GError **error)
{
  g_autoptr(GBytes) bytes = NULL;
  const char *data = NULL;
  gsize length = 0;
  gsize end = 0;
  /* Most blocks are small, and there may be 10,000 of them. */
  for (gsize want = HEAD_FIRST; !end && (!bytes || (goffset)length < entity.length); want *= 16) {
    g_clear_pointer(&bytes, g_bytes_unref);
    want = MIN(want, MIME_HEADER_MAX + 4);
    bytes = read_range(input, entity.start, (gsize)MIN((goffset)want, entity.length), error);
    if (!bytes)
      return FALSE;
    data = g_bytes_get_data(bytes, &length);
    end = length ? head_end(data, length) : 0;
    if (want == MIME_HEADER_MAX + 4)
      break;
  }
  MimeHead head = { .bytes = NULL };
  if (!mime_header_read(data ? data : "", end ? end : length, &head.header, error))
    return FALSE;
  head.bytes = g_steal_pointer(&bytes);
  head.body.start = entity.start + (goffset)head.header.body;
  head.body.length = entity.length - (goffset)head.header.body;
  *ret_head = head;
  return TRUE;
}

void
mime_head_clear(MimeHead *head)
{
  mime_header_clear(&head->header);
  g_clear_pointer(&head->bytes, g_bytes_unref);
}

/* Headers that a mail program writes into what it seals. Not To: of all headers its three bytes
 * are the likeliest in noise, and it never stands alone. */
static const char *const known_table[] = { "MIME-Version", "From", "Subject", "Date",
                                           "Message-ID" };

static gboolean
is_known(const MimeField *field)
{
  gboolean known = mime_field_is_content(field);
  for (gsize i = 0; i < G_N_ELEMENTS(known_table) && !known; i++)
    known = mime_field_is(field, known_table[i]);
  return known;
}

gboolean
mime_head_is_entity(const MimeHead *head)
{
  const char *bytes = g_bytes_get_data(head->bytes, NULL);
  gboolean known = FALSE;
  for (guint i = 0; i < head->header.fields->len && !known; i++)
    known = is_known(&g_array_index(head->header.fields, MimeField, i));
  for (gsize i = 0; i < head->header.body && known; i++)
    known = (guchar)bytes[i] >= ' ' || bytes[i] == '\t' || bytes[i] == '\r' || bytes[i] == '\n';
  return known;
}

/* ---- blanks ---- */

typedef struct {
  BaseSink sink;
  gboolean blank;
} Blank;

/* Fails at the first other byte, so that no more is read. */
static gboolean
blank_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Blank *self = (Blank *)sink;
  const char *at = bytes;
  for (gsize i = 0; i < length && self->blank; i++)
    self->blank = g_ascii_isspace(at[i]);
  return self->blank || base_error_set(error, SIGNET_ERROR_FAILED, "not blank");
}

gboolean
mime_range_is_blank(BaseInput *input, MimeRange range, gboolean *ret_blank, GError **error)
{
  static const BaseSinkClass klass = { blank_write, NULL, NULL };
  g_autoptr(GError) problem = NULL;
  Blank blank = { .sink.klass = &klass, .blank = TRUE };
  if (!base_input_read(input, range.start, range.length, &blank.sink, &problem) && blank.blank) {
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
  }
  *ret_blank = blank.blank;
  return TRUE;
}
