/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/attribute.h"
#include "cms/capability.h"

#include <openssl/err.h>
#include <openssl/ess.h>
#include <time.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ESS_SIGNING_CERT_V2, ESS_SIGNING_CERT_V2_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_ATTRIBUTE, X509_ATTRIBUTE_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_TIME, ASN1_TIME_free)

/* `length` -1: `bytes` is a value of OpenSSL's own kind for `type`. */
static gboolean
add(CmsAttributes *attributes, int nid, int type, gconstpointer bytes, int length)
{
  g_autoptr(X509_ATTRIBUTE) attribute =
      X509_ATTRIBUTE_create_by_NID(NULL, nid, type, bytes, length);
  return attribute && sk_X509_ATTRIBUTE_push(attributes, attribute) > 0 &&
         g_steal_pointer(&attribute);
}

static gboolean
add_octets(CmsAttributes *attributes, int nid, GBytes *octets)
{
  return add(attributes, nid, V_ASN1_OCTET_STRING, g_bytes_get_data(octets, NULL),
             (int)g_bytes_get_size(octets));
}

static gboolean
add_sequence(CmsAttributes *attributes, int nid, guint8 *der, int length)
{
  gboolean good = length > 0 && add(attributes, nid, V_ASN1_SEQUENCE, der, length);
  OPENSSL_free(der);
  return good;
}

static gboolean
add_time(CmsAttributes *attributes, gint64 now)
{
  /* UTCTime through 2049, GeneralizedTime after (RFC 5652 11.3): ASN1_TIME_set() knows. */
  g_autoptr(ASN1_TIME) at = ASN1_TIME_set(NULL, (time_t)now);
  return at && add(attributes, NID_pkcs9_signingTime, ASN1_STRING_type(at),
                   ASN1_STRING_get0_data(at), ASN1_STRING_length(at));
}

static gboolean
add_capabilities(CmsAttributes *attributes, BaseKeyKind encryption)
{
  guint8 *der = NULL;
  int length = cms_capability_der(encryption, &der);
  return add_sequence(attributes, NID_SMIMECapabilities, der, length);
}

static gboolean
add_signing_certificate(CmsAttributes *attributes, X509 *signer)
{
  guint8 *der = NULL;
  g_autoptr(ESS_SIGNING_CERT_V2) named =
      OSSL_ESS_signing_cert_v2_new_init(EVP_sha256(), signer, NULL, 1);
  int length = named ? i2d_ESS_SIGNING_CERT_V2(named, &der) : 0;
  return add_sequence(attributes, NID_id_smime_aa_signingCertificateV2, der, length);
}

/* By issuer and serial: what every reader of these knows. */
static gboolean
add_preference(CmsAttributes *attributes, X509 *preferred)
{
  g_autoptr(CmsAsnPreference) preference = CmsAsnPreference_new();
  PKCS7_ISSUER_AND_SERIAL *name = PKCS7_ISSUER_AND_SERIAL_new();
  if (!preference || !name)
    return FALSE;
  preference->type = CMS_ASN_ISSUER_SERIAL;
  preference->d.issuer_serial = name;
  ASN1_INTEGER_free(name->serial);
  name->serial = ASN1_INTEGER_dup(X509_get0_serialNumber(preferred));
  if (!name->serial || !X509_NAME_set(&name->issuer, X509_get_issuer_name(preferred)))
    return FALSE;
  g_autoptr(GBytes) der = cms_asn_encode(preference, ASN1_ITEM_rptr(CmsAsnPreference));
  /* Tagged [0]: V_ASN1_OTHER, which this call takes for a flag. A SEQUENCE is written as it
   * stands as well. */
  return der && add(attributes, NID_id_smime_aa_encrypKeyPref, V_ASN1_SEQUENCE,
                    g_bytes_get_data(der, NULL), (int)g_bytes_get_size(der));
}

static gboolean
add_wanted(CmsAttributes *attributes, const CmsAttributesWanted *wanted)
{
  GBytes *request = wanted->receipt_request;
  return (!wanted->preferred || add_preference(attributes, wanted->preferred)) &&
         (!request || add(attributes, NID_id_smime_aa_receiptRequest, V_ASN1_SEQUENCE,
                          g_bytes_get_data(request, NULL), (int)g_bytes_get_size(request))) &&
         (!wanted->original ||
          add_octets(attributes, NID_id_smime_aa_msgSigDigest, wanted->original));
}

CmsAttributes *
cms_attribute_make(const CmsAttributesWanted *wanted, GError **error)
{
  g_autoptr(CmsAttributes) attributes = sk_X509_ATTRIBUTE_new_null();
  const ASN1_OBJECT *type = OBJ_nid2obj(wanted->content_type);
  if (!attributes || !add(attributes, NID_pkcs9_contentType, V_ASN1_OBJECT, type, -1) ||
      !add_time(attributes, wanted->now) ||
      !add_octets(attributes, NID_pkcs9_messageDigest, wanted->digest) ||
      !add_capabilities(attributes, wanted->encryption) ||
      !add_signing_certificate(attributes, wanted->signer) || !add_wanted(attributes, wanted)) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the signed attributes");
    return NULL;
  }
  return g_steal_pointer(&attributes);
}
