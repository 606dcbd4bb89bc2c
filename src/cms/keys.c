/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/keys.h"

static GBytes *
client_sign(gpointer data, const char *key, const SignetOperation *operation, GError **error)
{
  return signet_key_sign(data, key, operation, error);
}

static GBytes *
client_decrypt(gpointer data, const char *key, const SignetOperation *operation, GError **error)
{
  return signet_key_decrypt(data, key, operation, error);
}

static GBytes *
client_derive(gpointer data, const char *key, const SignetOperation *operation, GError **error)
{
  return signet_key_derive(data, key, operation, error);
}

static GPtrArray *
client_find(gpointer data, const SignetRecipient *recipients, gsize n, GError **error)
{
  return signet_id_find_recipients(data, recipients, n, error);
}

CmsKeys
cms_keys_of(SignetClient *client)
{
  return (CmsKeys){ client, client_sign, client_decrypt, client_derive, client_find };
}

BaseSink *
cms_sign_new(SignetClient *client, const CmsSigner *signer, gboolean detached, gint64 length,
             BaseSink *out, GError **error)
{
  CmsKeys keys = cms_keys_of(client);
  return cms_sign_new_with(&keys, signer, detached, length, out, error);
}

CmsOpened *
cms_decrypt(SignetClient *client, GBytes *message, GError **error)
{
  CmsKeys keys = cms_keys_of(client);
  return cms_decrypt_with(&keys, message, error);
}
