/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include "provider/key.h"

#include <openssl/err.h>

static void
error_free(gpointer error)
{
  g_error_free(error);
}

static GPrivate last_error = G_PRIVATE_INIT(error_free);

void
provider_clear_error(void)
{
  g_private_replace(&last_error, NULL);
}

static void
keep(GError *error)
{
  ERR_raise_data(ERR_LIB_PROV, ERR_R_OPERATION_FAIL, "%s", error->message);
  /* Damaged data is no reason to stop looking for another key or recipient. */
  if (error->code == SIGNET_ERROR_CANNOT_DECRYPT)
    g_clear_error(&error);
  g_private_replace(&last_error, error);
}

int
provider_fail(SignetError code, const char *message)
{
  keep(g_error_new_literal(SIGNET_ERROR, (gint)code, message));
  return 0;
}

GError *
provider_take_error(void)
{
  GError *error = g_private_get(&last_error);
  g_private_set(&last_error, NULL);
  return error;
}

int
provider_key_object_operate(const ProviderKey *key, ProviderVerb verb,
                            const SignetOperation *operation, GBytes **ret_bytes)
{
  const ProviderContext *context = key->context;
  GError *error = NULL;
  GBytes *bytes = NULL;
  provider_clear_error();
  if (!provider_key_object_has_private(key))
    return provider_fail(SIGNET_ERROR_USAGE, "this is a public key only");
  switch (verb) {
  case PROVIDER_SIGN:
    bytes = context->operations->sign(context->data, key->name, operation, &error);
    break;
  case PROVIDER_DECRYPT:
    bytes = context->operations->decrypt(context->data, key->name, operation, &error);
    break;
  case PROVIDER_DERIVE:
    bytes = context->operations->derive(context->data, key->name, operation, &error);
    break;
  }
  if (!bytes) {
    keep(error);
    return 0;
  }
  *ret_bytes = bytes;
  return 1;
}
