/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-mime-world.h"

#include <string.h>

/* Whole mails, layer by layer: ours and openssl's, and tampered with. */

#define HEADERS "From: Alice <alice@example.org>\r\nTo: bob@example.org\r\n"
#define TEXT "Content-Type: text/plain\r\n\r\nHello,\r\n\r\n-- \r\nAlice\r\n"

static char *
lf(const char *text)
{
  g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);
  return g_strjoinv("\n", lines);
}

static MimeOpened *
opened(const char *text, MimeDepth depth, const SoftKey *key, BaseInput **ret_input)
{
  g_autoptr(GError) error = NULL;
  *ret_input = world_text(text);
  MimeOpened *mail = world_open(*ret_input, depth, key, &error);
  g_assert_no_error(error);
  return mail;
}

static void
assert_fails(const char *text, MimeDepth depth, const SoftKey *key, int code)
{
  g_autoptr(BaseInput) input = world_text(text);
  g_autoptr(GError) error = NULL;
  g_test_message("%.200s", text);
  g_assert_null(world_open(input, depth, key, &error));
  g_assert_error(error, SIGNET_ERROR, code);
}

static void
test_signed(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *crlf =
      world_with(HEADERS "Subject: =?utf-8?Q?At_six=0AX:_=E2=80=AE?=\r\nMIME-Version: 1.0\r\n",
                 world_sign(key, TEXT));
  g_autofree char *bare = lf(crlf);
  const char *const both[] = { crlf, bare };
  for (guint i = 0; i < 2; i++) {
    g_autoptr(BaseInput) input = NULL;
    g_autoptr(MimeOpened) mail = opened(both[i], MIME_OPEN_VERIFY, NULL, &input);
    const TrustClaim *claim = mime_opened_claim(mail);
    g_assert_cmpuint(mime_opened_layers(mail)->len, ==, 1);
    g_assert_cmpint(world_layer(mail, 0)->kind, ==, MIME_SIGNED);
    g_assert_cmpint(world_state(world_layer(mail, 0)), ==, CMS_SIGNATURE_GOOD);
    g_assert_cmpstr(claim->from, ==, "alice@example.org");
    g_assert_cmpint(claim->from_count, ==, 1);
    g_assert_false(claim->display_address);
    g_assert_cmpuint(claim->uncovered->len, ==, 0);
    g_assert_cmpstr(mime_opened_subject(mail), ==, "At six\xef\xbf\xbdX: \xef\xbf\xbd");
    g_autofree char *content = world_content(mail);
    g_assert_cmpstr(content, ==, TEXT);
  }
}

static void
test_from_openssl(void)
{
  static const char text[] = "Content-Type: text/plain\n\nHello\n";
  static const struct {
    const char *command;
    const char *file;
    MimeKind kind;
  } table[] = {
    { "openssl cms -sign -in content -signer key.crt -inkey key.pem -from alice@example.org "
      "-subject Hi -out detached.eml",
      "detached.eml", MIME_SIGNED },
    { "openssl cms -sign -nodetach -in content -signer key.crt -inkey key.pem -from "
      "alice@example.org -out opaque.eml",
      "opaque.eml", MIME_OPAQUE_SIGNED },
    { "openssl cms -encrypt -aes256 -in content -from alice@example.org -out sealed.eml key.crt",
      "sealed.eml", MIME_SEALED },
  };
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  soft_write_key(key, "key");
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_autofree char *path = soft_write("content", content);
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_assert_cmpint(soft_run(NULL, "%s", table[i].command), ==, 0);
    g_autoptr(GBytes) bytes = soft_read(table[i].file);
    g_autoptr(BaseInput) input =
        world_input(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_autoptr(MimeOpened) looked = world_open(input, MIME_OPEN_LOOK, NULL, NULL);
    g_autoptr(MimeOpened) mail = world_open(input, MIME_OPEN_ALL, key, NULL);
    g_assert_cmpint(world_layer(looked, 0)->kind, ==, table[i].kind);
    g_assert_nonnull(world_layer(looked, 0)->info);
    g_assert_cmpint(world_layer(mail, 0)->kind, ==, table[i].kind);
    g_assert_cmpuint(world_layer(mail, 0)->uncovered->len, ==, 0); /* its preamble is well known */
    if (table[i].kind != MIME_SEALED)
      g_assert_cmpint(world_state(world_layer(mail, 0)), ==, CMS_SIGNATURE_GOOD);
    g_autofree char *plain = world_mail(mail);
    g_assert_nonnull(strstr(plain, "Hello"));
  }
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
    g_autoptr(GBytes) bytes = soft_data(relative);
    g_autoptr(BaseInput) input =
        world_input(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_autoptr(GError) error = NULL;
    g_autoptr(MimeOpened) mail = world_open(input, MIME_OPEN_VERIFY, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(world_layer(mail, 0)->kind, ==, table[i].kind);
    if (table[i].kind != MIME_SIGNED)
      continue;
    g_assert_cmpstr(mime_opened_claim(mail)->from, ==, "aliceDss@examples.com");
    g_assert_cmpint(world_state(world_layer(mail, 0)), ==, CMS_SIGNATURE_GOOD);
  }
}

/* ---- seals ---- */

static void
test_sealed(void)
{
  static const char *const ciphers[] = { "aes-256-gcm", "aes-128-cbc" };
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  for (gsize i = 0; i < G_N_ELEMENTS(ciphers); i++) {
    g_autoptr(BaseInput) input = NULL;
    g_autofree char *crlf = world_with(HEADERS, world_seal(key, TEXT, ciphers[i]));
    g_autofree char *text = lf(crlf);
    g_autoptr(MimeOpened) mail = opened(text, MIME_OPEN_ALL, key, &input);
    g_assert_cmpuint(mime_opened_layers(mail)->len, ==, 1);
    g_assert_cmpstr(world_layer(mail, 0)->unsealed->cipher, ==, ciphers[i]);
    g_assert_null(mime_opened_signed(mail));
    g_assert_cmpint(world_notes(mail, "altered"), ==, (int)i);
    g_autofree char *plain = world_mail(mail);
    g_autofree char *expected = lf(HEADERS "MIME-Version: 1.0\r\n" TEXT);
    g_assert_cmpstr(plain, ==, expected);
  }
}

static void
test_nested(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *inner = world_seal(key, TEXT, "aes-256-gcm");
  g_autofree char *middle = world_sign(key, inner);
  g_autofree char *mailed = world_with(HEADERS, world_seal(key, middle, "aes-256-cbc"));
  g_autoptr(BaseInput) input = NULL;
  g_autoptr(MimeOpened) mail = opened(mailed, MIME_OPEN_ALL, key, &input);
  g_assert_cmpuint(mime_opened_layers(mail)->len, ==, 3);
  g_assert_cmpint(world_layer(mail, 0)->kind, ==, MIME_SEALED);
  g_assert_cmpint(world_layer(mail, 1)->kind, ==, MIME_SIGNED);
  g_assert_cmpint(world_state(world_layer(mail, 1)), ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpint(world_layer(mail, 2)->kind, ==, MIME_SEALED);
  g_assert_true(mime_opened_signed(mail) == world_layer(mail, 1));
  g_assert_true(world_notes(mail, "outside the seal"));
  g_autofree char *plain = world_mail(mail);
  g_assert_cmpstr(plain, ==, HEADERS "MIME-Version: 1.0\r\n" TEXT);
}

static void
test_signed_twice(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftKey) other = soft_key_simple("ed25519");
  g_autofree char *inner = world_opaque(key, TEXT);
  g_autofree char *mailed = world_with(HEADERS, world_sign(other, inner));
  g_autoptr(BaseInput) input = NULL;
  g_autoptr(MimeOpened) mail = opened(mailed, MIME_OPEN_VERIFY, NULL, &input);
  g_assert_cmpuint(mime_opened_layers(mail)->len, ==, 2);
  g_assert_true(mime_opened_signed(mail) == world_layer(mail, 1));
  g_assert_cmpint(world_state(world_layer(mail, 0)), ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpint(world_state(world_layer(mail, 1)), ==, CMS_SIGNATURE_GOOD);
  g_autofree char *content = world_content(mail);
  g_assert_cmpstr(content, ==, TEXT);
}

static void
test_sealed_and_signed(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *signed_text = world_sign(key, TEXT);
  g_autofree char *opaque = world_opaque(key, TEXT);
  g_autofree char *one = world_with(HEADERS, world_seal(key, signed_text, "aes-256-cbc"));
  g_autofree char *two = world_with(HEADERS, world_seal(key, opaque, "aes-256-cbc"));
  g_autoptr(BaseInput) first = NULL;
  g_autoptr(BaseInput) second = NULL;
  g_autoptr(MimeOpened) detached = opened(one, MIME_OPEN_ALL, key, &first);
  g_autoptr(MimeOpened) unpacked = opened(two, MIME_OPEN_ALL, key, &second);
  g_assert_cmpint(world_state(world_layer(detached, 1)), ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpint(world_state(world_layer(unpacked, 1)), ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpuint(mime_opened_notes(detached)->len, ==, 0); /* the signature vouches for CBC */
  g_autofree char *kept = world_mail(detached);
  g_autofree char *plain = world_mail(unpacked);
  g_assert_true(g_str_has_suffix(kept, signed_text));
  g_assert_cmpstr(plain, ==, HEADERS "MIME-Version: 1.0\r\n" TEXT);
}

/* A signature that cannot be read withholds nothing. */
static void
test_problem_inside(void)
{
  static const char broken[] =
      "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n"
      "Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n"
      "????\r\n--b--\r\n";
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *mailed = world_with(HEADERS, world_seal(key, broken, "aes-256-gcm"));
  g_autoptr(BaseInput) input = NULL;
  g_autoptr(MimeOpened) mail = opened(mailed, MIME_OPEN_ALL, key, &input);
  g_assert_nonnull(world_layer(mail, 1)->problem);
  g_autofree char *plain = world_mail(mail);
  g_assert_true(g_str_has_suffix(plain, broken));
  assert_fails(broken, MIME_OPEN_VERIFY, NULL, SIGNET_ERROR_BAD_INPUT);
}

/* What unauthenticated ciphers let through must at least be whole (EFAIL). */
static void
test_garbled_seal(void)
{
  static const char *const garbled[] = {
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n",
    "Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
    "Content-Type: text/plain\r\n",
  };
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  for (gsize i = 0; i < G_N_ELEMENTS(garbled); i++) {
    g_autofree char *cbc = world_with(HEADERS, world_seal(key, garbled[i], "aes-256-cbc"));
    g_autofree char *gcm = world_with(HEADERS, world_seal(key, garbled[i], "aes-256-gcm"));
    g_autoptr(BaseInput) input = NULL;
    assert_fails(cbc, MIME_OPEN_ALL, key, SIGNET_ERROR_CANNOT_DECRYPT);
    g_autoptr(MimeOpened) mail = opened(gcm, MIME_OPEN_ALL, key, &input);
    g_assert_nonnull(mail);
  }
  g_autofree char *noise = world_with(HEADERS, world_seal(key, "\x17\x99noise", "aes-256-gcm"));
  assert_fails(noise, MIME_OPEN_ALL, key, SIGNET_ERROR_CANNOT_DECRYPT);
}

static void
test_too_many_layers(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *text = g_strdup(TEXT);
  for (guint i = 0; i <= MIME_LAYERS_MAX; i++) {
    char *next = world_sign(key, text);
    g_free(text);
    text = next;
  }
  assert_fails(text, MIME_OPEN_VERIFY, NULL, SIGNET_ERROR_TOO_LARGE);
}

/* ---- what no signature covers ---- */

static char *
replaced(const char *text, const char *from, const char *to)
{
  g_auto(GStrv) parts = g_strsplit(text, from, 2);
  g_assert_cmpuint(g_strv_length(parts), ==, 2);
  return g_strjoinv(to, parts);
}

static char *
boundary_of(const char *text)
{
  const char *at = strstr(text, "boundary=\"") + strlen("boundary=\"");
  return g_strndup(at, strcspn(at, "\""));
}

static void
assert_uncovered(const char *text, const char *phrase)
{
  g_autoptr(BaseInput) input = NULL;
  g_autoptr(MimeOpened) mail = opened(text, MIME_OPEN_VERIFY, NULL, &input);
  const GPtrArray *uncovered = mime_opened_claim(mail)->uncovered;
  g_assert_cmpint(world_state(mime_opened_signed(mail)), ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpuint(uncovered->len, ==, 1);
  g_assert_cmpstr(g_ptr_array_index(uncovered, 0), ==, phrase);
}

/* What some mailers put there is let pass, but nothing behind it. */
static void
test_preamble(void)
{
  static const char known[] = "\r\n\r\nThis is an S/MIME signed message";
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *entity = world_sign(key, TEXT);
  g_autofree char *text = g_strconcat(HEADERS, entity, NULL);
  gsize head = (gsize)(strstr(text, "\r\n\r\n") - text);
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *)text, (guint)head);
    g_byte_array_append(bytes, (const guint8 *)known, sizeof known - 1);
    g_byte_array_append(bytes, (const guint8 *)"\0Pay Mallory", i ? 12 : 0);
    g_byte_array_append(bytes, (const guint8 *)text + head, (guint)(strlen(text) - head));
    g_autoptr(BaseInput) input = world_input(bytes->data, bytes->len);
    g_autoptr(MimeOpened) mail = world_open(input, MIME_OPEN_VERIFY, NULL, NULL);
    g_assert_cmpuint(mime_opened_claim(mail)->uncovered->len, ==, i);
  }
}

static void
test_uncovered(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *entity = world_sign(key, TEXT);
  g_autofree char *text = g_strconcat(HEADERS, entity, NULL);
  g_autofree char *b = boundary_of(text);
  g_autofree char *first = g_strdup_printf("\r\n\r\n--%s\r\n", b);
  g_autofree char *pay = g_strdup_printf("\r\n\r\nPay Mallory.\r\n--%s\r\n", b);
  g_autofree char *last = g_strdup_printf("\r\n--%s--\r\n", b);
  g_autofree char *after = g_strdup_printf("\r\n--%s--\r\nPay Mallory.\r\n", b);
  g_autofree char *extra =
      g_strdup_printf("\r\n--%s\r\nContent-Type: text/plain\r\n\r\nPay.\r\n--%s--\r\n", b, b);
  g_autofree char *one = replaced(text, first, pay);
  g_autofree char *two = replaced(text, last, after);
  g_autofree char *three = replaced(text, last, extra);
  g_autofree char *footer = g_strconcat(
      HEADERS "Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n", entity,
      "\r\n--outer\r\nContent-Type: text/plain\r\n\r\nTo unsubscribe\r\n--outer--\r\n", NULL);
  g_autofree char *header =
      g_strconcat(HEADERS "Content-Type: multipart/mixed; boundary=outer\r\n\r\n"
                          "--outer\r\n\r\nPay Mallory\r\n--outer\r\n",
                  entity, "\r\n--outer--\r\n", NULL);
  /* nothing but what stands before and after its only boundary */
  g_autofree char *hollow =
      g_strconcat(HEADERS "Content-Type: multipart/mixed; boundary=outer\r\n\r\n"
                          "--outer\r\nContent-Type: multipart/mixed; boundary=none\r\n\r\n"
                          "Pay Mallory\r\n--none--\r\nPay Mallory\r\n--outer\r\n",
                  entity, "\r\n--outer--\r\n", NULL);
  assert_uncovered(hollow, "a part before the signed one");
  assert_uncovered(one, "text before the first part");
  assert_uncovered(two, "text after the last part");
  assert_uncovered(three, "a part after the signed one");
  assert_uncovered(footer, "a part after the signed one");
  assert_uncovered(header, "a part before the signed one");
}

/* A mail that is signed and attached to another one is not that other one's signature. */
static void
test_attached(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *attached = world_sign(key, TEXT);
  g_autofree char *both = g_strconcat(
      "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nSee this.\r\n--x\r\n", attached,
      "\r\n--x--\r\n", NULL);
  g_autofree char *text = world_with(HEADERS, world_sign(key, both));
  g_autoptr(BaseInput) input = NULL;
  g_autoptr(MimeOpened) mail = opened(text, MIME_OPEN_VERIFY, NULL, &input);
  g_assert_cmpuint(mime_opened_layers(mail)->len, ==, 1);
  g_assert_cmpuint(mime_opened_claim(mail)->uncovered->len, ==, 0);
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
    g_autoptr(BaseInput) input = NULL;
    g_autoptr(MimeOpened) mail = opened(mails[i], MIME_OPEN_ALL, NULL, &input);
    g_assert_cmpuint(mime_opened_layers(mail)->len, ==, 0);
    g_autofree char *same = world_mail(mail);
    g_assert_cmpstr(same, ==, mails[i]);
  }
}

/* ---- who it is from ---- */

static void
test_claims(void)
{
  static const struct {
    const char *headers;
    const char *from;
    int count;
    const char *sender;
    gboolean display;
  } table[] = {
    { "From: a@example.org\nFrom: b@example.org\n", NULL, 2, NULL, FALSE },
    { "From: a@example.org\nFrom: a@example.org\n", NULL, 2, NULL, FALSE },
    { "From: a@example.org, b@example.org\nSender: b@example.org\n", NULL, 2, "b@example.org",
      FALSE },
    { "From: Alice <a@example.org>\nSender: Bob <b@Example.org>\n", "a@example.org", 1,
      "b@example.org", FALSE },
    { "From: \"a@example.org\" <a@example.org>\n", "a@example.org", 1, NULL, FALSE },
    { "From: \"boss@example.com\" <a@example.org>\n", "a@example.org", 1, NULL, TRUE },
    { "From: =?utf-8?q?boss=40example.com?= <a@example.org>\n", "a@example.org", 1, NULL, TRUE },
    { "From: =?utf-8?q?boss=EF=BC=A0example.com?= <a@example.org>\n", "a@example.org", 1, NULL,
      TRUE },
    { "From: (boss@example.com) a@example.org\n", "a@example.org", 1, NULL, TRUE },
    { "From: Alice @ Work <a@example.org>\n", "a@example.org", 1, NULL, FALSE },
    { "Subject: x\n", NULL, 0, NULL, FALSE },
    /* A field that is there and has no address shows something all the same. */
    { "From: boss@example.com <>\n", NULL, 1, NULL, FALSE },
    { "From: (boss@example.com)\n", NULL, 1, NULL, FALSE },
    { "From:\n", NULL, 1, NULL, FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autofree char *text = g_strconcat(table[i].headers, "\nx\n", NULL);
    g_autoptr(BaseInput) input = NULL;
    g_autoptr(MimeOpened) mail = opened(text, MIME_OPEN_VERIFY, NULL, &input);
    const TrustClaim *claim = mime_opened_claim(mail);
    g_test_message("%s", text);
    g_assert_true(claim->mail);
    g_assert_cmpstr(claim->from, ==, table[i].from);
    g_assert_cmpint(claim->from_count, ==, table[i].count);
    g_assert_cmpstr(claim->sender, ==, table[i].sender);
    g_assert_cmpint(claim->display_address, ==, table[i].display);
  }
}

static void
test_inner_from(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *text = world_sign(key, "From: alice@example.org\r\n" TEXT);
  g_autoptr(BaseInput) input = NULL;
  g_autoptr(MimeOpened) mail = opened(text, MIME_OPEN_VERIFY, NULL, &input);
  g_assert_cmpstr(mime_opened_claim(mail)->from, ==, "alice@example.org");
}

/* ---- protected headers ---- */

static const MimeProtected *
protected_field(const MimeOpened *mail, const char *name)
{
  const GPtrArray *fields = mime_opened_protected(mail);
  for (guint i = 0; i < fields->len; i++)
    if (strcmp(((MimeProtected *)g_ptr_array_index(fields, i))->name, name) == 0)
      return g_ptr_array_index(fields, i);
  return NULL;
}

#define INSIDE "From: alice@example.org\r\nTo: bob@example.org\r\nSubject: Secret\r\n"

static void
test_protected_cipher(void)
{
  static const char entity[] =
      INSIDE "HP-Outer: From: alice@example.org\r\nHP-Outer: To: bob@example.org\r\n"
             "HP-Outer: Subject: [...]\r\nContent-Type: text/plain; hp=\"cipher\"\r\n\r\nHello\r\n";
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *text =
      world_with("From: alice@example.org\r\nTo: bob@example.org\r\nSubject: [...]\r\n",
                 world_seal(key, entity, "aes-256-gcm"));
  g_autoptr(BaseInput) input = NULL;
  g_autoptr(MimeOpened) mail = opened(text, MIME_OPEN_ALL, key, &input);
  g_assert_cmpuint(mime_opened_protected(mail)->len, ==, 3);
  g_assert_cmpstr(mime_opened_subject(mail), ==, "Secret");
  const MimeProtected *subject = protected_field(mail, "Subject");
  g_assert_cmpstr(subject->inside, ==, "Secret");
  g_assert_cmpstr(subject->outside, ==, "[...]");
  g_assert_true(subject->expected);
  g_assert_cmpuint(mime_opened_notes(mail)->len, ==, 0);
  g_autofree char *plain = world_mail(mail);
  g_assert_cmpstr(plain, ==,
                  INSIDE
                  "MIME-Version: 1.0\r\nContent-Type: text/plain; hp=\"cipher\"\r\n\r\nHello\r\n");
  /* another Subject outside than the sender left there, and no To */
  g_autofree char *other = world_with("From: alice@example.org\r\nSubject: Other\r\n",
                                      world_seal(key, entity, "aes-256-gcm"));
  g_autoptr(BaseInput) changed = NULL;
  g_autoptr(MimeOpened) altered = opened(other, MIME_OPEN_ALL, key, &changed);
  g_assert_false(protected_field(altered, "Subject")->expected);
  g_assert_false(protected_field(altered, "To")->expected);
  g_assert_true(world_notes(altered, "the Subject outside"));
  g_autofree char *again = world_mail(altered);
  g_assert_true(g_str_has_prefix(again, "From: alice@example.org\r\nSubject: Secret\r\nTo: bob@"));
}

static void
test_protected_clear(void)
{
  static const char entity[] = INSIDE "Content-Type: text/plain; hp=\"clear\"\r\n\r\nHello\r\n";
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *same = world_with(INSIDE, world_sign(key, entity));
  g_autofree char *other =
      world_with("From: boss@example.com\r\nTo: bob@example.org\r\n", world_sign(key, entity));
  g_autoptr(BaseInput) one = NULL;
  g_autoptr(BaseInput) two = NULL;
  g_autoptr(MimeOpened) right = opened(same, MIME_OPEN_VERIFY, NULL, &one);
  g_autoptr(MimeOpened) wrong = opened(other, MIME_OPEN_VERIFY, NULL, &two);
  g_assert_cmpstr(mime_opened_claim(right)->from, ==, "alice@example.org");
  g_assert_cmpuint(mime_opened_notes(right)->len, ==, 0);
  /* who is shown this mail sees the boss */
  g_assert_null(mime_opened_claim(wrong)->from);
  g_assert_cmpint(mime_opened_claim(wrong)->from_count, ==, 2);
  g_assert_true(world_notes(wrong, "boss@example.com"));
  g_assert_cmpstr(mime_opened_subject(wrong), ==, "Secret");
}

/* Whom the outer From names was looked at on the way; the protected one only a good signature stands
 * in for. */
static void
test_protected_from(void)
{
  static const char entity[] =
      "From: boss@example.com\r\nSubject: Secret\r\nAuthentication-Results: mx; dkim=pass\r\n"
      "Content-Type: text/plain; hp=\"cipher\"\r\n\r\nHello\r\n";
  static const char *const outer[] = { "mallory@example.org", "a@example.org, b@example.org",
                                       "Boss" };
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  for (gsize i = 0; i < G_N_ELEMENTS(outer); i++) {
    g_autofree char *headers =
        g_strdup_printf("From: %s\r\nAuthentication-Results: mx; dkim=fail\r\n", outer[i]);
    g_autofree char *text = world_with(headers, world_seal(key, entity, "aes-256-gcm"));
    g_autofree char *named = g_strdup_printf("From: %s\r\n", outer[i]);
    g_autoptr(BaseInput) input = NULL;
    g_autoptr(MimeOpened) mail = opened(text, MIME_OPEN_ALL, key, &input);
    g_assert_true(world_notes(mail, "the From outside"));
    g_autofree char *plain = world_mail(mail);
    g_assert_true(g_str_has_prefix(plain, named));
    g_assert_null(strstr(plain, "boss@"));
    g_assert_nonnull(strstr(plain, "Subject: Secret\r\n"));
    g_assert_nonnull(strstr(plain, "dkim=fail")); /* of the way, never from inside */
    g_assert_null(strstr(plain, "dkim=pass"));
    mime_opened_vouch(mail);
    g_autofree char *vouched = world_mail(mail);
    g_assert_true(g_str_has_prefix(vouched, "From: boss@example.com\r\n"));
  }
}

/* Comparing each with each of 10,000 took seconds, and holding a megabyte of them twice memory. */
static void
test_protected_many(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(GString) entity = g_string_new(NULL);
  g_autofree char *wide = g_strnfill(300 * 1024, 'y');
  for (guint n = 0; n < 2; n++) {
    g_string_truncate(entity, 0);
    for (guint i = 0; i < (n ? 1 : 2000); i++)
      g_string_append_printf(entity, "X-%u: %s\r\n", i, n ? wide : "y");
    g_string_append(entity, "Content-Type: text/plain; hp=\"cipher\"\r\n\r\nHello\r\n");
    g_autofree char *text = world_with(HEADERS, world_seal(key, entity->str, "aes-256-gcm"));
    g_autoptr(BaseInput) input = NULL;
    g_autoptr(MimeOpened) mail = opened(text, MIME_OPEN_ALL, key, &input);
    g_assert_cmpuint(mime_opened_protected(mail)->len, ==, 0);
    g_assert_true(world_notes(mail, "over 1000"));
  }
}

/* ---- malformed, altered ---- */

static void
test_malformed(void)
{
#define SIGNED "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\""
  static const char *const mails[] = {
    "",
    "Hello\n",
    SIGNED "\n\nx\n",
    SIGNED "; boundary=b\n\nx\n",
    SIGNED "; boundary=b\n\n--b\n\nx\n--b--\n",
    SIGNED "; boundary=b\n\n--b\n\nx\n--b\nContent-Type: text/plain\n\ny\n--b--\n",
    "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\nAAAA\n",
    "Content-Type: application/pkcs7-mime\n\n\n",
    "Content-Type: text/plain\nContent-Type: multipart/signed\n\nx\n",
    "From: a@example.org\nX: a\rb\n\nx",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(mails); i++)
    for (MimeDepth depth = MIME_OPEN_LOOK; depth <= MIME_OPEN_VERIFY; depth++)
      assert_fails(mails[i], depth, NULL, SIGNET_ERROR_BAD_INPUT);
}

/* Every byte of a small mail, and every length: never good with another content. */
static void
test_tamper(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ed25519");
  g_autofree char *plain = world_with(HEADERS, world_sign(key, TEXT));
  g_autofree char *opaque = world_with(HEADERS, world_opaque(key, TEXT));
  const char *const both[] = { plain, opaque };
  for (guint m = 0; m < 2; m++) {
    gsize length = strlen(both[m]);
    g_autofree char *copy = g_strdup(both[m]);
    for (gsize i = 0; i < 2 * length; i++) {
      gsize at = i / 2;
      copy[at] = (char)(copy[at] ^ (i % 2 ? at % 2 ? 0x20 : 0x01 : 0));
      g_autoptr(BaseInput) input = world_input(copy, i % 2 ? length : at);
      g_autoptr(MimeOpened) mail = world_open(input, MIME_OPEN_VERIFY, NULL, NULL);
      const MimeLayer *layer = mail ? mime_opened_signed(mail) : NULL;
      if (layer && layer->verified && layer->verified->signatures->len > 0 &&
          world_state(layer) == CMS_SIGNATURE_GOOD) {
        g_autofree char *content = world_content(mail);
        g_assert_cmpstr(content, ==, TEXT);
      }
      copy[at] = both[m][at];
    }
  }
}

/* The same of a sealed one: what comes out is what went in, or nothing. */
static void
test_tamper_sealed(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autofree char *text = world_with(HEADERS, world_seal(key, TEXT, "aes-256-gcm"));
  gsize length = strlen(text);
  gsize body = (gsize)(strstr(text, "\r\n\r\n") - text);
  g_autofree char *copy = g_strdup(text);
  for (gsize at = body; at < length; at++) {
    copy[at] ^= 0x01;
    for (guint cut = 0; cut < 2; cut++) {
      g_autoptr(BaseInput) input = world_input(copy, cut ? at : length);
      g_autoptr(MimeOpened) mail = world_open(input, MIME_OPEN_ALL, key, NULL);
      g_autofree char *plain = mail ? world_mail(mail) : NULL;
      g_assert_true(!mail || g_str_has_suffix(plain, TEXT));
    }
    copy[at] = text[at];
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/mime/open/signed-good-lf-and-crlf", test_signed);
  g_test_add_func("/mime/open/openssls-mails-each-kind", test_from_openssl);
  g_test_add_func("/mime/open/rfc4134-each-kind", test_rfc4134);
  g_test_add_func("/mime/open/sealed-comes-back-the-same", test_sealed);
  g_test_add_func("/mime/open/triple-wrap-all-layers", test_nested);
  g_test_add_func("/mime/open/signed-twice-innermost-counts", test_signed_twice);
  g_test_add_func("/mime/open/sealed-and-signed-both", test_sealed_and_signed);
  g_test_add_func("/mime/open/unreadable-signature-withholds-nothing", test_problem_inside);
  g_test_add_func("/mime/open/garbled-seal-refused", test_garbled_seal);
  g_test_add_func("/mime/open/too-many-layers-refused", test_too_many_layers);
  g_test_add_func("/mime/open/uncovered-content-named", test_uncovered);
  g_test_add_func("/mime/open/preamble-known-to-its-end", test_preamble);
  g_test_add_func("/mime/open/attached-mail-no-layer", test_attached);
  g_test_add_func("/mime/open/plain-is-plain", test_plain);
  g_test_add_func("/mime/open/senders-each-claim", test_claims);
  g_test_add_func("/mime/open/inner-from-where-outer-has-none", test_inner_from);
  g_test_add_func("/mime/open/protected-headers-of-sealed", test_protected_cipher);
  g_test_add_func("/mime/open/protected-headers-of-signed", test_protected_clear);
  g_test_add_func("/mime/open/protected-from-needs-signature", test_protected_from);
  g_test_add_func("/mime/open/too-many-protected-left-out", test_protected_many);
  g_test_add_func("/mime/open/malformed-refused", test_malformed);
  g_test_add_func("/mime/open/tampered-never-wrongly-good", test_tamper);
  g_test_add_func("/mime/open/tampered-seal-never-opens-to-another", test_tamper_sealed);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
