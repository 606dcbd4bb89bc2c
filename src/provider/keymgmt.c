/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Key management: what a key object is to OpenSSL.
 *
 * Exporting anything private fails, and so OpenSSL 3.0, which tries the default provider for
 * every operation first (EVP_PKEY_decrypt_init and friends export the whole key), comes to ours.
 * RSA and Ed25519 have no import: with one, OpenSSL would carry ordinary public keys here. It
 * tries, and without `new` it then leaves "malloc failure" on its queue. EC needs import and
 * set_params, because CMS makes the originator's key of the recipient's curve (cms_ec.c) by
 * EVP_PKEY_copy_parameters and EVP_PKEY_set1_encoded_public_key. */

#include "base/error.h"
#include "provider/key.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

static OSSL_FUNC_keymgmt_new_fn key_new;
static OSSL_FUNC_keymgmt_load_fn key_load;
static OSSL_FUNC_keymgmt_free_fn key_free;
static OSSL_FUNC_keymgmt_has_fn key_has;
static OSSL_FUNC_keymgmt_match_fn key_match;
static OSSL_FUNC_keymgmt_validate_fn key_validate;
static OSSL_FUNC_keymgmt_get_params_fn key_get_params;
static OSSL_FUNC_keymgmt_set_params_fn rsa_set_params, ec_set_params;
static OSSL_FUNC_keymgmt_export_fn key_export;
static OSSL_FUNC_keymgmt_import_fn ec_import;
static OSSL_FUNC_keymgmt_dup_fn key_dup;

static void *
key_new(void *context)
{
  return provider_key_object_new(context);
}

/* The reference is the object itself, handed over by the store (store.c). */
static void *
key_load(const void *reference, size_t length)
{
  ProviderKey *key = NULL;
  if (length != sizeof key)
    return NULL;
  key = *(ProviderKey *const *)reference;
  return key ? provider_key_object_ref(key) : NULL;
}

static void
key_free(void *key)
{
  provider_key_object_free(key);
}

static int
key_has(const void *keydata, int selection)
{
  const ProviderKey *key = keydata;
  gboolean has = key != NULL;
  if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
    has = has && provider_key_object_has_private(key);
  if (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY)
    has = has && key->public;
  if (selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS)
    has = has && (key->public || key->group);
  return has;
}

static int
key_match(const void *one, const void *other, int selection)
{
  const ProviderKey *a = one, *b = other;
  if (selection & (OSSL_KEYMGMT_SELECT_PUBLIC_KEY | OSSL_KEYMGMT_SELECT_PRIVATE_KEY))
    return a->public && b->public && EVP_PKEY_eq(a->public, b->public) == 1;
  return g_strcmp0(a->group, b->group) == 0;
}

static int
key_validate(const void *keydata, int selection, int checktype G_GNUC_UNUSED)
{
  const ProviderKey *key = keydata;
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) && !provider_key_object_has_private(key))
    return 0;
  if (!(selection & OSSL_KEYMGMT_SELECT_KEYPAIR))
    return key->public || key->group;
  EVP_PKEY_CTX *context = provider_key_object_public_context(key);
  int valid = context && EVP_PKEY_public_check(context) == 1;
  EVP_PKEY_CTX_free(context);
  return valid;
}

/* A peer's key that has a curve and no point yet still has sizes. */
static int
group_get_params(const ProviderKey *key, OSSL_PARAM params[])
{
  OSSL_PARAM *group = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_GROUP_NAME);
  return !group || !key->group || OSSL_PARAM_set_utf8_string(group, key->group);
}

static int
key_get_params(void *keydata, OSSL_PARAM params[])
{
  const ProviderKey *key = keydata;
  return key->public ? EVP_PKEY_get_params(key->public, params) : group_get_params(key, params);
}

#define COMMON_GETTABLE                                                                            \
  OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL), OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL), \
      OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL)

static const OSSL_PARAM *
rsa_gettable(void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    COMMON_GETTABLE, OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0), OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
    OSSL_PARAM_END
  };
  return params;
}

static const OSSL_PARAM *
ec_gettable(void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    COMMON_GETTABLE,
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_X, NULL, 0),
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_Y, NULL, 0),
    OSSL_PARAM_END
  };
  return params;
}

static const OSSL_PARAM *
ed25519_gettable(void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    COMMON_GETTABLE, OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0), OSSL_PARAM_END
  };
  return params;
}

/* ---- export ---- */

static int
export_group(const ProviderKey *key, OSSL_CALLBACK *callback, void *data)
{
  if (!key->group)
    return 0;
  OSSL_PARAM params[] = {
    OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, key->group, 0), OSSL_PARAM_END
  };
  return callback(params, data);
}

static int
key_export(void *keydata, int selection, OSSL_CALLBACK *callback, void *data)
{
  const ProviderKey *key = keydata;
  if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
    return 0;
  if (!(selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY))
    return export_group(key, callback, data);
  return key->public && EVP_PKEY_export(key->public, EVP_PKEY_PUBLIC_KEY, callback, data);
}

static const OSSL_PARAM *
rsa_types(int selection)
{
  static const OSSL_PARAM params[] = { OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
                                       OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
                                       OSSL_PARAM_END };
  return selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY ? params : NULL;
}

static const OSSL_PARAM *
ec_types(int selection)
{
  static const OSSL_PARAM all[] = { OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                    OSSL_PARAM_END };
  static const OSSL_PARAM group[] = { OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
                                      OSSL_PARAM_END };
  return selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY ? all : group;
}

static const OSSL_PARAM *
ed25519_types(int selection)
{
  static const OSSL_PARAM params[] = { OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
                                       OSSL_PARAM_END };
  return selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY ? params : NULL;
}

/* ---- EC: peers' keys ---- */

static int
ec_set_point(ProviderKey *key, const void *point, size_t length)
{
  if (!key->group || provider_key_object_has_private(key))
    return 0;
  OSSL_PARAM params[] = {
    OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, key->group, 0),
    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(gintptr)point, length),
    OSSL_PARAM_END
  };
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(key->context->libctx, "EC", PROVIDER_PUBLIC);
  EVP_PKEY *public = NULL;
  int made = context && EVP_PKEY_fromdata_init(context) == 1 &&
             EVP_PKEY_fromdata(context, &public, EVP_PKEY_PUBLIC_KEY, params) == 1;
  EVP_PKEY_CTX_free(context);
  if (!made)
    return 0;
  EVP_PKEY_free(key->public);
  key->public = public;
  return 1;
}

static int
ec_set_group(ProviderKey *key, const OSSL_PARAM params[])
{
  char name[64], *at = name;
  const OSSL_PARAM *group = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
  if (!group || !OSSL_PARAM_get_utf8_string(group, &at, sizeof name))
    return 0; /* explicit curve parameters (RFC 5480 forbids them) */
  g_free(key->group);
  key->group = g_strdup(name);
  return 1;
}

/* A peer may come with its private half (EVP_PKEY_derive_set_peer exports all there is); that
 * half is passed over. */
static int
ec_import(void *keydata, int selection, const OSSL_PARAM params[])
{
  ProviderKey *key = keydata;
  const void *point = NULL;
  size_t length = 0;
  const OSSL_PARAM *public = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
  if (provider_key_object_has_private(key) || !ec_set_group(key, params))
    return 0;
  if (!(selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY))
    return 1;
  return public && OSSL_PARAM_get_octet_string_ptr(public, &point, &length) &&
         ec_set_point(key, point, length);
}

static int
ec_set_params(void *keydata, const OSSL_PARAM params[])
{
  const void *point = NULL;
  size_t length = 0;
  const OSSL_PARAM *encoded = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);
  if (!encoded)
    return 1;
  return OSSL_PARAM_get_octet_string_ptr(encoded, &point, &length) &&
         ec_set_point(keydata, point, length);
}

static const OSSL_PARAM *
ec_settable(void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = {
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0), OSSL_PARAM_END
  };
  return params;
}

/* ---- RSA ---- */

static int
rsa_set_params(void *keydata, const OSSL_PARAM params[])
{
  ProviderKey *key = keydata;
  const OSSL_PARAM *wanted = OSSL_PARAM_locate_const(params, PROVIDER_PARAM_WANTED_LENGTH);
  return !wanted || OSSL_PARAM_get_size_t(wanted, &key->wanted);
}

static const OSSL_PARAM *
rsa_settable(void *context G_GNUC_UNUSED)
{
  static const OSSL_PARAM params[] = { OSSL_PARAM_size_t(PROVIDER_PARAM_WANTED_LENGTH, NULL),
                                       OSSL_PARAM_END };
  return params;
}

gboolean
provider_key_set_wanted_length(EVP_PKEY *key, gsize length)
{
  return EVP_PKEY_set_size_t_param(key, PROVIDER_PARAM_WANTED_LENGTH, length) == 1;
}

/* ---- all ---- */

static void *
key_dup(const void *keydata, int selection)
{
  const ProviderKey *key = keydata;
  ProviderKey *copy = provider_key_object_new(key->context);
  copy->group = g_strdup(key->group);
  copy->wanted = key->wanted;
  if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
    copy->name = g_strdup(key->name);
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) && key->public && EVP_PKEY_up_ref(key->public))
    copy->public = key->public;
  return copy;
}

static const char *
ec_operation_name(int operation)
{
  return operation == OSSL_OP_KEYEXCH ? "ECDH" : operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define COMMON_FUNCTIONS                                               \
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_NEW, key_new),                   \
      PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_LOAD, key_load),             \
      PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_FREE, key_free),             \
      PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_HAS, key_has),               \
      PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, key_match),           \
      PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_VALIDATE, key_validate),     \
      PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params), \
      PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, key_export),         \
      PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_DUP, key_dup)

static const OSSL_DISPATCH rsa_functions[] = {
  COMMON_FUNCTIONS,
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, rsa_gettable),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_SET_PARAMS, rsa_set_params),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, rsa_settable),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, rsa_types),
  PROVIDER_FUNCTIONS_END
};

static const OSSL_DISPATCH ec_functions[] = {
  COMMON_FUNCTIONS,
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, ec_gettable),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_SET_PARAMS, ec_set_params),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, ec_settable),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, ec_types),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, ec_import),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, ec_types),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation_name),
  PROVIDER_FUNCTIONS_END
};

static const OSSL_DISPATCH ed25519_functions[] = {
  COMMON_FUNCTIONS, PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, ed25519_gettable),
  PROVIDER_FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, ed25519_types), PROVIDER_FUNCTIONS_END
};

/* The names of the default provider, so that EVP_PKEY_is_a() and object identifiers fit. */
const OSSL_ALGORITHM provider_keymgmt_table[] = {
  { "RSA:rsaEncryption:1.2.840.113549.1.1.1", PROVIDER_PROPERTIES, rsa_functions, NULL },
  { "EC:id-ecPublicKey:1.2.840.10045.2.1", PROVIDER_PROPERTIES, ec_functions, NULL },
  { "ED25519:1.3.101.112", PROVIDER_PROPERTIES, ed25519_functions, NULL },
  { NULL, NULL, NULL, NULL }
};
