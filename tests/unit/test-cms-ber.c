/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/ber.h"

#include <openssl/asn1.h>
#include <string.h>

/* ---- what was seen, as a line: 30{04:0102 04:} ---- */

typedef struct {
  GString *line;
  gint fail_after; /* events; -1: never */
} Seen;

static gboolean
may(Seen *seen, GError **error)
{
  if (seen->fail_after-- != 0)
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_DENIED, "enough");
}

static gboolean
see_begin(gpointer data, const CmsBerElement *element, GError **error)
{
  Seen *seen = data;
  if (seen->line->len && !strchr("{ ", seen->line->str[seen->line->len - 1]))
    g_string_append_c(seen->line, ' ');
  g_string_append_printf(seen->line, "%u/%u", element->tag_class, element->tag);
  if (element->length < 0)
    g_string_append_c(seen->line, '*');
  g_string_append_c(seen->line, element->constructed ? '{' : ':');
  return may(seen, error);
}

static gboolean
see_bytes(gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  Seen *seen = data;
  g_assert_cmpuint(length, >, 0);
  for (gsize i = 0; i < length; i++)
    g_string_append_printf(seen->line, "%02x", bytes[i]);
  return may(seen, error);
}

static gboolean
see_end(gpointer data, const CmsBerElement *element, GError **error)
{
  Seen *seen = data;
  g_string_append_c(seen->line, element->constructed ? '}' : '.');
  return may(seen, error);
}

static const CmsBerEvents events = { see_begin, see_bytes, see_end };

static guint8 *
unhex(const char *hex, gsize *ret_length)
{
  GByteArray *bytes = g_byte_array_new();
  for (; *hex; hex += 2) {
    while (*hex == ' ')
      hex++;
    guint8 byte = (guint8)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
    g_byte_array_append(bytes, &byte, 1);
  }
  *ret_length = bytes->len;
  return g_byte_array_free(bytes, FALSE);
}

/* The line, or NULL with the error; pieces of `step` bytes, 0: of random sizes. */
static char *
read_in(const guint8 *bytes, gsize length, gsize step, GError **error)
{
  Seen seen = { g_string_new(NULL), -1 };
  g_autoptr(CmsBer) ber = cms_ber_new(&events, &seen);
  gboolean good = TRUE;
  for (gsize at = 0; good && at < length;) {
    gsize want = step ? step : (gsize)g_test_rand_int_range(1, 9);
    gsize take = MIN(want, length - at);
    good = cms_ber_push(ber, bytes + at, take, error);
    at += take;
  }
  good = good && cms_ber_done(ber, error);
  return g_string_free(seen.line, !good);
}

/* ---- good ones ---- */

static const struct {
  const char *hex;
  const char *line;
} good_table[] = {
  { "0500", "0/5:." },
  { "3000", "0/16{}" },
  { "30030201ff", "0/16{0/2:ff.}" },
  { "3080 020101 0000", "0/16*{0/2:01.}" },
  { "3080 3080 0000 3000 0000", "0/16*{0/16*{} 0/16{}}" },
  { "3006 3080 0500 0000", "0/16{0/16*{0/5:.}}" },
  { "2480 0402 6162 0401 63 0000", "0/4*{0/4:6162. 0/4:63.}" },
  { "a080 80820001 61 0000", "2/0*{2/0:61.}" },       /* long form with a leading zero */
  { "308400000003 020107", "0/16{0/2:07.}" },         /* X.690 8.1.3.5 note 2: allowed */
  { "3007 9f8201 03 010203", "0/16{2/257:010203.}" }, /* tag 257 */
  { "7f1f 02 0500", "1/31{0/5:.}" },
  { "30030201ff 00000d0a00", "0/16{0/2:ff.}" }, /* what may follow */
  { "3004 04020000", "0/16{0/4:0000.}" },       /* zeros that are no end mark */
  { "3080 04020000 0000", "0/16*{0/4:0000.}" },
};

static void
test_good(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(good_table); i++) {
    gsize length = 0;
    g_autofree guint8 *bytes = unhex(good_table[i].hex, &length);
    for (gsize step = 0; step <= length; step++) {
      g_autoptr(GError) error = NULL;
      g_autofree char *line = read_in(bytes, length, step, &error);
      g_assert_no_error(error);
      g_assert_cmpstr(line, ==, good_table[i].line);
    }
  }
}

/* ---- bad ones ---- */

static const char *const bad_table[] = {
  "",
  "0000",                    /* an end mark for nothing */
  "30",                      /* cut */
  "3001",                    /* cut */
  "308002010100",            /* cut in the mark */
  "3003 0202 01ff",          /* longer than what holds it */
  "3002 30800000",           /* indefinite in definite, mark outside */
  "3004 3080 0500 0000",     /* likewise */
  "3003 020101 01",          /* a byte follows */
  "3000 3000",               /* two of them */
  "3002 0000",               /* mark in a definite one */
  "3080 0001 00",            /* a mark with a length */
  "3080 008100 0000",        /* a mark in long form */
  "3080 2000 0000",          /* universal 0, constructed */
  "0480 0000",               /* a primitive one of indefinite length */
  "30ff",                    /* X.690 8.1.3.5 c */
  "3089 010000000000000000", /* nine octets of length */
  "3088 8000000000000000",   /* over what any file has */
  "3088 7fffffffffffffff",   /* … and one that would overflow an offset */
  "1f8001 00",               /* a tag number with a leading zero */
  "1fffffffffff7f 00",       /* an endless one */
  "3006 3003 0202 0102",     /* the inner holds less than it says */
};

static void
test_bad(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(bad_table); i++) {
    gsize length = 0;
    g_autofree guint8 *bytes = unhex(bad_table[i], &length);
    for (gsize step = 0; step <= length; step++) {
      g_autoptr(GError) error = NULL;
      g_autofree char *line = read_in(bytes, length, step, &error);
      if (line)
        g_test_message("%s gives %s", bad_table[i], line);
      g_assert_null(line);
      g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    }
  }
}

static void
test_truncated(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(good_table); i++) {
    gsize length = 0;
    g_autofree guint8 *bytes = unhex(good_table[i].hex, &length);
    while (length > 0 && strchr("\r\n", bytes[length - 1]))
      length--;
    if (strstr(good_table[i].hex, "0d0a"))
      length = 5;
    for (gsize cut = 0; cut < length; cut++) {
      g_autoptr(GError) error = NULL;
      g_assert_null(read_in(bytes, cut, 0, &error));
      g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    }
  }
}

/* ---- bounds ---- */

static void
nest(guint depth, gboolean definite, gboolean good)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < depth; i++) {
    guint8 header[16];
    gint64 inner = definite ? 2 * (gint64)(depth - 1 - i) : -1;
    g_byte_array_append(bytes, header, cms_ber_header(header, 0, TRUE, 16, inner));
  }
  for (guint i = 0; !definite && i < depth; i++)
    g_byte_array_append(bytes, (const guint8[]){ 0, 0 }, 2);
  g_autofree char *line = read_in(bytes->data, bytes->len, 0, &error);
  g_assert_true(good == (line != NULL));
  if (!good)
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
}

static void
test_depth(void)
{
  nest(CMS_BER_DEPTH_MAX, TRUE, TRUE);
  nest(CMS_BER_DEPTH_MAX, FALSE, TRUE);
  nest(CMS_BER_DEPTH_MAX + 1, TRUE, FALSE);
  nest(CMS_BER_DEPTH_MAX + 1, FALSE, FALSE);
  nest(5000, FALSE, FALSE);
}

static gboolean
drop_element(gpointer data, const CmsBerElement *element, GError **error)
{
  (void)element;
  (void)error;
  ++*(guint *)data;
  return TRUE;
}

static gboolean
drop_bytes(gpointer data, const guint8 *bytes, gsize length, GError **error)
{
  (void)data;
  (void)bytes;
  (void)length;
  (void)error;
  return TRUE;
}

static gboolean
drop_end(gpointer data, const CmsBerElement *element, GError **error)
{
  (void)data;
  (void)element;
  (void)error;
  return TRUE;
}

static const CmsBerEvents drop = { drop_element, drop_bytes, drop_end };

/* Ten million empty elements are refused; as many chunks of content are not. */
static void
test_many(void)
{
  enum { BLOCK = 65536 };
  g_autofree guint8 *nulls = g_malloc(BLOCK);
  g_autoptr(GError) error = NULL;
  guint seen = 0;
  g_autoptr(CmsBer) ber = cms_ber_new(&drop, &seen);
  for (gsize i = 0; i < BLOCK; i++)
    nulls[i] = i % 2 ? 0 : 5;
  g_assert_true(cms_ber_push(ber, (const guint8[]){ 0x30, 0x80 }, 2, &error));
  while (cms_ber_push(ber, nulls, BLOCK, &error))
    g_assert_cmpuint(seen, <=, CMS_BER_ELEMENTS_MAX);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

static void
test_many_chunks(void)
{
  guint8 chunk[4 + 256] = { 0x04, 0x82, 0x01, 0x00 };
  g_autoptr(GError) error = NULL;
  guint seen = 0;
  g_autoptr(CmsBer) ber = cms_ber_new(&drop, &seen);
  g_assert_true(cms_ber_push(ber, (const guint8[]){ 0x24, 0x80 }, 2, &error));
  for (guint i = 0; i < CMS_BER_ELEMENTS_MAX + 10; i++)
    cms_ber_push(ber, chunk, sizeof chunk, &error);
  g_assert_no_error(error);
  g_assert_true(cms_ber_push(ber, (const guint8[]){ 0, 0 }, 2, &error));
  g_assert_true(cms_ber_done(ber, &error));
}

/* ---- callbacks that say no; random bytes; writing ---- */

static void
test_refused(void)
{
  gsize length = 0;
  g_autofree guint8 *bytes = unhex("3080 2480 04026162 0000 3000 0000", &length);
  guint failures = 0;
  for (gint after = 0; after < 20; after++) {
    Seen seen = { g_string_new(NULL), after };
    g_autoptr(CmsBer) ber = cms_ber_new(&events, &seen);
    g_autoptr(GError) error = NULL;
    if (!cms_ber_push(ber, bytes, length, &error)) {
      g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_DENIED);
      failures++;
    }
    g_string_free(seen.line, TRUE);
  }
  g_assert_cmpuint(failures, ==, 9);
}

static void
test_random(void)
{
  for (guint round = 0; round < 20000; round++) {
    guint8 bytes[64];
    g_autoptr(GError) one = NULL;
    g_autoptr(GError) two = NULL;
    gsize length = (gsize)g_test_rand_int_range(1, sizeof bytes);
    for (gsize i = 0; i < length; i++)
      bytes[i] = (guint8)(g_test_rand_bit()
                              ? "\x30\x80\x04\x00\x24\xa0\x02\x03"[g_test_rand_int_range(0, 8)]
                              : g_test_rand_int_range(0, 256));
    bytes[0] = 0x30;
    g_autofree char *whole = read_in(bytes, length, length, &one);
    g_autofree char *pieces = read_in(bytes, length, 0, &two);
    g_assert_cmpstr(whole, ==, pieces);
    if (!whole)
      g_assert_cmpstr(one->message, ==, two->message);
  }
}

static void
test_header(void)
{
  static const int lengths[] = { 0, 1, 127, 128, 255, 256, 65535, 65536, 16777216, 0x7fffff00 };
  static const int tags[] = { 0, 4, 30, 31, 127, 128, 16384, 2097151 };
  for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++)
    for (gsize k = 0; k < G_N_ELEMENTS(tags); k++) {
      guint8 ours[16];
      guint8 theirs[32];
      guint8 *at = theirs;
      ASN1_put_object(&at, 1, lengths[i], tags[k], V_ASN1_CONTEXT_SPECIFIC);
      guint n = cms_ber_header(ours, 2, TRUE, (guint32)tags[k], lengths[i]);
      g_assert_cmpint(n, ==, at - theirs);
      g_assert_true(memcmp(ours, theirs, n) == 0);
    }
  guint8 out[16];
  g_assert_cmpuint(cms_ber_header(out, 2, TRUE, 0, -1), ==, 2);
  g_assert_true(memcmp(out, "\xa0\x80", 2) == 0);
  g_assert_cmpuint(cms_ber_header(out, 0, FALSE, 4, G_MAXINT64), ==, 10);
  g_assert_true(memcmp(out, "\x04\x88\x7f\xff\xff\xff\xff\xff\xff\xff", 10) == 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cms/ber/good-same-in-any-pieces", test_good);
  g_test_add_func("/cms/ber/bad-is-refused", test_bad);
  g_test_add_func("/cms/ber/truncated-is-refused", test_truncated);
  g_test_add_func("/cms/ber/depth-is-bounded", test_depth);
  g_test_add_func("/cms/ber/elements-are-bounded", test_many);
  g_test_add_func("/cms/ber/chunks-are-not", test_many_chunks);
  g_test_add_func("/cms/ber/callback-refuses-ends", test_refused);
  g_test_add_func("/cms/ber/random-same-in-any-pieces", test_random);
  g_test_add_func("/cms/ber/header-as-openssl", test_header);
  return g_test_run();
}
