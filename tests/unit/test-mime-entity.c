/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/look.h"
#include "mime/quote.h"
#include "test-mime-made.h"

#include <string.h>

#define PLAIN_HEAD "Content-Type: text/plain; charset=us-ascii\r\n\r\n"

static void
assert_made(MimePurpose purpose, const char *mail, const char *expected, const char *outside)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseInput) input = made_input(mail, strlen(mail));
  g_autoptr(MimeEntity) entity = made_entity(input, purpose, MIME_PROTECT_NOTHING, &error);
  g_assert_no_error(error);
  g_autofree char *text = made_text(entity);
  g_autofree char *headers = made_headers(entity);
  g_assert_cmpstr(text, ==, expected);
  g_assert_cmpstr(headers, ==, outside);
}

static void
assert_signed(const char *mail, const char *expected, const char *outside)
{
  assert_made(MIME_FOR_SIGNING, mail, expected, outside);
}

/* ---- headers and line ends ---- */

static void
test_split(void)
{
  assert_signed("From: a@b\nMIME-Version: 1.0\nContent-Type: text/html;\n charset=utf-8\n"
                "Subject: x\nContent-Disposition: inline\n\nHello\n",
                "Content-Type: text/html;\r\n charset=utf-8\r\nContent-Disposition: inline\r\n\r\n"
                "Hello\r\n",
                "From: a@b\nSubject: x\n");
  assert_signed("From: a@b\r\n\r\nHello\r\n", PLAIN_HEAD "Hello\r\n", "From: a@b\r\n");
  assert_signed("\nHello", PLAIN_HEAD "Hello", "");
  assert_signed("\n", PLAIN_HEAD, "");
  assert_signed("From: a@b", PLAIN_HEAD, "From: a@b\r\n");
  assert_signed("From a@b Mon Nov 23\nFrom: a@b\n\nx", PLAIN_HEAD "x", "From: a@b\n");
  assert_signed(
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nF\xc3\xbcr\n--b--\n",
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nF\xc3\xbcr\r\n--b--\r\n", "");
}

static void
test_line_ends(void)
{
  assert_signed("X: y\n\na\r\nb\n\n\r\nc", PLAIN_HEAD "a\r\nb\r\n\r\n\r\nc", "X: y\n");
  assert_signed("X: y\r\n\r\n\n\n", PLAIN_HEAD "\r\n\r\n", "X: y\r\n");
  /* A CR alone is content; of a text it would not come through. */
  assert_signed("Content-Type: a/b\n\na\rb\r\r\nc\n\r",
                "Content-Type: a/b\r\n\r\na\rb\r\r\nc\r\n\r", "");
  assert_signed("Content-Type: text/plain\n\na\rb\n",
                "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                "a=0Db\r\n",
                "");
}

/* ---- what becomes quoted-printable ---- */

static void
test_quoted(void)
{
  assert_signed("Subject: x\n\nF\xc3\xbcr dich = \nFrom here\n.\n",
                "Content-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                "F=C3=BCr dich =3D=20\r\n=46rom here\r\n=2E\r\n",
                "Subject: x\n");
  assert_signed("Subject: x\n\n\xfc\n",
                "Content-Type: text/plain; charset=unknown-8bit\r\n"
                "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n",
                "Subject: x\n");
  assert_signed(
      "Content-Type: text/plain; charset=latin1\nContent-Transfer-Encoding: 8bit\n\n\xfc\n",
      "Content-Type: text/plain; charset=latin1\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n",
      "");
  assert_signed("Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nSGVsbG8=\n",
                "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n",
                "");
}

static void
test_sealed_stays(void)
{
  assert_made(MIME_FOR_SEALING, "Subject: x\n\nF\xc3\xbcr dich\nFrom here\n",
              "Content-Type: text/plain; charset=utf-8\r\n"
              "Content-Transfer-Encoding: 8bit\r\n\r\nF\xc3\xbcr dich\r\nFrom here\r\n",
              "Subject: x\n");
  assert_made(MIME_FOR_SEALING, "Content-Type: text/plain\n\nHello\n",
              "Content-Type: text/plain\r\n\r\nHello\r\n", "");
}

static void
test_long_lines(void)
{
  g_autofree char *line = g_strnfill(2500, 'x');
  g_autofree char *mail = g_strdup_printf("Subject: x\n\n%s\n", line);
  g_autoptr(BaseInput) input = made_input(mail, strlen(mail));
  g_autoptr(MimeEntity) entity = made_entity(input, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING, NULL);
  g_autofree char *text = made_text(entity);
  g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);
  for (char **at = lines; *at; at++)
    g_assert_cmpuint(strlen(*at), <=, 76);
}

static void
test_bad(void)
{
  static const char *const table[] = {
    "",
    "Hello\n",
    "Content-Type: text/plain\ncontent-type: text/html\n\nx\n",
    "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nx\n",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(BaseInput) input = made_input(table[i], strlen(table[i]));
    g_assert_null(mime_entity_new(input, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  }
}

/* ---- headers and bodies larger than a piece ---- */

static char *
many_fields(gsize length)
{
  g_autofree char *value = g_strnfill(60, 'v');
  GString *text = g_string_new("From: a@b.c\n");
  while (text->len < length)
    g_string_append_printf(text, "X: %s\n", value);
  return g_string_free(text, FALSE);
}

static void
test_many_headers(void)
{
  for (gsize length = 65400; length < 65700; length += 60) {
    g_autofree char *fields = many_fields(length);
    g_autofree char *mail = g_strconcat(fields, "\nbody\n", NULL);
    assert_signed(mail, PLAIN_HEAD "body\r\n", fields);
  }
  g_autofree char *fields = many_fields(1200 * 1024);
  g_autofree char *mail = g_strconcat(fields, "\nbody\n", NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseInput) input = made_input(mail, strlen(mail));
  g_assert_null(mime_entity_new(input, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOO_LARGE);
}

static void
test_large_body(void)
{
  GString *mail = g_string_new("Subject: x\n\n");
  GString *expected = g_string_new(PLAIN_HEAD);
  for (guint i = 0; i < 40000; i++) {
    g_string_append_printf(mail, "line %u%s", i, i % 3 ? "\n" : "\r\n");
    g_string_append_printf(expected, "line %u\r\n", i);
  }
  assert_signed(mail->str, expected->str, "Subject: x\n");
  g_string_free(mail, TRUE);
  g_string_free(expected, TRUE);
}

/* ---- wherever a piece ends ---- */

static MimeLook
look_in(const char *text, gsize length, gsize first, gsize step)
{
  MimeLook look = { 0 };
  g_autoptr(BaseSink) sink = mime_look_new(TRUE, &look);
  gsize now = first;
  for (gsize at = 0; at < length; at += now, now = step) {
    now = MIN(now, length - at);
    g_assert_true(base_sink_write(sink, text + at, now, NULL));
  }
  g_assert_true(base_sink_finish(sink, NULL));
  return look;
}

static char *
look_text(const MimeLook *look)
{
  return g_strdup_printf("%" G_GINT64_FORMAT " bytes, %" G_GINT64_FORMAT " lines, %" G_GINT64_FORMAT
                         " lone:%s%s%s%s%s",
                         look->length, look->line_ends, look->lone_lf, look->lone_cr ? " cr" : "",
                         look->eight_bit ? " 8bit" : "", look->nul ? " nul" : "",
                         look->long_line ? " long" : "", look->from_line ? " from" : "");
}

static void
assert_look(const char *text, gsize length, const MimeLook *expected)
{
  g_autofree char *wanted = look_text(expected);
  for (gsize first = 1; first <= MIN(length, 100); first++) {
    MimeLook whole = look_in(text, length, first, length);
    MimeLook small = look_in(text, length, first, 7);
    g_autofree char *one = look_text(&whole);
    g_autofree char *other = look_text(&small);
    g_assert_cmpstr(one, ==, wanted);
    g_assert_cmpstr(other, ==, wanted);
  }
}

static void
test_look(void)
{
  static const char text[] = "one\r\ntwo\n\nFrom three, and more\r\n From\r\nF\r\nFrom\r\n";
  static const char cr[] = "one\r\ntwo\rthree\n";
  static const char last[] = "one line that is longer than a block\r";
  static const char zero[] = "one line that is longer than a block\0";
  static const char high[] = "one line that is longer than a block\x80";
  MimeLook expected = {
    .length = sizeof text - 1, .line_ends = 7, .lone_lf = 2, .from_line = TRUE
  };
  assert_look(text, sizeof text - 1, &expected);
  expected = (MimeLook){ .length = sizeof cr - 1, .line_ends = 2, .lone_lf = 1, .lone_cr = TRUE };
  assert_look(cr, sizeof cr - 1, &expected);
  expected = (MimeLook){ .length = sizeof last - 1, .lone_cr = TRUE };
  assert_look(last, sizeof last - 1, &expected);
  expected = (MimeLook){ .length = sizeof zero - 1, .nul = TRUE };
  assert_look(zero, sizeof zero - 1, &expected);
  expected = (MimeLook){ .length = sizeof high - 1, .eight_bit = TRUE };
  assert_look(high, sizeof high - 1, &expected);
}

/* 998 characters are the most (RFC 5322 2.1.1), with either line end, or none. */
static void
test_line_lengths(void)
{
  static const char *const ends[] = { "\n", "\r\n", "" };
  static const char *const starts[] = { "", "short\n", "short\r\n" };
  for (gsize n = 996; n <= 1001; n++)
    for (gsize e = 0; e < G_N_ELEMENTS(ends); e++)
      for (gsize s = 0; s < G_N_ELEMENTS(starts); s++) {
        g_autofree char *line = g_strnfill(n, 'x');
        g_autofree char *text =
            g_strconcat(starts[s], line, ends[e], *ends[e] ? "tail" : NULL, NULL);
        for (gsize first = 1; first < strlen(text); first += first < 900 ? 97 : 1) {
          MimeLook look = look_in(text, strlen(text), first, 4096);
          g_assert_cmpint(look.long_line, ==, n > MIME_LINE_MAX);
        }
      }
}

static char *
quoted_in(const char *text, gsize length, gsize first, gsize step)
{
  BaseSink *memory = base_sink_to_memory(65536);
  g_autoptr(BaseSink) sink = mime_quote_new(FALSE, memory);
  gsize now = first;
  for (gsize at = 0; at < length; at += now, now = step) {
    now = MIN(now, length - at);
    g_assert_true(base_sink_write(sink, text + at, now, NULL));
  }
  g_assert_true(base_sink_finish(sink, NULL) && base_sink_finish(memory, NULL));
  return made_of(memory);
}

static void
test_quoted_pieces(void)
{
  static const char text[] = "From me \r\n.dot\nblank at end\t\n a From inside, = and \r\r\n"
                             "FromFrom \n\n \nsoft line ends come after seventy-five of them, and "
                             "not before that, From here.  ";
  static const char expected[] =
      "=46rom me=20\n=2Edot\nblank at end=09\n a From inside, =3D and =0D\n"
      "FromFrom=20\n\n=20\nsoft line ends come after seventy-five of them, and not before that, From h=\n"
      "ere. =20";
  for (gsize first = 1; first < sizeof text; first++)
    for (gsize step = 1; step < 30; step++) {
      g_autofree char *got = quoted_in(text, sizeof text - 1, first, step);
      g_assert_cmpstr(got, ==, expected);
    }
}

/* ---- the sender ---- */

static void
test_from(void)
{
  static const char mail[] = "From: Alice <alice@Example.org>\n\nx";
  g_autoptr(BaseInput) input = made_input(mail, sizeof mail - 1);
  g_autoptr(MimeEntity) entity = made_entity(input, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING, NULL);
  g_assert_cmpstr(mime_entity_from(entity), ==, "alice@example.org");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mime/entity/entity-and-headers", test_split);
  g_test_add_func("/mime/entity/line-ends-canonical", test_line_ends);
  g_test_add_func("/mime/entity/fragile-text-quoted", test_quoted);
  g_test_add_func("/mime/entity/sealed-text-stays", test_sealed_stays);
  g_test_add_func("/mime/entity/long-lines-quoted", test_long_lines);
  g_test_add_func("/mime/entity/malformed-refused", test_bad);
  g_test_add_func("/mime/entity/many-headers-read", test_many_headers);
  g_test_add_func("/mime/entity/large-body-same", test_large_body);
  g_test_add_func("/mime/entity/look-in-pieces-same", test_look);
  g_test_add_func("/mime/entity/line-lengths-exact", test_line_lengths);
  g_test_add_func("/mime/entity/quoted-in-pieces-same", test_quoted_pieces);
  g_test_add_func("/mime/entity/from-found", test_from);
  return g_test_run();
}
