/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/attribute.h"

#include "cms/capability.h"

#include <openssl/err.h>
#include <openssl/ess.h>
#include <openssl/x509v3.h>
#include <time.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ESS_SIGNING_CERT, ESS_SIGNING_CERT_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ESS_SIGNING_CERT_V2, ESS_SIGNING_CERT_V2_free)

void
cms_attribute_free(CmsAttributes *attributes)
{
  sk_X509_ATTRIBUTE_pop_free(attributes, X509_ATTRIBUTE_free);
}

gboolean
cms_attribute_find(const CmsAttributes *attributes, int nid, const ASN1_TYPE **ret_value)
{
  const ASN1_TYPE *found = NULL;
  for (int i = 0; i < sk_X509_ATTRIBUTE_num(attributes); i++) {
    X509_ATTRIBUTE *attribute = sk_X509_ATTRIBUTE_value(attributes, i);
    if (OBJ_obj2nid(X509_ATTRIBUTE_get0_object(attribute)) != nid)
      continue;
    if (found || X509_ATTRIBUTE_count(attribute) != 1)
      return FALSE;
    found = X509_ATTRIBUTE_get0_type(attribute, 0);
  }
  *ret_value = found;
  return TRUE;
}

gint64
cms_attribute_signing_time(const CmsAttributes *attributes)
{
  const ASN1_TYPE *value = NULL;
  struct tm at = { 0 };
  if (!cms_attribute_find(attributes, NID_pkcs9_signingTime, &value) || !value ||
      (value->type != V_ASN1_UTCTIME && value->type != V_ASN1_GENERALIZEDTIME) ||
      !ASN1_TIME_to_tm(value->value.asn1_string, &at)) {
    ERR_clear_error();
    return 0;
  }
  return timegm(&at);
}

static gpointer
decode_value(const ASN1_TYPE *value, const ASN1_ITEM *item)
{
  const guint8 *bytes = NULL;
  gsize length = 0;
  return value->type == V_ASN1_SEQUENCE && cms_asn_any(value, &bytes, &length)
             ? cms_asn_decode(bytes, length, item)
             : NULL;
}

/* Certificates are compared, not read: what a preference names is of the same issuer and serial
 * or key. */
static gboolean
prefers(const CmsAsnPreference *preference, X509 *x509)
{
  const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(x509);
  switch (preference->type) {
  case CMS_ASN_ISSUER_SERIAL: {
    const PKCS7_ISSUER_AND_SERIAL *named = preference->d.issuer_serial;
    return ASN1_INTEGER_cmp(X509_get0_serialNumber(x509), named->serial) == 0 &&
           X509_NAME_cmp(X509_get_issuer_name(x509), named->issuer) == 0;
  }
  case CMS_ASN_KEY_ID:
    return own && ASN1_OCTET_STRING_cmp(own, preference->d.key_id->key_id) == 0;
  default:
    return own && ASN1_OCTET_STRING_cmp(own, preference->d.subject_key) == 0;
  }
}

X509 *
cms_attribute_preferred(const CmsAttributes *attributes, const GPtrArray *certificates)
{
  const ASN1_TYPE *value = NULL;
  const guint8 *bytes = NULL;
  gsize length = 0;
  if (!cms_attribute_find(attributes, NID_id_smime_aa_encrypKeyPref, &value) || !value ||
      !cms_asn_any(value, &bytes, &length))
    return NULL;
  g_autoptr(CmsAsnPreference) preference =
      cms_asn_decode(bytes, length, ASN1_ITEM_rptr(CmsAsnPreference));
  for (guint i = 0; preference && i < certificates->len; i++) {
    const CmsCertificate *certificate = g_ptr_array_index(certificates, i);
    if (prefers(preference, certificate->x509))
      return certificate->x509;
  }
  return NULL;
}

char **
cms_attribute_ciphers(const CmsAttributes *attributes)
{
  const ASN1_TYPE *value = NULL;
  const guint8 *bytes = NULL;
  gsize length = 0;
  if (!cms_attribute_find(attributes, NID_SMIMECapabilities, &value) || !value ||
      value->type != V_ASN1_SEQUENCE || !cms_asn_any(value, &bytes, &length))
    return NULL;
  return cms_capability_ciphers(bytes, length);
}

gboolean
cms_attribute_names_signer(const CmsAttributes *attributes, X509 *signer)
{
  const ASN1_TYPE *one = NULL;
  const ASN1_TYPE *two = NULL;
  if (!cms_attribute_find(attributes, NID_id_smime_aa_signingCertificate, &one) ||
      !cms_attribute_find(attributes, NID_id_smime_aa_signingCertificateV2, &two))
    return FALSE;
  g_autoptr(ESS_SIGNING_CERT) named =
      one ? decode_value(one, ASN1_ITEM_rptr(ESS_SIGNING_CERT)) : NULL;
  g_autoptr(ESS_SIGNING_CERT_V2) named2 =
      two ? decode_value(two, ASN1_ITEM_rptr(ESS_SIGNING_CERT_V2)) : NULL;
  if ((one && !named) || (two && !named2))
    return FALSE;
  STACK_OF(X509) *chain = sk_X509_new_null();
  sk_X509_push(chain, signer);
  gboolean good = OSSL_ESS_check_signing_certs(named, named2, chain, 0) > 0;
  sk_X509_free(chain);
  ERR_clear_error();
  return good;
}

/* A SET that ends where the content does, or of indefinite length. */
static gboolean
is_set_by_form(const guint8 *bytes, gsize held, goffset length)
{
  guint octets = held < 2 ? 0 : bytes[1];
  if (octets <= 0x80)
    return octets == 0x80;
  guint64 announced = 0;
  octets &= 0x7f;
  if (octets > 8 || held < 2 + octets)
    return FALSE;
  for (guint i = 0; i < octets; i++)
    announced = announced << 8 | bytes[2 + i];
  return announced == (guint64)length - 2 - octets;
}

gboolean
cms_attribute_is_set(const guint8 *bytes, gsize held, goffset length)
{
  if (held < 2 || bytes[0] != (V_ASN1_SET | V_ASN1_CONSTRUCTED))
    return FALSE;
  if (held < (gsize)length || held > CMS_STRUCTURE_MAX)
    return is_set_by_form(bytes, held, length);
  g_autoptr(CmsAttributes) attributes = cms_asn_attributes_read(bytes, held);
  const ASN1_TYPE *value = NULL;
  return attributes && cms_attribute_find(attributes, NID_pkcs9_messageDigest, &value) && value;
}
