/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer-certs.h"

#include "base/cert.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

EVP_PKEY *
cert_key_new(const char *kind)
{
  return g_str_has_prefix(kind, "ec") ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
}

static void
set_name(X509_NAME *name, const char *common_name)
{
  X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING, (const guint8 *)common_name, -1, -1, 0);
}

static void
add_extension(X509 *x509, const char *name, const char *value)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_nconf(NULL, &context, name, value);
  g_assert_nonnull(extension);
  X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
}

GBytes *
cert_new(const CertRecipe *recipe)
{
  static long serial = 1000;
  X509 *x509 = X509_new();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
  set_name(X509_get_subject_name(x509), recipe->name);
  set_name(X509_get_issuer_name(x509), recipe->issuer ? recipe->issuer : recipe->name);
  ASN1_TIME_set_string_X509(X509_getm_notBefore(x509),
                            recipe->from ? recipe->from : "20200101000000Z");
  ASN1_TIME_set_string_X509(X509_getm_notAfter(x509), "20400101000000Z");
  X509_set_pubkey(x509, recipe->key);
  if (recipe->address) {
    g_autofree char *value = g_strconcat("email:", recipe->address, NULL);
    add_extension(x509, "subjectAltName", value);
  }
  if (recipe->usage)
    add_extension(x509, "keyUsage", recipe->usage);
  if (recipe->ca)
    add_extension(x509, "basicConstraints", "critical,CA:TRUE");
  EVP_PKEY *signer = recipe->issuer_key ? recipe->issuer_key : recipe->key;
  g_assert_cmpint(X509_sign(x509, signer, EVP_sha256()), >, 0);
  guint8 *der = NULL;
  int length = i2d_X509(x509, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  X509_free(x509);
  return bytes;
}

char *
cert_key_name(EVP_PKEY *key)
{
  return base_key_name_of(key);
}

char *
cert_pem(GBytes *der)
{
  g_autoptr(BaseCert) cert = base_cert_new(der, NULL);
  return base_cert_to_pem(cert);
}
