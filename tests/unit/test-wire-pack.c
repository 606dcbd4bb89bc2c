/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/pack.h"

#include <signet/error.h>

#include <string.h>

static void
fields_round_trip(void)
{
  g_auto(WirePacker) packer = { 0 };
  WireReader reader;
  gsize length = 99;
  wire_pack_u8(&packer, 0xfe);
  wire_pack_u32(&packer, 0x01020304);
  wire_pack_u64(&packer, G_GUINT64_CONSTANT(0x0102030405060708));
  wire_pack_text(&packer, "Gr\xc3\xbc\xc3\x9f");
  wire_pack_text(&packer, NULL);
  wire_pack_bytes(&packer, "a\0b", 3);
  wire_pack_bytes(&packer, NULL, 0);
  wire_pack_raw(&packer, "\x07", 1);
  g_assert_cmpint(memcmp(packer.bytes + 1, "\x04\x03\x02\x01", 4), ==, 0); /* little-endian */

  wire_reader_start(&reader, packer.bytes, packer.length);
  g_assert_cmpuint(wire_read_u8(&reader), ==, 0xfe);
  g_assert_cmpuint(wire_read_u32(&reader), ==, 0x01020304);
  g_assert_cmpuint(wire_read_u64(&reader), ==, G_GUINT64_CONSTANT(0x0102030405060708));
  g_autofree char *text = wire_read_text(&reader, 7);
  g_autofree char *none = wire_read_text(&reader, 0);
  g_assert_cmpstr(text, ==, "Gr\xc3\xbc\xc3\x9f");
  g_assert_cmpstr(none, ==, "");
  const guint8 *bytes = wire_read_bytes(&reader, 3, &length);
  g_assert_cmpuint(length, ==, 3);
  g_assert_cmpint(memcmp(bytes, "a\0b", 3), ==, 0);
  g_assert_nonnull(wire_read_bytes(&reader, 3, &length));
  g_assert_cmpuint(length, ==, 0);
  g_assert_cmpuint(wire_read_u8(&reader), ==, 7);
  g_assert_true(wire_reader_done(&reader, "it", NULL));
}

/* Every length too short: the reader fails for good and never reads beyond its end. */
static void
cut_off_input_fails(void)
{
  g_auto(WirePacker) packer = { 0 };
  wire_pack_u8(&packer, 1);
  wire_pack_u32(&packer, 2);
  wire_pack_text(&packer, "text");
  wire_pack_u64(&packer, 3);
  for (gsize cut = 0; cut < packer.length; cut++) {
    g_autofree guint8 *exact = g_memdup2(packer.bytes, cut);
    g_autoptr(GError) error = NULL;
    WireReader reader;
    wire_reader_start(&reader, exact, cut);
    wire_read_u8(&reader);
    wire_read_u32(&reader);
    g_autofree char *text = wire_read_text(&reader, 10);
    wire_read_u64(&reader);
    g_assert_true(reader.failed);
    g_assert_cmpuint(wire_read_u8(&reader), ==, 0);
    g_assert_false(wire_reader_done(&reader, "the thing", &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    g_assert_nonnull(strstr(error->message, "the thing"));
  }
}

static void
lengths_beyond_the_limit_fail(void)
{
  static const guint8 huge[] = { 0xff, 0xff, 0xff, 0xff, 'x' };
  WireReader reader;
  gsize length = 9;
  wire_reader_start(&reader, huge, sizeof huge);
  g_assert_null(wire_read_bytes(&reader, G_MAXSIZE, &length));
  g_assert_cmpuint(length, ==, 0);
  g_assert_true(reader.failed);

  g_auto(WirePacker) packer = { 0 };
  wire_pack_text(&packer, "12345");
  wire_reader_start(&reader, packer.bytes, packer.length);
  g_assert_null(wire_read_text(&reader, 4));
  g_assert_true(reader.failed);
}

static void
text_with_nul_or_bad_utf8_fails(void)
{
  static const char *const bad[] = { "a\0b", "\xc3(x", "\xed\xa0\x80" };
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_auto(WirePacker) packer = { 0 };
    WireReader reader;
    wire_pack_bytes(&packer, bad[i], 3);
    wire_reader_start(&reader, packer.bytes, packer.length);
    g_assert_null(wire_read_text(&reader, 10));
    g_assert_true(reader.failed);
  }
}

static void
bytes_left_over_are_an_error(void)
{
  g_autoptr(GError) error = NULL;
  WireReader reader;
  wire_reader_start(&reader, "ab", 2);
  wire_read_u8(&reader);
  g_assert_false(wire_reader_done(&reader, "it", &error));
  g_assert_nonnull(strstr(error->message, "left over"));
}

static void
large_record_grows(void)
{
  g_auto(WirePacker) packer = { 0 };
  for (guint32 i = 0; i < 100000; i++)
    wire_pack_u32(&packer, i);
  g_assert_cmpuint(packer.length, ==, 400000);
  WireReader reader;
  wire_reader_start(&reader, packer.bytes, packer.length);
  for (guint32 i = 0; i < 100000; i++)
    g_assert_cmpuint(wire_read_u32(&reader), ==, i);
  wire_packer_clear(&packer);
  g_assert_null(packer.bytes);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/wire/pack/fields-round-trip", fields_round_trip);
  g_test_add_func("/wire/pack/cut-off-input-fails", cut_off_input_fails);
  g_test_add_func("/wire/pack/lengths-beyond-the-limit-fail", lengths_beyond_the_limit_fail);
  g_test_add_func("/wire/pack/text-with-nul-or-bad-utf8-fails", text_with_nul_or_bad_utf8_fails);
  g_test_add_func("/wire/pack/bytes-left-over-are-an-error", bytes_left_over_are_an_error);
  g_test_add_func("/wire/pack/large-record-grows", large_record_grows);
  return g_test_run();
}
