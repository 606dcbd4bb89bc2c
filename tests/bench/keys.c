/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* bench-keys MODULE LABEL FOLDER KEY…: makes keys with self-signed mail certificates, stores them
 * on the token, and leaves NAME.der, NAME.pem and, for the software signers, NAME.p12 (empty
 * passphrase) in FOLDER. KEY is KIND:NAME:ADDRESS or KIND*COUNT. The PIN is the first line of
 * standard input. A process of its own, so that no long-lived one has ever loaded the module. */

#include "keys.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static EVP_PKEY *
make_key(const char *kind)
{
  return g_str_equal(kind, "rsa") ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
}

static gboolean
add_extension(X509 *certificate, int nid, const char *value)
{
  X509V3_CTX context;
  gboolean added = FALSE;

  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  if (extension)
    added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

static X509 *
make_certificate(EVP_PKEY *key, const char *address, guint16 serial)
{
  g_autoptr(X509) certificate = X509_new();
  g_autofree char *names = g_strconcat("email:", address, NULL);
  X509_NAME *subject = X509_get_subject_name(certificate);

  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 30L * 24 * 3600);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const guchar *)address, -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_set_pubkey(certificate, key);
  if (!add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyEncipherment") ||
      !add_extension(certificate, NID_ext_key_usage, "emailProtection") ||
      !add_extension(certificate, NID_subject_alt_name, names) ||
      !X509_sign(certificate, key, EVP_sha256()))
    return NULL;
  return g_steal_pointer(&certificate);
}

static gboolean
write_files(const char *folder, const char *name, EVP_PKEY *key, X509 *certificate)
{
  /* 3DES: the one encryption that OpenSSL 3 writes and gpgsm 2.2 reads without a word. */
  PKCS12 *p12 = PKCS12_create("", name, key, certificate, NULL,
                              NID_pbe_WithSHA1And3_Key_TripleDES_CBC, -1, 0, 0, 0);
  static const char *const suffixes[] = { ".der", ".pem", ".p12" };
  gboolean written = p12 != NULL;

  for (guint i = 0; written && i < G_N_ELEMENTS(suffixes); i++) {
    g_autofree char *path = g_strconcat(folder, "/", name, suffixes[i], NULL);
    BIO *file = BIO_new_file(path, "wb");
    if (!file)
      written = FALSE;
    else if (i == 0)
      written = i2d_X509_bio(file, certificate) == 1;
    else if (i == 1)
      written = PEM_write_bio_X509(file, certificate) == 1;
    else
      written = i2d_PKCS12_bio(file, p12) == 1;
    BIO_free(file);
  }
  PKCS12_free(p12);
  return written;
}

static gboolean
add_one(KeysToken *token, const char *folder, const char *kind, const char *name,
        const char *address, GError **error)
{
  static guint16 last_id;
  g_autoptr(EVP_PKEY) key = make_key(kind);
  g_autoptr(X509) certificate = key ? make_certificate(key, address, ++last_id) : NULL;

  if (!certificate || (folder && !write_files(folder, name, key, certificate))) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot make key %s: %s", name,
                ERR_reason_error_string(ERR_peek_last_error()));
    return FALSE;
  }
  return keys_token_store(token, name, last_id, key, certificate, error);
}

static gboolean
add_keys(KeysToken *token, const char *folder, const char *spec, GError **error)
{
  g_auto(GStrv) one = g_strsplit(spec, ":", 3);
  g_auto(GStrv) many = g_strsplit(spec, "*", 2);

  if (g_strv_length(one) == 3)
    return add_one(token, folder, one[0], one[1], one[2], error);
  guint count = many[0] && many[1] ? (guint)g_ascii_strtoull(many[1], NULL, 10) : 0;
  for (guint i = 1; i <= count; i++) {
    g_autofree char *name = g_strdup_printf("k%04u", i);
    g_autofree char *address = g_strconcat(name, "@example.org", NULL);
    /* Only the first and the last are used by name. */
    if (!add_one(token, i == 1 || i == count ? folder : NULL, many[0], name, address, error))
      return FALSE;
  }
  return TRUE;
}

int
main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(KeysToken) token = NULL;
  char pin[64];

  if (argc < 5 || !fgets(pin, sizeof pin, stdin)) {
    g_printerr("Usage: bench-keys MODULE LABEL FOLDER KEY… < PIN\n");
    return 2;
  }
  token = keys_token_open(argv[1], argv[2], g_strchomp(pin), &error);
  for (int i = 4; token && i < argc; i++) {
    if (!add_keys(token, argv[3], argv[i], &error))
      break;
  }
  if (error)
    g_printerr("bench-keys: %s\n", error->message);
  return error ? 1 : 0;
}
