/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/operate.h"

CK_BYTE_PTR
token_input(const guint8 *bytes)
{
  static CK_BYTE nothing[1]; /* some modules take NULL for "tell me the length" */
  return bytes ? (CK_BYTE_PTR)(gintptr)bytes : nothing;
}

static const struct {
  WireHash hash;
  CK_MECHANISM_TYPE mechanism;
  CK_RSA_PKCS_MGF_TYPE mgf;
} hash_table[] = {
  { WIRE_SHA1, CKM_SHA_1, CKG_MGF1_SHA1 },      { WIRE_SHA224, CKM_SHA224, CKG_MGF1_SHA224 },
  { WIRE_SHA256, CKM_SHA256, CKG_MGF1_SHA256 }, { WIRE_SHA384, CKM_SHA384, CKG_MGF1_SHA384 },
  { WIRE_SHA512, CKM_SHA512, CKG_MGF1_SHA512 },
};

CK_MECHANISM_TYPE
token_hash_mechanism(WireHash hash)
{
  for (gsize i = 0; i < G_N_ELEMENTS(hash_table); i++)
    if (hash_table[i].hash == hash)
      return hash_table[i].mechanism;
  return CK_UNAVAILABLE_INFORMATION;
}

CK_RSA_PKCS_MGF_TYPE
token_hash_mgf(WireHash hash)
{
  for (gsize i = 0; i < G_N_ELEMENTS(hash_table); i++)
    if (hash_table[i].hash == hash)
      return hash_table[i].mgf;
  return CK_UNAVAILABLE_INFORMATION;
}

CK_RV
token_context_login(TokenRun *run)
{
  BaseSecret *pin = run->ask->pin;

  if (!(atomic_load(&run->ask->key->flags) & WIRE_KEY_ALWAYS_AUTH))
    return CKR_OK;
  run->pin_tried = TRUE;
  return run->ask->token->module->f->C_Login(run->session, CKU_CONTEXT_SPECIFIC,
                                             pin ? base_secret_bytes(pin) : NULL,
                                             pin ? base_secret_length(pin) : 0);
}

static gboolean
check_kind(const TokenOperate *ask, GError **error)
{
  BaseKeyKind kind = ask->key->kind;
  gboolean ok = FALSE;

  switch (ask->operation->mechanism) {
  case WIRE_RSA_PKCS1:
  case WIRE_RSA_PSS:
  case WIRE_RSA_OAEP:
    ok = kind == BASE_KEY_RSA;
    break;
  case WIRE_ECDSA:
  case WIRE_ECDH:
    ok = kind == BASE_KEY_EC_P256 || kind == BASE_KEY_EC_P384 || kind == BASE_KEY_EC_P521;
    break;
  case WIRE_EDDSA:
    ok = kind == BASE_KEY_ED25519;
    break;
  }
  return ok || base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "this kind of key does no %s",
                              wire_mechanism_name(ask->operation->mechanism));
}

/* A context login needs its PIN, or a reader that asks for it. */
static gboolean
check_context_pin(const TokenOperate *ask, GError **error)
{
  if (!(atomic_load(&ask->key->flags) & WIRE_KEY_ALWAYS_AUTH))
    return TRUE;
  CK_TOKEN_INFO info = token_info(ask->token);
  if (ask->pin && base_secret_length(ask->pin))
    return token_check_pin(&info, ask->pin, error);
  if (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH)
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_PIN_REQUIRED, "this key wants the PIN for each use");
}

static gboolean
check(const TokenOperate *ask, GError **error)
{
  if (!check_kind(ask, error))
    return FALSE;
  if (ask->operation->verb == WIRE_DECRYPT)
    return token_decrypt_check(ask, error);
  if (ask->operation->verb == WIRE_DERIVE)
    return token_derive_check(ask, error);
  return TRUE;
}

static CK_RV
run_verb(TokenRun *run)
{
  switch (run->ask->operation->verb) {
  case WIRE_SIGN:
    return token_sign(run);
  case WIRE_DECRYPT:
    return token_decrypt(run);
  case WIRE_DERIVE:
    return token_derive(run);
  }
  return CKR_ARGUMENTS_BAD;
}

/* A token that is taken away in the middle of it fails in many ways (SoftHSM: the key may not sign,
 * is of another kind, …). What a tried PIN or a ciphertext came to stands, whatever the token does. */
static gboolean
failed(const TokenOperate *ask, const TokenRun *run, CK_RV rv, GError **error)
{
  if (run->pin_tried)
    token_refresh(ask->token);
  else if (rv != CKR_ENCRYPTED_DATA_INVALID && !token_surely_there(ask->token, error))
    return FALSE;
  g_autofree char *label = token_label(ask->token);
  return token_rv_set(error, rv, "cannot %s with the key on \"%s\"",
                      wire_verb_name(ask->operation->verb), label);
}

gboolean
token_operate(const TokenOperate *ask, guint8 *result, gsize *ret_length, GError **error)
{
  Token *token = ask->token;

  if (!check(ask, error))
    return FALSE;
  for (int tries = 0;; tries++) {
    TokenRun run = { .ask = ask, .result = result };
    if (!token_key_renew(token, ask->key, ask->deadline, error) || !check_context_pin(ask, error) ||
        !token_session_borrow(token, ask->deadline, &run.session, error))
      return FALSE;
    run.handle = atomic_load(&ask->key->handle);
    CK_RV rv = run_verb(&run);
    if (rv == CKR_OK) {
      token_session_return(token, run.session);
      *ret_length = run.length;
      return TRUE;
    }
    token_session_drop(token, run.session); /* an operation may be active in it */
    if (tries || run.pin_tried || !token_rv_is_transient(rv))
      return failed(ask, &run, rv, error);
    if (!token_recover(token, rv, error))
      return FALSE;
  }
}
