/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/issue.h"

#include "base/error.h"
#include "cli/cli.h"
#include "provider/provider.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SERIAL_BYTES 16 /* RFC 5280 4.1.2.2 allows 20 */
#define CLOCK_SKEW (5 * 60)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EnrollExtensions, enroll_extensions_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_REQ, X509_REQ_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_NAME, X509_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OSSL_LIB_CTX, provider_context_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIGNUM, BN_free)

gboolean
cli_issue_check(const CliSubject *subject, GError **error)
{
  return enroll_subject_check(subject, error);
}

/* ---- which key ---- */

static gboolean
may_sign(const SignetKey *key)
{
  return key->tokens && key->tokens[0] && (key->can & SIGNET_CAN_SIGN);
}

const SignetKey *
cli_issue_waiting_key(const SignetId *id)
{
  for (guint i = 0; i < id->keys->len; i++) {
    const SignetKey *key = g_ptr_array_index(id->keys, i);
    if (may_sign(key) && key->certificates->len == 0)
      return key;
  }
  return NULL;
}

const SignetKey *
cli_issue_key(const SignetId *id, GError **error)
{
  const SignetKey *picked = cli_issue_waiting_key(id);
  gboolean away = FALSE;
  for (guint i = 0; i < id->keys->len && !picked; i++) {
    const SignetKey *key = g_ptr_array_index(id->keys, i);
    away = away || !key->tokens || !key->tokens[0];
    if (may_sign(key))
      picked = key;
  }
  if (!picked)
    base_error_set(error, away ? SIGNET_ERROR_TOKEN_GONE : SIGNET_ERROR_NONE_USABLE, "%s of %s %s",
                   away ? "the token with the key" : "no key", id->id,
                   away ? "is not here; put it in" : "can sign a request");
  return picked;
}

GBytes *
cli_issue_public_key(const SignetKey *key, GError **error)
{
  if (key->public_key)
    return g_bytes_ref(key->public_key);
  const SignetCertificate *certificate =
      key->certificates->len ? g_ptr_array_index(key->certificates, 0) : NULL;
  g_autoptr(BaseCert) facts =
      certificate && certificate->der ? base_cert_new(certificate->der, error) : NULL;
  g_autoptr(X509) x509 = facts ? base_cert_to_x509(facts, error) : NULL;
  guint8 *der = NULL;
  int length = x509 ? i2d_PUBKEY(X509_get0_pubkey(x509), &der) : 0;
  GBytes *spki = length > 0 ? g_bytes_new(der, (gsize)length) : NULL;
  OPENSSL_free(der);
  if (!spki && error && !*error)
    base_error_set(error, SIGNET_ERROR_FAILED, "the public key of %s is not known", key->key);
  return spki;
}

/* ---- what there is ---- */

static const SignetCertificate *
find_certificate(const SignetId *id, const char *fingerprint, const SignetKey **ret_key,
                 GError **error)
{
  const SignetCertificate *found = NULL;
  for (guint i = 0; i < id->keys->len; i++) {
    const SignetKey *key = g_ptr_array_index(id->keys, i);
    for (guint j = 0; j < key->certificates->len; j++) {
      const SignetCertificate *certificate = g_ptr_array_index(key->certificates, j);
      if (!g_str_has_prefix(certificate->fingerprint, fingerprint))
        continue;
      if (found) {
        base_error_set(error, SIGNET_ERROR_AMBIGUOUS, "%s fits several certificates of %s",
                       fingerprint, id->id);
        return NULL;
      }
      found = certificate;
      *ret_key = key;
    }
  }
  if (!found)
    base_error_set(error, SIGNET_ERROR_NOT_FOUND, "%s has no certificate %s", id->id, fingerprint);
  return found;
}

const SignetCertificate *
cli_issue_find(const SignetId *id, const char *fingerprint, const SignetKey **ret_key,
               GError **error)
{
  if (fingerprint)
    return find_certificate(id, fingerprint, ret_key, error);
  const SignetCertificate *certificate = cli_newest_certificate(id, SIGNET_USE_SIGN, ret_key);
  if (!certificate)
    certificate = cli_newest_certificate(id, 0, ret_key);
  if (!certificate) {
    base_error_set(error, SIGNET_ERROR_NONE_USABLE, "%s has no certificate", id->id);
    base_error_suggest(error, "signet", "id", "request", id->id, NULL);
  }
  return certificate;
}

const SignetCertificate *
cli_issue_current(const SignetId *id, const char *fingerprint, const SignetKey **ret_key,
                  GError **error)
{
  const SignetKey *key = NULL;
  const SignetCertificate *certificate = cli_issue_find(id, fingerprint, &key, error);
  if (!certificate)
    return NULL;
  if (!key->tokens || !key->tokens[0]) {
    base_error_set(error, SIGNET_ERROR_TOKEN_GONE,
                   "the token with the key of %s (%s) is not here; put it in", id->id,
                   key->absent && key->absent[0] ? key->absent[0] : "not known");
    return NULL;
  }
  if (!(key->can & SIGNET_CAN_SIGN)) {
    base_error_set(error, SIGNET_ERROR_NONE_USABLE,
                   "the key of %s on token \"%s\" cannot sign, and so cannot ask for a certificate",
                   id->id, key->tokens[0]);
    return NULL;
  }
  *ret_key = key;
  return certificate;
}

gboolean
cli_issue_again(const SignetId *id, const SignetCertificate *certificate, CliSubject *ret_subject,
                GError **error)
{
  g_autoptr(BaseCert) facts = certificate->der ? base_cert_new(certificate->der, error) : NULL;
  if (!facts)
    return certificate->der != NULL
               ? FALSE
               : base_error_set(error, SIGNET_ERROR_FAILED, "the certificate of %s is not at hand",
                                id->id);
  char **addresses = certificate->addresses;
  if (!addresses || !addresses[0])
    addresses = id->addresses;
  ret_subject->replaces = certificate->not_before;
  ret_subject->addresses = (const char *const *)addresses;
  ret_subject->subject = g_bytes_ref(facts->subject_der);
  return TRUE;
}

/* ---- signing on the token ---- */

/* The digest that fits the key; NULL for Ed25519, which hashes by itself. */
static const char *
digest_for(EVP_PKEY *public_key)
{
  if (EVP_PKEY_is_a(public_key, "ED25519"))
    return NULL;
  if (EVP_PKEY_is_a(public_key, "EC") && EVP_PKEY_get_bits(public_key) > 384)
    return "SHA512";
  return EVP_PKEY_is_a(public_key, "EC") && EVP_PKEY_get_bits(public_key) > 256 ? "SHA384"
                                                                                : "SHA256";
}

static EVP_PKEY *
read_public_key(GBytes *spki, GError **error)
{
  gsize length;
  const guint8 *at = g_bytes_get_data(spki, &length);
  EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)length);
  if (!key)
    base_error_set_openssl(error, SIGNET_ERROR_BAD_INPUT, "cannot read the public key");
  return key;
}

/* The token's own reason (locked, gone, …) says more than OpenSSL's queue. */
static gboolean
signing_failed(const char *what, GError **error)
{
  GError *reason = provider_take_error();
  if (!reason)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot sign the %s", what);
  g_propagate_error(error, reason);
  return FALSE;
}

static EVP_MD_CTX *
start_signing(OSSL_LIB_CTX *context, EVP_PKEY *key, EVP_PKEY *public_key)
{
  g_autoptr(EVP_MD_CTX) signer = EVP_MD_CTX_new();
  if (!signer ||
      EVP_DigestSignInit_ex(signer, NULL, digest_for(public_key), context, NULL, key, NULL) != 1)
    return NULL;
  return g_steal_pointer(&signer);
}

static GBytes *
take_der(guint8 *der, int length)
{
  if (length <= 0)
    return NULL;
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  return bytes;
}

/* ---- a certificate ---- */

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

static gboolean
set_key_identifier(X509 *certificate)
{
  guint8 digest[EVP_MAX_MD_SIZE];
  unsigned length;
  g_autoptr(ASN1_OCTET_STRING) identifier = ASN1_OCTET_STRING_new();
  return identifier && X509_pubkey_digest(certificate, EVP_sha1(), digest, &length) == 1 &&
         ASN1_OCTET_STRING_set(identifier, digest, (int)length) == 1 &&
         X509_add1_ext_i2d(certificate, NID_subject_key_identifier, identifier, 0, 0) == 1;
}

static X509 *
fill_certificate(const CliSubject *subject, EVP_PKEY *public_key, gint64 days)
{
  g_autoptr(X509) certificate = X509_new();
  g_autoptr(X509_NAME) name = enroll_subject_name(subject);
  g_autoptr(EnrollExtensions) extensions = enroll_subject_extensions(subject, public_key);
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  /* Two of one second would both be the newest. */
  time_t start = (time_t)MAX(now - CLOCK_SKEW, MIN(subject->replaces + 1, now));
  if (!certificate || !name || !extensions || X509_set_version(certificate, X509_VERSION_3) != 1 ||
      !set_serial(certificate) || X509_set_subject_name(certificate, name) != 1 ||
      X509_set_issuer_name(certificate, name) != 1 ||
      X509_set_pubkey(certificate, public_key) != 1 ||
      !X509_time_adj_ex(X509_getm_notBefore(certificate), 0, 0, &start) ||
      !X509_time_adj_ex(X509_getm_notAfter(certificate), (int)days, CLOCK_SKEW, &start) ||
      !set_key_identifier(certificate))
    return NULL;
  for (int i = 0; i < sk_X509_EXTENSION_num(extensions); i++)
    if (X509_add_ext(certificate, sk_X509_EXTENSION_value(extensions, i), -1) != 1)
      return NULL;
  return g_steal_pointer(&certificate);
}

GBytes *
cli_issue_certificate(SignetClient *client, const CliSubject *subject, gint64 days, GError **error)
{
  g_autoptr(OSSL_LIB_CTX) context = provider_context_new(client, error);
  g_autoptr(EVP_PKEY) public_key = context ? read_public_key(subject->public_key, error) : NULL;
  g_autoptr(EVP_PKEY) key =
      public_key ? provider_key_new(context, subject->key, subject->public_key, error) : NULL;
  if (!key)
    return NULL;
  g_autoptr(X509) certificate = fill_certificate(subject, public_key, days);
  if (!certificate) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the certificate");
    return NULL;
  }
  g_autoptr(EVP_MD_CTX) signer = start_signing(context, key, public_key);
  if (!signer || X509_sign_ctx(certificate, signer) <= 0 ||
      X509_verify(certificate, public_key) != 1) {
    signing_failed("certificate", error);
    return NULL;
  }
  guint8 *der = NULL;
  int length = i2d_X509(certificate, &der);
  return take_der(der, length);
}

/* ---- a request ---- */

static X509_REQ *
fill_request(const CliSubject *subject, EVP_PKEY *public_key)
{
  g_autoptr(X509_REQ) request = X509_REQ_new();
  g_autoptr(X509_NAME) name = enroll_subject_name(subject);
  g_autoptr(EnrollExtensions) extensions = enroll_subject_extensions(subject, public_key);
  if (!request || !name || !extensions || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_subject_name(request, name) != 1 ||
      X509_REQ_set_pubkey(request, public_key) != 1 ||
      X509_REQ_add_extensions(request, extensions) != 1)
    return NULL;
  return g_steal_pointer(&request);
}

GBytes *
cli_issue_request(SignetClient *client, const CliSubject *subject, GError **error)
{
  g_autoptr(OSSL_LIB_CTX) context = provider_context_new(client, error);
  g_autoptr(EVP_PKEY) public_key = context ? read_public_key(subject->public_key, error) : NULL;
  g_autoptr(EVP_PKEY) key =
      public_key ? provider_key_new(context, subject->key, subject->public_key, error) : NULL;
  if (!key)
    return NULL;
  g_autoptr(X509_REQ) request = fill_request(subject, public_key);
  if (!request) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the request");
    return NULL;
  }
  g_autoptr(EVP_MD_CTX) signer = start_signing(context, key, public_key);
  if (!signer || X509_REQ_sign_ctx(request, signer) <= 0 ||
      X509_REQ_verify(request, public_key) != 1) {
    signing_failed("request", error);
    return NULL;
  }
  guint8 *der = NULL;
  int length = i2d_X509_REQ(request, &der);
  return take_der(der, length);
}

GBytes *
cli_issue_request_pem(GBytes *der)
{
  gsize length;
  const guint8 *bytes = g_bytes_get_data(der, &length);
  g_autofree char *base64 = g_base64_encode(bytes, length);
  GString *pem = g_string_new("-----BEGIN CERTIFICATE REQUEST-----\n");
  for (gsize at = 0; at < strlen(base64); at += 64)
    g_string_append_printf(pem, "%.64s\n", base64 + at);
  g_string_append(pem, "-----END CERTIFICATE REQUEST-----\n");
  return g_string_free_to_bytes(pem);
}
