/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base-scratch.h"
#include "base/error.h"
#include "base/flow.h"
#include "base/path.h"

#include <glib/gstdio.h>
#include <string.h>

#define NO_LIMIT ((gsize)1 << 40)
#define LARGE (200 * 1000)

/* ---- one stage, fed in pieces ---- */

typedef struct {
  enum { DECODE, ENCODE, CRLF } kind;
  guint line;
  gboolean crlf;
} Stage;

static BaseSink *
make(const Stage *stage, BaseSink *next)
{
  if (stage->kind == DECODE)
    return base_sink_base64_decode(next);
  if (stage->kind == ENCODE)
    return base_sink_base64_encode(next, stage->line, stage->crlf);
  return base_sink_crlf(next);
}

/* Pieces of `piece` bytes; 0: of any length. */
static GBytes *
run(const Stage *stage, const guint8 *bytes, gsize length, gsize piece, GError **error)
{
  BaseSink *memory = base_sink_to_memory(NO_LIMIT);
  g_autoptr(BaseSink) sink = make(stage, memory);
  for (gsize at = 0; at < length;) {
    gsize now = piece ? piece : (gsize)g_test_rand_int_range(1, 40000);
    now = MIN(now, length - at);
    if (!base_sink_write(sink, bytes + at, now, error))
      return NULL;
    at += now;
  }
  return base_sink_finish(sink, error) ? base_sink_memory_bytes(memory) : NULL;
}

/* However it is split. */
static void
gives(const Stage *stage, gconstpointer bytes, gsize length, gconstpointer expected, gsize size)
{
  const gsize pieces[] = { length ? length : 1, 1, 2, 3, 5, 7, 64, 0, 0, 0 };
  for (gsize i = 0; i < G_N_ELEMENTS(pieces); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) out = run(stage, bytes, length, pieces[i], &error);
    g_assert_no_error(error);
    bytes_are(out, expected, size);
  }
  for (gsize cut = 1; cut < MIN(length, 100); cut++) {
    BaseSink *memory = base_sink_to_memory(NO_LIMIT);
    g_autoptr(BaseSink) sink = make(stage, memory);
    g_assert_true(base_sink_write(sink, bytes, cut, NULL));
    g_assert_true(base_sink_write(sink, (const guint8 *)bytes + cut, length - cut, NULL));
    g_assert_true(base_sink_finish(sink, NULL));
    g_autoptr(GBytes) out = base_sink_memory_bytes(memory);
    bytes_are(out, expected, size);
  }
}

static void
is_refused(const Stage *stage, const char *text, const char *message)
{
  for (gsize piece = 1; piece < 12; piece++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(run(stage, (const guint8 *)text, strlen(text), piece, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    g_assert_cmpstr(error->message, ==, message);
  }
}

/* ---- base64 ---- */

static char *
in_lines(const char *text, guint line, const char *end)
{
  GString *out = g_string_new(NULL);
  gsize length = strlen(text);
  for (gsize at = 0; line && at < length; at += line) {
    g_string_append_len(out, text + at, (gssize)MIN(line, length - at));
    g_string_append(out, end);
  }
  return g_string_free(line ? out : g_string_append(out, text), FALSE);
}

static void
both_ways(const guint8 *bytes, gsize length)
{
  static const Stage encoders[] = {
    { ENCODE, 0, FALSE }, { ENCODE, 4, FALSE }, { ENCODE, 64, FALSE }, { ENCODE, 76, TRUE }
  };
  const Stage decoder = { DECODE, 0, FALSE };
  g_autofree char *plain = g_base64_encode(bytes, length);
  for (gsize i = 0; i < G_N_ELEMENTS(encoders); i++) {
    g_autofree char *text = in_lines(plain, encoders[i].line, encoders[i].crlf ? "\r\n" : "\n");
    gives(&encoders[i], bytes, length, text, strlen(text));
    gives(&decoder, text, strlen(text), bytes, length);
  }
}

static void
base64_both_ways_as_glib(void)
{
  g_autofree guint8 *bytes = g_malloc(LARGE);
  fill(bytes, LARGE);
  for (gsize length = 0; length < 130; length++)
    both_ways(bytes, length);
  for (gsize length = 12285; length < 12291; length++) /* about what is gathered */
    both_ways(bytes, length);
  both_ways(bytes, LARGE);
}

/* RFC 4648 10. */
static void
base64_vectors_of_the_rfc(void)
{
  static const char *const vectors[][2] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
  };
  const Stage encoder = { ENCODE, 0, FALSE };
  const Stage decoder = { DECODE, 0, FALSE };
  for (gsize i = 0; i < G_N_ELEMENTS(vectors); i++) {
    gives(&encoder, vectors[i][0], strlen(vectors[i][0]), vectors[i][1], strlen(vectors[i][1]));
    gives(&decoder, vectors[i][1], strlen(vectors[i][1]), vectors[i][0], strlen(vectors[i][0]));
  }
}

static void
base64_as_openssl_writes_it(void)
{
  g_autofree guint8 *bytes = g_malloc(LARGE);
  g_autofree char *path = in_scratch("plain");
  g_autofree char *text = NULL;
  gsize size = 0;
  int status = 0;
  const char *argv[] = { "openssl", "base64", "-in", path, "-out", NULL, NULL };
  g_autofree char *out = in_scratch("base64");
  argv[5] = out;
  fill(bytes, LARGE);
  g_assert_true(base_path_write(path, bytes, LARGE, 0600, NULL));
  if (!g_spawn_sync(NULL, (char **)(gpointer)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                    NULL, &status, NULL) ||
      status != 0) {
    g_test_skip("there is no openssl program");
    return;
  }
  g_assert_true(g_file_get_contents(out, &text, &size, NULL));
  gives(&(const Stage){ ENCODE, 64, FALSE }, bytes, LARGE, text, size);
  gives(&(const Stage){ DECODE, 0, FALSE }, text, size, bytes, LARGE);
}

static void
base64_with_blanks_is_read(void)
{
  static const char text[] = " \t\r\n\r\nZ m 9\tv\f\r\nY\ng\n=\r\n=  \n\n";
  gives(&(const Stage){ DECODE, 0, FALSE }, text, strlen(text), "foob", 4);
}

static void
bad_base64_is_named_with_its_line(void)
{
  static const char *const cases[][2] = {
    { "Zm9v\nZm9v\nZm-v\n", "line 3: not base64" },
    { "Zm9vZm9vZm9vZm9v\x7f", "line 1: not base64" },
    { "Zm9vZm9\xc3\xa9", "line 1: not base64" },
    { "Zm9v\nZg==\nZm9v", "line 3: base64 goes on after its end" },
    { "Zm9vZg==Zm9vZg==", "line 1: base64 goes on after its end" },
    { "Zm8=\n\n\n=", "line 4: base64 is padded where it cannot end" },
    { "=", "line 1: base64 is padded where it cannot end" },
    { "Zm9v\n====", "line 2: base64 is padded where it cannot end" },
    { "Z===", "line 1: base64 is padded where it cannot end" },
    { "Zg=Z", "line 1: base64 goes on after its end" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
    is_refused(&(const Stage){ DECODE, 0, FALSE }, cases[i][0], cases[i][1]);
}

static void
cut_base64_is_an_error(void)
{
  g_autofree guint8 *bytes = g_malloc(100);
  fill(bytes, 100);
  g_autofree char *text = g_base64_encode(bytes, 100);
  for (gsize length = 1; length < strlen(text); length++) {
    g_autofree char *cut = g_strndup(text, length);
    if (length % 4)
      is_refused(&(const Stage){ DECODE, 0, FALSE }, cut, "line 1: base64 is cut short");
  }
}

static void
byte_that_is_no_digit_is_seen_anywhere(void)
{
  g_autofree char *text = g_strnfill(64, 'A');
  for (guint c = 1; c < 256; c++)
    for (gsize at = 0; at < 20; at++) {
      if (g_ascii_isalnum((char)c) || strchr("+/ \t\r\n\f=", (int)c))
        continue;
      text[at] = (char)c;
      g_autoptr(GBytes) out =
          run(&(const Stage){ DECODE, 0, FALSE }, (const guint8 *)text, 64, 64, NULL);
      g_assert_null(out);
      text[at] = 'A';
    }
}

/* ---- line ends ---- */

static void
line_ends_become_crlf(void)
{
  static const char *const cases[][2] = {
    { "", "" },
    { "a", "a" },
    { "\n", "\r\n" },
    { "\r", "\r\n" },
    { "\r\n", "\r\n" },
    { "\n\r", "\r\n\r\n" },
    { "\r\r\n\n", "\r\n\r\n\r\n" },
    { "one\ntwo\r\nthree\rfour", "one\r\ntwo\r\nthree\r\nfour" },
    { "one\r\n\r\ntwo\r\n", "one\r\n\r\ntwo\r\n" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
    gives(&(const Stage){ CRLF, 0, FALSE }, cases[i][0], strlen(cases[i][0]), cases[i][1],
          strlen(cases[i][1]));
}

static void
crlf_slowly(GString *out, const char *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++) {
    if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r'))
      g_string_append_c(out, '\r');
    g_string_append_c(out, bytes[i]);
    if (bytes[i] == '\r' && (i + 1 == length || bytes[i + 1] != '\n'))
      g_string_append_c(out, '\n');
  }
}

static void
any_text_has_crlf_only(void)
{
  static const char alphabet[][9] = { "\r\nxx", "\r\n\r\n", "xxxxxxx\n", "\r\r\r\r\r\r\r\n" };
  for (gsize round = 0; round < 400; round++) {
    gsize length = round < 300 ? round : LARGE;
    const char *letters = alphabet[round % G_N_ELEMENTS(alphabet)];
    g_autofree char *text = g_malloc(length + 1);
    for (gsize i = 0; i < length; i++)
      text[i] = letters[(gsize)g_test_rand_int_range(0, (gint32)strlen(letters))];
    GString *expected = g_string_new(NULL);
    crlf_slowly(expected, text, length);
    if (round < 300)
      gives(&(const Stage){ CRLF, 0, FALSE }, text, length, expected->str, expected->len);
    else if (round % 25 < 4) {
      g_autoptr(GBytes) out =
          run(&(const Stage){ CRLF, 0, FALSE }, (const guint8 *)text, length, 0, NULL);
      bytes_are(out, expected->str, expected->len);
    }
    g_string_free(expected, TRUE);
  }
}

int
main(int argc, char **argv)
{
  static const struct {
    const char *name;
    GTestFunc test;
  } tests[] = {
    { "base64-both-ways-as-glib", base64_both_ways_as_glib },
    { "base64-vectors-of-the-rfc", base64_vectors_of_the_rfc },
    { "base64-as-openssl-writes-it", base64_as_openssl_writes_it },
    { "base64-with-blanks-is-read", base64_with_blanks_is_read },
    { "bad-base64-is-named-with-its-line", bad_base64_is_named_with_its_line },
    { "cut-base64-is-an-error", cut_base64_is_an_error },
    { "byte-that-is-no-digit-is-seen-anywhere", byte_that_is_no_digit_is_seen_anywhere },
    { "line-ends-become-crlf", line_ends_become_crlf },
    { "any-text-has-crlf-only", any_text_has_crlf_only },
  };
  g_test_init(&argc, &argv, NULL);
  scratch_make("stage");
  for (gsize i = 0; i < G_N_ELEMENTS(tests); i++) {
    g_autofree char *path = g_strdup_printf("/base/flow-stage/%s", tests[i].name);
    g_test_add_func(path, tests[i].test);
  }
  int status = g_test_run();
  scratch_remove();
  return status;
}
