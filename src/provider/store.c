/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store: opens `signet:NAME`, NAME being a key's 64 hex digits, and gives the key object by
 * reference. It is how OpenSSL makes an EVP_PKEY whose private half it never sees. The
 * public key comes as a parameter, so that no round trip is needed. */

#include "provider/store.h"

#include "base/error.h"

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/store.h>
#include <string.h>

#define SCHEME "signet:"

static OSSL_FUNC_store_open_fn store_open;
static OSSL_FUNC_store_settable_ctx_params_fn store_settable;
static OSSL_FUNC_store_set_ctx_params_fn store_set_params;
static OSSL_FUNC_store_load_fn store_load;
static OSSL_FUNC_store_eof_fn store_eof;
static OSSL_FUNC_store_close_fn store_close;

typedef struct {
  ProviderKey *key;
  gboolean done;
} Store;

static gboolean
is_key_name(const char *name)
{
  return strlen(name) == PROVIDER_KEY_NAME_LENGTH &&
         strspn(name, "0123456789abcdef") == PROVIDER_KEY_NAME_LENGTH;
}

static void *
store_open(void *context, const char *uri)
{
  if (!g_str_has_prefix(uri, SCHEME) || !is_key_name(uri + strlen(SCHEME)))
    return NULL;
  Store *store = g_new0(Store, 1);
  store->key = provider_key_object_new(context);
  store->key->name = g_strdup(uri + strlen(SCHEME));
  return store;
}

static const OSSL_PARAM *
store_settable(void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = { OSSL_PARAM_octet_string(PROVIDER_PARAM_PUBLIC_KEY, NULL, 0),
                                       OSSL_PARAM_END };
  return params;
}

/* Never fails: OpenSSL 3.0.22 then goes on with a store that has no loader, and crashes in
 * OSSL_STORE_load(). A key without its public half is refused when it is loaded. */
static int
store_set_params(void *data, const OSSL_PARAM params[])
{
  Store *store = data;
  const void *spki = NULL;
  size_t length = 0;
  const OSSL_PARAM *public = OSSL_PARAM_locate_const(params, PROVIDER_PARAM_PUBLIC_KEY);
  if (public && OSSL_PARAM_get_octet_string_ptr(public, &spki, &length))
    provider_key_object_set_public(store->key, spki, length);
  return 1;
}

static char *
key_type(const ProviderKey *key)
{
  static char rsa[] = "RSA", ec[] = "EC", ed25519[] = "ED25519";
  if (!key->public)
    return NULL;
  return EVP_PKEY_is_a(key->public, "RSA")       ? rsa
         : EVP_PKEY_is_a(key->public, "EC")      ? ec
         : EVP_PKEY_is_a(key->public, "ED25519") ? ed25519
                                                 : NULL;
}

static int
store_load(void *data, OSSL_CALLBACK *object_callback, void *object_data,
           OSSL_PASSPHRASE_CALLBACK *passphrase G_GNUC_UNUSED, void *passphrase_data G_GNUC_UNUSED)
{
  Store *store = data;
  char *type = key_type(store->key);
  int kind = OSSL_OBJECT_PKEY;
  store->done = TRUE;
  if (!type)
    return 0;
  OSSL_PARAM object[] = { OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &kind),
                          OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, type, 0),
                          OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE,
                                                            &store->key, sizeof store->key),
                          OSSL_PARAM_END };
  return object_callback(object, object_data);
}

static int
store_eof(void *data)
{
  return ((Store *)data)->done;
}

static int
store_close(void *data)
{
  Store *store = data;
  provider_key_object_free(store->key);
  g_free(store);
  return 1;
}

static const OSSL_DISPATCH store_functions[] = {
  PROVIDER_FUNCTION(OSSL_FUNC_STORE_OPEN, store_open),
  PROVIDER_FUNCTION(OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS, store_settable),
  PROVIDER_FUNCTION(OSSL_FUNC_STORE_SET_CTX_PARAMS, store_set_params),
  PROVIDER_FUNCTION(OSSL_FUNC_STORE_LOAD, store_load),
  PROVIDER_FUNCTION(OSSL_FUNC_STORE_EOF, store_eof),
  PROVIDER_FUNCTION(OSSL_FUNC_STORE_CLOSE, store_close),
  PROVIDER_FUNCTIONS_END
};

const OSSL_ALGORITHM provider_store_table[] = {
  { "signet", PROVIDER_PROPERTIES, store_functions, NULL }, { NULL, NULL, NULL, NULL }
};

static EVP_PKEY *
load_key(OSSL_STORE_CTX *store)
{
  OSSL_STORE_INFO *info = store ? OSSL_STORE_load(store) : NULL;
  EVP_PKEY *key = info ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;
  OSSL_STORE_INFO_free(info);
  return key;
}

EVP_PKEY *
provider_key_new(OSSL_LIB_CTX *context, const char *key, GBytes *public_key, GError **error)
{
  gsize length = 0;
  gconstpointer spki = g_bytes_get_data(public_key, &length);
  OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(PROVIDER_PARAM_PUBLIC_KEY,
                                                            (void *)(gintptr)spki, length),
                          OSSL_PARAM_END };
  g_autofree char *uri = g_strconcat(SCHEME, key, NULL);
  OSSL_STORE_CTX *store =
      OSSL_STORE_open_ex(uri, context, PROVIDER_PROPERTIES, NULL, NULL, params, NULL, NULL);
  EVP_PKEY *made = load_key(store);
  if (store)
    OSSL_STORE_close(store);
  if (!made)
    base_error_set_openssl(error, SIGNET_ERROR_UNSUPPORTED,
                           "the key %.16s… cannot be used: it is no RSA, EC or Ed25519 key", key);
  return made;
}
