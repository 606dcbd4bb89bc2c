/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-cms-soft.h"

#include <openssl/provider.h>
#include <string.h>

/* Both ways with openssl(1), every recipient kind and cipher; NSS's files; what goes wrong. */

static const char text[] = "Content-Type: text/plain\r\n\r\nHello, Alice: at six.\r\n";

static CmsOpened *
open_file(const SoftKey *key, const char *name, GError **error)
{
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GBytes) message = soft_read(name);
  g_ptr_array_add(token->keys, (SoftKey *)(guintptr)key);
  return cms_decrypt_with(&token->vtable, message, error);
}

static void
assert_opens(const SoftKey *key, const char *name, const char *cipher)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(CmsOpened) opened = open_file(key, name, &error);
  g_assert_no_error(error);
  soft_assert_bytes(opened->content, text, strlen(text));
  g_assert_cmpstr(opened->key, ==, key->cert->key);
  if (cipher)
    g_assert_cmpstr(opened->cipher, ==, cipher);
}

/* ---- openssl seals, we open ---- */

typedef struct {
  const char *name;
  const char *kind;
  const char *options;
  const char *cipher;
} Sealed;

static const Sealed sealed_table[] = {
  { "rsa-cbc", "rsa:2048", "-aes-256-cbc -recip key.crt", "aes-256-cbc" },
  { "rsa-192-cbc", "rsa:2048", "-aes-192-cbc -recip key.crt", "aes-192-cbc" },
  { "rsa-gcm", "rsa:2048", "-aes-256-gcm -recip key.crt", "aes-256-gcm" },
  { "rsa-128-gcm-stream", "rsa:2048", "-aes-128-gcm -stream -recip key.crt", "aes-128-gcm" },
  { "rsa-cbc-stream", "rsa:2048", "-aes-128-cbc -stream -recip key.crt", "aes-128-cbc" },
  { "rsa-3des", "rsa:2048", "-des3 -recip key.crt", "des-ede3-cbc" },
  { "rsa-camellia", "rsa:2048", "-camellia256 -recip key.crt", "camellia-256-cbc" },
  { "rsa-keyid", "rsa:2048", "-aes-256-cbc -keyid -recip key.crt", "aes-256-cbc" },
  { "oaep-sha1", "rsa:2048", "-aes-256-cbc -recip key.crt -keyopt rsa_padding_mode:oaep",
    "aes-256-cbc" },
  { "oaep-sha256", "rsa:2048",
    "-aes-256-gcm -recip key.crt -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256",
    "aes-256-gcm" },
  { "oaep-sha384-mgf-sha1", "rsa:2048",
    "-aes-256-cbc -recip key.crt -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha384 "
    "-keyopt rsa_mgf1_md:sha1",
    "aes-256-cbc" },
  { "oaep-label", "rsa:2048",
    "-aes-256-cbc -recip key.crt -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_label:00112233",
    "aes-256-cbc" },
  { "ec-p256", "ec:p256", "-aes-256-cbc -recip key.crt", "aes-256-cbc" },
  { "ec-p256-gcm", "ec:p256", "-aes-128-gcm -recip key.crt", "aes-128-gcm" },
  { "ec-p384-kdf-sha256", "ec:p384", "-aes-256-cbc -recip key.crt -keyopt ecdh_kdf_md:sha256",
    "aes-256-cbc" },
  { "ec-p521-kdf-sha512", "ec:p521", "-aes-256-gcm -recip key.crt -keyopt ecdh_kdf_md:sha512",
    "aes-256-gcm" },
  { "ec-wrap-128", "ec:p256", "-aes-256-cbc -aes128-wrap -recip key.crt", "aes-256-cbc" },
  { "ec-cofactor", "ec:p256", "-aes-256-cbc -recip key.crt -keyopt ecdh_cofactor_mode:1",
    "aes-256-cbc" },
  { "ec-keyid", "ec:p256", "-aes-256-cbc -keyid -recip key.crt", "aes-256-cbc" },
  { "ec-3des", "ec:p256", "-des3 -recip key.crt", "des-ede3-cbc" },
};

static void
test_theirs(gconstpointer data)
{
  const Sealed *one = data;
  g_autoptr(SoftKey) key = soft_key_simple(one->kind);
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_autofree char *path = soft_write("content", content);
  soft_write_key(key, "key");
  g_assert_cmpint(soft_run(NULL,
                           "openssl cms -encrypt -binary -in content -outform DER -out sealed %s",
                           one->options),
                  ==, 0);
  assert_opens(key, "sealed", one->cipher);
}

/* ---- we seal, openssl and we open ---- */

typedef struct {
  const char *kind;
  const char *cipher;
} Ours;

static const Ours ours_table[] = {
  { "rsa:2048", "aes-128-cbc" }, { "rsa:2048", "aes-192-cbc" }, { "rsa:2048", "aes-256-cbc" },
  { "rsa:2048", "aes-128-gcm" }, { "rsa:2048", "aes-192-gcm" }, { "rsa:2048", "aes-256-gcm" },
  { "ec:p256", "aes-128-cbc" },  { "ec:p256", "aes-256-gcm" },  { "ec:p384", "aes-256-cbc" },
  { "ec:p521", "aes-256-gcm" },
};

static void
test_ours(gconstpointer data)
{
  const Ours *one = data;
  g_autoptr(GError) error = NULL;
  g_autoptr(SoftKey) key = soft_key_simple(one->kind);
  g_autoptr(SoftKey) other = soft_key_simple("ec:p256");
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_ptr_array_add(recipients, other->cert);
  g_ptr_array_add(recipients, key->cert);
  g_ptr_array_add(recipients, key->cert);
  g_autoptr(GBytes) message = cms_encrypt(content, recipients, one->cipher, &error);
  g_assert_no_error(error);
  g_autofree char *path = soft_write("sealed", message);
  soft_write_key(key, "key");
  assert_opens(key, "sealed", one->cipher);
  assert_opens(other, "sealed", one->cipher);
  g_assert_cmpint(soft_run(NULL,
                           "openssl cms -decrypt -binary -inform DER -in sealed -inkey key.pem "
                           "-recip key.crt -out opened"),
                  ==, 0);
  g_autoptr(GBytes) opened = soft_read("opened");
  soft_assert_bytes(opened, text, strlen(text));
  g_autoptr(CmsInfo) info = cms_info(message, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(info->cipher, ==, one->cipher);
  g_assert_cmpuint(info->recipients->len, ==, 2);
  g_autofree char *who =
      g_strdup_printf("%s, issuer CN=Person %s, serial %s",
                      key->cert->kind == BASE_KEY_RSA ? "RSA" : "EC", one->kind, key->cert->serial);
  g_assert_true(g_ptr_array_find_with_equal_func(info->recipients, who, g_str_equal, NULL));
}

static void
test_nobody(void)
{
  g_autoptr(SoftKey) ed = soft_key_simple("ed25519");
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) none = NULL;
  g_autoptr(GError) unfit = NULL;
  g_autoptr(GError) cipher = NULL;
  g_assert_null(cms_encrypt(content, recipients, "aes-256-cbc", &none));
  g_assert_error(none, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  g_ptr_array_add(recipients, ed->cert);
  g_assert_null(cms_encrypt(content, recipients, "aes-256-cbc", &unfit));
  g_assert_error(unfit, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED);
  g_assert_null(cms_encrypt(content, recipients, "des-ede3-cbc", &cipher));
  g_assert_error(cipher, SIGNET_ERROR, SIGNET_ERROR_USAGE);
}

/* ---- what goes wrong ---- */

/* OpenSSL's CMS_decrypt() would go on with a random key, and be right about the padding of one
 * message in 256: here 2,000 times nothing comes out. */
static void
test_token_fails(void)
{
  static const int codes[] = { SIGNET_ERROR_TOKEN_GONE, SIGNET_ERROR_PIN_REQUIRED,
                               SIGNET_ERROR_TIMEOUT,    SIGNET_ERROR_DENIED,
                               SIGNET_ERROR_CANCELLED,  SIGNET_ERROR_PIN_INCORRECT,
                               SIGNET_ERROR_TOKEN_DOWN, SIGNET_ERROR_NO_DAEMON };
  g_autoptr(SoftKey) rsa = soft_key_simple("rsa:2048");
  g_autoptr(SoftKey) ec = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GBytes) one = soft_seal(text, rsa, "aes-256-cbc");
  g_autoptr(GBytes) two = soft_seal(text, ec, "aes-256-cbc");
  g_ptr_array_add(token->keys, rsa);
  g_ptr_array_add(token->keys, ec);
  for (guint i = 0; i < 2000; i++) {
    g_autoptr(GError) error = NULL;
    token->fail_with = codes[i % G_N_ELEMENTS(codes)];
    g_assert_null(cms_decrypt_with(&token->vtable, i % 3 ? one : two, &error));
    g_assert_error(error, SIGNET_ERROR, token->fail_with);
  }
  g_assert_cmpuint(token->operations, ==, 2000);
}

static void
test_away(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GBytes) message = soft_seal(text, key, "aes-256-gcm");
  g_autoptr(GError) error = NULL;
  g_ptr_array_add(token->keys, key);
  token->away = TRUE;
  g_assert_null(cms_decrypt_with(&token->vtable, message, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
  g_assert_cmpstr(signet_error_get_details(error)->token, ==, "soft");
  g_assert_nonnull(strstr(error->message, "\"soft\""));
  g_assert_cmpuint(token->operations, ==, 0);
}

static void
test_hindered(void)
{
  static const struct {
    const char *problem;
    int code;
    const char *words;
  } rows[] = {
    { "lost", SIGNET_ERROR_DENIED, "given up as lost" },
    { "unable", SIGNET_ERROR_UNSUPPORTED, "may not decrypt" },
    { "removed", SIGNET_ERROR_CANNOT_DECRYPT, "was removed" },
  };
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GBytes) message = soft_seal(text, key, "aes-256-gcm");
  g_ptr_array_add(token->keys, key);
  token->away = TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    token->problem = rows[i].problem;
    g_assert_null(cms_decrypt_with(&token->vtable, message, &error));
    g_assert_error(error, SIGNET_ERROR, rows[i].code);
    g_assert_nonnull(strstr(error->message, rows[i].words));
    g_assert_null(strstr(error->message, "insert"));
    g_assert_cmpstr(signet_error_get_details(error)->token, ==, "soft");
  }
  g_assert_cmpuint(token->operations, ==, 0);
}

static void
test_not_ours(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GBytes) message = soft_seal(text, key, "aes-256-gcm");
  g_autoptr(GError) error = NULL;
  g_assert_null(cms_decrypt_with(&token->vtable, message, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
  g_assert_nonnull(strstr(error->message, "issuer CN=Person ec:p256, serial "));
}

static void
test_second_key_opens(void)
{
  g_autoptr(SoftKey) broken = soft_key_simple("rsa:2048");
  g_autoptr(SoftKey) good = soft_key_simple("ec:p256");
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_ptr_array_add(recipients, broken->cert);
  g_ptr_array_add(recipients, good->cert);
  g_autoptr(GBytes) message = cms_encrypt(content, recipients, "aes-256-gcm", NULL);
  g_ptr_array_add(token->keys, broken);
  g_ptr_array_add(token->keys, good);
  token->spoil = 1; /* what decrypt gives is wrong; derive stays right */
  g_autoptr(GError) error = NULL;
  g_autoptr(CmsOpened) opened = cms_decrypt_with(&token->vtable, message, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(opened->key, ==, good->cert->key);
}

/* Authenticated: no byte of the ciphertext, tag or keys may change unseen. */
static void
tamper(const SoftKey *key, GBytes *message, gboolean authenticated)
{
  g_autoptr(SoftToken) token = soft_token_new();
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(message, &length);
  g_autofree guint8 *copy = g_memdup2(bytes, length);
  g_ptr_array_add(token->keys, (SoftKey *)(guintptr)key);
  for (gsize i = 0; i < length; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) cut = g_bytes_new(bytes, i);
    g_assert_null(cms_decrypt_with(&token->vtable, cut, &error));
    g_assert_nonnull(error);
    for (guint bit = i % 2; bit < 8; bit += 3) {
      copy[i] ^= (guint8)(1 << bit);
      g_autoptr(GBytes) changed = g_bytes_new(copy, length);
      g_autoptr(CmsOpened) opened = cms_decrypt_with(&token->vtable, changed, NULL);
      if (opened && authenticated)
        soft_assert_bytes(opened->content, text, strlen(text));
      copy[i] ^= (guint8)(1 << bit);
    }
  }
}

static void
test_tamper(void)
{
  g_autoptr(SoftKey) rsa = soft_key_simple("rsa:2048");
  g_autoptr(SoftKey) ec = soft_key_simple("ec:p256");
  g_autoptr(GBytes) one = soft_seal(text, ec, "aes-256-gcm");
  g_autoptr(GBytes) two = soft_seal(text, ec, "aes-256-cbc");
  g_autoptr(GBytes) three = soft_seal(text, rsa, "aes-256-gcm");
  tamper(ec, one, TRUE);
  tamper(ec, two, FALSE);
  tamper(rsa, three, TRUE);
}

static void
test_many_recipients(void)
{
  g_autoptr(SoftKey) key = soft_key_simple("ec:p256");
  g_autoptr(SoftKey) own = soft_key_simple("rsa:2048");
  g_autoptr(GPtrArray) recipients = g_ptr_array_new_with_free_func((GDestroyNotify)soft_key_free);
  g_autoptr(GPtrArray) certs = g_ptr_array_new();
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < 300; i++) {
    SoftKey *one = soft_key_simple("ec:p256");
    g_ptr_array_add(recipients, one);
    g_ptr_array_add(certs, one->cert);
  }
  g_ptr_array_add(certs, own->cert);
  g_autoptr(GBytes) message = cms_encrypt(content, certs, "aes-256-gcm", &error);
  g_assert_no_error(error);
  g_autoptr(CmsOpened) none = cms_decrypt_with(&token->vtable, message, &error);
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
  g_assert_nonnull(strstr(error->message, "and 298 more"));
  g_ptr_array_add(token->keys, own);
  g_autoptr(CmsOpened) opened = cms_decrypt_with(&token->vtable, message, NULL);
  soft_assert_bytes(opened->content, text, strlen(text));
}

static void
test_many_own_entries(void)
{
  g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)soft_key_free);
  g_autoptr(GPtrArray) certs = g_ptr_array_new();
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GBytes) content = g_bytes_new_static(text, strlen(text));
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < 60; i++) {
    SoftKey *one = soft_key_simple("ec:p256");
    g_ptr_array_add(keys, one);
    g_ptr_array_add(certs, one->cert);
    g_ptr_array_add(token->keys, one);
  }
  g_autoptr(GBytes) message = cms_encrypt(content, certs, "aes-256-gcm", NULL);
  token->fail_with = SIGNET_ERROR_CANNOT_DECRYPT;
  g_assert_null(cms_decrypt_with(&token->vtable, message, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_CANNOT_DECRYPT);
  g_assert_cmpuint(token->operations, <=, 16);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(NULL, "legacy"); /* RC2 of the .p12 */
  OSSL_PROVIDER *standard = OSSL_PROVIDER_load(NULL, "default");
  for (gsize i = 0; i < G_N_ELEMENTS(sealed_table); i++) {
    g_autofree char *path = g_strdup_printf("/cms/decrypt/openssl-%s-opens", sealed_table[i].name);
    g_test_add_data_func(path, &sealed_table[i], test_theirs);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(ours_table); i++) {
    g_autofree char *path = g_strdup_printf("/cms/encrypt/%s-%s-openssl-opens", ours_table[i].kind,
                                            ours_table[i].cipher);
    g_test_add_data_func(path, &ours_table[i], test_ours);
  }
  g_test_add_func("/cms/encrypt/nobody-fails", test_nobody);
  g_test_add_func("/cms/decrypt/token-fails-2000-times-nothing", test_token_fails);
  g_test_add_func("/cms/decrypt/key-away-names-token", test_away);
  g_test_add_func("/cms/decrypt/key-hindered-says-why", test_hindered);
  g_test_add_func("/cms/decrypt/not-ours-says-whose", test_not_ours);
  g_test_add_func("/cms/decrypt/first-key-broken-second-opens", test_second_key_opens);
  g_test_add_func("/cms/decrypt/tampered-nothing-wrong", test_tamper);
  g_test_add_func("/cms/decrypt/many-recipients-opens", test_many_recipients);
  g_test_add_func("/cms/decrypt/many-own-entries-few-operations", test_many_own_entries);
  int status = g_test_run();
  OSSL_PROVIDER_unload(legacy);
  OSSL_PROVIDER_unload(standard);
  soft_folder_remove();
  return status;
}
