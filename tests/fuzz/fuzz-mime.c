/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz-keys.h"
#include "mime/opened.h"

#include <string.h>

/* Mail that is read: no crash on any, at any depth; an answer or an error; and what is said of it fits
 * what was found. */

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

#define OUT_MAX (16 << 20)

static gboolean
have_keys(gpointer data, CmsKeys *ret_keys, GError **error)
{
  (void)error;
  *ret_keys = fuzz_keys(data);
  return TRUE;
}

static void
check_text(const char *text)
{
  g_assert_true(text && g_utf8_validate(text, -1, NULL));
}

static void
check_texts(const GPtrArray *texts)
{
  for (guint i = 0; texts && i < texts->len; i++)
    check_text(g_ptr_array_index(texts, i));
}

static void
check_layer(const MimeLayer *layer, MimeDepth depth, gboolean outermost)
{
  gboolean is_signed = layer->kind == MIME_SIGNED || layer->kind == MIME_OPAQUE_SIGNED;
  g_assert_cmpint(layer->kind, !=, MIME_PLAIN);
  g_assert_true(!layer->unsealed || layer->kind == MIME_SEALED);
  g_assert_true(!layer->unsealed || depth == MIME_OPEN_ALL);
  if (is_signed && depth != MIME_OPEN_LOOK)
    g_assert_true((layer->verified != NULL) != (layer->problem != NULL));
  g_assert_false(outermost && layer->problem);
  g_assert_true(!layer->problem || g_utf8_validate(layer->problem, -1, NULL));
  check_texts(layer->uncovered);
}

static void
check_protected(const GPtrArray *fields)
{
  for (guint i = 0; i < fields->len; i++) {
    const MimeProtected *field = g_ptr_array_index(fields, i);
    check_text(field->name);
    check_text(field->inside);
    g_assert_null(strpbrk(field->inside, "\r\n"));
    g_assert_true(!field->outside || !strpbrk(field->outside, "\r\n"));
  }
}

static void
check_claim(const TrustClaim *claim)
{
  g_assert_true(claim->mail);
  g_assert_true(!claim->from || (claim->from_count == 1 && strchr(claim->from, '@')));
  check_texts(claim->uncovered);
}

typedef gboolean (*Write)(MimeOpened *opened, BaseSink *to, GError **error);

/* (nullable) */
static GBytes *
written(MimeOpened *opened, Write write)
{
  g_autoptr(BaseSink) sink = base_sink_to_memory(OUT_MAX);
  g_autoptr(GError) error = NULL;
  gboolean good = write(opened, sink, &error);
  g_assert_true(good == (error == NULL));
  return good && base_sink_finish(sink, NULL) ? base_sink_memory_bytes(sink) : NULL;
}

static void
check_written(MimeOpened *opened, Write write)
{
  g_autoptr(GBytes) once = written(opened, write);
  g_autoptr(GBytes) again = written(opened, write);
  g_assert_true(!once == !again && (!once || g_bytes_equal(once, again)));
}

static void
open_at(BaseInput *input, MimeDepth depth)
{
  guint8 way = (guint8)base_input_length(input);
  g_autoptr(GError) error = NULL;
  g_autoptr(MimeOpened) opened = mime_open_with(input, depth, have_keys, &way, &error);
  g_assert_true((opened == NULL) == (error != NULL));
  if (!opened) {
    check_text(error->message);
    return;
  }
  const GPtrArray *layers = mime_opened_layers(opened);
  g_assert_cmpuint(layers->len, <=, MIME_LAYERS_MAX);
  for (guint i = 0; i < layers->len; i++)
    check_layer(g_ptr_array_index(layers, i), depth, i == 0);
  check_claim(mime_opened_claim(opened));
  check_protected(mime_opened_protected(opened));
  check_texts(mime_opened_notes(opened));
  if (mime_opened_subject(opened))
    check_text(mime_opened_subject(opened));
  check_written(opened, mime_opened_write_mail);
  check_written(opened, mime_opened_write_content);
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
  g_autoptr(BaseSpool) spool = base_spool_new(FALSE, NULL);
  g_assert_nonnull(spool);
  g_assert_true(fuzz_push(base_spool_sink(spool), bytes, length, 0, NULL));
  g_autoptr(BaseInput) input = base_input_from_spool(g_steal_pointer(&spool));
  for (MimeDepth depth = MIME_OPEN_LOOK; depth <= MIME_OPEN_ALL; depth++)
    open_at(input, depth);
  return 0;
}
