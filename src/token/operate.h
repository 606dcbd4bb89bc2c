/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One operation on one session: what sign.c, decrypt.c and derive.c share. */

#include "token/token.h"

typedef struct {
  const TokenOperate *ask;
  CK_SESSION_HANDLE session;
  CK_OBJECT_HANDLE handle;
  guint8 *result; /* TOKEN_RESULT_MAX bytes */
  gsize length;
  gboolean pin_tried; /* a context PIN was given to the module: never again */
} TokenRun;

/* Each returns what the module said, or CKR_FUNCTION_FAILED for an answer that cannot be. */
CK_RV token_sign(TokenRun *run);
CK_RV token_decrypt(TokenRun *run);
CK_RV token_derive(TokenRun *run);

/* Before a session is taken: does the key do this, is the input of the right size? */
gboolean token_decrypt_check(const TokenOperate *ask, GError **error);
gboolean token_derive_check(const TokenOperate *ask, GError **error);

/* For CKA_ALWAYS_AUTHENTICATE keys: to be called right after C_xInit. PKCS#11 v2.40 5.6.6 */
CK_RV token_context_login(TokenRun *run);

CK_MECHANISM_TYPE token_hash_mechanism(WireHash hash);
CK_RSA_PKCS_MGF_TYPE token_hash_mgf(WireHash hash);
/* PKCS#11 takes inputs by pointers that are not const. */
CK_BYTE_PTR token_input(const guint8 *bytes);
