/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/token.h"

#include <string.h>

#define LABEL_LENGTH 32 /* PKCS#11 v2.40 5.5.7: padded with blanks, not NUL */

static gboolean
is_initialised(Token *token)
{
  return (atomic_load(&token->flags) & CKF_TOKEN_INITIALIZED) != 0;
}

static Token *
find_blank(TokenModule *module, GError **error)
{
  g_autoptr(GPtrArray) tokens = token_slots_list(module);
  for (guint i = 0; i < tokens->len; i++)
    if (!is_initialised(tokens->pdata[i]))
      return token_ref(tokens->pdata[i]);
  base_error_set(error, SIGNET_ERROR_NOT_FOUND, "no blank token is in any slot of this module");
  return NULL;
}

static gboolean
check(Token *token, const TokenInit *ask, GError **error)
{
  CK_TOKEN_INFO now;
  gsize length = strlen(ask->label);

  if (length < 1 || length > LABEL_LENGTH)
    return base_error_set(error, SIGNET_ERROR_USAGE, "a token's label has 1 to %d bytes",
                          LABEL_LENGTH);
  CK_RV rv = token->module->f->C_GetTokenInfo(token->slot, &now);
  if (rv != CKR_OK)
    return token_rv_set(error, rv, "the blank token");
  if (is_initialised(token) || (now.flags & CKF_TOKEN_INITIALIZED)) {
    g_autofree char *label = token_text(now.label, sizeof now.label);
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "the token \"%s\" is in use; initialising it would erase it", label);
  }
  return token_check_pin(&now, ask->so, error) && token_check_pin(&now, ask->pin, error);
}

static gboolean
init_token(Token *token, const TokenInit *ask, GError **error)
{
  CK_UTF8CHAR label[LABEL_LENGTH];

  memset(label, ' ', sizeof label);
  memcpy(label, ask->label, strlen(ask->label));
  token_session_flush(token);
  g_rw_lock_reader_lock(&token->module->slots_lock);
  CK_RV rv = token->module->f->C_InitToken(token->slot, base_secret_bytes(ask->so),
                                           base_secret_length(ask->so), label);
  g_rw_lock_reader_unlock(&token->module->slots_lock);
  return rv == CKR_OK ||
         token_rv_set(error, rv, "the token \"%s\" was not initialised", ask->label);
}

/* The initialised token, wherever its slot now is: SoftHSM and others give it a new one. In its
 * old slot, or else the one that has no PIN and this label and was not there before. */
static Token *
find_again(TokenModule *module, CK_SLOT_ID slot, const char *label, GHashTable *before)
{
  g_autoptr(GPtrArray) tokens = token_slots_list(module);
  Token *found = NULL;

  for (guint i = 0; i < tokens->len; i++) {
    Token *token = tokens->pdata[i];
    g_autofree char *its = token_label(token);
    if (!is_initialised(token) || !g_str_equal(its, label) ||
        (atomic_load(&token->flags) & CKF_USER_PIN_INITIALIZED) ||
        g_hash_table_contains(before, GUINT_TO_POINTER(token->generation)))
      continue;
    if (!found || token->slot == slot)
      found = token;
  }
  return found ? token_ref(found) : NULL;
}

static GHashTable *
generations(TokenModule *module)
{
  GHashTable *set = g_hash_table_new(NULL, NULL);
  g_autoptr(GPtrArray) tokens = token_slots_list(module);
  for (guint i = 0; i < tokens->len; i++)
    g_hash_table_add(set, GUINT_TO_POINTER(((Token *)tokens->pdata[i])->generation));
  return set;
}

Token *
token_init(TokenModule *module, const TokenInit *ask, BaseDeadline deadline, GError **error)
{
  static GMutex one_at_a_time;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&one_at_a_time);
  g_autoptr(GHashTable) before = NULL;

  if (!token_slots_poll(module, error))
    return NULL;
  g_autoptr(Token) blank = ask->slot == TOKEN_NO_SLOT
                               ? find_blank(module, error)
                               : token_slots_find(module, ask->slot, ask->generation, error);
  if (!blank || !check(blank, ask, error))
    return NULL;
  before = generations(module);
  (void)locker;
  if (!init_token(blank, ask, error) || !token_slots_poll(module, error))
    return NULL;
  g_autoptr(Token) token = find_again(module, blank->slot, ask->label, before);
  if (!token) {
    base_error_set(error, SIGNET_ERROR_FAILED,
                   "the token \"%s\" was initialised, but is not to be found again", ask->label);
    return NULL;
  }
  if (!token_init_pin(token, ask->so, ask->pin, deadline, error))
    return NULL;
  return g_steal_pointer(&token);
}
