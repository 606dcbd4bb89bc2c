/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The seam between messages and private keys: what cms asks of whoever holds the keys.
 * cms_sign_new() and cms_unseal_new() put libsignet behind it; tests put software keys there. */

#include "cms/cms.h"
#include "cms/flow.h"

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

/* libsignet behind the seam; the client stays the caller's and must outlive its use. */
CmsKeys cms_keys_of(SignetClient *client);

GBytes *cms_sign_with(const CmsKeys *keys, const CmsSigner *signer, GBytes *content,
                      gboolean detached, GError **error);
/* `keys` is copied; what it points to must outlive the sink. */
BaseSink *cms_sign_new_with(const CmsKeys *keys, const CmsSigner *signer, gboolean detached,
                            gint64 length, BaseSink *out, GError **error);
BaseSink *cms_unseal_with(const CmsKeys *keys, BaseSink *out); /* likewise */
CmsOpened *cms_decrypt_with(const CmsKeys *keys, GBytes *message, GError **error);
