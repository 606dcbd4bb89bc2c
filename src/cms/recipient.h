/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For whom a message is sealed, and how each gets at the content key. */

#include "base/secret.h"
#include "cms/cipher.h"
#include "cms/keys.h"

/* One who can open the message: a KeyTransRecipientInfo, or one key of a KeyAgreeRecipientInfo. */
typedef struct {
  CmsAsnTransport *transport;    /* (nullable) owned */
  CmsAsnAgreement *agreement;    /* (nullable) borrowed of CmsRecipients */
  const CmsAsnAgreementKey *key; /* (nullable) likewise */
} CmsRecipient;

typedef struct {
  GArray *entries;       /* (element-type CmsRecipient) */
  GPtrArray *agreements; /* (element-type CmsAsnAgreement) */
  guint others;          /* passwords, shared keys, malformed ones */
} CmsRecipients;

CmsRecipients *cms_recipients_new(const CmsAnys *anys); /* NULL: none yet */
/* One RecipientInfo, DER or BER; a malformed one is one of `others`. */
void cms_recipients_add(CmsRecipients *recipients, const guint8 *bytes, gsize length);
/* Moves one entry; its index in `to`. `from` is for freeing then. */
guint cms_recipients_move(CmsRecipients *from, guint index, CmsRecipients *to);
void cms_recipients_free(CmsRecipients *recipients);

/* "issuer CN=…, serial 12ab" */
char *cms_recipient_text(const CmsRecipient *recipient);
/* "RSA", "RSA-OAEP", "EC" or an OID */
char *cms_recipient_algorithm(const CmsRecipient *recipient);
/* How the catalogue is asked for it; free with cms_recipient_ask_clear(). */
SignetRecipient cms_recipient_ask(const CmsRecipient *recipient);
void cms_recipient_ask_clear(SignetRecipient *ask);

/* FALSE where a wrong key looks like a right one: RSA v1.5, whose padding nobody may tell about. */
gboolean cms_recipient_proves(const CmsRecipient *recipient);

/* The content key, `wanted` bytes, by the key that `match` names. Errors of `keys` come through;
 * what the message itself gets wrong is CANNOT_DECRYPT or UNSUPPORTED. */
BaseSecret *cms_recipient_open(const CmsRecipient *recipient, const CmsKeys *keys,
                               const SignetMatch *match, gsize wanted, GError **error);

/* The half of it for ECDH: RFC 5753 3.1.2 */
BaseSecret *cms_agreement_open(const CmsRecipient *recipient, const CmsKeys *keys,
                               const SignetMatch *match, gsize wanted, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsRecipients, cms_recipients_free)
