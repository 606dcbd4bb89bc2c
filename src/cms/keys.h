/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The seam between messages and private keys: what cms asks of whoever holds the keys.
 * cms_sign() and cms_decrypt() put libsignet behind it; tests put software keys there. */

#include "cms/cms.h"

typedef struct {
  gpointer data;
  GBytes *(*sign)(gpointer data, const char *key, const SignetOperation *operation, GError **error);
  GBytes *(*decrypt)(gpointer data, const char *key, const SignetOperation *operation,
                     GError **error);
  GBytes *(*derive)(gpointer data, const char *key, const SignetOperation *operation,
                    GError **error);
  /* (element-type SignetMatch), those present first */
  GPtrArray *(*find)(gpointer data, const SignetRecipient *recipients, gsize n, GError **error);
} CmsKeys;

GBytes *cms_sign_with(const CmsKeys *keys, const CmsSigner *signer, GBytes *content,
                      gboolean detached, GError **error);
CmsOpened *cms_decrypt_with(const CmsKeys *keys, GBytes *message, GError **error);
