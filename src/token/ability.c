/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/token.h"

#define MECHANISMS_MAX 4096

/* Mechanisms that matter for keys, and what each lets the token do. */
static const struct {
  CK_MECHANISM_TYPE type;
  const char *name;
  guint32 ability;
  CK_FLAGS flag; /* what the token must say it does with it */
} mechanism_table[] = {
  { CKM_RSA_PKCS_KEY_PAIR_GEN, "RSA_PKCS_KEY_PAIR_GEN", WIRE_CAN_RSA, CKF_GENERATE_KEY_PAIR },
  { CKM_RSA_PKCS, "RSA_PKCS", 0, 0 },
  { CKM_RSA_X_509, "RSA_X_509", 0, 0 },
  { CKM_RSA_PKCS_PSS, "RSA_PKCS_PSS", WIRE_CAN_PSS, CKF_SIGN },
  { CKM_RSA_PKCS_OAEP, "RSA_PKCS_OAEP", WIRE_CAN_OAEP, CKF_DECRYPT },
  { CKM_EC_KEY_PAIR_GEN, "EC_KEY_PAIR_GEN", WIRE_CAN_EC, CKF_GENERATE_KEY_PAIR },
  { CKM_ECDSA, "ECDSA", 0, 0 },
  { CKM_ECDH1_DERIVE, "ECDH1_DERIVE", WIRE_CAN_ECDH, CKF_DERIVE },
  { CKM_EC_EDWARDS_KEY_PAIR_GEN, "EC_EDWARDS_KEY_PAIR_GEN", WIRE_CAN_ED25519,
    CKF_GENERATE_KEY_PAIR },
  { CKM_EDDSA, "EDDSA", 0, 0 },
  { CKM_AES_KEY_WRAP, "AES_KEY_WRAP", 0, 0 },
  { CKM_AES_KEY_WRAP_PAD, "AES_KEY_WRAP_PAD", WIRE_CAN_WRAP, CKF_WRAP },
  { CKM_RSA_AES_KEY_WRAP, "RSA_AES_KEY_WRAP", 0, 0 },
};

static CK_RV
get_mechanisms(Token *token, GArray **ret_types)
{
  CK_FUNCTION_LIST *f = token->module->f;
  CK_ULONG count = 0;
  CK_RV rv = f->C_GetMechanismList(token->slot, NULL, &count);

  if (rv == CKR_OK && count > MECHANISMS_MAX)
    rv = CKR_FUNCTION_FAILED;
  if (rv != CKR_OK)
    return rv;
  g_autoptr(GArray) types =
      g_array_sized_new(FALSE, TRUE, sizeof(CK_MECHANISM_TYPE), (guint)count + 1);
  g_array_set_size(types, (guint)count);
  CK_ULONG found = count;
  rv = count
           ? f->C_GetMechanismList(token->slot, (CK_MECHANISM_TYPE *)(gpointer)types->data, &found)
           : CKR_OK;
  if (rv != CKR_OK || found > count)
    return rv == CKR_OK ? CKR_FUNCTION_FAILED : rv;
  g_array_set_size(types, (guint)found);
  *ret_types = g_steal_pointer(&types);
  return CKR_OK;
}

/* The list alone is not believed: the flags of a mechanism say what it may be used for. */
static gboolean
does(Token *token, CK_MECHANISM_TYPE type, CK_FLAGS flag)
{
  CK_MECHANISM_INFO info = { 0, 0, 0 };
  return token->module->f->C_GetMechanismInfo(token->slot, type, &info) == CKR_OK &&
         (info.flags & flag);
}

static gboolean
has(const GArray *types, CK_MECHANISM_TYPE type)
{
  for (guint i = 0; i < types->len; i++)
    if (g_array_index(types, CK_MECHANISM_TYPE, i) == type)
      return TRUE;
  return FALSE;
}

gboolean
token_abilities(Token *token, GPtrArray *ret_names, guint32 *ret_abilities, GError **error)
{
  const BaseProfile *profile = token->module->profile;
  g_autoptr(GArray) types = NULL;
  guint32 abilities = atomic_load(&token->flags) & CKF_WRITE_PROTECTED ? 0u : WIRE_CAN_WRITE;

  CK_RV rv = get_mechanisms(token, &types);
  if (rv != CKR_OK)
    return token_rv_set(error, rv, "the token does not say what it can do");
  for (gsize i = 0; i < G_N_ELEMENTS(mechanism_table); i++) {
    if (!has(types, mechanism_table[i].type))
      continue;
    g_ptr_array_add(ret_names, g_strdup(mechanism_table[i].name));
    if (mechanism_table[i].flag && does(token, mechanism_table[i].type, mechanism_table[i].flag))
      abilities |= mechanism_table[i].ability;
  }
  if (profile->raw_rsa && has(types, CKM_RSA_X_509))
    abilities |= WIRE_CAN_OAEP; /* the padding is done here (decrypt.c) */
  if (g_strcmp0(profile->wrap, "no") == 0)
    abilities &= ~(guint32)WIRE_CAN_WRAP;
  if (atomic_load(&token->flags) & CKF_WRITE_PROTECTED)
    abilities &= ~(guint32)(WIRE_CAN_RSA | WIRE_CAN_EC | WIRE_CAN_ED25519);
  *ret_abilities = abilities;
  return TRUE;
}
