/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/armor.h"
#include "cms/flow.h"
#include "test-cms-soft.h"

#include <string.h>

static GBytes *
sample(void)
{
  return soft_data("cms/rfc4134/4.2.bin");
}

static void
assert_reads(const char *text, GBytes *expected)
{
  g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) der = cms_read(bytes, "file", &error);
  g_assert_no_error(error);
  g_assert_true(g_bytes_equal(der, expected));
}

static void
test_encodings(void)
{
  g_autoptr(GBytes) der = sample();
  g_autoptr(GBytes) same = cms_read(der, "file", NULL);
  g_autoptr(GBytes) pem = cms_to_pem(der);
  g_autoptr(GBytes) from_pem = cms_read(pem, "file", NULL);
  g_autofree char *base64 = g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));
  g_autoptr(GString) short_lines = g_string_new("\r\n");
  for (gsize i = 0; base64[i]; i++)
    g_string_append_printf(short_lines, "%c%s", base64[i], i % 7 ? "" : "\r\n");
  g_autofree char *pkcs7 =
      g_strdup_printf("Some text\n-----BEGIN PKCS7-----\n%s\n-----END PKCS7-----\nMore\n", base64);
  g_assert_true(g_bytes_equal(same, der));
  g_assert_true(g_bytes_equal(from_pem, der));
  assert_reads(base64, der);
  assert_reads(short_lines->str, der);
  assert_reads(pkcs7, der);
}

static void
test_pem_is_openssls(void)
{
  g_autoptr(GBytes) der = sample();
  g_autoptr(GBytes) pem = cms_to_pem(der);
  g_autofree char *path = soft_write("a.pem", pem);
  g_assert_cmpint(
      soft_run(NULL, "openssl cms -cmsout -inform PEM -in a.pem -outform DER -out a.der"), ==, 0);
  g_autoptr(GBytes) again = soft_read("a.der");
  g_assert_true(g_bytes_equal(again, der));
}

static void
test_malformed(void)
{
  static const struct {
    const char *text;
    const char *says;
  } table[] = {
    { "", "is empty" },
    { "\n\n", "there is no message" },
    { "From: alice@example.org\n\nHello\n", "line 1: not base64" },
    { "MIAG\nCSq?\n", "line 2: not base64" },
    { "MIAGC", "cut short" },
    { "MIAG==A", "padded where it cannot end" },
    { "MIA=A", "goes on after its end" },
    { "AAAA", "holds no CMS message" },
    { "-----BEGIN CERTIFICATE-----\nMIAG\n-----END CERTIFICATE-----\n", "something else" },
    { "-----BEGIN CMS-----\nMIAG\n", "no END line" },
    { "x\n-----BEGIN CMS-----\nMI!G\n-----END CMS-----\n", "line 3: not base64" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(GBytes) bytes = g_bytes_new_static(table[i].text, strlen(table[i].text));
    g_autoptr(GError) error = NULL;
    g_assert_null(cms_read(bytes, "file", &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    g_assert_nonnull(strstr(error->message, table[i].says));
  }
}

static void
test_info(void)
{
  g_autoptr(GBytes) signed_data = sample();
  g_autoptr(GBytes) detached = soft_data("cms/rfc4134/4.3.bin");
  g_autoptr(GBytes) sealed = soft_data("cms/rfc4134/5.2.bin");
  g_autoptr(CmsInfo) one = cms_info(signed_data, NULL);
  g_autoptr(CmsInfo) two = cms_info(detached, NULL);
  g_autoptr(CmsInfo) three = cms_info(sealed, NULL);
  g_assert_cmpint(one->type, ==, CMS_TYPE_SIGNED);
  g_assert_cmpstr(one->type_name, ==, "SignedData");
  g_assert_cmpuint(one->content_length, ==, 28);
  g_assert_false(one->detached);
  g_assert_cmpstr(g_ptr_array_index(one->signers, 0), ==,
                  "issuer CN=CarlRSA, serial 46346bc7800056bc11d36e2ec410b3b0, sha1, rsa-pkcs1");
  g_assert_cmpuint(one->certificates->len, ==, 1);
  g_assert_true(two->detached);
  g_assert_cmpint(three->type, ==, CMS_TYPE_ENVELOPED);
  g_assert_cmpstr(three->cipher, ==, "1.2.840.113549.3.2");
  g_assert_cmpuint(three->recipients->len, ==, 2);
  g_assert_cmpstr(g_ptr_array_index(three->recipients, 0), ==,
                  "RSA, issuer CN=CarlRSA, serial 46346bc7800056bc11d36e2ecd5d71d0");
}

/* Each form, cut in two at every byte, and cut off there. */
static void
test_every_split(void)
{
  g_autoptr(GBytes) der = sample();
  g_autoptr(GBytes) pem = cms_to_pem(der);
  g_autofree char *base64 = g_base64_encode(g_bytes_get_data(der, NULL), g_bytes_get_size(der));
  g_autofree char *text = g_strdup_printf("Text\n-----BEGIN PKCS7-----\n%s\n-----END PKCS7-----\n"
                                          "More\n",
                                          base64);
  g_autoptr(GBytes) bare = g_bytes_new(base64, strlen(base64));
  g_autoptr(GBytes) framed = g_bytes_new(text, strlen(text));
  GBytes *const forms[] = { der, pem, bare, framed };
  for (guint f = 0; f < G_N_ELEMENTS(forms); f++) {
    gsize length = 0;
    const guint8 *bytes = g_bytes_get_data(forms[f], &length);
    for (gsize at = 0; at < 2 * length; at++) {
      g_autoptr(BaseSink) memory = base_sink_to_memory(1024 * 1024);
      g_autoptr(BaseSink) armor = cms_armor_new("file", (goffset)length, memory);
      g_autoptr(GError) error = NULL;
      gsize cut = at / 2;
      gboolean good = base_sink_write(armor, bytes, cut, &error) &&
                      (at % 2 || base_sink_write(armor, bytes + cut, length - cut, &error)) &&
                      base_sink_finish(armor, &error);
      g_assert_true(good || at % 2);
      g_autoptr(GBytes) out = good ? base_sink_memory_bytes(memory) : NULL;
      g_assert_true(at % 2 || g_bytes_equal(out, der));
      g_autoptr(BaseSink) info = cms_info_new();
      if (out && base_sink_write(info, g_bytes_get_data(out, NULL), g_bytes_get_size(out), NULL) &&
          base_sink_finish(info, NULL))
        g_assert_true(g_bytes_equal(out, der)); /* whole, or refused */
    }
  }
}

static void
test_type(void)
{
  static const struct {
    const char *file;
    CmsType type;
  } table[] = { { "cms/rfc4134/4.2.bin", CMS_TYPE_SIGNED },
                { "cms/rfc4134/4.3.bin", CMS_TYPE_SIGNED },
                { "cms/rfc4134/5.2.bin", CMS_TYPE_ENVELOPED } };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(GBytes) bytes = soft_data(table[i].file);
    const guint8 *head = g_bytes_get_data(bytes, NULL);
    g_assert_cmpint(cms_type_of(head, CMS_TYPE_HEAD), ==, table[i].type);
    for (gsize length = 0; length < 8; length++)
      g_assert_cmpint(cms_type_of(head, length), ==, CMS_TYPE_OTHER);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cms/read/der-pem-base64-same", test_encodings);
  g_test_add_func("/cms/read/pem-openssl-reads", test_pem_is_openssls);
  g_test_add_func("/cms/read/malformed-says-where", test_malformed);
  g_test_add_func("/cms/armor/every-split-the-same", test_every_split);
  g_test_add_func("/cms/info/each-type-told", test_info);
  g_test_add_func("/cms/info/type-by-first-bytes", test_type);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
