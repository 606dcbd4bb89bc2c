/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "enroll/exchange.h"

#include "base/error.h"

#include <string.h>

#define CERT_PROFILE_OID "1.3.6.1.5.5.7.4.21" /* id-it-certProfile, RFC 9480 2.8 */
#define PROFILE_MAX 256

G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_NAME, X509_NAME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_STORE, X509_STORE_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)

/* ---- where ---- */

gboolean
enroll_url_parse(const char *text, BaseUrl *ret_url, GError **error)
{
  g_auto(BaseUrl) url = { 0 };
  if (!base_url_parse(text, &url) || strcmp(url.scheme, "ldap") == 0 || strchr(url.path, '?'))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--cmp takes the CA's address, like http://ca.example.org/pkix/, without "
                          "user, ? and #");
  *ret_url = url;
  url = (BaseUrl){ 0 };
  return TRUE;
}

gboolean
enroll_check_server(const EnrollServer *server, EnrollKind kind, gboolean can_sign, GError **error)
{
  g_auto(BaseUrl) url = { 0 };
  if (!enroll_url_parse(server->url, &url, error))
    return FALSE;
  if (server->timeout_s < 1 || server->timeout_s > ENROLL_TIMEOUT_MAX_S)
    return base_error_set(error, SIGNET_ERROR_USAGE, "--timeout takes 1 to %d seconds",
                          ENROLL_TIMEOUT_MAX_S);
  if (server->reference && !server->secret)
    return base_error_set(error, SIGNET_ERROR_USAGE, "--ref goes with a secret; --passphrase-fd N");
  if (!server->secret && kind == ENROLL_INITIAL && !can_sign)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "how does the CA know who asks? Its reference and secret: --ref REF "
                          "--passphrase-fd N; or a certificate you have: --signer ID");
  if (!server->secret && !server->certificates && !server->roots)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "how are the CA's answers known to be its own? --server-cert FILE, or "
                          "--trust FILE with its root, or a secret");
  if (server->certificates && (server->certificates->len != 1 || server->roots))
    return base_error_set(
        error, SIGNET_ERROR_USAGE,
        "--server-cert takes a file with one certificate, and no --trust with it");
  g_autoptr(X509_NAME) name = server->recipient ? enroll_name_parse(server->recipient) : NULL;
  if (server->recipient && !name)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--recipient takes a name like \"CN=Mail CA,O=Example\"");
  if (server->profile && (!*server->profile || strlen(server->profile) > PROFILE_MAX ||
                          !g_utf8_validate(server->profile, -1, NULL)))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--profile takes a name of up to %d bytes",
                          PROFILE_MAX);
  return TRUE;
}

gboolean
enroll_set_protocol(OSSL_CMP_CTX *context, const EnrollServer *server, GError **error)
{
  /* No OSSL_CMP_OPT_TOTAL_TIMEOUT: OpenSSL would shorten the wait that the CA wants. The transfer
   * and the wait have the deadline. */
  gboolean set =
      OSSL_CMP_CTX_set_option(context, OSSL_CMP_OPT_UNPROTECTED_ERRORS,
                              server->unprotected_errors) &&
      OSSL_CMP_CTX_set_option(context, OSSL_CMP_OPT_IMPLICIT_CONFIRM, server->implicit_confirm);
  return set || base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot prepare CMP");
}

/* ---- who ---- */

static X509 *
read_certificate(GBytes *der, GError **error)
{
  g_autoptr(BaseCert) facts = base_cert_new(der, error);
  return facts ? base_cert_to_x509(facts, error) : NULL;
}

static gboolean
set_roots(OSSL_CMP_CTX *context, const GPtrArray *roots, GError **error)
{
  g_autoptr(X509_STORE) store = X509_STORE_new();
  for (guint i = 0; store && i < roots->len; i++) {
    g_autoptr(X509) root = base_cert_to_x509(g_ptr_array_index(roots, i), error);
    if (!root)
      return FALSE;
    if (X509_STORE_add_cert(store, root) != 1)
      return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot use the CA's root");
  }
  /* What the person named is trusted, also where it is no root but an issuing CA. */
  if (!store || X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
      !OSSL_CMP_CTX_set0_trustedStore(context, store))
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot use the CA's root");
  g_steal_pointer(&store);
  return TRUE;
}

static gboolean
set_server_certificate(OSSL_CMP_CTX *context, const GPtrArray *certificates, GError **error)
{
  g_autoptr(X509) certificate = base_cert_to_x509(g_ptr_array_index(certificates, 0), error);
  if (!certificate)
    return FALSE;
  return OSSL_CMP_CTX_set1_srvCert(context, certificate) ||
         base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot use the CA's certificate");
}

static gboolean
set_secret(OSSL_CMP_CTX *context, const EnrollServer *server, GError **error)
{
  const char *reference = server->reference;
  gboolean set = OSSL_CMP_CTX_set1_secretValue(context, base_secret_bytes(server->secret),
                                               (int)base_secret_length(server->secret)) &&
                 (!reference || OSSL_CMP_CTX_set1_referenceValue(context, (const guint8 *)reference,
                                                                 (int)strlen(reference)));
  return set || base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot use the secret");
}

static gboolean
set_signer(OSSL_CMP_CTX *context, const EnrollRequest *request, EVP_PKEY *signer, GError **error)
{
  g_autoptr(X509) certificate = read_certificate(request->signer_certificate, error);
  if (!certificate)
    return FALSE;
  return (OSSL_CMP_CTX_set1_cert(context, certificate) &&
          OSSL_CMP_CTX_set1_pkey(context, signer)) ||
         base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot sign with the certificate");
}

gboolean
enroll_set_proof(OSSL_CMP_CTX *context, const EnrollServer *server, const EnrollRequest *request,
                 EVP_PKEY *signer, GError **error)
{
  if (server->roots && !set_roots(context, server->roots, error))
    return FALSE;
  if (server->certificates && !set_server_certificate(context, server->certificates, error))
    return FALSE;
  if (server->secret)
    return set_secret(context, server, error);
  return set_signer(context, request, signer, error);
}

/* ---- what ---- */

/* CertProfileValue ::= SEQUENCE SIZE (1..MAX) OF UTF8String */
static OSSL_CMP_ITAV *
make_profile(const char *profile)
{
  ASN1_SEQUENCE_ANY *names = sk_ASN1_TYPE_new_null();
  ASN1_TYPE *name = ASN1_TYPE_new(), *value = ASN1_TYPE_new();
  ASN1_UTF8STRING *text = ASN1_UTF8STRING_new();
  ASN1_STRING *sequence = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
  ASN1_OBJECT *type = OBJ_txt2obj(CERT_PROFILE_OID, 1);
  guint8 *der = NULL;
  OSSL_CMP_ITAV *item = NULL;
  if (names && name && value && text && sequence && type && ASN1_STRING_set(text, profile, -1)) {
    ASN1_TYPE_set(name, V_ASN1_UTF8STRING, g_steal_pointer(&text));
    int length = sk_ASN1_TYPE_push(names, name) ? i2d_ASN1_SEQUENCE_ANY(names, &der) : 0;
    if (length > 0 && ASN1_STRING_set(sequence, der, length)) {
      ASN1_TYPE_set(value, V_ASN1_SEQUENCE, g_steal_pointer(&sequence));
      item = OSSL_CMP_ITAV_create(type, value);
    }
  }
  if (!item) {
    ASN1_OBJECT_free(type);
    ASN1_TYPE_free(value);
  }
  sk_ASN1_TYPE_free(names);
  ASN1_TYPE_free(name);
  ASN1_UTF8STRING_free(text);
  ASN1_STRING_free(sequence);
  OPENSSL_free(der);
  return item;
}

static gboolean
add_profile(OSSL_CMP_CTX *context, const char *profile)
{
  OSSL_CMP_ITAV *item = make_profile(profile);
  if (item && OSSL_CMP_CTX_push0_geninfo_ITAV(context, item))
    return TRUE;
  OSSL_CMP_ITAV_free(item);
  return FALSE;
}

static gboolean
set_template(OSSL_CMP_CTX *context, const EnrollRequest *request, EVP_PKEY *key)
{
  g_autoptr(X509_NAME) name = enroll_subject_name(&request->subject);
  EnrollExtensions *extensions = enroll_subject_extensions(&request->subject, key);
  if (!extensions || !OSSL_CMP_CTX_set0_reqExtensions(context, extensions)) {
    enroll_extensions_free(extensions);
    return FALSE;
  }
  if (!name || !OSSL_CMP_CTX_set1_subjectName(context, name) || EVP_PKEY_up_ref(key) != 1)
    return FALSE;
  if (OSSL_CMP_CTX_set0_newPkey(context, 1, key))
    return TRUE;
  EVP_PKEY_free(key);
  return FALSE;
}

static gboolean
set_digest(OSSL_CMP_CTX *context, EVP_PKEY *key)
{
  int digest = EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) > 256 ? NID_sha384 : NID_sha256;
  return OSSL_CMP_CTX_set_option(context, OSSL_CMP_OPT_DIGEST_ALGNID, digest);
}

gboolean
enroll_set_request(OSSL_CMP_CTX *context, const EnrollServer *server, const EnrollRequest *request,
                   EVP_PKEY *key, GError **error)
{
  g_autoptr(X509_NAME) recipient = server->recipient ? enroll_name_parse(server->recipient) : NULL;
  g_autoptr(X509) old = request->old ? read_certificate(request->old, error) : NULL;
  if (request->old && !old)
    return FALSE;
  gboolean set = (!recipient || OSSL_CMP_CTX_set1_recipient(context, recipient)) &&
                 (!server->profile || add_profile(context, server->profile)) &&
                 (!old || OSSL_CMP_CTX_set1_oldCert(context, old));
  if (set && request->kind == ENROLL_REVOCATION)
    set = request->reason < 0 ||
          OSSL_CMP_CTX_set_option(context, OSSL_CMP_OPT_REVOCATION_REASON, request->reason);
  else
    set = set && set_digest(context, key) && set_template(context, request, key);
  return set || base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the request");
}
