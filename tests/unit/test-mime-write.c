/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-mime-made.h"

#include <string.h>

#define OUT_MAX (1024 * 1024)

typedef struct {
  BaseInput *input;
  MimeEntity *entity;
} Made;

static Made
make(const char *mail, gsize length, MimePurpose purpose, MimeProtection protection)
{
  g_autoptr(GError) error = NULL;
  Made made = { made_input(mail, length), NULL };
  made.entity = made_entity(made.input, purpose, protection, &error);
  g_assert_no_error(error);
  return made;
}

static void
made_clear(Made *made)
{
  mime_entity_free(made->entity);
  base_input_free(made->input);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Made, made_clear)

static GBytes *
signature(void)
{
  static const char bytes[] =
      "This stands for a signature, and takes more than one line: 0123456789";
  return g_bytes_new_static(bytes, sizeof bytes - 1);
}

/* The boundary is random; all of it is replaced by "B". */
static char *
without_boundary(const char *text)
{
  g_autoptr(GRegex) regex = g_regex_new("signet-[0-9a-f]{32}", 0, 0, NULL);
  return g_regex_replace_literal(regex, text, -1, 0, "B", 0, NULL);
}

static char *
write_signed(Made *made)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) der = signature();
  BaseSink *memory = base_sink_to_memory(OUT_MAX);
  g_assert_true(mime_write_signed(mime_entity_headers(made->entity), made->entity, der, "sha384",
                                  memory, &error));
  g_assert_no_error(error);
  g_autofree char *text = made_of(memory);
  return without_boundary(text);
}

/* ---- multipart/signed ---- */

#define SIGNED(eol, content)                                                         \
  "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";" eol    \
  " micalg=sha-384; boundary=\"B\"" eol eol "--B" eol content eol "--B" eol          \
  "Content-Type: application/pkcs7-signature; name=\"smime.p7s\"" eol                \
  "Content-Transfer-Encoding: base64" eol                                            \
  "Content-Disposition: attachment; filename=\"smime.p7s\"" eol                      \
  "Content-Description: S/MIME Cryptographic Signature" eol eol                      \
  "VGhpcyBzdGFuZHMgZm9yIGEgc2lnbmF0dXJlLCBhbmQgdGFrZXMgbW9yZSB0aGFuIG9uZSBsaW5l" eol \
  "OiAwMTIzNDU2Nzg5" eol eol "--B--" eol

static void
test_signed(void)
{
  static const struct {
    const char *mail;
    const char *expected;
  } table[] = {
    { "From: a@b\nContent-Type: text/plain\n\nHello\nthere\n",
      "From: a@b\nMIME-Version: 1.0\n" SIGNED("\n", "Content-Type: text/plain\n\nHello\nthere\n") },
    { "From: a@b\r\nContent-Type: text/plain\r\n\r\nHello\nthere\r\n",
      "From: a@b\r\nMIME-Version: 1.0\r\n" SIGNED(
          "\r\n", "Content-Type: text/plain\r\n\r\nHello\r\nthere\r\n") },
    { "From: a@b\nContent-Type: text/plain\n\nHello\r\nthere\n",
      "From: a@b\nMIME-Version: 1.0\n" SIGNED("\n", "Content-Type: text/plain\n\nHello\nthere\n") },
    { "Content-Type: text/plain\r\n\r\nHello",
      "MIME-Version: 1.0\n" SIGNED("\n", "Content-Type: text/plain\n\nHello") },
    /* Binary content: its LF could not be told from its CRLF. */
    { "From: a@b\nContent-Type: a/b\n\na\rb\nc",
      "From: a@b\r\nMIME-Version: 1.0\r\n" SIGNED("\r\n", "Content-Type: a/b\r\n\r\na\rb\r\nc") },
    { "From: a@b\nContent-Type: text/plain\n\nf\xc3\xbcr\n",
      "From: a@b\nMIME-Version: 1.0\n" SIGNED(
          "\n", "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n"
                "f=C3=BCr\n") },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_auto(Made) made =
        make(table[i].mail, strlen(table[i].mail), MIME_FOR_SIGNING, MIME_PROTECT_NOTHING);
    g_autofree char *text = write_signed(&made);
    g_assert_cmpstr(text, ==, table[i].expected);
  }
}

static void
test_signed_inside(void)
{
  static const char mail[] = "From: a@b\nContent-Type: text/plain\n\nHello\n";
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) der = signature();
  g_auto(Made) made = make(mail, sizeof mail - 1, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING);
  g_autoptr(MimeSigned) inside = mime_signed_new(made.entity, der, "sha384", &error);
  g_assert_no_error(error);
  gint64 length = -1;
  g_assert_true(mime_signed_length(inside, &length, &error));
  BaseSink *memory = base_sink_to_memory(OUT_MAX);
  g_assert_true(mime_signed_push(inside, memory, &error) && base_sink_finish(memory, &error));
  g_autofree char *text = made_of(memory);
  g_assert_cmpint(length, ==, (gint64)strlen(text));
  g_autofree char *plain = without_boundary(text);
  g_assert_cmpstr(plain, ==, SIGNED("\r\n", "Content-Type: text/plain\r\n\r\nHello\r\n"));
}

static void
test_hash(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) der = signature();
  g_auto(Made) made = make("\nx", 2, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING);
  g_autoptr(BaseSink) memory = base_sink_to_memory(OUT_MAX);
  g_assert_false(mime_write_signed(NULL, made.entity, der, "md5", memory, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

/* ---- one CMS part ---- */

static char *
write_part(const char *headers, MimeKind kind, gboolean authenticated)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) outer = headers ? g_bytes_new_static(headers, strlen(headers)) : NULL;
  BaseSink *memory = base_sink_to_memory(OUT_MAX);
  g_autoptr(BaseSink) part = mime_write_cms_new(outer, kind, authenticated, memory, &error);
  g_assert_no_error(error);
  g_assert_true(base_sink_write(part, "DER", 3, &error) && base_sink_finish(part, &error));
  return made_of(memory);
}

static void
test_part(void)
{
  g_autofree char *sealed = write_part("From: a@b\n", MIME_SEALED, FALSE);
  g_autofree char *tagged = write_part("From: a@b\r\n", MIME_SEALED, TRUE);
  g_autofree char *opaque = write_part(NULL, MIME_OPAQUE_SIGNED, FALSE);
  g_assert_cmpstr(sealed, ==,
                  "From: a@b\nMIME-Version: 1.0\n"
                  "Content-Type: application/pkcs7-mime; smime-type=enveloped-data;\n"
                  " name=\"smime.p7m\"\nContent-Transfer-Encoding: base64\n"
                  "Content-Disposition: attachment; filename=\"smime.p7m\"\n\nREVS\n");
  g_assert_nonnull(strstr(tagged, "smime-type=authEnveloped-data;\r\n"));
  g_assert_true(g_str_has_suffix(tagged, "\r\n\r\nREVS\r\n"));
  g_assert_nonnull(strstr(opaque, "smime-type=signed-data;\n"));
}

static void
test_no_part(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) memory = base_sink_to_memory(OUT_MAX);
  g_assert_null(mime_write_cms_new(NULL, MIME_SIGNED, FALSE, memory, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

/* ---- header protection (RFC 9788 5.2: what is composed) ---- */

static const char protectable[] =
    "Received: from x\nFrom: Alice <alice@example.org>\nTo: bob@example.org,\n carol@example.org\n"
    "DKIM-Signature: v=1\nBcc: dora@example.org\nSubject: The merger\n in May\nDate: Mon, 23 Nov 2026 10:00:00 +0000\n"
    "Message-ID: <1@example.org>\nKeywords: money\nComments: none\n"
    "Thread-Topic: The merger\nMIME-Version: 1.0\n"
    "Content-Type: text/plain;\n charset=utf-8\n\nHello\n";

#define INSIDE                                                                        \
  "From: Alice <alice@example.org>\r\nTo: bob@example.org,\r\n carol@example.org\r\n" \
  "Subject: The merger\r\n in May\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"       \
  "Message-ID: <1@example.org>\r\nKeywords: money\r\nComments: none\r\n"              \
  "Thread-Topic: The merger\r\n"

static void
test_protect_signed(void)
{
  g_auto(Made) made =
      make(protectable, sizeof protectable - 1, MIME_FOR_SIGNING, MIME_PROTECT_SIGNED);
  g_autofree char *text = made_text(made.entity);
  g_autofree char *outside = made_headers(made.entity);
  g_assert_cmpstr(text, ==,
                  INSIDE "Content-Type: text/plain;\r\n charset=utf-8; hp=\"clear\"\r\n\r\n"
                         "Hello\r\n");
  /* All stays outside too. */
  g_assert_nonnull(strstr(outside, "\nSubject: The merger\n in May\n"));
  g_assert_nonnull(strstr(outside, "\nBcc: dora@example.org\n"));
  g_assert_nonnull(strstr(outside, "Keywords: money\n"));
}

static void
test_protect_sealed(void)
{
  g_auto(Made) made =
      make(protectable, sizeof protectable - 1, MIME_FOR_SEALING, MIME_PROTECT_SEALED);
  g_autofree char *text = made_text(made.entity);
  g_autofree char *outside = made_headers(made.entity);
  g_assert_cmpstr(text, ==,
                  INSIDE
                  "HP-Outer: From: Alice <alice@example.org>\r\n"
                  "HP-Outer: To: bob@example.org,\r\n carol@example.org\r\n"
                  "HP-Outer: Subject: [...]\r\n"
                  "HP-Outer: Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
                  "HP-Outer: Message-ID: <1@example.org>\r\n"
                  "Content-Type: text/plain;\r\n charset=utf-8; hp=\"cipher\"\r\n\r\nHello\r\n");
  g_assert_cmpstr(outside, ==,
                  "Received: from x\nFrom: Alice <alice@example.org>\nTo: bob@example.org,\n"
                  " carol@example.org\nDKIM-Signature: v=1\nBcc: dora@example.org\n"
                  "Subject: [...]\n"
                  "Date: Mon, 23 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.org>\n");
}

static void
test_protect_untyped(void)
{
  static const char mail[] = "subject: x\r\n\r\nHello";
  static const char semicolon[] = "Subject: x\nContent-Type: text/html;\n\nHello";
  g_auto(Made) made = make(mail, sizeof mail - 1, MIME_FOR_SEALING, MIME_PROTECT_SEALED);
  g_autofree char *text = made_text(made.entity);
  g_autofree char *outside = made_headers(made.entity);
  g_assert_cmpstr(text, ==,
                  "subject: x\r\nHP-Outer: Subject: [...]\r\n"
                  "Content-Type: text/plain; charset=us-ascii; hp=\"cipher\"\r\n\r\nHello");
  g_assert_cmpstr(outside, ==, "Subject: [...]\r\n");
  g_auto(Made) other = make(semicolon, sizeof semicolon - 1, MIME_FOR_SIGNING, MIME_PROTECT_SIGNED);
  g_autofree char *got = made_text(other.entity);
  g_assert_cmpstr(got, ==, "Subject: x\r\nContent-Type: text/html; hp=\"clear\"\r\n\r\nHello");
}

static void
test_protected_already(void)
{
  static const char mail[] = "Subject: x\nContent-Type: text/plain; hp=\"clear\"\n\nHello";
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseInput) input = made_input(mail, sizeof mail - 1);
  g_assert_null(mime_entity_new(input, MIME_FOR_SIGNING, MIME_PROTECT_SIGNED, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_auto(Made) as_it_is = make(mail, sizeof mail - 1, MIME_FOR_SIGNING, MIME_PROTECT_NOTHING);
  g_assert_nonnull(as_it_is.entity);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mime/write/signed-mail-whole", test_signed);
  g_test_add_func("/mime/write/signed-inside-length-exact", test_signed_inside);
  g_test_add_func("/mime/write/hash-unknown-refused", test_hash);
  g_test_add_func("/mime/write/part-whole", test_part);
  g_test_add_func("/mime/write/part-of-another-kind-refused", test_no_part);
  g_test_add_func("/mime/write/protected-signed-repeats", test_protect_signed);
  g_test_add_func("/mime/write/protected-sealed-hides", test_protect_sealed);
  g_test_add_func("/mime/write/protected-without-type", test_protect_untyped);
  g_test_add_func("/mime/write/protected-twice-refused", test_protected_already);
  return g_test_run();
}
