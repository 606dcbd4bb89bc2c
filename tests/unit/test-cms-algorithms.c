/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "test-cms-soft.h"

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

/* Every algorithm of the issue: OpenSSL's library makes, our stages read; we make, it reads. The
 * rows are printed (--verbose shows them), so that what is covered can be seen. */

static const char text[] = "Content-Type: text/plain\r\n\r\nHello, Alice: at six.\r\n";

enum { RSA_A, RSA_B, P256, P384, P521, ED25519, N_KEYS };

static const char *const kinds[] = { "rsa:2048", "rsa:3072", "ec:p256",
                                     "ec:p384",  "ec:p521",  "ed25519" };
static SoftKey *keys[N_KEYS];
static SoftToken *token;

static void
start(void)
{
  token = soft_token_new();
  for (guint i = 0; i < N_KEYS; i++) {
    keys[i] = soft_key_simple(kinds[i]);
    g_ptr_array_add(token->keys, keys[i]);
  }
}

static void
end(void)
{
  for (guint i = 0; i < N_KEYS; i++)
    soft_key_free(keys[i]);
  soft_token_free(token);
}

static GBytes *
text_bytes(void)
{
  return g_bytes_new_static(text, strlen(text));
}

static GBytes *
der_of(CMS_ContentInfo *cms)
{
  guint8 *der = NULL;
  int length = i2d_CMS_ContentInfo(cms, &der);
  g_assert_cmpint(length, >, 0);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  return bytes;
}

static CMS_ContentInfo *
cms_of(GBytes *bytes)
{
  const guint8 *at = g_bytes_get_data(bytes, NULL);
  CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)g_bytes_get_size(bytes));
  g_assert_nonnull(cms);
  return cms;
}

/* In pieces, as it streams. */
static gboolean
push_all(BaseSink *sink, GBytes *bytes, GError **error)
{
  gsize length = 0;
  const guint8 *at = g_bytes_get_data(bytes, &length);
  for (gsize done = 0; done < length; done += 700)
    if (!base_sink_write(sink, at + done, MIN(700, length - done), error))
      return FALSE;
  return base_sink_finish(sink, error);
}

/* ---- signatures: theirs ---- */

typedef struct {
  const char *hash;
  const char *mgf; /* PSS; NULL: v1.5, or no RSA */
  int salt;        /* as OpenSSL counts: -1 as the hash, -3 as long as it may be */
  guint flags;
} Signed;

static GBytes *
they_sign(const SoftKey *key, const Signed *one)
{
  BIO *content = BIO_new_mem_buf(text, (int)strlen(text));
  CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
  CMS_SignerInfo *info = CMS_add1_signer(cms, key->x509, key->pkey, EVP_get_digestbyname(one->hash),
                                         CMS_BINARY | CMS_KEY_PARAM | CMS_PARTIAL | one->flags);
  g_assert_nonnull(info);
  EVP_PKEY_CTX *context = CMS_SignerInfo_get0_pkey_ctx(info);
  if (one->mgf) {
    g_assert_cmpint(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING), >, 0);
    g_assert_cmpint(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_get_digestbyname(one->mgf)), >, 0);
    g_assert_cmpint(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, one->salt), >, 0);
  }
  g_assert_cmpint(CMS_final(cms, content, NULL, CMS_BINARY), ==, 1);
  GBytes *message = der_of(cms);
  BIO_free(content);
  CMS_ContentInfo_free(cms);
  return message;
}

static void
assert_read(GBytes *message, const SoftKey *key, const Signed *one)
{
  gboolean weak = strcmp(one->hash, "sha1") == 0 || strcmp(one->hash, "md5") == 0;
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) memory = base_sink_to_memory(G_MAXINT);
  g_autoptr(BaseSink) sink = cms_verify_new(NULL, memory);
  g_assert_true(push_all(sink, message, &error));
  g_assert_no_error(error);
  g_autoptr(CmsVerified) verified = cms_verify_result(sink, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(verified->signatures->len, ==, 1);
  const CmsSignature *signature = g_ptr_array_index(verified->signatures, 0);
  g_assert_cmpint(signature->state, ==, CMS_SIGNATURE_GOOD);
  g_assert_cmpstr(signature->digest, ==, one->hash);
  g_assert_cmpint(signature->weak, ==, weak);
  if (weak)
    g_assert_nonnull(strstr(signature->reason, "which is broken"));
  else
    g_assert_null(signature->reason);
  g_assert_cmpstr(signature->algorithm, ==,
                  one->mgf                          ? "rsa-pss"
                  : key->cert->kind == BASE_KEY_RSA ? "rsa-pkcs1"
                                                    : "ecdsa");
  g_autoptr(GBytes) content = base_sink_memory_bytes(memory);
  soft_assert_bytes(content, text, strlen(text));
}

static void
read_theirs(guint key, const char *hash, const char *mgf, int salt)
{
  static const guint flags[] = { 0, CMS_NOATTR, CMS_USE_KEYID, CMS_NOSMIMECAP };
  for (gsize i = 0; i < G_N_ELEMENTS(flags); i++) {
    Signed one = { hash, mgf, salt, flags[i] };
    g_autoptr(GBytes) message = they_sign(keys[key], &one);
    assert_read(message, keys[key], &one);
  }
  g_test_message("read   %-9s %-6s %-14s salt %d", kinds[key], hash, mgf ? mgf : "-", salt);
}

static void
test_signed(void)
{
  static const char *const hashes[] = { "sha1", "sha224", "sha256", "sha384", "sha512" };
  static const int salts[] = { 0, 11, 20, RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX };
  for (gsize h = 0; h < G_N_ELEMENTS(hashes); h++) {
    read_theirs(RSA_A, hashes[h], NULL, 0);
    for (guint key = P256; key <= P521; key++)
      read_theirs(key, hashes[h], NULL, 0);
    for (gsize m = 0; m < G_N_ELEMENTS(hashes); m++)
      read_theirs(RSA_A, hashes[h], hashes[m], salts[(h + m) % G_N_ELEMENTS(salts)]);
    read_theirs(RSA_B, hashes[h], hashes[h], salts[h]);
  }
  read_theirs(RSA_A, "md5", NULL, 0);
}

/* A certificate whose key is for PSS only (RFC 4055 1.2): it signs, and nobody seals to it. */
static void
test_pss_key(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  EVP_PKEY *pkey = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, NULL);
  EVP_PKEY_keygen_init(context);
  EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048);
  g_assert_cmpint(EVP_PKEY_keygen(context, &pkey), ==, 1);
  EVP_PKEY_CTX_free(context);
  X509 *x509 = X509_dup(keys[RSA_A]->x509);
  X509_set_pubkey(x509, pkey);
  X509_sign(x509, keys[RSA_A]->pkey, EVP_sha256());
  g_autoptr(SoftKey) key = soft_key_load(pkey, x509);
  const Signed one = { "sha256", "sha256", 32, 0 };
  g_autoptr(GBytes) message = they_sign(key, &one);
  assert_read(message, key, &one);
  g_ptr_array_add(recipients, key->cert);
  CmsSealing sealing = { recipients, "aes-256-gcm", FALSE, -1 };
  g_autoptr(BaseSink) nowhere = base_sink_to_nowhere();
  g_assert_null(cms_seal_new(&sealing, nowhere, &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_UNSUPPORTED);
}

/* ---- signatures: ours ---- */

static gboolean
they_verify(GBytes *message)
{
  CMS_ContentInfo *cms = cms_of(message);
  BIO *out = BIO_new(BIO_s_mem());
  gboolean good =
      CMS_verify(cms, NULL, NULL, NULL, out, CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) == 1;
  CMS_ContentInfo_free(cms);
  BIO_free(out);
  ERR_clear_error();
  return good;
}

static void
test_signing(void)
{
  static const char *const hashes[] = { "sha256", "sha384", "sha512" };
  g_autoptr(GBytes) content = text_bytes();
  for (guint key = 0; key < N_KEYS; key++)
    for (guint i = 0; i < 2 * G_N_ELEMENTS(hashes); i++) {
      g_autoptr(GError) error = NULL;
      CmsSigner signer = { .key = keys[key]->cert->key,
                           .kind = keys[key]->cert->kind,
                           .certificate = keys[key]->cert->der,
                           .hash = key == ED25519 ? NULL : hashes[i / 2],
                           .pss = i % 2 };
      if (signer.pss && signer.kind != BASE_KEY_RSA)
        continue;
      g_autoptr(GBytes) message = cms_sign_with(&token->vtable, &signer, content, FALSE, &error);
      g_assert_no_error(error);
      /* OpenSSL 3.0 has no Ed25519 in CMS. */
      g_assert_true(key == ED25519 || they_verify(message));
      g_autoptr(CmsVerified) verified = cms_verify(message, NULL, NULL, &error);
      g_assert_no_error(error);
      const CmsSignature *signature = g_ptr_array_index(verified->signatures, 0);
      g_assert_cmpint(signature->state, ==, CMS_SIGNATURE_GOOD);
      g_assert_nonnull(signature->ciphers);
      g_assert_cmpstr(signature->ciphers[0], ==, "aes-256-gcm");
      g_test_message("write  %-9s %-6s %s", kinds[key], signature->digest, signature->algorithm);
    }
}

/* The one who signs with one certificate and is written to with another. */
static void
test_preference(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) content = text_bytes();
  for (guint other = 0; other <= P521; other++) {
    CmsSigner signer = { .key = keys[ED25519]->cert->key,
                         .kind = keys[ED25519]->cert->kind,
                         .certificate = keys[ED25519]->cert->der,
                         .encryption_certificate = keys[other]->cert->der };
    g_autoptr(GBytes) message = cms_sign_with(&token->vtable, &signer, content, FALSE, &error);
    g_assert_no_error(error);
    g_autoptr(CmsVerified) verified = cms_verify(message, NULL, NULL, &error);
    const CmsSignature *signature = g_ptr_array_index(verified->signatures, 0);
    g_assert_cmpint(signature->state, ==, CMS_SIGNATURE_GOOD);
    g_assert_cmpuint(verified->certificates->len, ==, 2);
    g_assert_nonnull(signature->encryption);
    g_assert_cmpstr(signature->encryption->fingerprint, ==, keys[other]->cert->fingerprint);
    signer.encryption_certificate = signer.certificate; /* the same: not said */
    g_autoptr(GBytes) same = cms_sign_with(&token->vtable, &signer, content, FALSE, &error);
    g_autoptr(CmsVerified) alone = cms_verify(same, NULL, NULL, &error);
    signature = g_ptr_array_index(alone->signatures, 0);
    g_assert_null(signature->encryption);
    g_assert_cmpuint(alone->certificates->len, ==, 1);
  }
}

/* ---- sealing: theirs ---- */

typedef struct {
  const char *hash; /* OAEP, or of the KDF; NULL: v1.5 */
  const char *mgf;
  const char *label;
  const EVP_CIPHER *wrap;
} Way;

static void
set_way(CMS_RecipientInfo *info, const Way *way)
{
  EVP_PKEY_CTX *context = CMS_RecipientInfo_get0_pkey_ctx(info);
  if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE) {
    EVP_CIPHER_CTX *wrap = CMS_RecipientInfo_kari_get0_ctx(info);
    EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_get_digestbyname(way->hash));
    g_assert_cmpint(EVP_EncryptInit_ex(wrap, way->wrap, NULL, NULL, NULL), ==, 1);
    return;
  }
  if (!way->hash)
    return;
  EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
  EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_get_digestbyname(way->hash));
  EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_get_digestbyname(way->mgf));
  if (way->label)
    EVP_PKEY_CTX_set0_rsa_oaep_label(context, OPENSSL_strdup(way->label), (int)strlen(way->label));
}

static GBytes *
they_seal(guint key, const Way *way, const EVP_CIPHER *cipher, guint flags)
{
  BIO *content = BIO_new_mem_buf(text, (int)strlen(text));
  CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, cipher, CMS_PARTIAL | CMS_BINARY);
  /* Somebody else of another kind first. */
  CMS_add1_recipient_cert(cms, keys[key == RSA_B ? P256 : RSA_B]->x509, 0);
  CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, keys[key]->x509, CMS_KEY_PARAM | flags);
  set_way(info, way);
  g_assert_cmpint(CMS_final(cms, content, NULL, CMS_BINARY), ==, 1);
  GBytes *message = der_of(cms);
  BIO_free(content);
  CMS_ContentInfo_free(cms);
  return message;
}

static void
assert_opens(const SoftKey *key, GBytes *message, const char *cipher)
{
  g_autoptr(SoftToken) alone = soft_token_new();
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSink) memory = base_sink_to_memory(G_MAXINT);
  g_ptr_array_add(alone->keys, (SoftKey *)(guintptr)key);
  g_autoptr(BaseSink) sink = cms_unseal_with(&alone->vtable, memory);
  g_assert_true(push_all(sink, message, &error));
  g_assert_no_error(error);
  const CmsUnsealed *unsealed = cms_unseal_result(sink);
  g_assert_cmpstr(unsealed->cipher, ==, cipher);
  g_assert_cmpint(unsealed->weak, ==, strcmp(cipher, "des-ede3-cbc") == 0);
  g_assert_cmpint(unsealed->authenticated, ==, g_str_has_suffix(cipher, "gcm"));
  g_autoptr(GBytes) content = base_sink_memory_bytes(memory);
  soft_assert_bytes(content, text, strlen(text));
}

static const struct {
  const char *name;
  const EVP_CIPHER *(*evp)(void);
} ciphers[] = {
  { "aes-128-cbc", EVP_aes_128_cbc },   { "aes-192-cbc", EVP_aes_192_cbc },
  { "aes-256-cbc", EVP_aes_256_cbc },   { "aes-128-gcm", EVP_aes_128_gcm },
  { "aes-192-gcm", EVP_aes_192_gcm },   { "aes-256-gcm", EVP_aes_256_gcm },
  { "des-ede3-cbc", EVP_des_ede3_cbc },
};

static void
open_theirs(guint key, const Way *way)
{
  static guint turn;
  for (guint i = 0; i < 2; i++, turn++) {
    guint c = turn % G_N_ELEMENTS(ciphers);
    g_autoptr(GBytes) message = they_seal(key, way, ciphers[c].evp(), i ? CMS_USE_KEYID : 0);
    assert_opens(keys[key], message, ciphers[c].name);
    g_test_message("open   %-9s %-12s %-6s %-6s %-5s %s", kinds[key], ciphers[c].name,
                   way->hash ? way->hash : "v1.5", way->mgf ? way->mgf : "-",
                   way->label ? "label" : "-", i ? "key id" : "issuer and serial");
  }
}

static void
test_sealed(void)
{
  static const char *const hashes[] = { "sha1", "sha224", "sha256", "sha384", "sha512" };
  const Way plain = { NULL, NULL, NULL, NULL };
  const EVP_CIPHER *wraps[] = { EVP_aes_128_wrap(), EVP_aes_192_wrap(), EVP_aes_256_wrap() };
  for (gsize c = 0; c < G_N_ELEMENTS(ciphers); c++)
    open_theirs(RSA_A, &plain);
  for (gsize h = 0; h < G_N_ELEMENTS(hashes); h++) {
    for (gsize m = 0; m < G_N_ELEMENTS(hashes); m++) {
      const Way oaep = { hashes[h], hashes[m], m % 2 ? "a label" : NULL, NULL };
      open_theirs(m % 2 ? RSA_A : RSA_B, &oaep);
    }
    for (guint key = P256; key <= P521; key++)
      for (gsize w = 0; w < G_N_ELEMENTS(wraps); w++) {
        const Way agree = { hashes[h], NULL, NULL, wraps[w] };
        open_theirs(key, &agree);
      }
  }
}

/* ---- sealing: ours ---- */

static gboolean
they_open(GBytes *message, const SoftKey *key)
{
  CMS_ContentInfo *cms = cms_of(message);
  BIO *out = BIO_new(BIO_s_mem());
  char *got = NULL;
  gboolean good = CMS_decrypt(cms, key->pkey, key->x509, NULL, out, CMS_BINARY) == 1;
  long length = BIO_get_mem_data(out, &got);
  good = good && length == (long)strlen(text) && memcmp(got, text, strlen(text)) == 0;
  CMS_ContentInfo_free(cms);
  BIO_free(out);
  ERR_clear_error();
  return good;
}

static GBytes *
we_seal(const CmsSealing *sealing)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) content = text_bytes();
  g_autoptr(BaseSink) memory = base_sink_to_memory(G_MAXINT);
  g_autoptr(BaseSink) sink = cms_seal_new(sealing, memory, &error);
  g_assert_no_error(error);
  g_assert_true(push_all(sink, content, &error));
  return base_sink_memory_bytes(memory);
}

static void
test_sealing(void)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  for (guint key = 0; key <= P521; key++)
    g_ptr_array_add(recipients, keys[key]->cert);
  for (gsize c = 0; c < 6; c++)
    for (guint oaep = 0; oaep < 2; oaep++) {
      CmsSealing sealing = { recipients, ciphers[c].name, oaep != 0,
                             oaep ? (gint64)strlen(text) : -1 };
      g_autoptr(GBytes) message = we_seal(&sealing);
      for (guint key = 0; key <= P521; key++) {
        g_assert_true(they_open(message, keys[key]));
        assert_opens(keys[key], message, ciphers[c].name);
      }
      g_test_message("seal   all kinds %-12s %s", ciphers[c].name, oaep ? "OAEP" : "v1.5");
    }
}

static gboolean
prints(GBytes *message, const char *what)
{
  g_autofree char *path = soft_write("sealed", message);
  g_autofree char *output = NULL;
  soft_run(&output, "openssl cms -cmsout -print -noout -inform DER -in sealed");
  return strstr(output, what) != NULL;
}

static gboolean
holds(GBytes *message, int nid)
{
  const ASN1_OBJECT *object = OBJ_nid2obj(nid);
  return memmem(g_bytes_get_data(message, NULL), g_bytes_get_size(message), OBJ_get0_data(object),
                OBJ_length(object)) != NULL;
}

/* A KDF as strong as the curve, a wrap as strong as the cipher, OAEP by SHA-256 throughout. */
static void
test_strengths(void)
{
  static const struct {
    guint key;
    const char *cipher;
    const char *kdf;
    int wrap;
  } table[] = {
    { P256, "aes-128-gcm", "dhSinglePass-stdDH-sha256kdf", NID_id_aes128_wrap },
    { P384, "aes-192-cbc", "dhSinglePass-stdDH-sha384kdf", NID_id_aes192_wrap },
    { P521, "aes-256-gcm", "dhSinglePass-stdDH-sha512kdf", NID_id_aes256_wrap },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_autoptr(GPtrArray) recipients = g_ptr_array_new();
    g_ptr_array_add(recipients, keys[table[i].key]->cert);
    CmsSealing sealing = { recipients, table[i].cipher, FALSE, -1 };
    g_autoptr(GBytes) message = we_seal(&sealing);
    g_assert_true(prints(message, table[i].kdf));
    g_assert_true(holds(message, table[i].wrap));
  }
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_ptr_array_add(recipients, keys[RSA_A]->cert);
  CmsSealing sealing = { recipients, "aes-256-gcm", TRUE, -1 };
  g_autoptr(GBytes) message = we_seal(&sealing);
  g_assert_true(prints(message, "rsaesOaep"));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  start();
  g_test_add_func("/cms/algorithms/signed-by-openssl-read", test_signed);
  g_test_add_func("/cms/algorithms/pss-only-key-read", test_pss_key);
  g_test_add_func("/cms/algorithms/signed-by-us-read", test_signing);
  g_test_add_func("/cms/algorithms/preferred-certificate-said", test_preference);
  g_test_add_func("/cms/algorithms/sealed-by-openssl-open", test_sealed);
  g_test_add_func("/cms/algorithms/sealed-by-us-open", test_sealing);
  g_test_add_func("/cms/algorithms/sealed-by-us-strong", test_strengths);
  int status = g_test_run();
  end();
  soft_folder_remove();
  return status;
}
