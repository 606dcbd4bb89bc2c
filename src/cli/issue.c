/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/issue.h"

#include "base/error.h"
#include "provider/provider.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define COMMON_NAME_MAX 64 /* ub-common-name, RFC 5280 appendix A.1 */
#define SERIAL_BYTES 16    /* RFC 5280 4.1.2.2 allows 20 */
#define CLOCK_SKEW (5 * 60)

typedef STACK_OF(X509_EXTENSION) Extensions;

static void
extensions_free(Extensions *extensions)
{
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Extensions, extensions_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_REQ, X509_REQ_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_NAME, X509_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OSSL_LIB_CTX, provider_context_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GENERAL_NAMES, GENERAL_NAMES_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_BIT_STRING, ASN1_BIT_STRING_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIGNUM, BN_free)

gboolean
cli_issue_check(const CliSubject *subject, GError **error)
{
  if (subject->name && (!g_utf8_validate(subject->name, -1, NULL) || !*subject->name))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--name must be text in UTF-8, and not empty");
  if (subject->name && g_utf8_strlen(subject->name, -1) > COMMON_NAME_MAX)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--name is longer than the %d characters a certificate takes",
                          COMMON_NAME_MAX);
  for (int i = 0; subject->addresses[i]; i++) {
    g_autofree char *normal = base_address_normal(subject->addresses[i]);
    if (!normal)
      return base_error_set(error, SIGNET_ERROR_USAGE, "\"%s\" is no mail address",
                            subject->addresses[i]);
    /* rfc822Name is an IA5String; others need SmtpUTF8Mailbox (RFC 8398), which mailers do not read. */
    if (!g_str_is_ascii(normal))
      return base_error_set(
          error, SIGNET_ERROR_UNSUPPORTED,
          "\"%s\" has letters that a certificate's address cannot have; use its ASCII form",
          normal);
  }
  return TRUE;
}

/* ---- extensions ---- */

static gboolean
add_addresses(Extensions **extensions, const char *const *addresses)
{
  g_autoptr(GENERAL_NAMES) names = GENERAL_NAMES_new();
  for (int i = 0; names && addresses[i]; i++) {
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    g_autofree char *normal = base_address_normal(addresses[i]);
    if (!name || !text || !normal || !ASN1_STRING_set(text, normal, -1)) {
      GENERAL_NAME_free(name);
      ASN1_IA5STRING_free(text);
      return FALSE;
    }
    GENERAL_NAME_set0_value(name, GEN_EMAIL, text);
    if (!sk_GENERAL_NAME_push(names, name)) {
      GENERAL_NAME_free(name);
      return FALSE;
    }
  }
  return names && X509V3_add1_i2d(extensions, NID_subject_alt_name, names, 0, 0) == 1;
}

/* Bits of RFC 5280 4.2.1.3: digitalSignature 0, nonRepudiation 1, keyEncipherment 2, keyAgreement 4. */
static gboolean
add_key_usage(Extensions **extensions, EVP_PKEY *public_key, gboolean can_decrypt)
{
  g_autoptr(ASN1_BIT_STRING) bits = ASN1_BIT_STRING_new();
  int decrypt_bit = EVP_PKEY_is_a(public_key, "RSA") ? 2 : EVP_PKEY_is_a(public_key, "EC") ? 4 : -1;
  if (!bits || !ASN1_BIT_STRING_set_bit(bits, 0, 1) || !ASN1_BIT_STRING_set_bit(bits, 1, 1))
    return FALSE;
  if (can_decrypt && decrypt_bit >= 0 && !ASN1_BIT_STRING_set_bit(bits, decrypt_bit, 1))
    return FALSE;
  return X509V3_add1_i2d(extensions, NID_key_usage, bits, 1, 0) == 1;
}

static gboolean
add_mail_only(Extensions **extensions)
{
  g_autoptr(EXTENDED_KEY_USAGE) usage = EXTENDED_KEY_USAGE_new();
  return usage && sk_ASN1_OBJECT_push(usage, OBJ_nid2obj(NID_email_protect)) &&
         X509V3_add1_i2d(extensions, NID_ext_key_usage, usage, 0, 0) == 1;
}

static Extensions *
make_extensions(const CliSubject *subject, EVP_PKEY *public_key)
{
  g_autoptr(Extensions) extensions = NULL;
  g_autoptr(BASIC_CONSTRAINTS) no_ca = BASIC_CONSTRAINTS_new();
  if (!no_ca || X509V3_add1_i2d(&extensions, NID_basic_constraints, no_ca, 1, 0) != 1 ||
      !add_key_usage(&extensions, public_key, subject->can_decrypt) ||
      !add_mail_only(&extensions) || !add_addresses(&extensions, subject->addresses))
    return NULL;
  return g_steal_pointer(&extensions);
}

static X509_NAME *
make_name(const CliSubject *subject)
{
  const char *text = subject->name ? subject->name : subject->addresses[0];
  const char *field = g_utf8_strlen(text, -1) > COMMON_NAME_MAX ? "emailAddress" : "CN";
  int type = strcmp(field, "CN") == 0 ? MBSTRING_UTF8 : V_ASN1_IA5STRING;
  g_autoptr(X509_NAME) name = X509_NAME_new();
  if (!name || !X509_NAME_add_entry_by_txt(name, field, type, (const guint8 *)text, -1, -1, 0))
    return NULL;
  return g_steal_pointer(&name);
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
  g_autoptr(X509_NAME) name = make_name(subject);
  g_autoptr(Extensions) extensions = make_extensions(subject, public_key);
  time_t start = (time_t)(g_get_real_time() / G_USEC_PER_SEC) - CLOCK_SKEW;
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
  g_autoptr(X509_NAME) name = make_name(subject);
  g_autoptr(Extensions) extensions = make_extensions(subject, public_key);
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
