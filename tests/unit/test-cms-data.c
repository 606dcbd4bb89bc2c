/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-cms-soft.h"

#include <openssl/pkcs12.h>
#include <string.h>

/* Messages made by others (tests/data/cms/README.md), each with what is to come of it. */

/* ---- keys ---- */

static SoftKey *
load_p12(const char *name)
{
  g_autofree char *relative = g_strconcat("cms/nss-interop/", name, NULL);
  g_autoptr(GBytes) bytes = soft_data(relative);
  const guint8 *at = g_bytes_get_data(bytes, NULL);
  PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)g_bytes_get_size(bytes));
  EVP_PKEY *pkey = NULL;
  X509 *x509 = NULL;
  g_assert_nonnull(p12);
  g_assert_cmpint(PKCS12_parse(p12, "nss", &pkey, &x509, NULL), ==, 1);
  PKCS12_free(p12);
  return soft_key_load(pkey, x509);
}

static X509 *
load_certificate(const char *name)
{
  g_autofree char *relative = g_strconcat("cms/rfc4134/", name, NULL);
  g_autoptr(GBytes) bytes = soft_data(relative);
  const guint8 *at = g_bytes_get_data(bytes, NULL);
  X509 *x509 = d2i_X509(NULL, &at, (long)g_bytes_get_size(bytes));
  g_assert_nonnull(x509);
  return x509;
}

static SoftKey *
load_pri(const char *key, const char *certificate)
{
  g_autofree char *relative = g_strconcat("cms/rfc4134/", key, NULL);
  g_autoptr(GBytes) bytes = soft_data(relative);
  const guint8 *at = g_bytes_get_data(bytes, NULL);
  EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)g_bytes_get_size(bytes));
  g_assert_nonnull(pkey);
  return soft_key_load(pkey, load_certificate(certificate));
}

/* What is in a mail's one base64 body, else the bytes. */
static GBytes *
load_message(const char *folder, const char *file)
{
  g_autofree char *relative = g_strdup_printf("cms/%s/%s", folder, file);
  g_autoptr(GBytes) bytes = soft_data(relative);
  if (!g_str_has_suffix(file, ".eml"))
    return g_steal_pointer(&bytes);
  const char *all = g_bytes_get_data(bytes, NULL);
  const char *body = g_strstr_len(all, (gssize)g_bytes_get_size(bytes), "\n\n");
  if (!body)
    body = g_strstr_len(all, (gssize)g_bytes_get_size(bytes), "\r\n\r\n");
  g_assert_nonnull(body);
  g_autofree char *text = g_strndup(body, g_bytes_get_size(bytes) - (gsize)(body - all));
  gsize length = 0;
  guint8 *der = g_base64_decode(text, &length);
  return g_bytes_new_take(der, length);
}

static gboolean
push(BaseSink *sink, GBytes *bytes, GError **error)
{
  return base_sink_write(sink, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error) &&
         base_sink_finish(sink, error);
}

/* ---- sealed ---- */

typedef struct {
  const char *folder;
  const char *file;
  const char *key;    /* of `key_table` */
  const char *cipher; /* NULL: refused */
  const char *says;   /* the content begins with it; where refused the message holds it */
} Sealed;

static const Sealed sealed_table[] = {
  { "rfc4134", "5.1.bin", "bob", "des-ede3-cbc", "This is some sample content." },
  { "rfc4134", "5.3.eml", "bob", "des-ede3-cbc", "This is some sample content." },
  { "rfc4134", "5.1.bin", "diane", NULL, "none of your IDs" },
  { "rfc4134", "5.2.bin", "bob", NULL, "sealed with RC2, which is broken" },
  { "rfc4134", "3.1.bin", "bob", NULL, "this is Data" },
  { "rfc4134", "3.2.bin", "bob", NULL, "this is Data" },
  { "rfc4134", "4.2.bin", "bob", NULL, "this is SignedData" },
  { "rfc4134", "6.0.bin", "bob", NULL, "not sealed" },
  { "rfc4134", "7.1.bin", "bob", NULL, "not sealed" },
  { "rfc4134", "7.2.bin", "bob", NULL, "not sealed" },
  { "nss-interop", "fran-oaep_ossl.env", "fran", "des-ede3-cbc", "" },
  { "nss-interop", "fran-oaep-label_ossl.env", "fran", "aes-256-cbc", "" },
  { "nss-interop", "fran-oaep-sha256hash_ossl.env", "fran", "aes-128-cbc", "" },
  { "nss-interop", "fran-oaep-sha384hash_ossl.env", "fran", "aes-192-cbc", "" },
  { "nss-interop", "fran-oaep-sha256hash-sha256mgf_ossl.env", "fran", "aes-256-cbc", "" },
  { "nss-interop", "fran-ec_ossl-aes128-sha1.env", "fran-ec", "aes-128-cbc", "" },
  { "nss-interop", "fran-ec_ossl-aes128-sha256.env", "fran-ec", "aes-128-cbc", "" },
};

static SoftKey *
load_key(const char *name)
{
  if (strcmp(name, "bob") == 0)
    return load_pri("BobPrivRSAEncrypt.pri", "BobRSASignByCarl.cer");
  if (strcmp(name, "diane") == 0)
    return load_pri("DianePrivRSASignEncrypt.pri", "DianeRSASignByCarl.cer");
  return load_p12(strcmp(name, "fran") == 0 ? "Fran.p12" : "Fran-ec.p12");
}

static void
test_sealed(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(sealed_table); i++) {
    const Sealed *one = &sealed_table[i];
    g_autoptr(GError) error = NULL;
    g_autoptr(SoftKey) key = load_key(one->key);
    g_autoptr(SoftToken) token = soft_token_new();
    g_autoptr(GBytes) message = load_message(one->folder, one->file);
    g_autoptr(BaseSink) memory = base_sink_to_memory(G_MAXINT);
    g_autoptr(BaseSink) sink = cms_unseal_with(&token->vtable, memory);
    g_ptr_array_add(token->keys, key);
    gboolean good = push(sink, message, &error);
    g_test_message("%-42s %s", one->file, good ? cms_unseal_result(sink)->cipher : error->message);
    g_assert_cmpint(good, ==, one->cipher != NULL);
    if (!good) {
      g_assert_nonnull(strstr(error->message, one->says));
      continue;
    }
    g_autoptr(GBytes) content = base_sink_memory_bytes(memory);
    g_assert_cmpstr(cms_unseal_result(sink)->cipher, ==, one->cipher);
    g_assert_cmpint(cms_unseal_result(sink)->weak, ==, strcmp(one->cipher, "des-ede3-cbc") == 0);
    g_assert_cmpuint(g_bytes_get_size(content), >, 4);
    g_assert_true(memcmp(g_bytes_get_data(content, NULL), one->says, strlen(one->says)) == 0);
  }
}

/* ---- signed ---- */

typedef struct {
  const char *file;
  gboolean detached;
  const char *result; /* a word for each signature; where it is refused, what the message holds */
} Signed;

static const Signed signed_table[] = {
  { "4.1.bin", FALSE, "weak" },        { "4.2.bin", FALSE, "weak" },
  { "4.3.bin", TRUE, "weak" },         { "4.4.bin", FALSE, "weak" },
  { "4.5.bin", FALSE, "weak" },        { "4.6.bin", FALSE, "weak unknown" },
  { "4.7.bin", FALSE, "weak" },        { "4.9.eml", FALSE, "weak" },
  { "4.10.bin", FALSE, "weak" },       { "4.11.bin", FALSE, "" },
  { "3.1.bin", FALSE, "!not signed" }, { "3.2.bin", FALSE, "!not signed" },
  { "5.1.bin", FALSE, "!not signed" }, { "6.0.bin", FALSE, "!not signed" },
  { "7.1.bin", FALSE, "!not signed" },
};

static char *
result_of(const CmsVerified *verified)
{
  static const char *const names[] = { "good", "bad", "unknown" };
  g_autoptr(GString) words = g_string_new(NULL);
  for (guint i = 0; i < verified->signatures->len; i++) {
    const CmsSignature *signature = g_ptr_array_index(verified->signatures, i);
    gboolean weak = signature->state == CMS_SIGNATURE_GOOD && signature->weak;
    g_string_append_printf(words, "%s%s", i ? " " : "", weak ? "weak" : names[signature->state]);
    g_test_message("  %s %s: %s", signature->algorithm, signature->digest, signature->reason);
  }
  return g_string_free(g_steal_pointer(&words), FALSE);
}

static CmsVerified *
verify(const Signed *one, GBytes *message, GError **error)
{
  g_autoptr(GBytes) content = soft_data("cms/rfc4134/ExContent.bin");
  g_autoptr(BaseSink) sink =
      one->detached ? cms_verify_detached_new(message, NULL, error) : cms_verify_new(NULL, NULL);
  return sink && push(sink, one->detached ? content : message, error)
             ? cms_verify_result(sink, error)
             : NULL;
}

static void
test_signed(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(signed_table); i++) {
    const Signed *one = &signed_table[i];
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) message = load_message("rfc4134", one->file);
    g_autoptr(CmsVerified) verified = verify(one, message, &error);
    g_autofree char *result = verified ? result_of(verified) : g_strdup(error->message);
    g_test_message("%-12s %s", one->file, result);
    if (*one->result == '!')
      g_assert_nonnull(strstr(result, one->result + 1));
    else
      g_assert_cmpstr(result, ==, one->result);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cms/data/sealed-each-as-expected", test_sealed);
  g_test_add_func("/cms/data/signed-each-as-expected", test_signed);
  int status = g_test_run();
  soft_folder_remove();
  return status;
}
