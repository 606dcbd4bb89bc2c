/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The ASN.1 of CMS (RFC 5652 12.1, RFC 5083) as OpenSSL templates, both to read and to write.
 *
 * OpenSSL has these too, but keeps them to itself: its public calls give neither the
 * encrypted key of a recipient nor the parameters of the content cipher, and cannot make
 * an Ed25519 SignerInfo. Its decoder does the work here as there: indefinite lengths,
 * constructed strings and bounds on nesting are its own.
 *
 * Certificates, CRLs and RecipientInfos are kept as ASN1_TYPE (their encoding), so that one
 * of an unknown kind does not make the whole message unreadable. */

#include <glib.h>
#include <openssl/asn1.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

typedef STACK_OF(X509_ATTRIBUTE) CmsAttributes;
typedef STACK_OF(ASN1_TYPE) CmsAnys;

/* SignerIdentifier and the like: type 0 issuer and serial, 1 subjectKeyIdentifier */
typedef struct {
  int type;
  union {
    PKCS7_ISSUER_AND_SERIAL *issuer_serial;
    ASN1_OCTET_STRING *key_id;
  } d;
} CmsAsnIdentifier;

#define CMS_ASN_ISSUER_SERIAL 0
#define CMS_ASN_KEY_ID 1

typedef struct {
  ASN1_INTEGER *version;
  CmsAsnIdentifier *sid;
  X509_ALGOR *digest;
  CmsAttributes *signed_attributes;
  X509_ALGOR *algorithm;
  ASN1_OCTET_STRING *signature;
  CmsAttributes *unsigned_attributes;
} CmsAsnSigner;

DEFINE_STACK_OF(CmsAsnSigner)

typedef struct {
  ASN1_OBJECT *type;
  ASN1_OCTET_STRING *content;
} CmsAsnEncapsulated;

typedef struct {
  ASN1_INTEGER *version;
  STACK_OF(X509_ALGOR) * digests;
  CmsAsnEncapsulated *encapsulated;
  CmsAnys *certificates;
  CmsAnys *crls;
  STACK_OF(CmsAsnSigner) * signers;
} CmsAsnSigned;

typedef struct {
  ASN1_OBJECT *type;
  X509_ALGOR *cipher;
  ASN1_OCTET_STRING *content;
} CmsAsnEncrypted;

typedef struct {
  CmsAnys *certificates;
  CmsAnys *crls;
} CmsAsnOriginator;

typedef struct {
  ASN1_INTEGER *version;
  CmsAsnOriginator *originator;
  CmsAnys *recipients;
  CmsAsnEncrypted *encrypted;
  CmsAttributes *attributes;
} CmsAsnEnveloped;

typedef struct {
  ASN1_INTEGER *version;
  CmsAsnOriginator *originator;
  CmsAnys *recipients;
  CmsAsnEncrypted *encrypted;
  CmsAttributes *attributes; /* authenticated */
  ASN1_OCTET_STRING *mac;
  CmsAttributes *unauthenticated;
} CmsAsnAuthEnveloped;

typedef struct {
  ASN1_INTEGER *version;
  CmsAsnIdentifier *rid;
  X509_ALGOR *algorithm;
  ASN1_OCTET_STRING *key;
} CmsAsnTransport;

typedef struct {
  X509_ALGOR *algorithm;
  ASN1_BIT_STRING *key;
} CmsAsnPublicKey;

/* OriginatorIdentifierOrKey: type 0 and 1 as above, 2 a public key */
typedef struct {
  int type;
  union {
    PKCS7_ISSUER_AND_SERIAL *issuer_serial;
    ASN1_OCTET_STRING *key_id;
    CmsAsnPublicKey *public_key;
  } d;
} CmsAsnAgreementOriginator;

#define CMS_ASN_PUBLIC_KEY 2

typedef struct {
  ASN1_OCTET_STRING *key_id;
  ASN1_GENERALIZEDTIME *date;
  ASN1_TYPE *other;
} CmsAsnKeyId;

/* SMIMEEncryptionKeyPreference (RFC 8551 2.5.3): type 0 issuer and serial, 1
 * RecipientKeyIdentifier, 2 subjectKeyIdentifier */
typedef struct {
  int type;
  union {
    PKCS7_ISSUER_AND_SERIAL *issuer_serial;
    CmsAsnKeyId *key_id;
    ASN1_OCTET_STRING *subject_key;
  } d;
} CmsAsnPreference;

#define CMS_ASN_SUBJECT_KEY 2

/* KeyAgreeRecipientIdentifier: type 0 issuer and serial, 1 RecipientKeyIdentifier */
typedef struct {
  int type;
  union {
    PKCS7_ISSUER_AND_SERIAL *issuer_serial;
    CmsAsnKeyId *key_id;
  } d;
} CmsAsnAgreementIdentifier;

typedef struct {
  CmsAsnAgreementIdentifier *rid;
  ASN1_OCTET_STRING *key;
} CmsAsnAgreementKey;

DEFINE_STACK_OF(CmsAsnAgreementKey)

typedef struct {
  ASN1_INTEGER *version;
  CmsAsnAgreementOriginator *originator;
  ASN1_OCTET_STRING *ukm;
  X509_ALGOR *algorithm;
  STACK_OF(CmsAsnAgreementKey) * keys;
} CmsAsnAgreement;

typedef struct {
  ASN1_OCTET_STRING *nonce;
  ASN1_INTEGER *tag_length; /* NULL: 12, RFC 5084 3.2 */
} CmsAsnGcm;

/* CmsAsnAgreement under its [1] of the RecipientInfo CHOICE */
#define CMS_ASN_AGREEMENT_TAG 1

DECLARE_ASN1_FUNCTIONS(CmsAsnSigned)
DECLARE_ASN1_FUNCTIONS(CmsAsnSigner)
DECLARE_ASN1_FUNCTIONS(CmsAsnEnveloped)
DECLARE_ASN1_FUNCTIONS(CmsAsnAuthEnveloped)
DECLARE_ASN1_FUNCTIONS(CmsAsnTransport)
DECLARE_ASN1_FUNCTIONS(CmsAsnAgreement)
DECLARE_ASN1_FUNCTIONS(CmsAsnGcm)
DECLARE_ASN1_FUNCTIONS(CmsAsnPreference)
DECLARE_ASN1_ITEM(CmsAsnAgreementTagged)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsAsnSigned, CmsAsnSigned_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsAsnEnveloped, CmsAsnEnveloped_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsAsnAuthEnveloped, CmsAsnAuthEnveloped_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsAsnTransport, CmsAsnTransport_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsAsnAgreement, CmsAsnAgreement_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsAsnGcm, CmsAsnGcm_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsAsnPreference, CmsAsnPreference_free)

/* The bytes whose signature or tag covers the attributes: SET OF, DER, in `sorted` or the order
 * they came in (RFC 5652 5.4: what the signer saw). NULL when they cannot be encoded. */
GBytes *cms_asn_attributes_der(CmsAttributes *attributes, gboolean sorted);

/* Reads such bytes; NULL when they are none. */
CmsAttributes *cms_asn_attributes_read(const guint8 *bytes, gsize length);

/* The DER of what an ASN1_TYPE of SEQUENCE or unknown tag holds; borrowed. */
gboolean cms_asn_any(const ASN1_TYPE *any, const guint8 **ret_bytes, gsize *ret_length);

/* Decodes exactly the given bytes: NULL on trailing ones. OpenSSL's error queue is left empty. */
gpointer cms_asn_decode(const guint8 *bytes, gsize length, const ASN1_ITEM *item);

GBytes *cms_asn_encode(gconstpointer value, const ASN1_ITEM *item);
