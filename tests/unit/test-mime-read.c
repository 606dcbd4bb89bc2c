/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/mime.h"
#include "test-cms-soft.h"

#include <string.h>

/* Whole mails: built and read again, by us and by openssl(1), and tampered with. */

static const char plain[] = "From: Alice <alice@example.org>\n"
                            "To: bob@example.org\n"
                            "Subject: =?utf-8?Q?At_six=0AX:_=E2=80=AE?=\n"
                            "MIME-Version: 1.0\n"
                            "Content-Type: text/plain; charset=us-ascii\n"
                            "\n"
                            "Hello,\n\n-- \nAlice\n";

static GBytes *
sign_detached(const SoftKey *key, GBytes *entity)
{
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GError) error = NULL;
  g_ptr_array_add(token->keys, (SoftKey *)(guintptr)key);
  CmsSigner signer = { key->cert->key, key->cert->kind, key->cert->der, NULL, NULL, FALSE };
  GBytes *signature = cms_sign_with(&token->vtable, &signer, entity, TRUE, &error);
  g_assert_no_error(error);
  return signature;
}

static GBytes *
signed_mail(const SoftKey *key, const char *text)
{
  g_autoptr(GBytes) mail = g_bytes_new_static(text, strlen(text));
  g_autoptr(GBytes) entity = NULL;
  g_autoptr(GBytes) headers = NULL;
  g_autoptr(GError) error = NULL;
  g_assert_true(mime_split(mail, &entity, &headers, &error));
  g_autoptr(GBytes) signature = sign_detached(key, entity);
  GBytes *built = mime_build_signed(headers, entity, signature, "sha256", &error);
  g_assert_no_error(error);
  return built;
}

static MimeMessage *
read_mail(GBytes *mail)
{
  g_autoptr(GError) error = NULL;
  MimeMessage *message = mime_read(mail, &error);
  g_assert_no_error(error);
  return message;
}

static CmsSignatureState
state_of(const MimeMessage *message)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CmsVerified) verified = cms_verify(message->signature, message->content, NULL, &error);
  g_assert_no_error(error);
  return ((CmsSignature *)g_ptr_array_index(verified->signatures, 0))->state;
}

static GBytes *
with_line_ends(GBytes *mail, const char *eol)
{
  g_autofree char *text = g_strndup(g_bytes_get_data(mail, NULL), g_bytes_get_size(mail));
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++)
    g_strdelimit(*line, "\r", ' ');
  for (char **line = lines; *line; line++)
    if (g_str_has_suffix(*line, " ") && strcmp(*line, "-- ") != 0)
      g_strchomp(*line);
  char *joined = g_strjoinv(eol, lines);
  return g_bytes_new_take(joined, strlen(joined));
}

static void
test_signed(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) mail = signed_mail(key, plain);
  g_autoptr(MimeMessage) message = read_mail(mail);
  g_assert_cmpint(message->kind, ==, MIME_SIGNED);
  g_assert_cmpstr(message->from, ==, "alice@example.org");
  g_assert_cmpint(message->from_count, ==, 1);
  g_assert_cmpstr(message->subject, ==, "At six\xef\xbf\xbdX: \xef\xbf\xbd");
  g_assert_false(message->outside);
  g_assert_cmpint(state_of(message), ==, CMS_SIGNATURE_GOOD);
  g_assert_null(memchr(g_bytes_get_data(mail, NULL), '\r', g_bytes_get_size(mail)));
  g_autoptr(GBytes) crlf = with_line_ends(mail, "\r\n");
  g_autoptr(MimeMessage) over_smtp = read_mail(crlf);
  g_assert_cmpint(state_of(over_smtp), ==, CMS_SIGNATURE_GOOD);
  g_assert_true(g_bytes_equal(over_smtp->content, message->content));
}

static void
test_signed_openssl(void)
{
  static const char odd[] = "From: alice@example.org\r\nContent-Type: text/plain\r\n\r\nF\xfcr\r\n"
                            "From me\r\n  \r\nno end";
  g_autoptr(SoftKey) key = soft_key_simple("rsa:2048");
  soft_write_key(key, "key");
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GBytes) mail = signed_mail(key, i ? odd : plain);
    g_autofree char *path = soft_write("mail", mail);
    g_assert_cmpint(soft_run(NULL, "openssl cms -verify -in mail -CAfile key.crt -out content"), ==,
                    0);
    g_autoptr(MimeMessage) message = read_mail(mail);
    g_assert_cmpint(state_of(message), ==, CMS_SIGNATURE_GOOD);
    g_assert_false(message->outside);
  }
}

static void
test_from_openssl(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  soft_write_key(key, "key");
  g_autoptr(GBytes) content = g_bytes_new_static("Content-Type: text/plain\n\nHello\n", 32);
  g_autofree char *path = soft_write("content", content);
  g_assert_cmpint(soft_run(NULL,
                           "openssl cms -sign -in content -signer key.crt -inkey key.pem -from "
                           "alice@example.org -subject Hi -out detached.eml"),
                  ==, 0);
  g_assert_cmpint(soft_run(NULL, "openssl cms -sign -nodetach -in content -signer key.crt -inkey "
                                 "key.pem -from alice@example.org -out opaque.eml"),
                  ==, 0);
  g_assert_cmpint(soft_run(NULL, "openssl cms -encrypt -aes256 -in content -from alice@example.org "
                                 "-out sealed.eml key.crt"),
                  ==, 0);
  g_autoptr(GBytes) one = soft_read("detached.eml");
  g_autoptr(GBytes) two = soft_read("opaque.eml");
  g_autoptr(GBytes) three = soft_read("sealed.eml");
  g_autoptr(MimeMessage) detached = read_mail(one);
  g_autoptr(MimeMessage) opaque = read_mail(two);
  g_autoptr(MimeMessage) sealed = read_mail(three);
  g_assert_cmpint(detached->kind, ==, MIME_SIGNED);
  g_assert_cmpint(state_of(detached), ==, CMS_SIGNATURE_GOOD);
  g_assert_false(detached->outside); /* its preamble is well known */
  g_assert_cmpint(opaque->kind, ==, MIME_OPAQUE_SIGNED);
  g_assert_cmpint(sealed->kind, ==, MIME_SEALED);
  g_autoptr(SoftToken) token = soft_token_new();
  g_ptr_array_add(token->keys, key);
  g_autoptr(CmsOpened) opened = cms_decrypt_with(&token->vtable, sealed->content, NULL);
  g_assert_true(mime_is_entity(opened->content));
}

static void
test_sealed(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  soft_write_key(key, "key");
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_autoptr(GBytes) mail = g_bytes_new_static(plain, strlen(plain));
  g_autoptr(GBytes) entity = NULL;
  g_autoptr(GBytes) headers = NULL;
  g_autoptr(GError) error = NULL;
  g_ptr_array_add(token->keys, key);
  g_ptr_array_add(recipients, key->cert);
  g_assert_true(mime_split(mail, &entity, &headers, NULL));
  g_autoptr(GBytes) cms = cms_encrypt(entity, recipients, "aes-256-gcm", NULL);
  g_autoptr(GBytes) built = mime_build_cms(headers, cms, MIME_SEALED, TRUE, &error);
  g_assert_no_error(error);
  g_autofree char *text = g_strndup(g_bytes_get_data(built, NULL), g_bytes_get_size(built));
  g_assert_nonnull(strstr(text, "smime-type=authEnveloped-data"));
  g_assert_null(strstr(text, "Alice\n\n"));
  g_autoptr(MimeMessage) message = read_mail(built);
  g_assert_cmpint(message->kind, ==, MIME_SEALED);
  g_assert_true(g_bytes_equal(message->content, cms));
  g_autoptr(CmsOpened) opened = cms_decrypt_with(&token->vtable, message->content, NULL);
  g_autoptr(GBytes) back = mime_build_opened(message->headers, opened->content, &error);
  g_assert_no_error(error);
  g_autofree char *again = g_strndup(g_bytes_get_data(back, NULL), g_bytes_get_size(back));
  g_assert_cmpstr(again, ==, plain);
  g_autoptr(GBytes) noise = g_bytes_new_static("\x17\x99noise", 7);
  g_assert_null(mime_build_opened(message->headers, noise, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
}

static void
test_rfc4134(void)
{
  static const struct {
    const char *file;
    MimeKind kind;
  } table[] = { { "4.8.eml", MIME_SIGNED },
                { "4.9.eml", MIME_OPAQUE_SIGNED },
                { "5.3.eml", MIME_SEALED } };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autofree char *relative = g_strconcat("cms/rfc4134/", table[i].file, NULL);
    g_autoptr(GBytes) mail = soft_data(relative);
    g_autoptr(MimeMessage) message = read_mail(mail);
    g_assert_cmpint(message->kind, ==, table[i].kind);
    if (table[i].kind == MIME_SIGNED) {
      g_assert_cmpstr(message->from, ==, "aliceDss@examples.com");
      g_assert_cmpint(state_of(message), ==, CMS_SIGNATURE_GOOD);
      g_assert_false(message->outside);
    }
  }
}

/* ---- what the signature does not cover ---- */

static GBytes *
changed(GBytes *mail, const char *from, const char *to)
{
  g_autofree char *text = g_strndup(g_bytes_get_data(mail, NULL), g_bytes_get_size(mail));
  g_auto(GStrv) parts = g_strsplit(text, from, 2);
  g_assert_cmpuint(g_strv_length(parts), ==, 2);
  char *joined = g_strjoinv(to, parts);
  return g_bytes_new_take(joined, strlen(joined));
}

static char *
boundary_of(GBytes *mail)
{
  g_autofree char *text = g_strndup(g_bytes_get_data(mail, NULL), g_bytes_get_size(mail));
  const char *at = strstr(text, "boundary=\"") + strlen("boundary=\"");
  return g_strndup(at, strcspn(at, "\""));
}

static void
test_outside(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) mail = signed_mail(key, plain);
  g_autofree char *boundary = boundary_of(mail);
  g_autofree char *first = g_strdup_printf("\n\n--%s\n", boundary);
  g_autofree char *preamble = g_strdup_printf("\n\nPay Mallory.\n--%s\n", boundary);
  g_autofree char *last = g_strdup_printf("\n--%s--\n", boundary);
  g_autofree char *epilogue = g_strdup_printf("\n--%s--\nPay Mallory.\n", boundary);
  g_autofree char *extra =
      g_strdup_printf("\n--%s\nContent-Type: text/plain\n\nPay.\n--%s--\n", boundary, boundary);
  g_autoptr(GBytes) with_preamble = changed(mail, first, preamble);
  g_autoptr(GBytes) with_epilogue = changed(mail, last, epilogue);
  g_autoptr(GBytes) with_extra = changed(mail, last, extra);
  GBytes *all[] = { with_preamble, with_epilogue, with_extra };
  for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
    g_autoptr(MimeMessage) message = read_mail(all[i]);
    g_assert_cmpint(state_of(message), ==, CMS_SIGNATURE_GOOD);
    g_assert_true(message->outside);
  }
}

static void
test_nested(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GBytes) inner = signed_mail(key, "Content-Type: text/plain\n\nHello\n");
  g_autoptr(GString) list = g_string_new("From: list@example.org\nContent-Type: multipart/mixed; "
                                         "boundary=outer\n\n--outer\n");
  g_string_append_len(list, g_bytes_get_data(inner, NULL), (gssize)g_bytes_get_size(inner));
  g_string_append(list, "\n--outer\nContent-Type: text/plain\n\nTo unsubscribe\n--outer--\n");
  g_autoptr(GBytes) mail = g_bytes_new(list->str, list->len);
  g_autoptr(MimeMessage) message = read_mail(mail);
  g_assert_cmpint(message->kind, ==, MIME_SIGNED);
  g_assert_true(message->outside);
  g_assert_cmpint(state_of(message), ==, CMS_SIGNATURE_GOOD);
}

static void
test_plain(void)
{
  static const char *const mails[] = {
    "From: a@example.org\n\nHello\n",
    "From: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b--\n",
    "From: a@example.org\nContent-Type: multipart/signed; "
    "protocol=\"application/pgp-signature\"; boundary=b\n\n--b\n\nHello\n--b\n\nx\n--b--\n",
    "From: a@example.org\nContent-Type: message/rfc822\n\nFrom: b@example.org\n\nHello\n",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(mails); i++) {
    g_autoptr(GBytes) mail = g_bytes_new_static(mails[i], strlen(mails[i]));
    g_autoptr(MimeMessage) message = read_mail(mail);
    g_assert_cmpint(message->kind, ==, MIME_PLAIN);
    g_assert_false(message->outside);
    g_assert_nonnull(message->content);
  }
}

static void
test_two_senders(void)
{
  static const char two[] = "From: a@example.org\nFrom: b@example.org\n\nx\n";
  g_autoptr(GBytes) mail = g_bytes_new_static(two, strlen(two));
  g_autoptr(MimeMessage) message = read_mail(mail);
  g_assert_null(message->from);
  g_assert_cmpint(message->from_count, ==, 2);
}

static void
test_malformed(void)
{
  static const char *const mails[] = {
    "",
    "Hello\n",
    "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"\n\nx\n",
    "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\n\nx\n",
    "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\n\n"
    "--b\n\nx\n--b--\n",
    "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\n\n"
    "--b\n\nx\n--b\nContent-Type: text/plain\n\ny\n--b--\n",
    "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\nAAAA\n",
    "Content-Type: application/pkcs7-mime\n\n\n",
    "Content-Type: text/plain\nContent-Type: multipart/signed\n\nx\n",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(mails); i++) {
    g_autoptr(GBytes) mail = g_bytes_new_static(mails[i], strlen(mails[i]));
    g_autoptr(GError) error = NULL;
    g_assert_null(mime_read(mail, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  }
}

/* Every byte of a small mail: never good with another content. */
static void
test_tamper(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ed25519");
  g_autoptr(GBytes) mail = signed_mail(key, plain);
  g_autoptr(MimeMessage) right = read_mail(mail);
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(mail, &length);
  g_autofree guint8 *copy = g_memdup2(bytes, length);
  for (gsize i = 0; i < 2 * length; i++) {
    gsize at = i / 2;
    copy[at] ^= i % 2 ? 0x20 : 0x01;
    g_autoptr(GBytes) altered = g_bytes_new(copy, length);
    g_autoptr(MimeMessage) message = mime_read(altered, NULL);
    g_autoptr(CmsVerified) verified =
        message && message->kind == MIME_SIGNED
            ? cms_verify(message->signature, message->content, NULL, NULL)
            : NULL;
    if (verified && verified->signatures->len > 0 &&
        ((CmsSignature *)g_ptr_array_index(verified->signatures, 0))->state == CMS_SIGNATURE_GOOD)
      g_assert_true(g_bytes_equal(message->content, right->content));
    copy[at] = bytes[at];
    g_autoptr(GBytes) cut = g_bytes_new(bytes, at);
    g_autoptr(MimeMessage) shorter = i % 2 ? mime_read(cut, NULL) : NULL;
    if (shorter && shorter->kind == MIME_SIGNED)
      g_assert_cmpuint(at, >=, length - 1);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mime/read/signed-good-lf-and-crlf", test_signed);
  g_test_add_func("/mime/build/signed-openssl-verifies", test_signed_openssl);
  g_test_add_func("/mime/read/openssls-mails-each-kind", test_from_openssl);
  g_test_add_func("/mime/build/sealed-comes-back-the-same", test_sealed);
  g_test_add_func("/mime/read/rfc4134-each-kind", test_rfc4134);
  g_test_add_func("/mime/read/uncovered-content-flagged", test_outside);
  g_test_add_func("/mime/read/list-footer-flagged", test_nested);
  g_test_add_func("/mime/read/plain-is-plain", test_plain);
  g_test_add_func("/mime/read/two-senders-nobody", test_two_senders);
  g_test_add_func("/mime/read/malformed-refused", test_malformed);
  g_test_add_func("/mime/read/tampered-never-wrongly-good", test_tamper);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
