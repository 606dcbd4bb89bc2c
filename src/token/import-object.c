/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/attribute.h"
#include "token/import.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <string.h>

#define POINT_MAX 160

/* Ed25519's CKA_EC_PARAMS by PKCS#11 v3.0 2.3.10; most modules want the OID. */
static const guint8 edwards_name[] = "\x13\x0c"
                                     "edwards25519";

typedef struct {
  TokenTemplate rows;
  CK_OBJECT_CLASS class;
  CK_KEY_TYPE type;
  guint8 point[POINT_MAX];
} Filling;

static void
fill_head(Filling *filling, const TokenImportObject *object, CK_OBJECT_CLASS class)
{
  gsize id_length = 0;
  gconstpointer id = g_bytes_get_data(object->id, &id_length);

  filling->class = class;
  filling->type = object->facts.kind == BASE_KEY_RSA       ? CKK_RSA
                  : object->facts.kind == BASE_KEY_ED25519 ? CKK_EC_EDWARDS
                                                           : CKK_EC;
  token_template_add(&filling->rows, CKA_CLASS, &filling->class, sizeof filling->class);
  token_template_add(&filling->rows, CKA_KEY_TYPE, &filling->type, sizeof filling->type);
  token_template_add_bool(&filling->rows, CKA_TOKEN, TRUE);
  token_template_add_bool(&filling->rows, CKA_PRIVATE, class == CKO_PRIVATE_KEY);
  token_template_add(&filling->rows, CKA_ID, id, id_length);
  token_template_add(&filling->rows, CKA_LABEL, object->ask->label, strlen(object->ask->label));
}

static void
fill_params(Filling *filling, const TokenImportObject *object, gboolean by_name)
{
  gsize length = 0;
  const guint8 *params = token_curve_oid(object->facts.kind, &length);
  if (by_name)
    token_template_add(&filling->rows, CKA_EC_PARAMS, edwards_name, sizeof edwards_name - 1);
  else
    token_template_add(&filling->rows, CKA_EC_PARAMS, params, length);
}

/* ---- the numbers of a private key ---- */

/* Big-endian, without leading zeros; from one buffer of secret memory to another, where
 * EVP_PKEY_get_bn_param() would leave copies on the stack. */
static BaseSecret *
read_number(EVP_PKEY *pkey, const char *name)
{
  g_autoptr(BaseSecret) raw = base_secret_new(TOKEN_MODULUS_MAX);
  guint8 *bytes = base_secret_bytes(raw);
  OSSL_PARAM params[] = { OSSL_PARAM_construct_BN(name, bytes, TOKEN_MODULUS_MAX),
                          OSSL_PARAM_construct_end() };

  gboolean read = EVP_PKEY_get_params(pkey, params) == 1 && OSSL_PARAM_modified(params) &&
                  params[0].return_size <= TOKEN_MODULUS_MAX;
  ERR_clear_error();
  if (!read)
    return NULL;
  gsize length = params[0].return_size;
  gboolean little = G_BYTE_ORDER == G_LITTLE_ENDIAN;
  while (length && !bytes[little ? length - 1 : params[0].return_size - length])
    length--;
  BaseSecret *number = base_secret_new(length);
  for (gsize i = 0; i < length; i++)
    base_secret_bytes(number)[i] =
        bytes[little ? length - 1 - i : params[0].return_size - length + i];
  return number;
}

static const struct {
  const char *name;
  CK_ATTRIBUTE_TYPE type;
} rsa_numbers[] = {
  { OSSL_PKEY_PARAM_RSA_N, CKA_MODULUS },
  { OSSL_PKEY_PARAM_RSA_E, CKA_PUBLIC_EXPONENT },
  { OSSL_PKEY_PARAM_RSA_D, CKA_PRIVATE_EXPONENT },
  { OSSL_PKEY_PARAM_RSA_FACTOR1, CKA_PRIME_1 },
  { OSSL_PKEY_PARAM_RSA_FACTOR2, CKA_PRIME_2 },
  { OSSL_PKEY_PARAM_RSA_EXPONENT1, CKA_EXPONENT_1 },
  { OSSL_PKEY_PARAM_RSA_EXPONENT2, CKA_EXPONENT_2 },
  { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, CKA_COEFFICIENT },
};
#define NUMBERS_MAX G_N_ELEMENTS(rsa_numbers)

typedef struct {
  BaseSecret *of[NUMBERS_MAX];
} Numbers;

static void
numbers_clear(Numbers *numbers)
{
  for (gsize i = 0; i < NUMBERS_MAX; i++)
    base_secret_free(numbers->of[i]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Numbers, numbers_clear)

static gboolean
read_rsa(EVP_PKEY *pkey, Numbers *numbers)
{
  g_autoptr(BaseSecret) third = read_number(pkey, OSSL_PKEY_PARAM_RSA_FACTOR3);
  if (third && base_secret_length(third)) /* PKCS#11 has no place for it */
    return FALSE;
  for (gsize i = 0; i < NUMBERS_MAX; i++) {
    numbers->of[i] = read_number(pkey, rsa_numbers[i].name);
    if (!numbers->of[i] || !base_secret_length(numbers->of[i]))
      return FALSE;
  }
  return TRUE;
}

/* As long as the field: RFC 5915 3, and what cards expect. */
static gboolean
read_ec(EVP_PKEY *pkey, gsize field, Numbers *numbers)
{
  g_autoptr(BaseSecret) number = read_number(pkey, OSSL_PKEY_PARAM_PRIV_KEY);
  gsize length = number ? base_secret_length(number) : 0;

  if (!length || length > field)
    return FALSE;
  numbers->of[0] = base_secret_new(field);
  memcpy(base_secret_bytes(numbers->of[0]) + (field - length), base_secret_bytes(number), length);
  return TRUE;
}

static gboolean
read_ed25519(EVP_PKEY *pkey, Numbers *numbers)
{
  gsize length = 32;
  numbers->of[0] = base_secret_new(length);
  return EVP_PKEY_get_raw_private_key(pkey, base_secret_bytes(numbers->of[0]), &length) == 1 &&
         length == 32;
}

static gboolean
read_numbers(const TokenImportObject *object, Numbers *numbers)
{
  EVP_PKEY *pkey = object->ask->pkey;
  if (object->facts.kind == BASE_KEY_RSA)
    return read_rsa(pkey, numbers);
  if (object->facts.kind == BASE_KEY_ED25519)
    return read_ed25519(pkey, numbers);
  return read_ec(pkey, object->facts.field_length, numbers);
}

/* ---- private ---- */

static void
fill_uses(Filling *filling, const TokenImportObject *object, gboolean lean)
{
  guint32 flags = object->flags;

  token_template_add_bool(&filling->rows, CKA_SIGN, (flags & WIRE_KEY_SIGN) != 0);
  if (object->facts.kind == BASE_KEY_RSA) {
    token_template_add_bool(&filling->rows, CKA_DECRYPT, (flags & WIRE_KEY_DECRYPT) != 0);
    if (!lean)
      token_template_add_bool(&filling->rows, CKA_UNWRAP, (flags & WIRE_KEY_DECRYPT) != 0);
  } else if (object->facts.kind != BASE_KEY_ED25519) {
    token_template_add_bool(&filling->rows, CKA_DERIVE, (flags & WIRE_KEY_DERIVE) != 0);
  }
  if (object->ask->subject && !lean) {
    gsize length = 0;
    gconstpointer subject = g_bytes_get_data(object->ask->subject, &length);
    token_template_add(&filling->rows, CKA_SUBJECT, subject, length);
  }
}

static void
fill_numbers(Filling *filling, const TokenImportObject *object, const Numbers *numbers,
             gboolean by_name)
{
  if (object->facts.kind == BASE_KEY_RSA) {
    for (gsize i = 0; i < NUMBERS_MAX; i++)
      token_template_add(&filling->rows, rsa_numbers[i].type, base_secret_bytes(numbers->of[i]),
                         base_secret_length(numbers->of[i]));
    return;
  }
  fill_params(filling, object, by_name);
  token_template_add(&filling->rows, CKA_VALUE, base_secret_bytes(numbers->of[0]),
                     base_secret_length(numbers->of[0]));
}

enum { PLAIN = 0, LEAN = 1 << 0, BY_NAME = 1 << 1 };

static CK_RV
create_private(Token *token, CK_SESSION_HANDLE session, const TokenImportObject *object,
               const Numbers *numbers, guint how, CK_OBJECT_HANDLE *ret_handle)
{
  Filling filling = { .rows = { .count = 0 } };

  fill_head(&filling, object, CKO_PRIVATE_KEY);
  token_template_add_bool(&filling.rows, CKA_SENSITIVE, TRUE);
  token_template_add_bool(&filling.rows, CKA_EXTRACTABLE,
                          (object->ask->flags & WIRE_KEY_EXTRACTABLE) != 0);
  fill_uses(&filling, object, (how & LEAN) != 0);
  fill_numbers(&filling, object, numbers, (how & BY_NAME) != 0);
  return token->module->f->C_CreateObject(session, filling.rows.rows, filling.rows.count,
                                          ret_handle);
}

/* It was the template that the token did not like: another one may do. */
static gboolean
is_about_template(CK_RV rv)
{
  return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
         rv == CKR_ATTRIBUTE_READ_ONLY || rv == CKR_TEMPLATE_INCONSISTENT ||
         rv == CKR_DOMAIN_PARAMS_INVALID || rv == CKR_CURVE_NOT_SUPPORTED;
}

CK_RV
token_import_private(Token *token, CK_SESSION_HANDLE session, const TokenImportObject *object,
                     CK_OBJECT_HANDLE *ret_handle)
{
  g_auto(Numbers) numbers = { .of = { NULL } };
  guint last = object->facts.kind == BASE_KEY_ED25519 ? LEAN | BY_NAME : LEAN;
  CK_RV first = CKR_OK;

  if (!read_numbers(object, &numbers))
    return CKR_ARGUMENTS_BAD;
  for (guint how = PLAIN; how <= last; how++) {
    CK_RV rv = create_private(token, session, object, &numbers, how, ret_handle);
    if (rv == CKR_OK || !is_about_template(rv))
      return rv;
    first = first == CKR_OK ? rv : first;
  }
  return first;
}

/* ---- public ---- */

/* CKA_EC_POINT: the DER OCTET STRING around it (v2.40 mechanisms 2.3.3). */
static void
fill_point(Filling *filling, const TokenImportObject *object)
{
  gsize head = 0;
  gsize length = object->facts.key_length;

  filling->point[head++] = 0x04;
  if (length >= 0x80)
    filling->point[head++] = 0x81;
  filling->point[head++] = (guint8)length;
  g_assert(head + length <= POINT_MAX); /* token_import() looked at it */
  memcpy(filling->point + head, object->facts.key, length);
  token_template_add(&filling->rows, CKA_EC_POINT, filling->point, head + length);
}

static CK_RV
create_public(Token *token, CK_SESSION_HANDLE session, const TokenImportObject *object,
              gboolean by_name, CK_OBJECT_HANDLE *ret_handle)
{
  Filling filling = { .rows = { .count = 0 } };
  guint32 flags = object->flags;
  g_autoptr(BaseSecret) modulus = NULL;
  g_autoptr(BaseSecret) exponent = NULL;

  fill_head(&filling, object, CKO_PUBLIC_KEY);
  token_template_add_bool(&filling.rows, CKA_VERIFY, (flags & WIRE_KEY_SIGN) != 0);
  if (object->facts.kind == BASE_KEY_RSA) {
    modulus = read_number(object->ask->pkey, OSSL_PKEY_PARAM_RSA_N);
    exponent = read_number(object->ask->pkey, OSSL_PKEY_PARAM_RSA_E);
    if (!modulus || !exponent)
      return CKR_ARGUMENTS_BAD;
    token_template_add_bool(&filling.rows, CKA_ENCRYPT, (flags & WIRE_KEY_DECRYPT) != 0);
    token_template_add_bool(&filling.rows, CKA_WRAP, (flags & WIRE_KEY_DECRYPT) != 0);
    token_template_add(&filling.rows, CKA_MODULUS, base_secret_bytes(modulus),
                       base_secret_length(modulus));
    token_template_add(&filling.rows, CKA_PUBLIC_EXPONENT, base_secret_bytes(exponent),
                       base_secret_length(exponent));
  } else {
    if (object->facts.kind != BASE_KEY_ED25519)
      token_template_add_bool(&filling.rows, CKA_DERIVE, (flags & WIRE_KEY_DERIVE) != 0);
    fill_params(&filling, object, by_name);
    fill_point(&filling, object);
  }
  return token->module->f->C_CreateObject(session, filling.rows.rows, filling.rows.count,
                                          ret_handle);
}

CK_RV
token_import_public(Token *token, CK_SESSION_HANDLE session, const TokenImportObject *object,
                    CK_OBJECT_HANDLE *ret_handle)
{
  CK_RV rv = create_public(token, session, object, FALSE, ret_handle);
  if (object->facts.kind == BASE_KEY_ED25519 && is_about_template(rv))
    rv = create_public(token, session, object, TRUE, ret_handle);
  return rv;
}
