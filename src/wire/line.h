/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Varlink framing: JSON messages, each ended by one NUL byte. */

#include <glib.h>
#include <jansson.h>

/* Bytes received and not yet taken; wiped as they are taken. */
typedef struct {
  char *bytes;
  gsize start; /* of what is not taken yet */
  gsize length;
  gsize size;
  gsize scanned; /* no NUL in so many from start on */
} WireLines;

void wire_lines_clear(WireLines *lines);
/* Room for up to `want` bytes; write there, then wire_lines_filled(). */
char *wire_lines_room(WireLines *lines, gsize want);
void wire_lines_filled(WireLines *lines, gsize got);
/* TRUE and *ret_message (a parsed object), or TRUE and NULL when no whole message is there
 * yet. FALSE: beyond WIRE_MESSAGE_MAX or WIRE_DEPTH_MAX (TOO_LARGE), or no JSON object
 * (BAD_INPUT); nothing further can be taken then. */
gboolean wire_lines_take(WireLines *lines, json_t **ret_message, GError **error);

/* JSON text with its NUL, in memory to free with wire_text_free() (which wipes). */
char *wire_json_text(const json_t *message, gsize *ret_length);
void wire_text_free(char *text, gsize length);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WireLines, wire_lines_clear)
