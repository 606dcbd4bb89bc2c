/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/verify.h"

#include "base/error.h"
#include "cms/attribute.h"
#include "cms/receipt.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* Certificates of one name that are tried: with more, a message could buy hours of work. */
#define CANDIDATES_MAX 4

/* One message while it is verified. */
typedef struct {
  const CmsAsnSigned *data;
  CmsHashing *hashing;
  GPtrArray
      *certificates; /* (element-type CmsCertificate): the message's, then those given besides */
} Verifying;

static void
judge(CmsSignature *signature, CmsSignatureState state, const char *reason)
{
  signature->state = state;
  g_free(signature->reason);
  signature->reason = g_strdup(reason);
}

/* RFC 5652 5.6 and 11: the attributes must be those of this content. NULL: they are. */
static const char *
attributes_problem(const Verifying *verifying, const CmsAsnSigner *info, const CmsHash *hash)
{
  const ASN1_TYPE *type = NULL;
  const ASN1_TYPE *digest = NULL;
  if (!cms_attribute_find(info->signed_attributes, NID_pkcs9_contentType, &type) || !type ||
      type->type != V_ASN1_OBJECT)
    return "its signed attributes do not say the content type once";
  if (OBJ_cmp(type->value.object, verifying->data->encapsulated->type) != 0)
    return "its signed attributes name another type of content";
  if (!cms_attribute_find(info->signed_attributes, NID_pkcs9_messageDigest, &digest) || !digest ||
      digest->type != V_ASN1_OCTET_STRING)
    return "its signed attributes do not hold the content's digest once";
  GBytes *expected = cms_hashing_digest(verifying->hashing, hash);
  const ASN1_STRING *octets = digest->value.octet_string;
  if (!expected || (gsize)ASN1_STRING_length(octets) != g_bytes_get_size(expected) ||
      memcmp(ASN1_STRING_get0_data(octets), g_bytes_get_data(expected, NULL),
             g_bytes_get_size(expected)) != 0)
    return "the content was changed after signing";
  return NULL;
}

/* What one signature covers: the bytes (pure Ed25519 takes these), and their digest. */
typedef struct {
  GBytes *message;
  GBytes *digest;
} Covered;

static void
covered_clear(Covered *covered)
{
  g_clear_pointer(&covered->message, g_bytes_unref);
  g_clear_pointer(&covered->digest, g_bytes_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Covered, covered_clear)

/* RFC 5652 5.4: with attributes the signature is over them, and they name the content. */
static const char *
cover_attributes(const Verifying *verifying, const CmsAsnSigner *info, const CmsHash *hash,
                 Covered *covered)
{
  const char *problem = attributes_problem(verifying, info, hash);
  if (problem)
    return problem;
  covered->message = cms_asn_attributes_der(info->signed_attributes, FALSE);
  if (covered->message)
    covered->digest = cms_hash_digest(hash, g_bytes_get_data(covered->message, NULL),
                                      g_bytes_get_size(covered->message));
  return covered->digest ? NULL : "its signed attributes cannot be encoded";
}

static const char *
cover_content(const Verifying *verifying, const CmsHash *hash, Covered *covered)
{
  /* RFC 5652 5.3: without attributes only id-data may be signed. */
  if (OBJ_obj2nid(verifying->data->encapsulated->type) != NID_pkcs7_data)
    return "it has no signed attributes, and its content is not plain data";
  if (cms_hashing_is_attributes(verifying->hashing))
    return "what it signs looks like the attributes of another signature";
  GBytes *message = cms_hashing_content(verifying->hashing);
  GBytes *digest = cms_hashing_digest(verifying->hashing, hash);
  covered->message = message ? g_bytes_ref(message) : NULL;
  covered->digest = digest ? g_bytes_ref(digest) : NULL;
  return NULL;
}

/* Why it cannot be told whether this signature is good; NULL: it can. */
static char *
missing_text(const Verifying *verifying, const CmsAsnSigner *info, const CmsScheming *scheming)
{
  if (scheming->scheme == CMS_EDDSA && !info->signed_attributes)
    return cms_hashing_content(verifying->hashing)
               ? NULL
               : g_strdup_printf("it signs the content itself instead of a digest, which signet "
                                 "checks up to %d MiB",
                                 CMS_KEPT_MAX / 1024 / 1024);
  if (cms_hashing_digest(verifying->hashing, scheming->hash))
    return NULL;
  return g_strdup_printf("its hash %s is not one that the message announces", scheming->hash->name);
}

static gboolean
identifier_fits(const CmsAsnIdentifier *sid, const CmsCertificate *certificate)
{
  X509 *x509 = certificate->x509;
  if (sid->type == CMS_ASN_KEY_ID) {
    const ASN1_OCTET_STRING *key_id = X509_get0_subject_key_id(x509);
    return key_id && ASN1_OCTET_STRING_cmp(key_id, sid->d.key_id) == 0;
  }
  return ASN1_INTEGER_cmp(X509_get0_serialNumber(x509), sid->d.issuer_serial->serial) == 0 &&
         X509_NAME_cmp(X509_get_issuer_name(x509), sid->d.issuer_serial->issuer) == 0;
}

static void
try_certificate(CmsSignature *signature, const CmsAsnSigner *info, const CmsScheming *scheming,
                const Covered *covered, CmsCertificate *certificate)
{
  EVP_PKEY *key = X509_get0_pubkey(certificate->x509);
  base_cert_free(signature->certificate);
  signature->certificate = base_cert_new_from_x509(certificate->x509, NULL);
  if (!key || EVP_PKEY_missing_parameters(key)) {
    ERR_clear_error();
    judge(signature, CMS_SIGNATURE_UNKNOWN, "its key is not known to signet");
    return;
  }
  g_autofree char *weakness = cms_scheming_weakness(scheming, key);
  signature->weak = weakness != NULL;
  if (!cms_scheming_verify(scheming, key, covered->message, covered->digest, info->signature))
    judge(signature, CMS_SIGNATURE_BAD, "it was not made by the key of the certificate it names");
  else if (info->signed_attributes &&
           !cms_attribute_names_signer(info->signed_attributes, certificate->x509))
    judge(signature, CMS_SIGNATURE_BAD, "its signed attributes name another certificate");
  else
    judge(signature, CMS_SIGNATURE_GOOD, weakness);
}

static void
find_signer(const Verifying *verifying, CmsSignature *signature, const CmsAsnSigner *info,
            const CmsScheming *scheming, const Covered *covered)
{
  guint found = 0;
  /* Two certificates may carry one issuer and serial; any that verifies will do. */
  for (guint i = 0; i < verifying->certificates->len && found < CANDIDATES_MAX; i++) {
    CmsCertificate *certificate = g_ptr_array_index(verifying->certificates, i);
    if (!identifier_fits(info->sid, certificate))
      continue;
    found++;
    try_certificate(signature, info, scheming, covered, certificate);
    if (signature->state == CMS_SIGNATURE_GOOD)
      return;
  }
  if (found)
    return;
  gboolean by_key = info->sid->type == CMS_ASN_KEY_ID;
  g_autofree char *who = cms_message_name_text(by_key ? NULL : info->sid->d.issuer_serial,
                                               by_key ? info->sid->d.key_id : NULL);
  g_autofree char *reason =
      g_strdup_printf("the signer's certificate (%s) is not in the message", who);
  judge(signature, CMS_SIGNATURE_UNKNOWN, reason);
}

static void
check_signature(const Verifying *verifying, CmsSignature *signature, const CmsAsnSigner *info,
                const CmsScheming *scheming)
{
  g_auto(Covered) covered = { NULL, NULL };
  g_autofree char *missing = missing_text(verifying, info, scheming);
  if (missing) {
    judge(signature, CMS_SIGNATURE_UNKNOWN, missing);
    return;
  }
  const char *problem = info->signed_attributes
                            ? cover_attributes(verifying, info, scheming->hash, &covered)
                            : cover_content(verifying, scheming->hash, &covered);
  if (problem)
    judge(signature, CMS_SIGNATURE_BAD, problem);
  else
    find_signer(verifying, signature, info, scheming, &covered);
}

static void
fill_signature(const Verifying *verifying, CmsSignature *signature, const CmsAsnSigner *info)
{
  const CmsHash *hash = cms_hash_of_algorithm(info->digest);
  CmsScheming scheming;
  gboolean unknown = FALSE;
  g_autofree char *reason = NULL;
  signature->digest = hash ? g_strdup(hash->name) : cms_oid_text(info->digest->algorithm);
  signature->algorithm = cms_oid_text(info->algorithm->algorithm);
  if (info->signed_attributes)
    signature->signing_time = cms_attribute_signing_time(info->signed_attributes);
  if (!hash) {
    judge(signature, CMS_SIGNATURE_UNKNOWN, "its hash is not known to signet");
    return;
  }
  signature->weak = hash->weak;
  if (!cms_scheming_read(info->algorithm, hash, &scheming, &unknown, &reason)) {
    judge(signature, unknown ? CMS_SIGNATURE_UNKNOWN : CMS_SIGNATURE_BAD, reason);
    return;
  }
  g_free(signature->algorithm);
  signature->algorithm = g_strdup(cms_scheme_name(scheming.scheme));
  check_signature(verifying, signature, info, &scheming);
}

/* What a good signature says besides. */
static void
add_wishes(const Verifying *verifying, CmsSignature *signature, const CmsAsnSigner *info)
{
  if (signature->state != CMS_SIGNATURE_GOOD || !info->signed_attributes)
    return;
  X509 *preferred = cms_attribute_preferred(info->signed_attributes, verifying->certificates);
  signature->ciphers = cms_attribute_ciphers(info->signed_attributes);
  signature->encryption = preferred ? base_cert_new_from_x509(preferred, NULL) : NULL;
  signature->receipt = cms_receipt_asked_new(info, verifying->data->encapsulated->type,
                                             cms_hash_of_algorithm(info->digest));
  signature->original = cms_receipt_original(info, verifying->data->encapsulated->type);
}

/* Even a changed content has a signer to name, for the person to ask. */
static void
name_signer(const Verifying *verifying, CmsSignature *signature, const CmsAsnSigner *info)
{
  for (guint i = 0; i < verifying->certificates->len && !signature->certificate; i++) {
    CmsCertificate *certificate = g_ptr_array_index(verifying->certificates, i);
    if (identifier_fits(info->sid, certificate))
      signature->certificate = base_cert_new_from_x509(certificate->x509, NULL);
  }
}

static void
signature_free(CmsSignature *signature)
{
  if (!signature)
    return;
  g_free(signature->reason);
  base_cert_free(signature->certificate);
  g_free(signature->digest);
  g_free(signature->algorithm);
  g_strfreev(signature->ciphers);
  base_cert_free(signature->encryption);
  cms_receipt_asked_free(signature->receipt);
  g_clear_pointer(&signature->original, g_bytes_unref);
  g_free(signature);
}

static void
fill_signatures(const Verifying *verifying, CmsVerified *verified)
{
  for (int i = 0; i < sk_CmsAsnSigner_num(verifying->data->signers); i++) {
    const CmsAsnSigner *info = sk_CmsAsnSigner_value(verifying->data->signers, i);
    CmsSignature *signature = g_new0(CmsSignature, 1);
    signature->state = CMS_SIGNATURE_UNKNOWN;
    g_ptr_array_add(verified->signatures, signature);
    fill_signature(verifying, signature, info);
    name_signer(verifying, signature, info);
    add_wishes(verifying, signature, info);
  }
}

static void
add_extra(GPtrArray *certificates, GPtrArray *extra)
{
  for (guint i = 0; extra && i < extra->len; i++) {
    X509 *x509 = base_cert_to_x509(g_ptr_array_index(extra, i), NULL);
    CmsCertificate *certificate = x509 ? cms_certificate_new(x509) : NULL;
    X509_free(x509);
    if (certificate)
      g_ptr_array_add(certificates, certificate);
  }
}

static gboolean
check_signers(const CmsAsnSigned *data, GError **error)
{
  return sk_CmsAsnSigner_num(data->signers) <= CMS_SIGNERS_MAX ||
         base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the message has over %d signers",
                        CMS_SIGNERS_MAX);
}

CmsHashing *
cms_verify_hashing(const CmsAsnSigned *data, GError **error)
{
  g_autoptr(CmsHashing) hashing = cms_hashing_new();
  if (!check_signers(data, error))
    return NULL;
  for (int i = 0; i < sk_CmsAsnSigner_num(data->signers); i++) {
    const CmsAsnSigner *info = sk_CmsAsnSigner_value(data->signers, i);
    const CmsHash *hash = cms_hash_of_algorithm(info->digest);
    if (hash && !cms_hashing_add(hashing, hash, error))
      return NULL;
    if (!info->signed_attributes)
      cms_hashing_keep(hashing);
  }
  return g_steal_pointer(&hashing);
}

CmsVerified *
cms_verify_signers(const CmsAsnSigned *data, CmsHashing *hashing, GPtrArray *extra_certificates,
                   GError **error)
{
  if (!check_signers(data, error))
    return NULL;
  g_autoptr(GPtrArray) certificates = cms_message_certificates(data->certificates, error);
  if (!certificates)
    return NULL;
  guint own = certificates->len;
  add_extra(certificates, extra_certificates);
  Verifying verifying = { data, hashing, certificates };
  CmsVerified *verified = g_new0(CmsVerified, 1);
  verified->signatures = g_ptr_array_new_with_free_func((GDestroyNotify)signature_free);
  fill_signatures(&verifying, verified);
  g_ptr_array_set_size(certificates, (gint)own);
  verified->certificates = cms_certificate_facts(certificates);
  return verified;
}

void
cms_verified_free(CmsVerified *verified)
{
  if (!verified)
    return;
  g_ptr_array_unref(verified->signatures);
  g_ptr_array_unref(verified->certificates);
  g_bytes_unref(verified->content);
  g_free(verified);
}
