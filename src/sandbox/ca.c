/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/ca.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define DAY (24 * 60 * 60)
#define CA_FROM (-10 * 365 * DAY) /* older than any certificate that it issues */
#define CA_UNTIL (10 * 365 * DAY)
#define CRL_UNTIL (30 * DAY)
#define SERIAL_BYTES 16

struct SandboxCa {
  EVP_PKEY *key;
  X509 *certificate;
  GPtrArray *revoked; /* (element-type X509) */
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_CRL, X509_CRL_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_NAME, X509_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_REVOKED, X509_REVOKED_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_EXTENSION, X509_EXTENSION_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GENERAL_NAMES, GENERAL_NAMES_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GENERAL_NAME, GENERAL_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_INTEGER, ASN1_INTEGER_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_TIME, ASN1_TIME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIGNUM, BN_free)

void
sandbox_ca_free(SandboxCa *ca)
{
  if (!ca)
    return;
  EVP_PKEY_free(ca->key);
  X509_free(ca->certificate);
  g_ptr_array_unref(ca->revoked);
  g_free(ca);
}

const X509 *
sandbox_ca_certificate(const SandboxCa *ca)
{
  return ca->certificate;
}

/* ---- what every certificate has ---- */

static gboolean
set_serial(X509 *certificate)
{
  guint8 random[SERIAL_BYTES];
  if (RAND_bytes(random, sizeof random) != 1)
    return FALSE;
  random[0] = (guint8)((random[0] & 0x7f) | 0x40); /* positive, and always of full length */
  g_autoptr(BIGNUM) number = BN_bin2bn(random, sizeof random, NULL);
  return number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
}

static X509_NAME *
name_of(const char *common_name)
{
  static const char organisation[] = "signet sandbox";
  g_autoptr(X509_NAME) name = X509_NAME_new();
  if (!name ||
      !X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const guint8 *)organisation, -1, -1,
                                  0) ||
      !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const guint8 *)common_name, -1, -1,
                                  0))
    return NULL;
  return g_steal_pointer(&name);
}

static gboolean
set_times(X509 *certificate, gint64 from, gint64 until)
{
  return X509_gmtime_adj(X509_getm_notBefore(certificate), from) != NULL &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), until) != NULL;
}

/* Constant text only: OpenSSL's own little language. */
static gboolean
add(X509 *certificate, X509V3_CTX *context, int nid, const char *text)
{
  g_autoptr(X509_EXTENSION) extension = X509V3_EXT_conf_nid(NULL, context, nid, text);
  return extension && X509_add_ext(certificate, extension, -1) == 1;
}

static X509 *
start_certificate(const char *name, EVP_PKEY *key, gint64 from, gint64 until)
{
  g_autoptr(X509) certificate = X509_new();
  g_autoptr(X509_NAME) subject = name_of(name);
  if (!certificate || !subject || X509_set_version(certificate, X509_VERSION_3) != 1 ||
      !set_serial(certificate) || X509_set_subject_name(certificate, subject) != 1 ||
      X509_set_pubkey(certificate, key) != 1 || !set_times(certificate, from, until))
    return NULL;
  return g_steal_pointer(&certificate);
}

/* ---- the CA ---- */

static gboolean
certify_itself(SandboxCa *ca, const char *name)
{
  X509V3_CTX context;
  g_autoptr(X509) certificate = start_certificate(name, ca->key, CA_FROM, CA_UNTIL);
  if (!certificate)
    return FALSE;
  X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
  if (X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) != 1 ||
      !add(certificate, &context, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add(certificate, &context, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add(certificate, &context, NID_subject_key_identifier, "hash") ||
      X509_sign(certificate, ca->key, EVP_sha256()) <= 0)
    return FALSE;
  ca->certificate = g_steal_pointer(&certificate);
  return TRUE;
}

SandboxCa *
sandbox_ca_new(const char *name, GError **error)
{
  g_autoptr(SandboxCa) ca = g_new0(SandboxCa, 1);
  ca->revoked = g_ptr_array_new_with_free_func((GDestroyNotify)X509_free);
  ca->key = EVP_EC_gen("P-256");
  if (!ca->key || !certify_itself(ca, name)) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the sandbox's CA");
    return NULL;
  }
  return g_steal_pointer(&ca);
}

/* ---- certificates of people ---- */

static gboolean
add_address(X509 *certificate, const char *address)
{
  g_autoptr(GENERAL_NAMES) names = GENERAL_NAMES_new();
  g_autoptr(GENERAL_NAME) name = GENERAL_NAME_new();
  ASN1_IA5STRING *text = ASN1_IA5STRING_new();
  if (!names || !name || !text || !ASN1_STRING_set(text, address, -1)) {
    ASN1_IA5STRING_free(text);
    return FALSE;
  }
  GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
  if (!sk_GENERAL_NAME_push(names, name))
    return FALSE;
  (void)g_steal_pointer(&name);
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
}

/* RFC 8550 4.4.2: digitalSignature or nonRepudiation to sign; keyEncipherment (RSA) or
 * keyAgreement (EC, RFC 8551 and RFC 5753) to receive. */
static const char *
usage_of(const SandboxSubject *subject)
{
  gboolean rsa = EVP_PKEY_is_a(subject->key, "RSA");
  if (subject->sign && subject->decrypt)
    return rsa ? "critical,digitalSignature,nonRepudiation,keyEncipherment"
               : "critical,digitalSignature,nonRepudiation,keyAgreement";
  if (subject->sign)
    return "critical,digitalSignature,nonRepudiation";
  return rsa ? "critical,keyEncipherment" : "critical,keyAgreement";
}

static gboolean
add_extensions(SandboxCa *ca, X509 *certificate, const SandboxSubject *subject)
{
  X509V3_CTX context;
  X509V3_set_ctx(&context, ca->certificate, certificate, NULL, NULL, 0);
  return add(certificate, &context, NID_basic_constraints, "critical,CA:FALSE") &&
         add(certificate, &context, NID_key_usage, usage_of(subject)) &&
         add(certificate, &context, NID_ext_key_usage, "emailProtection") &&
         add(certificate, &context, NID_subject_key_identifier, "hash") &&
         add(certificate, &context, NID_authority_key_identifier, "keyid") &&
         (!subject->address || add_address(certificate, subject->address));
}

X509 *
sandbox_ca_issue(SandboxCa *ca, const SandboxSubject *subject, GError **error)
{
  g_autoptr(X509) certificate =
      start_certificate(subject->name, subject->key, subject->from, subject->until);
  if (!certificate ||
      X509_set_issuer_name(certificate, X509_get_subject_name(ca->certificate)) != 1 ||
      !add_extensions(ca, certificate, subject) ||
      X509_sign(certificate, ca->key, EVP_sha256()) <= 0) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot certify %s", subject->name);
    return NULL;
  }
  if (subject->revoked) {
    X509_up_ref(certificate);
    g_ptr_array_add(ca->revoked, certificate);
  }
  return g_steal_pointer(&certificate);
}

/* ---- revoked ones ---- */

static gboolean
add_revoked(X509_CRL *crl, const X509 *certificate, const ASN1_TIME *now)
{
  g_autoptr(X509_REVOKED) entry = X509_REVOKED_new();
  ASN1_INTEGER *serial = ASN1_INTEGER_dup(X509_get0_serialNumber(certificate));
  gboolean filled = entry && serial && X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
                    X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *)(gintptr)now) == 1;
  ASN1_INTEGER_free(serial);
  if (!filled || X509_CRL_add0_revoked(crl, entry) != 1)
    return FALSE;
  (void)g_steal_pointer(&entry);
  return TRUE;
}

static gboolean
fill_crl(const SandboxCa *ca, X509_CRL *crl)
{
  X509V3_CTX context;
  time_t start = time(NULL);
  g_autoptr(ASN1_TIME) now = ASN1_TIME_set(NULL, start);
  g_autoptr(ASN1_TIME) next = ASN1_TIME_set(NULL, start + CRL_UNTIL);
  g_autoptr(ASN1_INTEGER) number = ASN1_INTEGER_new();
  if (!now || !next || !number || ASN1_INTEGER_set(number, 1) != 1 ||
      X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->certificate)) != 1 ||
      X509_CRL_set1_lastUpdate(crl, now) != 1 || X509_CRL_set1_nextUpdate(crl, next) != 1)
    return FALSE;
  for (guint i = 0; i < ca->revoked->len; i++)
    if (!add_revoked(crl, ca->revoked->pdata[i], now))
      return FALSE;
  X509V3_set_ctx(&context, ca->certificate, NULL, NULL, crl, 0);
  g_autoptr(X509_EXTENSION) issuer =
      X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier, "keyid");
  return issuer && X509_CRL_add_ext(crl, issuer, -1) == 1 &&
         X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1 && X509_CRL_sort(crl) == 1 &&
         X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0;
}

/* ---- files ---- */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free)

static gboolean
write_bio(BIO *bio, const char *path, GError **error)
{
  char *bytes = NULL;
  long length = BIO_get_mem_data(bio, &bytes);
  if (!g_file_set_contents_full(path, bytes, (gssize)length, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
    return base_error_set_errno(error, errno, "cannot write %s", path);
  return TRUE;
}

gboolean
sandbox_ca_write_crl(const SandboxCa *ca, const char *path, GError **error)
{
  g_autoptr(X509_CRL) crl = X509_CRL_new();
  g_autoptr(BIO) bio = BIO_new(BIO_s_mem());
  if (!crl || !bio || !fill_crl(ca, crl) || PEM_write_bio_X509_CRL(bio, crl) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the revocation list");
  return write_bio(bio, path, error);
}

gboolean
sandbox_write_certificate(const X509 *certificate, const char *path, GError **error)
{
  g_autoptr(BIO) bio = BIO_new(BIO_s_mem());
  if (!bio || PEM_write_bio_X509(bio, (X509 *)(gintptr)certificate) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot write %s", path);
  return write_bio(bio, path, error);
}

static gboolean
write_p12(X509 *certificate, EVP_PKEY *key, const char *path, const char *passphrase,
          GError **error)
{
  g_autoptr(BIO) bio = BIO_new(BIO_s_mem());
  PKCS12 *p12 = PKCS12_create(passphrase, NULL, key, certificate, NULL, 0, 0, 0, 0, 0);
  gboolean made = bio && p12 && i2d_PKCS12_bio(bio, p12) == 1;
  PKCS12_free(p12);
  if (!made)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make %s", path);
  return write_bio(bio, path, error);
}

gboolean
sandbox_write_person(X509 *certificate, EVP_PKEY *key, const char *path, const char *passphrase,
                     GError **error)
{
  g_autofree char *pem = g_strconcat(path, ".pem", NULL);
  g_autofree char *secret = g_strconcat(path, ".key", NULL);
  g_autofree char *p12 = g_strconcat(path, ".p12", NULL);
  g_autoptr(BIO) bio = BIO_new(BIO_s_secmem());
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot write %s", secret);
  return write_bio(bio, secret, error) && sandbox_write_certificate(certificate, pem, error) &&
         write_p12(certificate, key, p12, passphrase, error);
}
