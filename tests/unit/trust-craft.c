/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust-craft.h"

#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <string.h>
#include <time.h>

#define DAY (24 * 3600)

static long serials = 0x1000;

const char *const craft_ca[] = { "basicConstraints=critical,CA:TRUE",
                                 "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
                                 "subjectKeyIdentifier=hash", NULL };

static X509_EXTENSION *
extension_new(const char *text, X509 *issuer, X509 *subject)
{
  g_auto(GStrv) parts = g_strsplit(text, "=", 2);
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, subject, NULL, NULL, 0);
  X509V3_set_ctx_nodb(&context);
  X509_EXTENSION *extension = X509V3_EXT_nconf(NULL, &context, parts[0], parts[1]);
  g_assert_nonnull(extension);
  return extension;
}

CraftParty *
craft_party(const char *name, const CraftParty *issuer, const char *const *extensions)
{
  CraftParty *party = g_new0(CraftParty, 1);
  X509 *x509 = X509_new();
  X509_NAME *subject = X509_get_subject_name(x509);
  party->key = EVP_EC_gen("P-256");
  party->x509 = x509;
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serials);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const guint8 *)name, -1, -1, 0);
  X509_set_issuer_name(x509, issuer ? X509_get_subject_name(issuer->x509) : subject);
  X509_gmtime_adj(X509_getm_notBefore(x509), -30 * DAY);
  X509_gmtime_adj(X509_getm_notAfter(x509), 30 * DAY);
  X509_set_pubkey(x509, party->key);
  for (; extensions && *extensions; extensions++) {
    X509_EXTENSION *extension = extension_new(*extensions, issuer ? issuer->x509 : x509, x509);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }
  g_assert_cmpint(X509_sign(x509, issuer ? issuer->key : party->key, EVP_sha256()), >, 0);
  party->cert = base_cert_new_from_x509(x509, NULL);
  g_assert_nonnull(party->cert);
  return party;
}

void
craft_party_free(CraftParty *party)
{
  if (!party)
    return;
  EVP_PKEY_free(party->key);
  X509_free(party->x509);
  base_cert_free(party->cert);
  g_free(party);
}

static void
add_entry(X509_CRL *crl, const ASN1_INTEGER *serial, int reason, const char *extension)
{
  X509_REVOKED *entry = X509_REVOKED_new();
  ASN1_TIME *date = X509_gmtime_adj(NULL, -2 * DAY);
  ASN1_INTEGER *copy = ASN1_INTEGER_dup(serial);
  X509_REVOKED_set_serialNumber(entry, copy);
  X509_REVOKED_set_revocationDate(entry, date);
  if (reason >= 0) {
    ASN1_ENUMERATED *value = ASN1_ENUMERATED_new();
    ASN1_ENUMERATED_set(value, reason);
    X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, value, 0, 0);
    ASN1_ENUMERATED_free(value);
  }
  if (extension) {
    X509_EXTENSION *made = extension_new(extension, NULL, NULL);
    X509_REVOKED_add_ext(entry, made, -1);
    X509_EXTENSION_free(made);
  }
  X509_CRL_add0_revoked(crl, entry);
  ASN1_INTEGER_free(copy);
  ASN1_TIME_free(date);
}

static void
add_others(X509_CRL *crl, int count)
{
  ASN1_INTEGER *serial = ASN1_INTEGER_new();
  for (int i = 0; i < count; i++) {
    ASN1_INTEGER_set_uint64(serial, G_GUINT64_CONSTANT(0x4000000000000000) + (guint64)i);
    add_entry(crl, serial, 1, NULL);
  }
  ASN1_INTEGER_free(serial);
}

static EVP_MD_CTX *
signing_new(const CraftParty *signer, const EVP_MD *digest, gboolean pss)
{
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  EVP_PKEY_CTX *key = NULL;
  gboolean whole = EVP_PKEY_is_a(signer->key, "ED25519");
  digest = whole ? NULL : digest ? digest : EVP_sha256();
  g_assert_cmpint(EVP_DigestSignInit(context, &key, digest, NULL, signer->key), ==, 1);
  if (pss) {
    EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(key, 32);
  }
  return context;
}

static void
sign_crl(X509_CRL *crl, const CraftCrl *wish)
{
  EVP_MD_CTX *context = signing_new(wish->signer, wish->digest, wish->pss);
  g_assert_cmpint(X509_CRL_sign_ctx(crl, context), >, 0);
  EVP_MD_CTX_free(context);
}

GBytes *
craft_crl(const CraftCrl *wish)
{
  X509_CRL *crl = X509_CRL_new();
  ASN1_TIME *from = X509_gmtime_adj(NULL, wish->from), *until = X509_gmtime_adj(NULL, wish->until);
  guint8 *der = NULL;
  X509_CRL_set_version(crl, X509_CRL_VERSION_2);
  X509_NAME *name = X509_NAME_dup(X509_get_subject_name(wish->signer->x509));
  if (wish->name) {
    X509_NAME_free(name);
    name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const guint8 *)wish->name, -1, -1, 0);
  }
  X509_CRL_set_issuer_name(crl, name);
  X509_NAME_free(name);
  X509_CRL_set1_lastUpdate(crl, from);
  X509_CRL_set1_nextUpdate(crl, until);
  add_others(crl, wish->others);
  if (wish->revoked)
    add_entry(crl, X509_get0_serialNumber(wish->revoked->x509), wish->reason,
              wish->entry_extension);
  if (wish->extension) {
    X509_EXTENSION *made = extension_new(wish->extension, wish->signer->x509, NULL);
    X509_CRL_add_ext(crl, made, -1);
    X509_EXTENSION_free(made);
  }
  sign_crl(crl, wish);
  int length = i2d_X509_CRL(crl, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  ASN1_TIME_free(from);
  ASN1_TIME_free(until);
  X509_CRL_free(crl);
  return bytes;
}

GBytes *
craft_ocsp(const CraftOcsp *wish)
{
  OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
  OCSP_CERTID *id =
      OCSP_cert_to_id(wish->id ? wish->id : EVP_sha1(), wish->about->x509, wish->issuer->x509);
  ASN1_TIME *from = X509_gmtime_adj(NULL, wish->from), *revoked = X509_gmtime_adj(NULL, -2 * DAY);
  ASN1_TIME *until = wish->until ? X509_gmtime_adj(NULL, wish->until) : NULL;
  guint8 *der = NULL;
  g_assert_nonnull(
      OCSP_basic_add1_status(basic, id, wish->status, wish->reason, revoked, from, until));
  EVP_MD_CTX *context = signing_new(wish->signer, wish->digest, wish->pss);
  g_assert_cmpint(OCSP_basic_sign_ctx(basic, wish->signer->x509, context, NULL, 0), ==, 1);
  EVP_MD_CTX_free(context);
  OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  int length = i2d_OCSP_RESPONSE(response, &der);
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  OCSP_RESPONSE_free(response);
  OCSP_BASICRESP_free(basic);
  OCSP_CERTID_free(id);
  ASN1_TIME_free(from);
  ASN1_TIME_free(until);
  ASN1_TIME_free(revoked);
  return bytes;
}

TrustQuestion
craft_question(const CraftParty *about, const CraftParty *issuer)
{
  return (TrustQuestion){ about->x509, issuer->x509, (gint64)time(NULL) };
}
