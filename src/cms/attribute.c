/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/attribute.h"

#include "base/error.h"

#include <openssl/err.h>
#include <openssl/ess.h>
#include <time.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ESS_SIGNING_CERT, ESS_SIGNING_CERT_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ESS_SIGNING_CERT_V2, ESS_SIGNING_CERT_V2_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509_ATTRIBUTE, X509_ATTRIBUTE_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ASN1_TIME, ASN1_TIME_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsAttributes, cms_attribute_free)

/* What the signer can read, best first (RFC 8551 2.5.2) */
static const int capability_table[] = { NID_aes_256_gcm, NID_aes_256_cbc, NID_aes_128_gcm,
                                        NID_aes_192_cbc, NID_aes_128_cbc };

void
cms_attribute_free(CmsAttributes *attributes)
{
  sk_X509_ATTRIBUTE_pop_free(attributes, X509_ATTRIBUTE_free);
}

static gboolean
add(CmsAttributes *attributes, int nid, int type, gconstpointer bytes, int length)
{
  g_autoptr(X509_ATTRIBUTE) attribute =
      X509_ATTRIBUTE_create_by_NID(NULL, nid, type, bytes, length);
  return attribute && sk_X509_ATTRIBUTE_push(attributes, attribute) > 0 &&
         g_steal_pointer(&attribute);
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
add_capabilities(CmsAttributes *attributes)
{
  X509_ALGORS *algorithms = sk_X509_ALGOR_new_null();
  guint8 *der = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS(capability_table); i++) {
    X509_ALGOR *algorithm = X509_ALGOR_new();
    X509_ALGOR_set0(algorithm, OBJ_nid2obj(capability_table[i]), V_ASN1_UNDEF, NULL);
    sk_X509_ALGOR_push(algorithms, algorithm);
  }
  int length = i2d_X509_ALGORS(algorithms, &der);
  sk_X509_ALGOR_pop_free(algorithms, X509_ALGOR_free);
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

CmsAttributes *
cms_attribute_make(X509 *signer, GBytes *digest, gint64 now, GError **error)
{
  g_autoptr(CmsAttributes) attributes = sk_X509_ATTRIBUTE_new_null();
  const ASN1_OBJECT *data = OBJ_nid2obj(NID_pkcs7_data);
  if (!attributes || !add(attributes, NID_pkcs9_contentType, V_ASN1_OBJECT, data, -1) ||
      !add_time(attributes, now) ||
      !add(attributes, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING, g_bytes_get_data(digest, NULL),
           (int)g_bytes_get_size(digest)) ||
      !add_capabilities(attributes) || !add_signing_certificate(attributes, signer)) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the signed attributes");
    return NULL;
  }
  return g_steal_pointer(&attributes);
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
