/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/asn1.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>

/* The templates take the addresses of members as `const char *`-less casts of their own. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"

/* clang-format off */
ASN1_CHOICE(CmsAsnIdentifier) = {
  ASN1_SIMPLE(CmsAsnIdentifier, d.issuer_serial, PKCS7_ISSUER_AND_SERIAL),
  ASN1_IMP(CmsAsnIdentifier, d.key_id, ASN1_OCTET_STRING, 0)
} static_ASN1_CHOICE_END(CmsAsnIdentifier)

ASN1_SEQUENCE(CmsAsnSigner) = {
  ASN1_SIMPLE(CmsAsnSigner, version, ASN1_INTEGER),
  ASN1_SIMPLE(CmsAsnSigner, sid, CmsAsnIdentifier),
  ASN1_SIMPLE(CmsAsnSigner, digest, X509_ALGOR),
  ASN1_IMP_SET_OF_OPT(CmsAsnSigner, signed_attributes, X509_ATTRIBUTE, 0),
  ASN1_SIMPLE(CmsAsnSigner, algorithm, X509_ALGOR),
  ASN1_SIMPLE(CmsAsnSigner, signature, ASN1_OCTET_STRING),
  ASN1_IMP_SET_OF_OPT(CmsAsnSigner, unsigned_attributes, X509_ATTRIBUTE, 1)
} ASN1_SEQUENCE_END(CmsAsnSigner)

ASN1_SEQUENCE(CmsAsnEncapsulated) = {
  ASN1_SIMPLE(CmsAsnEncapsulated, type, ASN1_OBJECT),
  ASN1_EXP_OPT(CmsAsnEncapsulated, content, ASN1_OCTET_STRING, 0)
} static_ASN1_SEQUENCE_END(CmsAsnEncapsulated)

ASN1_SEQUENCE(CmsAsnSigned) = {
  ASN1_SIMPLE(CmsAsnSigned, version, ASN1_INTEGER),
  ASN1_SET_OF(CmsAsnSigned, digests, X509_ALGOR),
  ASN1_SIMPLE(CmsAsnSigned, encapsulated, CmsAsnEncapsulated),
  ASN1_IMP_SET_OF_OPT(CmsAsnSigned, certificates, ASN1_ANY, 0),
  ASN1_IMP_SET_OF_OPT(CmsAsnSigned, crls, ASN1_ANY, 1),
  ASN1_SET_OF(CmsAsnSigned, signers, CmsAsnSigner)
} ASN1_SEQUENCE_END(CmsAsnSigned)

ASN1_SEQUENCE(CmsAsnEncrypted) = {
  ASN1_SIMPLE(CmsAsnEncrypted, type, ASN1_OBJECT),
  ASN1_SIMPLE(CmsAsnEncrypted, cipher, X509_ALGOR),
  ASN1_IMP_OPT(CmsAsnEncrypted, content, ASN1_OCTET_STRING, 0)
} static_ASN1_SEQUENCE_END(CmsAsnEncrypted)

ASN1_SEQUENCE(CmsAsnOriginator) = {
  ASN1_IMP_SET_OF_OPT(CmsAsnOriginator, certificates, ASN1_ANY, 0),
  ASN1_IMP_SET_OF_OPT(CmsAsnOriginator, crls, ASN1_ANY, 1)
} static_ASN1_SEQUENCE_END(CmsAsnOriginator)

ASN1_SEQUENCE(CmsAsnEnveloped) = {
  ASN1_SIMPLE(CmsAsnEnveloped, version, ASN1_INTEGER),
  ASN1_IMP_OPT(CmsAsnEnveloped, originator, CmsAsnOriginator, 0),
  ASN1_SET_OF(CmsAsnEnveloped, recipients, ASN1_ANY),
  ASN1_SIMPLE(CmsAsnEnveloped, encrypted, CmsAsnEncrypted),
  ASN1_IMP_SET_OF_OPT(CmsAsnEnveloped, attributes, X509_ATTRIBUTE, 1)
} ASN1_SEQUENCE_END(CmsAsnEnveloped)

ASN1_SEQUENCE(CmsAsnAuthEnveloped) = {
  ASN1_SIMPLE(CmsAsnAuthEnveloped, version, ASN1_INTEGER),
  ASN1_IMP_OPT(CmsAsnAuthEnveloped, originator, CmsAsnOriginator, 0),
  ASN1_SET_OF(CmsAsnAuthEnveloped, recipients, ASN1_ANY),
  ASN1_SIMPLE(CmsAsnAuthEnveloped, encrypted, CmsAsnEncrypted),
  ASN1_IMP_SET_OF_OPT(CmsAsnAuthEnveloped, attributes, X509_ATTRIBUTE, 1),
  ASN1_SIMPLE(CmsAsnAuthEnveloped, mac, ASN1_OCTET_STRING),
  ASN1_IMP_SET_OF_OPT(CmsAsnAuthEnveloped, unauthenticated, X509_ATTRIBUTE, 2)
} ASN1_SEQUENCE_END(CmsAsnAuthEnveloped)

ASN1_SEQUENCE(CmsAsnTransport) = {
  ASN1_SIMPLE(CmsAsnTransport, version, ASN1_INTEGER),
  ASN1_SIMPLE(CmsAsnTransport, rid, CmsAsnIdentifier),
  ASN1_SIMPLE(CmsAsnTransport, algorithm, X509_ALGOR),
  ASN1_SIMPLE(CmsAsnTransport, key, ASN1_OCTET_STRING)
} ASN1_SEQUENCE_END(CmsAsnTransport)

ASN1_SEQUENCE(CmsAsnPublicKey) = {
  ASN1_SIMPLE(CmsAsnPublicKey, algorithm, X509_ALGOR),
  ASN1_SIMPLE(CmsAsnPublicKey, key, ASN1_BIT_STRING)
} static_ASN1_SEQUENCE_END(CmsAsnPublicKey)

ASN1_CHOICE(CmsAsnAgreementOriginator) = {
  ASN1_SIMPLE(CmsAsnAgreementOriginator, d.issuer_serial, PKCS7_ISSUER_AND_SERIAL),
  ASN1_IMP(CmsAsnAgreementOriginator, d.key_id, ASN1_OCTET_STRING, 0),
  ASN1_IMP(CmsAsnAgreementOriginator, d.public_key, CmsAsnPublicKey, 1)
} static_ASN1_CHOICE_END(CmsAsnAgreementOriginator)

ASN1_SEQUENCE(CmsAsnKeyId) = {
  ASN1_SIMPLE(CmsAsnKeyId, key_id, ASN1_OCTET_STRING),
  ASN1_OPT(CmsAsnKeyId, date, ASN1_GENERALIZEDTIME),
  ASN1_OPT(CmsAsnKeyId, other, ASN1_ANY)
} static_ASN1_SEQUENCE_END(CmsAsnKeyId)

ASN1_CHOICE(CmsAsnAgreementIdentifier) = {
  ASN1_SIMPLE(CmsAsnAgreementIdentifier, d.issuer_serial, PKCS7_ISSUER_AND_SERIAL),
  ASN1_IMP(CmsAsnAgreementIdentifier, d.key_id, CmsAsnKeyId, 0)
} static_ASN1_CHOICE_END(CmsAsnAgreementIdentifier)

ASN1_CHOICE(CmsAsnPreference) = {
  ASN1_IMP(CmsAsnPreference, d.issuer_serial, PKCS7_ISSUER_AND_SERIAL, 0),
  ASN1_IMP(CmsAsnPreference, d.key_id, CmsAsnKeyId, 1),
  ASN1_IMP(CmsAsnPreference, d.subject_key, ASN1_OCTET_STRING, 2)
} ASN1_CHOICE_END(CmsAsnPreference)

ASN1_SEQUENCE(CmsAsnAgreementKey) = {
  ASN1_SIMPLE(CmsAsnAgreementKey, rid, CmsAsnAgreementIdentifier),
  ASN1_SIMPLE(CmsAsnAgreementKey, key, ASN1_OCTET_STRING)
} static_ASN1_SEQUENCE_END(CmsAsnAgreementKey)

ASN1_SEQUENCE(CmsAsnAgreement) = {
  ASN1_SIMPLE(CmsAsnAgreement, version, ASN1_INTEGER),
  ASN1_EXP(CmsAsnAgreement, originator, CmsAsnAgreementOriginator, 0),
  ASN1_EXP_OPT(CmsAsnAgreement, ukm, ASN1_OCTET_STRING, 1),
  ASN1_SIMPLE(CmsAsnAgreement, algorithm, X509_ALGOR),
  ASN1_SEQUENCE_OF(CmsAsnAgreement, keys, CmsAsnAgreementKey)
} ASN1_SEQUENCE_END(CmsAsnAgreement)

ASN1_ITEM_TEMPLATE(CmsAsnAgreementTagged) =
  ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_IMPTAG | ASN1_TFLG_CONTEXT, CMS_ASN_AGREEMENT_TAG,
                        CmsAsnAgreementTagged, CmsAsnAgreement)
ASN1_ITEM_TEMPLATE_END(CmsAsnAgreementTagged)

ASN1_SEQUENCE(CmsAsnGcm) = {
  ASN1_SIMPLE(CmsAsnGcm, nonce, ASN1_OCTET_STRING),
  ASN1_OPT(CmsAsnGcm, tag_length, ASN1_INTEGER)
} ASN1_SEQUENCE_END(CmsAsnGcm)

/* The same attributes twice: DER sorts a SET OF, and what came in must keep its order. */
ASN1_ITEM_TEMPLATE(CmsAsnAttributesSorted) =
  ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SET_ORDER, 0, CmsAsnAttributes, X509_ATTRIBUTE)
static_ASN1_ITEM_TEMPLATE_END(CmsAsnAttributesSorted)

ASN1_ITEM_TEMPLATE(CmsAsnAttributesAsCame) =
  ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF | ASN1_TFLG_IMPTAG | ASN1_TFLG_UNIVERSAL,
                        V_ASN1_SET, CmsAsnAttributes, X509_ATTRIBUTE)
static_ASN1_ITEM_TEMPLATE_END(CmsAsnAttributesAsCame)
    /* clang-format on */

    IMPLEMENT_ASN1_FUNCTIONS(CmsAsnSigned) IMPLEMENT_ASN1_FUNCTIONS(CmsAsnSigner)
        IMPLEMENT_ASN1_FUNCTIONS(CmsAsnEnveloped) IMPLEMENT_ASN1_FUNCTIONS(CmsAsnAuthEnveloped)
            IMPLEMENT_ASN1_FUNCTIONS(CmsAsnTransport) IMPLEMENT_ASN1_FUNCTIONS(CmsAsnAgreement)
                IMPLEMENT_ASN1_FUNCTIONS(CmsAsnGcm) IMPLEMENT_ASN1_FUNCTIONS(CmsAsnPreference)

#pragma GCC diagnostic pop

                    static void free_openssl(gpointer bytes)
{
  OPENSSL_free(bytes);
}

GBytes *
cms_asn_encode(gconstpointer value, const ASN1_ITEM *item)
{
  guint8 *der = NULL;
  int length = ASN1_item_i2d((const ASN1_VALUE *)value, &der, item);
  if (length <= 0) {
    ERR_clear_error();
    return NULL;
  }
  return g_bytes_new_with_free_func(der, (gsize)length, free_openssl, der);
}

gpointer
cms_asn_decode(const guint8 *bytes, gsize length, const ASN1_ITEM *item)
{
  const guint8 *at = bytes;
  if (length > G_MAXINT)
    return NULL;
  ASN1_VALUE *value = ASN1_item_d2i(NULL, &at, (long)length, item);
  if (value && at != bytes + length) {
    ASN1_item_free(value, item);
    value = NULL;
  }
  if (!value)
    ERR_clear_error();
  return value;
}

GBytes *
cms_asn_attributes_der(CmsAttributes *attributes, gboolean sorted)
{
  return cms_asn_encode(attributes, sorted ? ASN1_ITEM_rptr(CmsAsnAttributesSorted)
                                           : ASN1_ITEM_rptr(CmsAsnAttributesAsCame));
}

CmsAttributes *
cms_asn_attributes_read(const guint8 *bytes, gsize length)
{
  return cms_asn_decode(bytes, length, ASN1_ITEM_rptr(CmsAsnAttributesAsCame));
}

gboolean
cms_asn_any(const ASN1_TYPE *any, const guint8 **ret_bytes, gsize *ret_length)
{
  if (any->type != V_ASN1_SEQUENCE && any->type != V_ASN1_OTHER)
    return FALSE;
  const ASN1_STRING *string = any->value.asn1_string;
  *ret_bytes = ASN1_STRING_get0_data(string);
  *ret_length = (gsize)ASN1_STRING_length(string);
  return TRUE;
}
