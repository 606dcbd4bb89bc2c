/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz-keys.h"
#include "mime/open.h"
#include "mime/write.h"

#include <string.h>

/* Mail that is made: whatever can be taken apart to be signed is as long as it says, the same each time, and
 * the reader finds just that in the message around it. The last byte says for what it is made. */

int LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length);

#define OUT_MAX (16 << 20)

/* SignedData without signer and content: read by every reader, and no hash is spent on it. */
static const guint8 nobody[] = { 0x30, 0x23, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                 0x01, 0x07, 0x02, 0xa0, 0x16, 0x30, 0x14, 0x02, 0x01, 0x01,
                                 0x31, 0x00, 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                 0xf7, 0x0d, 0x01, 0x07, 0x01, 0x31, 0x00 };

static BaseInput *
input_of(const guint8 *bytes, gsize length)
{
  g_autoptr(BaseSpool) spool = base_spool_new(FALSE, NULL);
  g_assert_nonnull(spool);
  g_assert_true(fuzz_push(base_spool_sink(spool), bytes, length, 0, NULL));
  return base_input_from_spool(g_steal_pointer(&spool));
}

static GBytes *
pushed(MimeEntity *entity)
{
  g_autoptr(BaseSink) sink = base_sink_to_memory(OUT_MAX);
  gint64 length = -1;
  g_assert_true(mime_entity_length(entity, &length, NULL));
  g_assert_true(mime_entity_push(entity, sink, NULL) && base_sink_finish(sink, NULL));
  GBytes *bytes = base_sink_memory_bytes(sink);
  g_assert_cmpint(length, ==, (gint64)g_bytes_get_size(bytes));
  return bytes;
}

static SignetClient *
no_keys(gpointer data, GError **error)
{
  (void)data;
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "no keys here");
  return NULL;
}

/* A signed mail that was just made reads as one, and with the same content. */
static void
read_again(GBytes *mail, MimeKind kind, GBytes *content)
{
  gsize length;
  const guint8 *bytes = g_bytes_get_data(mail, &length);
  g_autoptr(BaseInput) input = input_of(bytes, length);
  g_autoptr(MimeOpened) opened = mime_open(input, MIME_OPEN_VERIFY, no_keys, NULL, NULL);
  g_assert_nonnull(opened);
  const MimeLayer *layer = g_ptr_array_index(mime_opened_layers(opened), 0);
  g_assert_cmpint(layer->kind, ==, kind);
  if (!content || mime_opened_layers(opened)->len != 1)
    return; /* what is inside may be signed itself */
  g_assert_cmpuint(layer->uncovered ? layer->uncovered->len : 0, ==, 0);
  g_autoptr(BaseSink) sink = base_sink_to_memory(OUT_MAX);
  g_assert_true(mime_opened_write_content(opened, sink, NULL) && base_sink_finish(sink, NULL));
  g_autoptr(GBytes) again = base_sink_memory_bytes(sink);
  g_assert_true(g_bytes_equal(again, content));
}

static void
write_signed(MimeEntity *entity, GBytes *content)
{
  g_autoptr(GBytes) signature = g_bytes_new_static(nobody, sizeof nobody);
  g_autoptr(BaseSink) sink = base_sink_to_memory(OUT_MAX);
  GBytes *headers = mime_entity_headers(entity);
  g_assert_true(mime_write_signed(headers, entity, signature, "sha256", sink, NULL));
  g_autoptr(GBytes) mail = base_sink_memory_bytes(sink);
  read_again(mail, MIME_SIGNED, content);
}

static void
write_cms(MimeEntity *entity)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(OUT_MAX);
  g_autoptr(BaseSink) sink =
      mime_write_cms_new(mime_entity_headers(entity), MIME_OPAQUE_SIGNED, FALSE, memory, NULL);
  g_assert_true(sink && fuzz_push(sink, nobody, sizeof nobody, 1, NULL));
  g_autoptr(GBytes) mail = base_sink_memory_bytes(memory);
  g_assert_cmpuint(g_bytes_get_size(mail), >, sizeof nobody);
}

int
LLVMFuzzerTestOneInput(const guint8 *bytes, size_t length)
{
  guint8 last = length ? bytes[length - 1] : 0;
  MimePurpose purpose = last & 1 ? MIME_FOR_SEALING : MIME_FOR_SIGNING;
  MimeProtection protection = (MimeProtection)((last >> 1) % 3);
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseInput) input = input_of(bytes, length);
  g_autoptr(MimeEntity) entity = mime_entity_new(input, purpose, protection, &error);
  g_assert_true((entity == NULL) == (error != NULL));
  if (!entity)
    return 0;
  const char *from = mime_entity_from(entity);
  g_assert_true(!from || strchr(from, '@'));
  g_autoptr(GBytes) once = pushed(entity);
  g_autoptr(GBytes) again = pushed(entity);
  g_assert_true(g_bytes_equal(once, again));
  write_signed(entity, once);
  write_cms(entity);
  return 0;
}
