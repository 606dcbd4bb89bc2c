/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/search.h"
#include "mime/stage.h"
#include "test-mime-world.h"

#include <string.h>

/* Parts by offset, wherever a piece of what is read ends. */

#define MAIL_PIECE BASE_FLOW_PIECE

static MimeParts
parts_of(BaseInput *input, const char *boundary)
{
  MimeParts parts = { .parts = NULL };
  g_autoptr(GError) error = NULL;
  g_assert_true(mime_parts_read(input, mime_range_of(input), boundary, &parts, &error));
  g_assert_no_error(error);
  return parts;
}

static void
assert_range(const char *text, MimeRange range, const char *expected)
{
  g_autofree char *got = g_strndup(text + range.start, (gsize)range.length);
  g_assert_cmpstr(got, ==, expected);
}

static void
test_ranges(void)
{
  static const struct {
    const char *text;
    const char *preamble;
    const char *parts[4];
    const char *epilogue;
    gboolean closed;
  } table[] = {
    { "--b\nx\n--b--\n", "", { "x" }, "", TRUE },
    { "pre\n--b\nx\n\n--b\ny\n--b--\nepi\n", "pre", { "x\n", "y" }, "epi\n", TRUE },
    { "pre\r\n--b\r\nx\r\n--b\r\n\r\ny\r\n--b--", "pre", { "x", "\r\ny" }, "", TRUE },
    { "--b  \t\nx\n--b-- \r\n", "", { "x" }, "", TRUE },
    { "--b\nx\n--bb\n--b-\n--b--x\n --b\n--B\n--b",
      "",
      { "x\n--bb\n--b-\n--b--x\n --b\n--B", "" },
      "",
      FALSE },
    { "--b\nx", "", { "x" }, "", FALSE },
    { "--b\n--b--\n--b\nafter", "", { "" }, "--b\nafter", TRUE },
    { "--b\nx\r\r\n--b--", "", { "x\r" }, "", TRUE },
    { "\n--b\nx\n--b--", "", { "x" }, "", TRUE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(BaseInput) input = world_text(table[i].text);
    g_auto(MimeParts) parts = parts_of(input, "b");
    g_assert_cmpint(parts.closed, ==, table[i].closed);
    assert_range(table[i].text, parts.preamble, table[i].preamble);
    assert_range(table[i].text, parts.epilogue, table[i].epilogue);
    for (guint k = 0; k < parts.parts->len; k++)
      assert_range(table[i].text, g_array_index(parts.parts, MimeRange, k), table[i].parts[k]);
    g_assert_null(table[i].parts[parts.parts->len]);
  }
}

/* A boundary line that lies across the end of a piece, at each of its bytes. */
static void
test_every_split(void)
{
  static const char *const ends[] = { "\n", "\r\n" };
  for (guint e = 0; e < 2; e++)
    for (gsize before = MAIL_PIECE - 40; before < MAIL_PIECE + 2; before++) {
      g_autoptr(GString) text = g_string_new("--boundary");
      g_string_append(text, ends[e]);
      gsize head = text->len;
      while (text->len < before)
        g_string_append_c(text, text->len % 50 ? 'x' : '-');
      gsize part = text->len - head;
      g_string_append_printf(text, "%s--boundary--  %safter%s", ends[e], ends[e], ends[e]);
      g_autoptr(BaseInput) input = world_input(text->str, text->len);
      g_auto(MimeParts) parts = parts_of(input, "boundary");
      g_assert_true(parts.closed);
      g_assert_cmpuint(parts.parts->len, ==, 1);
      g_assert_cmpint(g_array_index(parts.parts, MimeRange, 0).length, ==, (goffset)part);
      g_assert_cmpint(parts.epilogue.length, ==, (goffset)(5 + strlen(ends[e])));
    }
}

static void
test_none(void)
{
  g_autoptr(BaseInput) input = world_text("no\n boundary\n--bx\n");
  g_autoptr(GError) error = NULL;
  MimeParts parts = { .parts = NULL };
  g_assert_false(mime_parts_read(input, mime_range_of(input), "b", &parts, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_assert_null(parts.parts);
}

/* ---- bounds ---- */

static gboolean
search(const char *text, gsize length, GError **error)
{
  g_autoptr(BaseInput) input = world_input(text, length);
  MimeFound found;
  return mime_search(mime_gmime(NULL), input, mime_range_of(input), FALSE, &found, error);
}

static void
test_many(void)
{
  g_autoptr(GString) text = g_string_new("Content-Type: multipart/mixed; boundary=b\n\n");
  g_autoptr(GError) error = NULL;
  g_autoptr(GTimer) timer = g_timer_new();
  for (guint i = 0; i < MIME_PARTS_MAX; i++)
    g_string_append(text, "--b\n\nx\n");
  gsize without = text->len;
  g_string_append(text, "--b--\n");
  g_assert_true(search(text->str, text->len, &error));
  g_assert_no_error(error);
  g_string_truncate(text, without);
  g_string_append(text, "--b\n\nx\n--b--\n");
  g_assert_false(search(text->str, text->len, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
  g_assert_cmpfloat(g_timer_elapsed(timer, NULL), <, 5.0);
}

static void
test_deep(void)
{
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(GTimer) timer = g_timer_new();
  for (guint i = 0; i < 1000; i++)
    g_string_append_printf(text, "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n", i, i);
  for (gsize i = 0; i < 4 * 1024 * 1024 / 64; i++)
    g_string_append(text, "---------------------------------------------------------------\n");
  g_assert_false(search(text->str, text->len, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_assert_cmpfloat(g_timer_elapsed(timer, NULL), <, 5.0);
}

/* ---- heads ---- */

static void
test_head(void)
{
  for (gsize length = 4000; length < 4200; length++) {
    g_autoptr(GString) text = g_string_new("Subject: ");
    while (text->len < length)
      g_string_append_c(text, 'x');
    g_string_append(text, "\r\nContent-Type: text/plain\r\n\r\nbody");
    g_autoptr(BaseInput) input = world_input(text->str, text->len);
    g_auto(MimeHead) head = { .bytes = NULL };
    g_assert_true(mime_head_read(input, mime_range_of(input), &head, NULL));
    g_assert_cmpuint(head.header.fields->len, ==, 2);
    g_assert_cmpint(head.body.length, ==, 4);
    g_assert_true(head.header.ended && mime_head_is_entity(&head));
  }
}

static void
test_head_bounded(void)
{
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  MimeHead head = { .bytes = NULL };
  while (text->len < 3 * MIME_HEADER_MAX)
    g_string_append(text,
                    "X-Long: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
  g_autoptr(BaseInput) input = world_input(text->str, text->len);
  g_assert_false(mime_head_read(input, mime_range_of(input), &head, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

/* Moved here from mime_is_entity(): noise must not look like a mail. */
static void
test_entity(void)
{
  static const struct {
    const char *text;
    gboolean is;
  } table[] = {
    { "Content-Type: text/plain\r\n\r\nHello", TRUE },
    { "Subject: x\n\ny", TRUE },
    { "content-disposition: inline\n\n", TRUE },
    { "To: x\n\ny", FALSE },
    { "\n\nHello", FALSE },
    { "Subject: x\001\n\ny", FALSE },
    { "X: y\n\nz", FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(BaseInput) input = world_text(table[i].text);
    g_auto(MimeHead) head = { .bytes = NULL };
    gboolean is =
        mime_head_read(input, mime_range_of(input), &head, NULL) && mime_head_is_entity(&head);
    g_assert_cmpint(is, ==, table[i].is);
  }
}

static void
test_sound(void)
{
  static const struct {
    const char *text;
    gboolean is;
  } table[] = {
    { "Content-Type: text/plain\n\nHello", TRUE },
    { "Content-Type: text/plain\n", FALSE },
    { "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n", TRUE },
    { "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n", FALSE },
    { "Content-Type: multipart/mixed; boundary=b\n\nx\n", FALSE },
    { "Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n", FALSE },
    { "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c"
      "\n\n--c\n\nx\n--b--\n",
      FALSE },
    { "Content-Type: multipart/mixed; boundary=b\n\n--b\n\x80\x81 garbled\n\nx\n--b--\n", FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(BaseInput) input = world_text(table[i].text);
    g_test_message("%s", table[i].text);
    g_assert_cmpint(mime_is_sound(mime_gmime(NULL), input, mime_range_of(input)), ==, table[i].is);
  }
}

/* ---- stages ---- */

static char *
through(BaseSink *stage, BaseSink *memory, const char *text, gsize piece)
{
  gsize length = strlen(text);
  for (gsize i = 0; i < length; i += piece)
    g_assert_true(base_sink_write(stage, text + i, MIN(piece, length - i), NULL));
  g_assert_true(base_sink_finish(stage, NULL));
  if (!memory->finished)
    g_assert_true(base_sink_finish(memory, NULL));
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  gsize got = g_bytes_get_size(bytes);
  return got ? g_strndup(g_bytes_get_data(bytes, NULL), got) : g_strdup("");
}

static void
test_line_ends(void)
{
  static const struct {
    const char *text;
    const char *crlf;
    const char *lf;
    gboolean even;
  } table[] = {
    { "", "", "", TRUE },
    { "a\nb\r\nc\rd\n\n\r\n", "a\r\nb\r\nc\rd\r\n\r\n\r\n", "a\nb\nc\rd\n\n\n", FALSE },
    { "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n", "a\n\nb\n", TRUE },
    { "\r", "\r", "\r", FALSE },
    { "\r\r\n", "\r\r\n", "\r\n", FALSE },
    { "a\n", "a\r\n", "a\n", FALSE },
    { "a\r\nb", "a\r\nb", "a\nb", TRUE },
    { "a\rb\r\n", "a\rb\r\n", "a\rb\n", FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
    for (gsize piece = 1; piece < 8; piece++) {
      g_autoptr(BaseSink) one = base_sink_to_memory(1000);
      g_autoptr(BaseSink) two = base_sink_to_memory(1000);
      g_autoptr(BaseSink) three = base_sink_to_memory(1000);
      g_autoptr(BaseSink) crlf = mime_crlf_new(one);
      g_autoptr(BaseSink) lf = mime_lf_new(two);
      g_autoptr(BaseSink) ends = mime_ends_new(three);
      g_autofree char *as_crlf = through(crlf, one, table[i].text, piece);
      g_autofree char *as_lf = through(lf, two, table[i].text, piece);
      g_autofree char *same = through(ends, three, table[i].text, piece);
      g_assert_cmpstr(as_crlf, ==, table[i].crlf);
      g_assert_cmpstr(as_lf, ==, table[i].lf);
      g_assert_cmpstr(same, ==, table[i].text);
      g_assert_cmpint(mime_ends_are_crlf(ends), ==, table[i].even);
    }
}

static void
test_quoted(void)
{
  static const struct {
    const char *text;
    const char *plain;
  } table[] = {
    { "a=3Db", "a=b" }, { "a=\nb", "ab" },      { "a= \t\r\nb", "ab" },   { "a  \nb", "a\nb" },
    { "a  b", "a  b" }, { "a=3", "a=3" },       { "=e9=C9", "\xe9\xc9" }, { "100=%", "100=%" },
    { "a=4z", "a=4z" }, { "x\r\ny", "x\r\ny" }, { "a=  b", "a=  b" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
    for (gsize piece = 1; piece < 6; piece++) {
      BaseSink *memory = base_sink_to_memory(1000);
      g_autoptr(BaseSink) stage = mime_unquote_new(memory);
      g_autofree char *plain = through(stage, memory, table[i].text, piece);
      g_assert_cmpstr(plain, ==, table[i].plain);
    }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mime/scan/parts-by-offset", test_ranges);
  g_test_add_func("/mime/scan/boundary-across-pieces-found", test_every_split);
  g_test_add_func("/mime/scan/no-boundary-refused", test_none);
  g_test_add_func("/mime/scan/many-parts-bounded", test_many);
  g_test_add_func("/mime/scan/deep-nesting-bounded", test_deep);
  g_test_add_func("/mime/scan/head-across-pieces-read", test_head);
  g_test_add_func("/mime/scan/endless-head-refused", test_head_bounded);
  g_test_add_func("/mime/scan/noise-is-no-entity", test_entity);
  g_test_add_func("/mime/search/unsound-entities-told", test_sound);
  g_test_add_func("/mime/stage/line-ends-each-split", test_line_ends);
  g_test_add_func("/mime/stage/quoted-printable-each-split", test_quoted);
  return g_test_run();
}
