/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/operate.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <string.h>

#define FIELD_MAX 66
#define POINT_HEAD_MAX 3

enum { POINT_RAW, POINT_OCTET_STRING, POINT_FORMS };

static EC_GROUP *
group_of(TokenModule *module, BaseKeyKind kind)
{
  static GMutex lock;
  static EC_GROUP *groups[3];
  static const int nids[3] = { NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1 };
  gsize at = kind == BASE_KEY_EC_P256 ? 0 : kind == BASE_KEY_EC_P384 ? 1 : 2;

  g_mutex_lock(&lock);
  if (!groups[at])
    groups[at] = EC_GROUP_new_by_curve_name_ex(module->library, NULL, nids[at]);
  EC_GROUP *group = groups[at];
  g_mutex_unlock(&lock);
  return group;
}

/* A point off the curve makes a token answer with a few bits of its key each time (invalid curve
 * attack); SP 800-56A 5.6.2.3.3 wants it checked, and not every token does. */
gboolean
token_derive_check(const TokenOperate *ask, GError **error)
{
  const WireOperation *operation = ask->operation;
  EC_GROUP *group = group_of(ask->token->module, ask->key->kind);
  gboolean on_curve = FALSE;

  if (operation->data_length != 1 + 2 * ask->key->field_length || operation->data[0] != 0x04)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the other side's key is no uncompressed point of this key's curve");
  EC_POINT *point = group ? EC_POINT_new(group) : NULL;
  if (point)
    on_curve =
        EC_POINT_oct2point(group, point, operation->data, operation->data_length, NULL) == 1 &&
        EC_POINT_is_on_curve(group, point, NULL) == 1 && !EC_POINT_is_at_infinity(group, point);
  EC_POINT_free(point);
  if (on_curve)
    return TRUE;
  ERR_clear_error();
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the other side's key is not on the curve");
}

static CK_RV
derive_once(TokenRun *run, int form, CK_OBJECT_HANDLE *ret_secret)
{
  const WireOperation *operation = run->ask->operation;
  guint8 point[POINT_HEAD_MAX + WIRE_POINT_MAX];
  gsize head = 0;
  CK_OBJECT_CLASS class = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_GENERIC_SECRET;
  CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
  CK_ULONG field = run->ask->key->field_length;
  CK_ATTRIBUTE template[] = {
    { CKA_CLASS, &class, sizeof class },   { CKA_KEY_TYPE, &type, sizeof type },
    { CKA_TOKEN, &no, sizeof no },         { CKA_SENSITIVE, &no, sizeof no },
    { CKA_EXTRACTABLE, &yes, sizeof yes }, { CKA_VALUE_LEN, &field, sizeof field },
  };

  if (operation->data_length > WIRE_POINT_MAX)
    return CKR_DATA_LEN_RANGE;
  if (form == POINT_OCTET_STRING) {
    point[head++] = 0x04;
    if (operation->data_length >= 0x80)
      point[head++] = 0x81;
    point[head++] = (guint8)operation->data_length;
  }
  memcpy(point + head, operation->data, operation->data_length);
  CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, head + operation->data_length, point };
  CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &params, sizeof params };
  return run->ask->token->module->f->C_DeriveKey(run->session, &mechanism, run->handle, template,
                                                 G_N_ELEMENTS(template), ret_secret);
}

/* The standard (v2.40 mechanisms 2.3.8) lets the point be bare or in an OCTET STRING; modules take
 * one of them. What worked is tried first from then on. */
static CK_RV
derive(TokenRun *run, CK_OBJECT_HANDLE *ret_secret)
{
  Token *token = run->ask->token;
  int form = atomic_load(&token->point_form);
  CK_RV rv = derive_once(run, form, ret_secret);

  if (rv == CKR_OK || token_rv_is_loss(rv) || rv == CKR_KEY_FUNCTION_NOT_PERMITTED ||
      rv == CKR_MECHANISM_INVALID)
    return rv;
  int other = (form + 1) % POINT_FORMS;
  CK_RV second = derive_once(run, other, ret_secret);
  if (second == CKR_OK)
    atomic_store(&token->point_form, other);
  return second == CKR_OK ? second : rv;
}

CK_RV
token_derive(TokenRun *run)
{
  CK_FUNCTION_LIST *f = run->ask->token->module->f;
  CK_OBJECT_HANDLE secret = CK_INVALID_HANDLE;
  gsize field = run->ask->key->field_length;
  CK_ATTRIBUTE value = { CKA_VALUE, run->result, TOKEN_RESULT_MAX };

  if (run->ask->key->field_length > FIELD_MAX)
    return CKR_KEY_SIZE_RANGE;
  CK_RV rv = derive(run, &secret);
  if (rv != CKR_OK)
    return rv;
  rv = f->C_GetAttributeValue(run->session, secret, &value, 1);
  f->C_DestroyObject(run->session, secret);
  if (rv != CKR_OK)
    return rv;
  if (value.ulValueLen > field || value.ulValueLen == 0)
    return CKR_FUNCTION_FAILED;
  /* SP 800-56A 5.7.1.2: as long as the field; modules that strip leading zeros exist. */
  memmove(run->result + (field - value.ulValueLen), run->result, value.ulValueLen);
  memset(run->result, 0, field - value.ulValueLen);
  run->length = field;
  return CKR_OK;
}
