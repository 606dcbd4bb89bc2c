/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/attribute.h"
#include "token/token.h"

/* CKA_EXTRACTABLE can be made false and never true again (PKCS#11 v2.40 4.9, footnote 12). What a
 * module answers to the change is not believed; the attribute is read. */

static CK_RV
is_extractable(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, gboolean *ret_is)
{
  CK_BBOOL value = CK_TRUE;
  CK_ATTRIBUTE row = { CKA_EXTRACTABLE, &value, sizeof value };
  CK_RV rv = token_attributes_read(token, session, key, &row, 1);
  if (rv == CKR_OK)
    *ret_is = token_attribute_bool(&row, TRUE);
  return rv;
}

static CK_RV
seal(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, gboolean *ret_changed)
{
  CK_BBOOL no = CK_FALSE;
  CK_ATTRIBUTE row = { CKA_EXTRACTABLE, &no, sizeof no };
  gboolean extractable = TRUE;

  CK_RV rv = is_extractable(token, session, key, &extractable);
  if (rv != CKR_OK || !extractable)
    return rv;
  rv = token->module->f->C_SetAttributeValue(session, key, &row, 1);
  if (rv == CKR_OK)
    rv = is_extractable(token, session, key, &extractable);
  if (rv != CKR_OK)
    return rv;
  *ret_changed = TRUE;
  return extractable ? CKR_ATTRIBUTE_READ_ONLY : CKR_OK;
}

gboolean
token_seal(Token *token, const char *name, BaseDeadline deadline, gboolean *ret_changed,
           GError **error)
{
  g_autoptr(TokenKey) key = token_key_find(token, name, deadline, error);
  gboolean changed = FALSE;

  if (!key)
    return FALSE;
  for (int tries = 0;; tries++) {
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    if (!token_key_renew(token, key, deadline, error) ||
        !token_session_borrow(token, deadline, &session, error))
      return FALSE;
    g_rw_lock_writer_lock(&token->objects);
    CK_RV rv = seal(token, session, atomic_load(&key->handle), &changed);
    g_rw_lock_writer_unlock(&token->objects);
    token_session_drop(token, session);
    if (rv == CKR_OK) {
      *ret_changed = changed;
      token_keys_forget(token); /* its flags are other ones now */
      return TRUE;
    }
    if (tries || !token_rv_is_transient(rv))
      return token_rv_set(error, rv, "the key can still be backed up");
    if (!token_recover(token, rv, error))
      return FALSE;
  }
}
