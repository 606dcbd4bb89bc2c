/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Signed attributes: made for a new signature, and looked up in one that came. */

#include "cms/algorithm.h"
#include "cms/message.h"

typedef struct {
  X509 *signer;
  BaseKeyKind encryption; /* of the key that answers are sealed to; OTHER: there is none */
  X509 *preferred;        /* (nullable) its certificate, where it is not the signer's */
  int content_type;       /* NID */
  GBytes *digest;
  gint64 now;
  GBytes *receipt_request; /* (nullable) DER */
  GBytes *original;        /* (nullable) of a receipt: the digest that msgSigDigest holds */
} CmsAttributesWanted;

/* contentType, signingTime, messageDigest, SMIMECapabilities, signingCertificateV2; where wanted
 * SMIMEEncryptionKeyPreference, receiptRequest, msgSigDigest */
CmsAttributes *cms_attribute_make(const CmsAttributesWanted *wanted, GError **error);
void cms_attribute_free(CmsAttributes *attributes);

/* The one value of the one attribute of that type; FALSE when it is there more than once or with
 * several values (RFC 5652 11: neither is allowed); *ret_value NULL when it is not there. */
gboolean cms_attribute_find(const CmsAttributes *attributes, int nid, const ASN1_TYPE **ret_value);

/* Seconds since 1970; 0: not said, or nonsense */
gint64 cms_attribute_signing_time(const CmsAttributes *attributes);

/* (nullable) of SMIMECapabilities; see cms_capability_ciphers() */
char **cms_attribute_ciphers(const CmsAttributes *attributes);
/* (nullable) which of these (element-type CmsCertificate) SMIMEEncryptionKeyPreference names; borrowed */
X509 *cms_attribute_preferred(const CmsAttributes *attributes, const GPtrArray *certificates);

/* FALSE when signingCertificate(V2) names another certificate than `signer` (RFC 5035 5). */
gboolean cms_attribute_names_signer(const CmsAttributes *attributes, X509 *signer);

/* TRUE for bytes that are themselves a set of signed attributes: a signature without attributes
 * over these may be one whose attributes were taken for content. `held` are the first of
 * `length` bytes: of what is not held whole, or is over CMS_STRUCTURE_MAX, the form alone
 * decides. */
gboolean cms_attribute_is_set(const guint8 *bytes, gsize held, goffset length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsAttributes, cms_attribute_free)
