/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Signed receipts (ESS, RFC 2634 section 2): asked for in the signed attributes of a mail, made by
 * who got it, checked by who sent it. A receipt proves that its signer had the message and found
 * its signature good; nothing here makes one by itself. */

#include "cms/algorithm.h"
#include "cms/keys.h"

/* receiptRequest for these addresses, from everybody who gets it. DER */
GBytes *cms_receipt_request_der(const char *const *to, GError **error);

/* (nullable) what a signer asks for; `hash` is the digestAlgorithm's. */
CmsReceiptAsked *cms_receipt_asked_new(const CmsAsnSigner *info, const ASN1_OBJECT *content_type,
                                       const CmsHash *hash);
void cms_receipt_asked_free(CmsReceiptAsked *asked);
/* RFC 2634 2.3 step 2: whether this address (nullable) is one that is asked. */
gboolean cms_receipt_asks(const CmsReceiptAsked *asked, const char *address);

/* The signed Receipt for a message whose signature the caller found good; DER, with its content. */
GBytes *cms_receipt_make(SignetClient *client, const CmsSigner *signer,
                         const CmsReceiptAsked *asked, GError **error);
GBytes *cms_receipt_make_with(const CmsKeys *keys, const CmsSigner *signer,
                              const CmsReceiptAsked *asked, GError **error);

/* (nullable) of a signer of a receipt: what its msgSigDigest holds. */
GBytes *cms_receipt_original(const CmsAsnSigner *info, const ASN1_OBJECT *content_type);

/* Holds a receipt, verified, and its content against what was asked for: *ret_problem says in half a
 * sentence why it is not for that message, NULL: it is. Whether its own signatures are good is not
 * looked at: they are judged as those of any message. BAD_INPUT: no receipt. */
gboolean cms_receipt_check(const CmsVerified *receipt, GBytes *content,
                           const CmsReceiptAsked *asked, const char **ret_problem, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsReceiptAsked, cms_receipt_asked_free)
