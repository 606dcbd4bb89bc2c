/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/line.h"

#include "base/error.h"
#include "base/secret.h"
#include "wire/limits.h"

#include <string.h>

#define KEPT_SIZE (16 * 1024) /* a larger buffer goes once it is empty */

static void
release(WireLines *lines)
{
  g_free(lines->bytes);
  memset(lines, 0, sizeof *lines);
}

void
wire_lines_clear(WireLines *lines)
{
  if (lines->length)
    base_wipe(lines->bytes + lines->start, lines->length);
  release(lines);
}

char *
wire_lines_room(WireLines *lines, gsize want)
{
  if (lines->size - lines->start - lines->length < want) {
    /* Always into a new block: twice the size makes moving rare, and the old one is wiped. */
    gsize size = MAX(lines->length * 2, lines->length + want);
    char *bytes = g_malloc(size);
    if (lines->length) {
      memcpy(bytes, lines->bytes + lines->start, lines->length);
      base_wipe(lines->bytes + lines->start, lines->length);
    }
    g_free(lines->bytes);
    lines->bytes = bytes;
    lines->start = 0;
    lines->size = size;
  }
  return lines->bytes + lines->start + lines->length;
}

void
wire_lines_filled(WireLines *lines, gsize got)
{
  lines->length += got;
}

/* Deeper nesting than any message of ours has is refused before jansson
 * recurses into it (its own limit is 2,048, compiled in). */
static gboolean
too_deep(const char *text, gsize length)
{
  int depth = 0;
  gboolean quoted = FALSE;
  for (gsize i = 0; i < length; i++) {
    char c = text[i];
    if (quoted) {
      if (c == '\\')
        i++;
      else if (c == '"')
        quoted = FALSE;
    } else if (c == '"') {
      quoted = TRUE;
    } else if ((c == '{' || c == '[') && ++depth > WIRE_DEPTH_MAX) {
      return TRUE;
    } else if (c == '}' || c == ']') {
      depth--;
    }
  }
  return FALSE;
}

static gboolean
parse(const char *text, gsize length, json_t **ret_message, GError **error)
{
  json_error_t reason;
  if (too_deep(text, length))
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "a message is nested deeper than %d",
                          WIRE_DEPTH_MAX);
  json_t *message = json_loadb(text, length, JSON_REJECT_DUPLICATES, &reason);
  if (!message)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "a message is no JSON: at byte %d",
                          reason.position);
  if (!json_is_object(message)) {
    json_decref(message);
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "a message is no JSON object");
  }
  *ret_message = message;
  return TRUE;
}

/* Wipes the first `n` bytes and stands behind them. They are not moved out of the way: a peer
 * that sends thousands of tiny messages at once would make that quadratic. */
static void
drop(WireLines *lines, gsize n)
{
  base_wipe(lines->bytes + lines->start, n);
  lines->start += n;
  lines->length -= n;
  lines->scanned = 0;
  if (lines->length == 0 && lines->size > KEPT_SIZE)
    release(lines);
  else if (lines->length == 0)
    lines->start = 0;
}

gboolean
wire_lines_take(WireLines *lines, json_t **ret_message, GError **error)
{
  *ret_message = NULL;
  if (lines->length == lines->scanned)
    return TRUE;
  const char *text = lines->bytes + lines->start;
  const char *end = memchr(text + lines->scanned, '\0', lines->length - lines->scanned);
  gsize length = end ? (gsize)(end - text) : lines->length;
  if (length > WIRE_MESSAGE_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "a message is larger than %d bytes",
                          WIRE_MESSAGE_MAX);
  if (!end) {
    lines->scanned = lines->length;
    return TRUE;
  }
  gboolean parsed = parse(text, length, ret_message, error);
  drop(lines, length + 1);
  return parsed;
}

typedef struct {
  char *bytes;
  gsize length;
  gsize size;
} Text;

static int
add_text(const char *bytes, size_t length, void *data)
{
  Text *text = data;
  if (text->size - text->length < length + 1) {
    gsize size = MAX(text->size * 2, text->length + length + 1);
    char *larger = g_malloc(size);
    if (text->length)
      memcpy(larger, text->bytes, text->length);
    base_wipe(text->bytes, text->length);
    g_free(text->bytes);
    text->bytes = larger;
    text->size = size;
  }
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  return 0;
}

char *
wire_json_text(const json_t *message, gsize *ret_length)
{
  Text text = { g_malloc(512), 0, 512 };
  int dumped = json_dump_callback(message, add_text, &text, JSON_COMPACT);
  g_assert(dumped == 0); /* it can fail on a loop of references only */
  text.bytes[text.length] = '\0';
  *ret_length = text.length + 1;
  return text.bytes;
}

void
wire_text_free(char *text, gsize length)
{
  base_wipe(text, length);
  g_free(text);
}
