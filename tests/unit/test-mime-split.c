/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/mime.h"

#include <string.h>

static void
assert_text(GBytes *bytes, const char *expected)
{
  g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
  g_assert_cmpstr(text, ==, expected);
}

static void
assert_split(const char *mail, const char *entity, const char *headers)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static(mail, strlen(mail));
  g_autoptr(GBytes) got_entity = NULL;
  g_autoptr(GBytes) got_headers = NULL;
  g_autoptr(GError) error = NULL;
  g_assert_true(mime_split(bytes, &got_entity, &got_headers, &error));
  g_assert_no_error(error);
  assert_text(got_entity, entity);
  assert_text(got_headers, headers);
}

static void
test_split(void)
{
  assert_split("From: a@b\nMIME-Version: 1.0\nContent-Type: text/html;\n charset=utf-8\n"
               "Subject: x\nContent-Disposition: inline\n\nHello\n",
               "Content-Type: text/html;\r\n charset=utf-8\r\nContent-Disposition: inline\r\n\r\n"
               "Hello\r\n",
               "From: a@b\nSubject: x\n");
  assert_split("From: a@b\r\n\r\nHello\r\n",
               "Content-Type: text/plain; charset=us-ascii\r\n\r\nHello\r\n", "From: a@b\r\n");
  assert_split("\nHello", "Content-Type: text/plain; charset=us-ascii\r\n\r\nHello", "");
  assert_split("From: a@b", "Content-Type: text/plain; charset=us-ascii\r\n\r\n", "From: a@b\r\n");
  assert_split(
      "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nF\xc3\xbcr\n--b--\n",
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nF\xc3\xbcr\r\n--b--\r\n", "");
}

static void
test_quoted(void)
{
  assert_split("Subject: x\n\nF\xc3\xbcr dich = \nFrom here\n.\n",
               "Content-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
               "F=C3=BCr dich =3D=20\r\n=46rom here\r\n=2E\r\n",
               "Subject: x\n");
  assert_split(
      "Content-Type: text/plain; charset=latin1\nContent-Transfer-Encoding: 8bit\n\n\xfc\n",
      "Content-Type: text/plain; charset=latin1\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n",
      "");
  assert_split("Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nSGVsbG8=\n",
               "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n",
               "");
}

static void
test_long_lines(void)
{
  g_autofree char *line = g_strnfill(2500, 'x');
  g_autofree char *mail = g_strdup_printf("Subject: x\n\n%s\n", line);
  g_autoptr(GBytes) bytes = g_bytes_new_static(mail, strlen(mail));
  g_autoptr(GBytes) entity = NULL;
  g_autoptr(GBytes) headers = NULL;
  g_assert_true(mime_split(bytes, &entity, &headers, NULL));
  g_autofree char *text = g_strndup(g_bytes_get_data(entity, NULL), g_bytes_get_size(entity));
  g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);
  for (char **at = lines; *at; at++)
    g_assert_cmpuint(strlen(*at), <=, 76);
}

static void
assert_bad(const char *mail)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static(mail, strlen(mail));
  g_autoptr(GBytes) entity = NULL;
  g_autoptr(GBytes) headers = NULL;
  g_autoptr(GError) error = NULL;
  g_assert_false(mime_split(bytes, &entity, &headers, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_assert_null(entity);
}

static void
test_bad(void)
{
  assert_bad("");
  assert_bad("Hello\n");
  assert_bad("Content-Type: text/plain\ncontent-type: text/html\n\nx\n");
  assert_bad("Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nx\n");
}

static void
test_is_entity(void)
{
  static const struct {
    const char *text;
    gboolean is;
  } table[] = {
    { "Content-Type: text/plain\r\n\r\nHello", TRUE },
    { "content-type: text/plain\n\nHello", TRUE },
    { "MIME-Version: 1.0\r\nX: y\r\n\r\n", TRUE },
    { "Hello", FALSE },
    { "", FALSE },
    { "\r\nHello", FALSE },
    { "X: y\r\n\r\nHello", FALSE },
    { "Content-Type: text/\x01plain\r\n\r\nHello", FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(GBytes) bytes = g_bytes_new_static(table[i].text, strlen(table[i].text));
    g_assert_cmpint(mime_is_entity(bytes), ==, table[i].is);
  }
  for (guint i = 0; i < 200000; i++) { /* what a wrong key leaves */
    guint32 noise[12];
    for (guint k = 0; k < G_N_ELEMENTS(noise); k++)
      noise[k] = g_random_int();
    g_autoptr(GBytes) bytes = g_bytes_new_static(noise, sizeof noise);
    g_assert_false(mime_is_entity(bytes));
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mime/split/entity-and-headers", test_split);
  g_test_add_func("/mime/split/fragile-text-quoted", test_quoted);
  g_test_add_func("/mime/split/long-lines-quoted", test_long_lines);
  g_test_add_func("/mime/split/malformed-refused", test_bad);
  g_test_add_func("/mime/split/noise-is-no-entity", test_is_entity);
  return g_test_run();
}
