/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/attribute.h"

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

/* ---- erasing ---- */

#define ERASE_TRIES 3
#define ERASE_AGAIN_US 50000

static guint32
count_objects(Token *token, BaseDeadline deadline)
{
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  g_autoptr(GArray) handles = NULL;

  if (!token_session_borrow(token, deadline, &session, NULL))
    return 0;
  g_rw_lock_reader_lock(&token->objects);
  CK_RV rv = token_find_all(token, session, NULL, 0, &handles);
  g_rw_lock_reader_unlock(&token->objects);
  token_session_drop(token, session);
  return rv == CKR_OK ? handles->len : 0;
}

/* PKCS#11 v2.40 5.5.7: no session may be open, neither the pool's nor the one that holds a login. The
 * SO PIN is known to be right by now, so that another try puts none at risk. A slot is all that
 * C_InitToken is told, and without a session any card may have come into it: often they all have
 * their maker's SO PIN. */
static CK_RV
wipe(Token *token, BaseSecret *so, BaseDeadline deadline)
{
  TokenModule *module = token->module;
  CK_RV rv = CKR_GENERAL_ERROR;
  gsize length = base_secret_length(so); /* 0: typed on the reader */

  for (int tries = 0; tries < ERASE_TRIES; tries++) {
    if (tries)
      g_usleep(ERASE_AGAIN_US);
    token_logout(token, deadline, NULL);
    token_session_flush(token);
    if (!token_surely_there(token, NULL))
      return CKR_DEVICE_REMOVED;
    g_rw_lock_reader_lock(&module->slots_lock);
    rv = module->f->C_InitToken(token->slot, length ? base_secret_bytes(so) : NULL, length,
                                token->info.label);
    g_rw_lock_reader_unlock(&module->slots_lock);
    if (rv != CKR_SESSION_EXISTS && rv != CKR_GENERAL_ERROR)
      break;
  }
  return rv;
}

gboolean
token_erase(Token *token, BaseSecret *so, BaseDeadline deadline, guint32 *ret_count, GError **error)
{
  TokenModule *module = token->module;
  g_autofree char *label = token_label(token);

  if (!is_initialised(token))
    return base_error_set(error, SIGNET_ERROR_USAGE, "the token in this slot is blank already");
  guint32 count = count_objects(token, deadline);
  /* Some modules erase for whoever asks. */
  if (!token_login(token, TRUE, so, deadline, error) ||
      !token_session_exclusive(token, deadline, error))
    return FALSE;
  CK_RV rv = wipe(token, so, deadline);
  token_session_release(token);
  if (rv != CKR_OK)
    return token_rv_set(error, rv, "the token \"%s\" was not erased", label);
  token_lose(token); /* what is asked of its former contents finds nothing */
  if (!token_slots_poll(module, error))
    return FALSE;
  *ret_count = count;
  return TRUE;
}
