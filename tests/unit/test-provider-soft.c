/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-provider-soft.h"

#include "base/error.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

static X509 *
make_certificate(EVP_PKEY *key, const char *title)
{
  X509 *certificate = X509_new();
  X509_NAME *name = X509_get_subject_name(certificate);
  const unsigned char *text = (const unsigned char *)title;
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 77);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600 * 24);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_set_pubkey(certificate, key);
  const EVP_MD *md = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
  g_assert_cmpint(X509_sign(certificate, key, md), >, 0);
  return certificate;
}

static void
fill_key(SoftKey *key, const char *title, EVP_PKEY *software)
{
  unsigned char *der = NULL;
  g_assert_nonnull(software);
  int length = i2d_PUBKEY(software, &der);
  key->title = title;
  key->software = software;
  key->certificate = make_certificate(software, title);
  key->spki = g_bytes_new(der, (gsize)length);
  key->name = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, key->spki);
  OPENSSL_free(der);
}

Soft *
soft_new(void)
{
  g_autoptr(GError) error = NULL;
  Soft *soft = g_new0(Soft, 1);
  soft->failure = -1;
  fill_key(&soft->keys[SOFT_RSA], "rsa", EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048));
  fill_key(&soft->keys[SOFT_P256], "p256", EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
  fill_key(&soft->keys[SOFT_P384], "p384", EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"));
  fill_key(&soft->keys[SOFT_ED25519], "ed25519", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
  soft->context = provider_context_new_with(&soft_operations, soft, &error);
  g_assert_no_error(error);
  return soft;
}

void
soft_free(Soft *soft)
{
  provider_context_free(soft->context);
  for (gsize i = 0; i < SOFT_KEYS; i++) {
    EVP_PKEY_free(soft->keys[i].software);
    X509_free(soft->keys[i].certificate);
    g_bytes_unref(soft->keys[i].spki);
    g_free(soft->keys[i].name);
  }
  g_free(soft);
}

EVP_PKEY *
soft_provider_key(Soft *soft, SoftKind kind)
{
  g_autoptr(GError) error = NULL;
  const SoftKey *key = &soft->keys[kind];
  EVP_PKEY *made = provider_key_new(soft->context, key->name, key->spki, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(ERR_peek_error(), ==, 0);
  return made;
}

/* ---- operations ---- */

static EVP_PKEY *
find(Soft *soft, const char *name, GError **error)
{
  soft->operations++;
  if (soft->failure >= 0) {
    base_error_set(error, (SignetError)soft->failure, "as the test wants it");
    return NULL;
  }
  for (gsize i = 0; i < SOFT_KEYS; i++)
    if (g_str_equal(soft->keys[i].name, name))
      return soft->keys[i].software;
  base_error_set(error, SIGNET_ERROR_NOT_FOUND, "no such key");
  return NULL;
}

static GBytes *
refuse(GError **error)
{
  base_error_set_openssl(error, SIGNET_ERROR_CANNOT_DECRYPT, "the software key refuses");
  return NULL;
}

static GBytes *
sign_message(EVP_PKEY *key, const SignetOperation *operation)
{
  guint8 bytes[128];
  gsize length = sizeof bytes;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  int done = EVP_DigestSignInit(context, NULL, NULL, NULL, key) > 0 &&
             EVP_DigestSign(context, bytes, &length, operation->data, operation->data_length) > 0;
  EVP_MD_CTX_free(context);
  return done ? g_bytes_new(bytes, length) : NULL;
}

static gboolean
prepare_sign(EVP_PKEY_CTX *context, const SignetOperation *operation)
{
  const EVP_MD *md = operation->hash ? EVP_get_digestbyname(operation->hash) : NULL;
  const EVP_MD *mgf = operation->mgf_hash ? EVP_get_digestbyname(operation->mgf_hash) : NULL;
  if (EVP_PKEY_sign_init(context) <= 0 || (md && EVP_PKEY_CTX_set_signature_md(context, md) <= 0))
    return FALSE;
  if (operation->mechanism != SIGNET_RSA_PSS)
    return TRUE;
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, operation->salt_length) > 0 &&
         (!mgf || EVP_PKEY_CTX_set_rsa_mgf1_md(context, mgf) > 0);
}

static GBytes *
soft_sign(gpointer data, const char *name, const SignetOperation *operation, GError **error)
{
  EVP_PKEY *key = find(data, name, error);
  guint8 bytes[512];
  gsize length = sizeof bytes;
  if (!key)
    return NULL;
  if (operation->mechanism == SIGNET_EDDSA)
    return sign_message(key, operation);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
  int done = prepare_sign(context, operation) &&
             EVP_PKEY_sign(context, bytes, &length, operation->data, operation->data_length) > 0;
  EVP_PKEY_CTX_free(context);
  return done ? g_bytes_new(bytes, length) : refuse(error);
}

static gboolean
prepare_decrypt(EVP_PKEY_CTX *context, const SignetOperation *operation)
{
  if (EVP_PKEY_decrypt_init(context) <= 0)
    return FALSE;
  if (operation->mechanism == SIGNET_RSA_PKCS1)
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0;
  const char *hash = operation->hash ? operation->hash : "sha1";
  const char *mgf = operation->mgf_hash ? operation->mgf_hash : hash;
  if (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) <= 0 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_get_digestbyname(hash)) <= 0 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_get_digestbyname(mgf)) <= 0)
    return FALSE;
  if (!operation->label_length)
    return TRUE;
  void *label = OPENSSL_memdup(operation->label, operation->label_length);
  return EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, (int)operation->label_length) > 0;
}

static GBytes *
soft_decrypt(gpointer data, const char *name, const SignetOperation *operation, GError **error)
{
  EVP_PKEY *key = find(data, name, error);
  guint8 bytes[512];
  gsize length = sizeof bytes;
  if (!key)
    return NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
  int done = prepare_decrypt(context, operation) &&
             EVP_PKEY_decrypt(context, bytes, &length, operation->data, operation->data_length) > 0;
  EVP_PKEY_CTX_free(context);
  if (operation->mechanism == SIGNET_RSA_OAEP)
    return done ? g_bytes_new(bytes, length) : refuse(error);
  if (!done || length != operation->wanted) /* implicit rejection, as signetd does it */
    RAND_bytes(bytes, (int)operation->wanted);
  return g_bytes_new(bytes, operation->wanted);
}

static GBytes *
soft_derive(gpointer data, const char *name, const SignetOperation *operation, GError **error)
{
  EVP_PKEY *key = find(data, name, error);
  EVP_PKEY *peer = EVP_PKEY_new();
  guint8 bytes[128];
  gsize length = sizeof bytes;
  if (!key) {
    EVP_PKEY_free(peer);
    return NULL;
  }
  g_assert_cmpint(operation->data[0], ==, 4);
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
  int done = EVP_PKEY_copy_parameters(peer, key) > 0 &&
             EVP_PKEY_set1_encoded_public_key(peer, operation->data, operation->data_length) > 0 &&
             EVP_PKEY_derive_init(context) > 0 && EVP_PKEY_derive_set_peer(context, peer) > 0 &&
             EVP_PKEY_derive(context, bytes, &length) > 0;
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(peer);
  return done ? g_bytes_new(bytes, length) : refuse(error);
}

const ProviderOperations soft_operations = { soft_sign, soft_decrypt, soft_derive };
