/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* EnvelopedData and AuthEnvelopedData, seen as one. */

#include "cms/message.h"
#include "cms/recipient.h"

typedef struct {
  CmsAsnEnveloped *plain; /* one of these two is set */
  CmsAsnAuthEnveloped *auth;
  CmsAnys *recipients; /* borrowed of it, like the rest */
  CmsAsnEncrypted *encrypted;
} CmsEnveloped;

/* BAD_INPUT when it is neither */
CmsEnveloped *cms_enveloped_new(const CmsMessage *message, GError **error);
void cms_enveloped_free(CmsEnveloped *enveloped);

/* UNSUPPORTED when the cipher is not known, or not of this type of message */
gboolean cms_enveloped_sealed(const CmsEnveloped *enveloped, CmsSealed *ret_sealed, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsEnveloped, cms_enveloped_free)
