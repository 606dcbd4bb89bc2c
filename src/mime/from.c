/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "mime/header.h"

#include <string.h>

/* The From field (RFC 5322 3.4): enough of its grammar to find the one address, and to see
 * when there is not exactly one. Whatever is in doubt counts as several. */

typedef struct {
  const char *at;
  GString *word;   /* outside quotes, comments and angles */
  GString *angle;  /* (nullable) inside <> */
  gboolean quoted; /* a quoted string was among the words */
  int mailboxes;
  char *first; /* (nullable) normal form */
} Parser;

static void
skip_comment(Parser *parser)
{
  int depth = 0;
  for (; *parser->at; parser->at++) {
    if (*parser->at == '\\' && parser->at[1])
      parser->at++;
    else if (*parser->at == '(')
      depth++;
    else if (*parser->at == ')' && --depth == 0)
      return;
  }
  parser->at--;
}

static void
skip_quoted(Parser *parser)
{
  parser->quoted = TRUE;
  for (parser->at++; *parser->at; parser->at++) {
    if (*parser->at == '\\' && parser->at[1])
      parser->at++;
    else if (*parser->at == '"')
      return;
  }
  parser->at--;
}

static void
take_angle(Parser *parser)
{
  if (parser->angle)
    parser->mailboxes++; /* two in one mailbox: no telling which is meant */
  else
    parser->angle = g_string_new(NULL);
  for (parser->at++; *parser->at && *parser->at != '>'; parser->at++)
    g_string_append_c(parser->angle, *parser->at);
  if (!*parser->at)
    parser->at--;
}

static void
end_mailbox(Parser *parser)
{
  GString *source = parser->angle ? parser->angle : parser->word;
  g_autofree char *text = g_strdup(source->str);
  g_strstrip(text);
  if (*text || parser->quoted) {
    parser->mailboxes++;
    if (!parser->first && !(parser->quoted && !parser->angle))
      parser->first = base_address_normal(text);
  }
  g_string_truncate(parser->word, 0);
  parser->quoted = FALSE;
  if (parser->angle)
    g_string_free(g_steal_pointer(&parser->angle), TRUE);
}

static void
parse(Parser *parser)
{
  for (; *parser->at; parser->at++) {
    switch (*parser->at) {
    case '(':
      skip_comment(parser);
      break;
    case '"':
      skip_quoted(parser);
      break;
    case '<':
      take_angle(parser);
      break;
    case ',':
      end_mailbox(parser);
      break;
    case ':': /* a group names several people, or none */
    case ';':
      parser->mailboxes += 2;
      break;
    default:
      /* A second address may follow the one in angles, and some reader show that. */
      if (parser->angle && !g_ascii_isspace(*parser->at))
        parser->mailboxes++;
      g_string_append_c(parser->word, *parser->at);
    }
  }
  end_mailbox(parser);
}

void
mime_header_address(const MimeHeader *header, const char *name, char **ret_address, int *ret_count,
                    int *ret_fields)
{
  Parser parser = { NULL, g_string_new(NULL), NULL, FALSE, 0, NULL };
  int fields = 0;
  for (guint i = 0; i < header->fields->len; i++) {
    const MimeField *field = &g_array_index(header->fields, MimeField, i);
    if (!mime_field_is(field, name))
      continue;
    g_autofree char *value = mime_field_text(field);
    fields++;
    parser.at = value;
    parse(&parser);
  }
  g_string_free(parser.word, TRUE);
  if (parser.mailboxes != 1)
    g_clear_pointer(&parser.first, g_free);
  *ret_address = parser.first;
  *ret_count = parser.mailboxes;
  *ret_fields = fields;
}

void
mime_header_from(const MimeHeader *header, char **ret_from, int *ret_count, int *ret_fields)
{
  mime_header_address(header, "From", ret_from, ret_count, ret_fields);
}
