/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ECDH. The token gives the x coordinate (SP 800-56A 5.7.1.2); the KDF of X9.63, which CMS
 * wants (RFC 5753 7.2), is done here. */

#include "base/error.h"
#include "base/secret.h"
#include "provider/key.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#define FIELD_MAX 66 /* P-521 */
#define UKM_MAX (64 * 1024)

static OSSL_FUNC_keyexch_newctx_fn exchange_new;
static OSSL_FUNC_keyexch_freectx_fn exchange_free;
static OSSL_FUNC_keyexch_dupctx_fn exchange_dup;
static OSSL_FUNC_keyexch_init_fn exchange_init;
static OSSL_FUNC_keyexch_set_peer_fn exchange_set_peer;
static OSSL_FUNC_keyexch_derive_fn exchange_derive;
static OSSL_FUNC_keyexch_get_ctx_params_fn exchange_get_params;
static OSSL_FUNC_keyexch_set_ctx_params_fn exchange_set_params;

typedef struct {
  ProviderContext *context;
  ProviderKey *key;
  ProviderKey *peer;
  int cofactor_mode; /* every curve of ours has cofactor 1, so that it changes nothing */
  gboolean kdf;
  char *kdf_hash; /* (nullable) */
  gsize kdf_length;
  GBytes *ukm; /* (nullable) */
} Exchange;

static void *
exchange_new(void *context)
{
  Exchange *exchange = g_new0(Exchange, 1);
  exchange->context = context;
  exchange->cofactor_mode = -1;
  return exchange;
}

static void
exchange_free(void *data)
{
  Exchange *exchange = data;
  if (!exchange)
    return;
  provider_key_object_free(exchange->key);
  provider_key_object_free(exchange->peer);
  g_free(exchange->kdf_hash);
  g_clear_pointer(&exchange->ukm, g_bytes_unref);
  g_free(exchange);
}

static void *
exchange_dup(void *data)
{
  Exchange *copy = g_memdup2(data, sizeof *copy);
  if (copy->key)
    provider_key_object_ref(copy->key);
  if (copy->peer)
    provider_key_object_ref(copy->peer);
  copy->kdf_hash = g_strdup(copy->kdf_hash);
  if (copy->ukm)
    g_bytes_ref(copy->ukm);
  return copy;
}

static int
exchange_init(void *data, void *key, const OSSL_PARAM params[])
{
  Exchange *exchange = data;
  if (key) {
    provider_key_object_ref(key);
    provider_key_object_free(exchange->key);
    exchange->key = key;
  }
  return exchange->key && exchange->key->public && exchange_set_params(exchange, params);
}

static int
exchange_set_peer(void *data, void *key)
{
  Exchange *exchange = data;
  const ProviderKey *peer = key;
  if (!peer || !peer->public || g_strcmp0(peer->group, exchange->key->group) != 0)
    return provider_fail(SIGNET_ERROR_CANNOT_DECRYPT, "the other side's key is of another curve");
  provider_key_object_ref(key);
  provider_key_object_free(exchange->peer);
  exchange->peer = key;
  return 1;
}

static gsize
field_length(const ProviderKey *key)
{
  return ((gsize)EVP_PKEY_get_bits(key->public) + 7) / 8;
}

/* 04||X||Y, whatever form the peer's key came in. */
static gboolean
peer_point(const Exchange *exchange, guint8 *point, gsize *ret_length)
{
  gsize field = field_length(exchange->peer);
  BIGNUM *x = NULL, *y = NULL;
  gboolean done = field <= FIELD_MAX && field == field_length(exchange->key) &&
                  EVP_PKEY_get_bn_param(exchange->peer->public, OSSL_PKEY_PARAM_EC_PUB_X, &x) &&
                  EVP_PKEY_get_bn_param(exchange->peer->public, OSSL_PKEY_PARAM_EC_PUB_Y, &y) &&
                  BN_bn2binpad(x, point + 1, (int)field) == (int)field &&
                  BN_bn2binpad(y, point + 1 + field, (int)field) == (int)field;
  BN_free(x);
  BN_free(y);
  point[0] = 0x04;
  *ret_length = 1 + 2 * field;
  return done;
}

static int
run_kdf(const Exchange *exchange, GBytes *shared, unsigned char *out, size_t *ret_length,
        size_t size)
{
  gsize shared_length = 0, ukm_length = 0;
  gconstpointer secret = g_bytes_get_data(shared, &shared_length);
  gconstpointer ukm = exchange->ukm ? g_bytes_get_data(exchange->ukm, &ukm_length) : "";
  if (!exchange->kdf_hash || !exchange->kdf_length || exchange->kdf_length > size)
    return provider_fail(SIGNET_ERROR_USAGE, "the X9.63 KDF needs a hash and a length");
  OSSL_PARAM params[] = {
    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, exchange->kdf_hash, 0),
    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(gintptr)secret, shared_length),
    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(gintptr)ukm, ukm_length),
    OSSL_PARAM_END
  };
  EVP_KDF *kdf = EVP_KDF_fetch(exchange->context->libctx, "X963KDF", PROVIDER_PUBLIC);
  EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
  int done = context && EVP_KDF_derive(context, out, exchange->kdf_length, params) > 0;
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  if (done)
    *ret_length = exchange->kdf_length;
  return done;
}

static int
exchange_derive(void *data, unsigned char *out, size_t *ret_length, size_t size)
{
  const Exchange *exchange = data;
  g_autoptr(GBytes) shared = NULL;
  guint8 point[1 + 2 * FIELD_MAX];
  SignetOperation operation = { .mechanism = SIGNET_ECDH, .data = point };
  if (!out) {
    *ret_length = exchange->kdf ? exchange->kdf_length : field_length(exchange->key);
    return 1;
  }
  if (!exchange->peer || !peer_point(exchange, point, &operation.data_length))
    return provider_fail(SIGNET_ERROR_CANNOT_DECRYPT, "the other side's key is malformed");
  if (!provider_key_object_operate(exchange->key, PROVIDER_DERIVE, &operation, &shared))
    return 0;
  return exchange->kdf ? run_kdf(exchange, shared, out, ret_length, size)
                       : provider_copy_out(shared, out, ret_length, size);
}

/* ---- parameters ---- */

static int
set_kdf(Exchange *exchange, const OSSL_PARAM *param)
{
  const char *name = NULL;
  if (!OSSL_PARAM_get_utf8_string_ptr(param, &name))
    return 0;
  exchange->kdf = *name != '\0';
  return !exchange->kdf || g_str_equal(name, OSSL_KDF_NAME_X963KDF) ||
         provider_fail(SIGNET_ERROR_UNSUPPORTED, "ECDH keys know the X9.63 KDF only");
}

static int
set_kdf_hash(Exchange *exchange, const OSSL_PARAM *param)
{
  const char *name = NULL;
  if (!OSSL_PARAM_get_utf8_string_ptr(param, &name))
    return 0;
  g_free(exchange->kdf_hash);
  exchange->kdf_hash = g_strdup(name);
  return 1;
}

static int
set_ukm(Exchange *exchange, const OSSL_PARAM *param)
{
  const void *ukm = NULL;
  size_t length = 0;
  if (!OSSL_PARAM_get_octet_string_ptr(param, &ukm, &length) || length > UKM_MAX)
    return 0;
  g_clear_pointer(&exchange->ukm, g_bytes_unref);
  if (length)
    exchange->ukm = g_bytes_new(ukm, length);
  return 1;
}

static int
set_cofactor_mode(Exchange *exchange, const OSSL_PARAM *param)
{
  int mode = 0;
  if (!OSSL_PARAM_get_int(param, &mode) || mode < -1 || mode > 1)
    return 0;
  exchange->cofactor_mode = mode;
  return 1;
}

static int
exchange_set_params(void *data, const OSSL_PARAM params[])
{
  Exchange *exchange = data;
  const OSSL_PARAM *mode =
      OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE);
  const OSSL_PARAM *kdf = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_TYPE);
  const OSSL_PARAM *hash = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_DIGEST);
  const OSSL_PARAM *length = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_OUTLEN);
  const OSSL_PARAM *ukm = OSSL_PARAM_locate_const(params, OSSL_EXCHANGE_PARAM_KDF_UKM);
  return (!mode || set_cofactor_mode(exchange, mode)) && (!kdf || set_kdf(exchange, kdf)) &&
         (!hash || set_kdf_hash(exchange, hash)) &&
         (!length || OSSL_PARAM_get_size_t(length, &exchange->kdf_length)) &&
         (!ukm || set_ukm(exchange, ukm));
}

static int
get_ukm(const Exchange *exchange, OSSL_PARAM *param)
{
  gsize length = 0;
  gconstpointer ukm = exchange->ukm ? g_bytes_get_data(exchange->ukm, &length) : NULL;
  return OSSL_PARAM_set_octet_ptr(param, ukm, length);
}

static int
exchange_get_params(void *data, OSSL_PARAM params[])
{
  const Exchange *exchange = data;
  OSSL_PARAM *mode = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE);
  OSSL_PARAM *kdf = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_TYPE);
  OSSL_PARAM *hash = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_DIGEST);
  OSSL_PARAM *length = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_OUTLEN);
  OSSL_PARAM *ukm = OSSL_PARAM_locate(params, OSSL_EXCHANGE_PARAM_KDF_UKM);
  return (!mode || OSSL_PARAM_set_int(mode, exchange->cofactor_mode)) &&
         (!kdf || OSSL_PARAM_set_utf8_string(kdf, exchange->kdf ? OSSL_KDF_NAME_X963KDF : "")) &&
         (!hash ||
          OSSL_PARAM_set_utf8_string(hash, exchange->kdf_hash ? exchange->kdf_hash : "")) &&
         (!length || OSSL_PARAM_set_size_t(length, exchange->kdf_length)) &&
         (!ukm || get_ukm(exchange, ukm));
}

#define COMMON_PARAMS                                                  \
  OSSL_PARAM_int(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, NULL),     \
      OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_TYPE, NULL, 0),   \
      OSSL_PARAM_utf8_string(OSSL_EXCHANGE_PARAM_KDF_DIGEST, NULL, 0), \
      OSSL_PARAM_size_t(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, NULL)

static const OSSL_PARAM *
exchange_settable(void *exchange G_GNUC_UNUSED, void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    COMMON_PARAMS, OSSL_PARAM_octet_string(OSSL_EXCHANGE_PARAM_KDF_UKM, NULL, 0), OSSL_PARAM_END
  };
  return params;
}

static const OSSL_PARAM *
exchange_gettable(void *exchange G_GNUC_UNUSED, void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    COMMON_PARAMS, OSSL_PARAM_DEFN(OSSL_EXCHANGE_PARAM_KDF_UKM, OSSL_PARAM_OCTET_PTR, NULL, 0),
    OSSL_PARAM_END
  };
  return params;
}

static const OSSL_DISPATCH exchange_functions[] = {
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_NEWCTX, exchange_new),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_FREECTX, exchange_free),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_DUPCTX, exchange_dup),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_INIT, exchange_init),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_SET_PEER, exchange_set_peer),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_DERIVE, exchange_derive),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_GET_CTX_PARAMS, exchange_get_params),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_GETTABLE_CTX_PARAMS, exchange_gettable),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_SET_CTX_PARAMS, exchange_set_params),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYEXCH_SETTABLE_CTX_PARAMS, exchange_settable),
  PROVIDER_FUNCTIONS_END
};

const OSSL_ALGORITHM provider_exchange_table[] = {
  { "ECDH", PROVIDER_PROPERTIES, exchange_functions, NULL }, { NULL, NULL, NULL, NULL }
};
