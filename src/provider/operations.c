/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "provider/operations.h"

static GBytes *
sign(gpointer client, const char *key, const SignetOperation *operation, GError **error)
{
  return signet_key_sign(client, key, operation, error);
}

static GBytes *
decrypt(gpointer client, const char *key, const SignetOperation *operation, GError **error)
{
  return signet_key_decrypt(client, key, operation, error);
}

static GBytes *
derive(gpointer client, const char *key, const SignetOperation *operation, GError **error)
{
  return signet_key_derive(client, key, operation, error);
}

const ProviderOperations provider_client_operations = { sign, decrypt, derive };
