/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Decryption and key agreement with provider keys, over messages that OpenSSL's own code
 * encrypted in another library context. */

#include "test-provider-soft.h"

#include <openssl/cms.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/rsa.h>
#include <string.h>

static const char message[] =
    "Subject: secret\r\n\r\nA message to seal, longer than one block.\r\n";

typedef struct {
  SoftKind kind;
  const char *cipher;
  int padding; /* of RSA */
  const char *oaep;
  const char *mgf;
  const char *label;
  const char *kdf; /* of EC */
} Case;

static const Case cases[] = {
  { SOFT_RSA, "AES-128-CBC", RSA_PKCS1_PADDING, NULL, NULL, NULL, NULL },
  { SOFT_RSA, "AES-256-CBC", RSA_PKCS1_PADDING, NULL, NULL, NULL, NULL },
  { SOFT_RSA, "AES-256-GCM", RSA_PKCS1_PADDING, NULL, NULL, NULL, NULL },
  { SOFT_RSA, "DES-EDE3-CBC", RSA_PKCS1_PADDING, NULL, NULL, NULL, NULL },
  { SOFT_RSA, "AES-128-CBC", RSA_PKCS1_OAEP_PADDING, NULL, NULL, NULL, NULL },
  { SOFT_RSA, "AES-256-CBC", RSA_PKCS1_OAEP_PADDING, "SHA256", NULL, NULL, NULL },
  { SOFT_RSA, "AES-256-GCM", RSA_PKCS1_OAEP_PADDING, "SHA256", "SHA1", "a label", NULL },
  { SOFT_RSA, "AES-256-CBC", RSA_PKCS1_OAEP_PADDING, "SHA384", "SHA512", NULL, NULL },
  { SOFT_P256, "AES-128-CBC", 0, NULL, NULL, NULL, NULL },
  { SOFT_P256, "AES-256-CBC", 0, NULL, NULL, NULL, "SHA256" },
  { SOFT_P256, "AES-192-CBC", 0, NULL, NULL, NULL, "SHA384" },
  { SOFT_P256, "DES-EDE3-CBC", 0, NULL, NULL, NULL, "SHA1" },
  { SOFT_P384, "AES-256-GCM", 0, NULL, NULL, NULL, "SHA512" },
  { SOFT_P384, "AES-256-CBC", 0, NULL, NULL, NULL, "SHA224" },
};

static void
prepare_rsa(EVP_PKEY_CTX *context, const Case *this)
{
  if (this->padding != RSA_PKCS1_OAEP_PADDING)
    return;
  g_assert_cmpint(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), >, 0);
  if (this->oaep)
    g_assert_cmpint(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_get_digestbyname(this->oaep)), >, 0);
  if (this->mgf)
    g_assert_cmpint(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_get_digestbyname(this->mgf)), >, 0);
  if (this->label)
    g_assert_cmpint(EVP_PKEY_CTX_set0_rsa_oaep_label(context, OPENSSL_strdup(this->label),
                                                     (int)strlen(this->label)),
                    >, 0);
}

static GBytes *
seal(Soft *soft, const Case *this)
{
  const EVP_CIPHER *cipher = EVP_get_cipherbyname(this->cipher);
  unsigned flags = CMS_BINARY | CMS_PARTIAL;
  CMS_ContentInfo *cms = strstr(this->cipher, "GCM") ? CMS_AuthEnvelopedData_create(cipher)
                                                     : CMS_EnvelopedData_create(cipher);
  g_assert_nonnull(cms);
  CMS_set_detached(cms, 0);
  CMS_RecipientInfo *recipient =
      CMS_add1_recipient_cert(cms, soft->keys[this->kind].certificate, flags | CMS_KEY_PARAM);
  g_assert_nonnull(recipient);
  EVP_PKEY_CTX *context = CMS_RecipientInfo_get0_pkey_ctx(recipient);
  if (this->kind == SOFT_RSA)
    prepare_rsa(context, this);
  else if (this->kdf)
    g_assert_cmpint(EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_get_digestbyname(this->kdf)), >, 0);
  BIO *content = BIO_new_mem_buf(message, sizeof message);
  g_assert_cmpint(CMS_final(cms, content, NULL, flags), ==, 1);
  unsigned char *der = NULL;
  int length = i2d_CMS_ContentInfo(cms, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  BIO_free(content);
  CMS_ContentInfo_free(cms);
  return bytes;
}

static CMS_ContentInfo *
parse(Soft *soft, GBytes *der)
{
  gsize length = 0;
  const unsigned char *at = g_bytes_get_data(der, &length);
  CMS_ContentInfo *cms = CMS_ContentInfo_new_ex(soft->context, NULL);
  g_assert_nonnull(d2i_CMS_ContentInfo(&cms, &at, (long)length));
  return cms;
}

static EVP_PKEY *
key_for(Soft *soft, const Case *this)
{
  EVP_PKEY *key = soft_provider_key(soft, this->kind);
  if (this->kind == SOFT_RSA && this->padding == RSA_PKCS1_PADDING) {
    int length = EVP_CIPHER_get_key_length(EVP_get_cipherbyname(this->cipher));
    g_assert_true(provider_key_set_wanted_length(key, (gsize)length));
  }
  return key;
}

static void
assert_opens(CMS_ContentInfo *cms)
{
  BIO *out = BIO_new(BIO_s_mem());
  char *bytes = NULL;
  int opened = CMS_decrypt(cms, NULL, NULL, NULL, out, CMS_BINARY);
  if (opened != 1)
    ERR_print_errors_fp(stderr);
  g_assert_cmpint(opened, ==, 1);
  gsize size = (gsize)BIO_get_mem_data(out, &bytes);
  g_assert_true(size == sizeof message && memcmp(bytes, message, size) == 0);
  BIO_free(out);
}

static void
test_cms_decrypt(void)
{
  g_autoptr(Soft) soft = soft_new();
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GBytes) der = seal(soft, &cases[i]);
    EVP_PKEY *key = key_for(soft, &cases[i]);
    CMS_ContentInfo *cms = parse(soft, der);
    g_test_message("case %zu", i);
    g_assert_cmpint(CMS_decrypt_set1_pkey(cms, key, soft->keys[cases[i].kind].certificate), ==, 1);
    assert_opens(cms);
    CMS_ContentInfo_free(cms);
    EVP_PKEY_free(key);
  }
}

/* As cms/ does it: the content key first, by the recipient, and no step further when that
 * fails. */
static int
open_recipient(CMS_ContentInfo *cms, EVP_PKEY *key)
{
  CMS_RecipientInfo *recipient = sk_CMS_RecipientInfo_value(CMS_get0_RecipientInfos(cms), 0);
  if (CMS_RecipientInfo_type(recipient) == CMS_RECIPINFO_AGREE) {
    STACK_OF(CMS_RecipientEncryptedKey) *keys = CMS_RecipientInfo_kari_get0_reks(recipient);
    CMS_RecipientInfo_kari_set0_pkey(recipient, key);
    int opened =
        CMS_RecipientInfo_kari_decrypt(cms, recipient, sk_CMS_RecipientEncryptedKey_value(keys, 0));
    CMS_RecipientInfo_kari_set0_pkey(recipient, NULL);
    return opened;
  }
  EVP_PKEY_up_ref(key);
  CMS_RecipientInfo_set0_pkey(recipient, key);
  return CMS_RecipientInfo_decrypt(cms, recipient);
}

static void
test_recipient_decrypt(void)
{
  g_autoptr(Soft) soft = soft_new();
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GBytes) der = seal(soft, &cases[i]);
    EVP_PKEY *key = key_for(soft, &cases[i]);
    CMS_ContentInfo *cms = parse(soft, der);
    g_assert_cmpint(open_recipient(cms, key), >, 0);
    assert_opens(cms);
    CMS_ContentInfo_free(cms);
    EVP_PKEY_free(key);
  }
}

/* Two thousand messages while the token is away: not one is "opened". */
static void
test_token_gone(void)
{
  static const gsize tried[] = { 1, 5, 9, 12 };
  g_autoptr(Soft) soft = soft_new();
  for (gsize i = 0; i < G_N_ELEMENTS(tried); i++) {
    const Case *this = &cases[tried[i]];
    g_autoptr(GBytes) der = seal(soft, this);
    EVP_PKEY *key = key_for(soft, this);
    soft->failure = SIGNET_ERROR_TOKEN_GONE;
    for (int n = 0; n < 2000; n++) {
      CMS_ContentInfo *cms = parse(soft, der);
      g_assert_cmpint(open_recipient(cms, key), <=, 0);
      g_autoptr(GError) error = provider_take_error();
      g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE);
      CMS_ContentInfo_free(cms);
      ERR_clear_error();
    }
    soft->failure = -1;
    CMS_ContentInfo *cms = parse(soft, der);
    g_assert_cmpint(open_recipient(cms, key), >, 0);
    g_assert_null(provider_take_error());
    CMS_ContentInfo_free(cms);
    EVP_PKEY_free(key);
  }
}

/* A damaged v1.5 block gives some key of the right length and no reason (RFC 3218 2.3). */
static void
test_bad_padding(void)
{
  static const guint8 block[256] = { 1, 2, 3 };
  g_autoptr(Soft) soft = soft_new();
  EVP_PKEY *key = soft_provider_key(soft, SOFT_RSA);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(soft->context, key, NULL);
  guint8 out[32];
  gsize length = sizeof out;
  g_assert_cmpint(EVP_PKEY_decrypt_init(context), >, 0);
  g_assert_cmpint(EVP_PKEY_decrypt(context, out, &length, block, sizeof block), >, 0);
  g_assert_cmpuint(length, ==, 32);
  g_assert_null(provider_take_error());
  /* OAEP is not hidden, and is the data's fault. */
  g_assert_cmpint(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), >, 0);
  g_assert_cmpint(EVP_PKEY_decrypt(context, out, &length, block, sizeof block), <=, 0);
  g_assert_null(provider_take_error());
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(key);
  ERR_clear_error();
}

/* Encrypts with the provider key's public half, decrypts with the key. */
static void
test_encrypt_decrypt(void)
{
  static const guint8 secret[24] = "twenty-four secret bytes";
  g_autoptr(Soft) soft = soft_new();
  for (gsize i = 0; i < 8; i++) {
    EVP_PKEY *key = soft_provider_key(soft, SOFT_RSA);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(soft->context, key, NULL);
    guint8 sealed[512], opened[512];
    gsize length = sizeof sealed, opened_length = 0;
    g_assert_cmpint(EVP_PKEY_encrypt_init(context), >, 0);
    prepare_rsa(context, &cases[i]);
    g_assert_cmpint(EVP_PKEY_encrypt(context, sealed, &length, secret, sizeof secret), >, 0);
    EVP_PKEY_CTX *copy = EVP_PKEY_CTX_dup(context);
    EVP_PKEY_CTX_free(context);
    g_assert_nonnull(copy);
    g_assert_cmpint(EVP_PKEY_decrypt_init(copy), >, 0);
    prepare_rsa(copy, &cases[i]);
    gsize wanted = sizeof secret;
    OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t(PROVIDER_PARAM_WANTED_LENGTH, &wanted),
                            OSSL_PARAM_construct_end() };
    g_assert_cmpint(EVP_PKEY_CTX_set_params(copy, params), >, 0);
    g_assert_cmpint(EVP_PKEY_decrypt(copy, NULL, &opened_length, sealed, length), >, 0);
    opened_length = sizeof opened;
    g_assert_cmpint(EVP_PKEY_decrypt(copy, opened, &opened_length, sealed, length), >, 0);
    g_assert_true(opened_length == sizeof secret && memcmp(opened, secret, opened_length) == 0);
    EVP_PKEY_CTX_free(copy);
    EVP_PKEY_free(key);
  }
}

static void
test_unknown_length_is_usage(void)
{
  static const guint8 block[256] = { 1, 2, 3 };
  g_autoptr(Soft) soft = soft_new();
  EVP_PKEY *key = soft_provider_key(soft, SOFT_RSA);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(soft->context, key, NULL);
  guint8 out[256];
  gsize length = sizeof out;
  g_assert_cmpint(EVP_PKEY_decrypt_init(context), >, 0);
  g_assert_cmpint(EVP_PKEY_decrypt(context, out, &length, block, sizeof block), <=, 0);
  g_autoptr(GError) error = provider_take_error();
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_USAGE);
  g_assert_cmpint(soft->operations, ==, 0);
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(key);
  ERR_clear_error();
}

/* ---- ECDH ---- */

static gsize
derive(OSSL_LIB_CTX *library, EVP_PKEY *key, EVP_PKEY *peer, const char *kdf, guint8 *out)
{
  gsize length = 0;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(library, key, NULL);
  g_assert_cmpint(EVP_PKEY_derive_init(context), >, 0);
  g_assert_cmpint(EVP_PKEY_derive_set_peer(context, peer), >, 0);
  if (kdf) {
    void *ukm = OPENSSL_strdup("shared info");
    g_assert_cmpint(EVP_PKEY_CTX_set_ecdh_kdf_type(context, EVP_PKEY_ECDH_KDF_X9_63), >, 0);
    g_assert_cmpint(EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_get_digestbyname(kdf)), >, 0);
    g_assert_cmpint(EVP_PKEY_CTX_set_ecdh_kdf_outlen(context, 44), >, 0);
    g_assert_cmpint(EVP_PKEY_CTX_set0_ecdh_kdf_ukm(context, ukm, 11), >, 0);
    g_assert_cmpint(EVP_PKEY_CTX_get_ecdh_kdf_type(context), ==, EVP_PKEY_ECDH_KDF_X9_63);
  }
  g_assert_cmpint(EVP_PKEY_derive(context, NULL, &length), >, 0);
  g_assert_cmpint(EVP_PKEY_derive(context, out, &length), >, 0);
  EVP_PKEY_CTX_free(context);
  return length;
}

static void
test_derive(void)
{
  static const char *const curves[] = { "P-256", "P-384" };
  static const char *const kdfs[] = { NULL, "SHA1", "SHA256", "SHA384", "SHA512" };
  g_autoptr(Soft) soft = soft_new();
  for (gsize i = 0; i < 2; i++) {
    SoftKind kind = i ? SOFT_P384 : SOFT_P256;
    EVP_PKEY *key = soft_provider_key(soft, kind);
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curves[i]);
    for (gsize j = 0; j < G_N_ELEMENTS(kdfs); j++) {
      guint8 ours[128], theirs[128];
      gsize our_length = derive(soft->context, key, other, kdfs[j], ours);
      gsize their_length = derive(NULL, other, soft->keys[kind].software, kdfs[j], theirs);
      g_assert_cmpuint(our_length, ==, kdfs[j] ? 44 : i ? 48 : 32);
      g_assert_true(our_length == their_length && memcmp(ours, theirs, our_length) == 0);
    }
    EVP_PKEY_free(other);
    EVP_PKEY_free(key);
  }
}

static void
test_peer_of_other_curve_is_refused(void)
{
  g_autoptr(Soft) soft = soft_new();
  EVP_PKEY *key = soft_provider_key(soft, SOFT_P256);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(soft->context, key, NULL);
  g_assert_cmpint(EVP_PKEY_derive_init(context), >, 0);
  g_assert_cmpint(EVP_PKEY_derive_set_peer(context, soft->keys[SOFT_P384].software), <=, 0);
  EVP_PKEY_CTX_free(context);
  /* A point that is not on the curve. */
  guint8 point[65] = { 4, 1, 2, 3 };
  EVP_PKEY *peer = EVP_PKEY_new();
  g_assert_cmpint(EVP_PKEY_copy_parameters(peer, key), >, 0);
  g_assert_cmpint(EVP_PKEY_set1_encoded_public_key(peer, point, sizeof point), <=, 0);
  EVP_PKEY_free(peer);
  EVP_PKEY_free(key);
  g_assert_cmpint(soft->operations, ==, 0);
  ERR_clear_error();
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/provider/decrypt/cms-opens", test_cms_decrypt);
  g_test_add_func("/provider/decrypt/recipient-opens", test_recipient_decrypt);
  g_test_add_func("/provider/decrypt/token-gone-opens-nothing", test_token_gone);
  g_test_add_func("/provider/decrypt/bad-padding-is-hidden", test_bad_padding);
  g_test_add_func("/provider/decrypt/public-half-encrypts", test_encrypt_decrypt);
  g_test_add_func("/provider/decrypt/unknown-length-is-usage", test_unknown_length_is_usage);
  g_test_add_func("/provider/decrypt/derive-agrees", test_derive);
  g_test_add_func("/provider/decrypt/peer-of-other-curve-is-refused",
                  test_peer_of_other_curve_is_refused);
  return g_test_run();
}
