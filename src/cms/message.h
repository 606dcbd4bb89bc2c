/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The outermost layer of a CMS message: its type, and where its body lies, once the
 * whole is known to be within the limits. */

#include "cms/asn1.h"
#include "cms/cms.h"

#define CMS_ELEMENTS_MAX 1000000 /* tags, without those of the content */
#define CMS_DEPTH_MAX 40
#define CMS_SIGNERS_MAX 100
#define CMS_CERTIFICATES_MAX 500

typedef struct {
  int nid;
  char oid[80];
  const guint8 *body; /* borrowed of the message */
  gsize length;
} CmsMessage;

/* BAD_INPUT or TOO_LARGE, in time linear in the size, before anything is allocated. */
gboolean cms_message_open(GBytes *message, CmsMessage *ret_message, GError **error);

/* As above, and must be a SignedData, decoded. */
CmsAsnSigned *cms_message_signed(GBytes *message, GError **error);

/* ContentInfo DER around a body; NULL when it cannot be encoded. */
GBytes *cms_message_wrap(int nid, gconstpointer body, const ASN1_ITEM *item);

/* "EnvelopedData" or the OID */
char *cms_message_type_name(const CmsMessage *message);

/* A certificate of the message: what OpenSSL works with, and the facts. */
typedef struct {
  X509 *x509;
  BaseCert *cert;
} CmsCertificate;

/* (element-type CmsCertificate); attribute certificates and unreadable ones are left out. */
GPtrArray *cms_message_certificates(const CmsAnys *anys, GError **error);
CmsCertificate *cms_certificate_new(X509 *x509); /* takes a reference; NULL when unreadable */
void cms_certificate_free(CmsCertificate *certificate);
GPtrArray *cms_certificate_facts(GPtrArray *certificates); /* (element-type BaseCert), moved out */

/* "issuer CN=…, serial 12ab" or "key id 34cd…" */
char *cms_message_name_text(const PKCS7_ISSUER_AND_SERIAL *issuer_serial,
                            const ASN1_OCTET_STRING *key_id);

char *cms_serial_hex(const ASN1_INTEGER *serial);
char *cms_oid_text(const ASN1_OBJECT *object); /* dotted numbers, always */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsCertificate, cms_certificate_free)
