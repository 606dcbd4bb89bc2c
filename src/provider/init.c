/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "provider/key.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

static OSSL_FUNC_provider_teardown_fn teardown;
static OSSL_FUNC_provider_gettable_params_fn gettable;
static OSSL_FUNC_provider_get_params_fn get_params;
static OSSL_FUNC_provider_query_operation_fn query;

/* OSSL_PROVIDER_load() calls the init function before it returns and passes nothing of
 * ours along, so who does the operations is left here for it. */
static GPrivate pending = G_PRIVATE_INIT(NULL);

typedef struct {
  OSSL_PROVIDER *standard;
  OSSL_PROVIDER *ours;
} Loaded;

static GMutex lock;
static GHashTable *contexts; /* OSSL_LIB_CTX to Loaded */

static void
teardown(void *context)
{
  g_free(context);
}

static const OSSL_PARAM *
gettable(void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    OSSL_PARAM_DEFN(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, NULL, 0),
    OSSL_PARAM_DEFN(OSSL_PROV_PARAM_VERSION, OSSL_PARAM_UTF8_PTR, NULL, 0),
    OSSL_PARAM_DEFN(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, 0), OSSL_PARAM_END
  };
  return params;
}

static int
get_params(void *context G_GNUC_UNUSED, OSSL_PARAM params[])
{
  OSSL_PARAM *name = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
  OSSL_PARAM *version = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION);
  OSSL_PARAM *status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
  return (!name || OSSL_PARAM_set_utf8_ptr(name, PROVIDER_NAME)) &&
         (!version || OSSL_PARAM_set_utf8_ptr(version, SIGNET_VERSION)) &&
         (!status || OSSL_PARAM_set_int(status, 1));
}

static const OSSL_ALGORITHM *
query(void *context G_GNUC_UNUSED, int operation, int *no_cache)
{
  *no_cache = 0;
  switch (operation) {
  case OSSL_OP_KEYMGMT:
    return provider_keymgmt_table;
  case OSSL_OP_SIGNATURE:
    return provider_signature_table;
  case OSSL_OP_ASYM_CIPHER:
    return provider_cipher_table;
  case OSSL_OP_KEYEXCH:
    return provider_exchange_table;
  case OSSL_OP_STORE:
    return provider_store_table;
  default:
    return NULL;
  }
}

static const OSSL_DISPATCH provider_functions[] = {
  PROVIDER_FUNCTION(OSSL_FUNC_PROVIDER_TEARDOWN, teardown),
  PROVIDER_FUNCTION(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettable),
  PROVIDER_FUNCTION(OSSL_FUNC_PROVIDER_GET_PARAMS, get_params),
  PROVIDER_FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query), PROVIDER_FUNCTIONS_END
};

static int
provider_init(const OSSL_CORE_HANDLE *handle G_GNUC_UNUSED, const OSSL_DISPATCH *in G_GNUC_UNUSED,
              const OSSL_DISPATCH **out, void **ret_context)
{
  ProviderContext *given = g_private_get(&pending);
  if (!given)
    return 0;
  g_private_set(&pending, NULL);
  *ret_context = given;
  *out = provider_functions;
  return 1;
}

static void
loaded_free(gpointer data)
{
  Loaded *loaded = data;
  if (loaded->ours)
    OSSL_PROVIDER_unload(loaded->ours);
  if (loaded->standard)
    OSSL_PROVIDER_unload(loaded->standard);
  g_free(loaded);
}

/* Default first: among providers that offer an algorithm OpenSSL takes the one whose methods
 * it met first, and plain public keys must never come to ours. The fetch makes it meet
 * them now. */
static gboolean
load_standard(OSSL_LIB_CTX *libctx, Loaded *loaded)
{
  loaded->standard = OSSL_PROVIDER_load(libctx, "default");
  return loaded->standard != NULL;
}

static gboolean
load_ours(OSSL_LIB_CTX *libctx, Loaded *loaded, const ProviderOperations *operations, gpointer data)
{
  ProviderContext *context = g_new0(ProviderContext, 1);
  *context = (ProviderContext){ libctx, operations, data };
  g_private_set(&pending, context);
  if (OSSL_PROVIDER_add_builtin(libctx, PROVIDER_NAME, provider_init))
    loaded->ours = OSSL_PROVIDER_load(libctx, PROVIDER_NAME);
  if (g_private_get(&pending)) { /* not taken */
    g_private_set(&pending, NULL);
    g_free(context);
  }
  return loaded->ours != NULL;
}

static void
meet_default_first(OSSL_LIB_CTX *libctx)
{
  EVP_KEYMGMT_free(EVP_KEYMGMT_fetch(libctx, "RSA", NULL));
  EVP_SIGNATURE_free(EVP_SIGNATURE_fetch(libctx, "RSA", NULL));
  EVP_ASYM_CIPHER_free(EVP_ASYM_CIPHER_fetch(libctx, "RSA", NULL));
  EVP_KEYEXCH_free(EVP_KEYEXCH_fetch(libctx, "ECDH", NULL));
}

static void
remember(OSSL_LIB_CTX *libctx, Loaded *loaded)
{
  g_mutex_lock(&lock);
  if (!contexts)
    contexts = g_hash_table_new_full(NULL, NULL, NULL, loaded_free);
  g_hash_table_insert(contexts, libctx, loaded);
  g_mutex_unlock(&lock);
}

static gpointer
forget(OSSL_LIB_CTX *libctx)
{
  gpointer loaded = NULL;
  g_mutex_lock(&lock);
  if (contexts)
    g_hash_table_steal_extended(contexts, libctx, NULL, &loaded);
  if (contexts && g_hash_table_size(contexts) == 0)
    g_clear_pointer(&contexts, g_hash_table_unref);
  g_mutex_unlock(&lock);
  return loaded;
}

OSSL_LIB_CTX *
provider_context_new_with(const ProviderOperations *operations, gpointer data, GError **error)
{
  OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
  Loaded *loaded = g_new0(Loaded, 1);
  if (libctx && load_standard(libctx, loaded) && load_ours(libctx, loaded, operations, data)) {
    meet_default_first(libctx);
    remember(libctx, loaded);
    return libctx;
  }
  loaded_free(loaded);
  OSSL_LIB_CTX_free(libctx);
  base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot start OpenSSL's providers");
  return NULL;
}

OSSL_LIB_CTX *
provider_context_new(SignetClient *client, GError **error)
{
  return provider_context_new_with(&provider_client_operations, client, error);
}

void
provider_context_free(OSSL_LIB_CTX *context)
{
  gpointer loaded = context ? forget(context) : NULL;
  if (loaded)
    loaded_free(loaded);
  OSSL_LIB_CTX_free(context);
}
