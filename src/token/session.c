/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "token/token.h"

CK_RV
token_session_open(Token *token, CK_SESSION_HANDLE *ret_session)
{
  TokenModule *module = token->module;
  CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;

  if (atomic_load(&token->flags) & CKF_WRITE_PROTECTED)
    flags = CKF_SERIAL_SESSION;
  g_rw_lock_reader_lock(&module->slots_lock);
  CK_RV rv = module->f->C_OpenSession(token->slot, flags, NULL, NULL, ret_session);
  if (rv == CKR_TOKEN_WRITE_PROTECTED)
    rv = module->f->C_OpenSession(token->slot, CKF_SERIAL_SESSION, NULL, NULL, ret_session);
  g_rw_lock_reader_unlock(&module->slots_lock);
  return rv;
}

/* FALSE: nothing came free in time. */
static gboolean
wait_locked(Token *token, BaseDeadline deadline)
{
  gboolean in_time = TRUE;
  token->waiting++;
  if (deadline == BASE_DEADLINE_NEVER)
    g_cond_wait(&token->freed, &token->lock);
  else
    in_time = g_cond_wait_until(&token->freed, &token->lock, deadline);
  token->waiting--;
  return in_time;
}

/* Takes a place in the pool: an idle session in *session, or none there but the right to open one. */
static gboolean
take_place(Token *token, BaseDeadline deadline, CK_SESSION_HANDLE *session, GError **error)
{
  gboolean in_time = TRUE;

  *session = CK_INVALID_HANDLE;
  g_mutex_lock(&token->lock);
  while (in_time && !atomic_load(&token->gone) &&
         (token->exclusive || token->borrowed >= token->limit))
    in_time = wait_locked(token, deadline);
  gboolean gone = atomic_load(&token->gone);
  if (in_time && !gone) {
    token->borrowed++;
    if (token->idle_count)
      *session = token->idle[--token->idle_count];
  }
  g_mutex_unlock(&token->lock);
  if (gone)
    return base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token was removed");
  if (!in_time)
    return base_error_set(error, SIGNET_ERROR_TIMEOUT, "the token was busy for too long");
  return TRUE;
}

static void
leave_place(Token *token, CK_SESSION_HANDLE session, gboolean keep)
{
  g_mutex_lock(&token->lock);
  token->borrowed--;
  gboolean kept = keep && !atomic_load(&token->gone) && token->idle_count < TOKEN_SESSIONS_MAX;
  if (kept)
    token->idle[token->idle_count++] = session;
  if (token->waiting)
    g_cond_broadcast(&token->freed);
  g_mutex_unlock(&token->lock);
  if (!kept && session != CK_INVALID_HANDLE)
    token->module->f->C_CloseSession(session);
}

/* CKR_SESSION_COUNT: the token has fewer sessions than the profile believes. The number
 * that are open is from now on the limit, and this caller waits its turn. */
static gboolean
lower_limit(Token *token)
{
  g_mutex_lock(&token->lock);
  gboolean lowered = token->borrowed > 1;
  if (lowered)
    token->limit = MIN(token->limit, token->borrowed - 1);
  g_mutex_unlock(&token->lock);
  return lowered;
}

gboolean
token_session_borrow(Token *token, BaseDeadline deadline, CK_SESSION_HANDLE *ret_session,
                     GError **error)
{
  for (;;) {
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    if (!take_place(token, deadline, &session, error))
      return FALSE;
    CK_RV rv = session == CK_INVALID_HANDLE ? token_session_open(token, &session) : CKR_OK;
    if (rv == CKR_OK) {
      *ret_session = session;
      return TRUE;
    }
    gboolean again = rv == CKR_SESSION_COUNT && lower_limit(token);
    leave_place(token, CK_INVALID_HANDLE, FALSE);
    if (again)
      continue;
    if (token_rv_is_transient(rv) && token_still_there(token) &&
        (rv = token_session_open(token, &session)) ==
            CKR_OK) { /* asked once more, beside the pool */
      token->module->f->C_CloseSession(session);
      continue;
    }
    g_autofree char *label = token_label(token);
    return token_rv_set(error, rv, "no session with the token \"%s\"", label);
  }
}

void
token_session_return(Token *token, CK_SESSION_HANDLE session)
{
  leave_place(token, session, TRUE);
}

void
token_session_drop(Token *token, CK_SESSION_HANDLE session)
{
  leave_place(token, session, FALSE);
}

void
token_session_flush(Token *token)
{
  CK_SESSION_HANDLE idle[TOKEN_SESSIONS_MAX];

  g_mutex_lock(&token->lock);
  guint count = token->idle_count;
  for (guint i = 0; i < count; i++)
    idle[i] = token->idle[i];
  token->idle_count = 0;
  g_mutex_unlock(&token->lock);
  for (guint i = 0; i < count; i++)
    token->module->f->C_CloseSession(idle[i]);
}

gboolean
token_session_exclusive(Token *token, BaseDeadline deadline, GError **error)
{
  gboolean in_time = TRUE;

  g_mutex_lock(&token->lock);
  while (in_time && token->exclusive)
    in_time = wait_locked(token, deadline);
  if (in_time) {
    token->exclusive = TRUE; /* no new borrower from here on */
    while (in_time && token->borrowed)
      in_time = wait_locked(token, deadline);
    token->exclusive = in_time;
  }
  if (!in_time)
    g_cond_broadcast(&token->freed);
  g_mutex_unlock(&token->lock);
  return in_time || base_error_set(error, SIGNET_ERROR_TIMEOUT, "the token was busy for too long");
}

void
token_session_release(Token *token)
{
  g_mutex_lock(&token->lock);
  token->exclusive = FALSE;
  g_cond_broadcast(&token->freed);
  g_mutex_unlock(&token->lock);
}

static gboolean
keeper_is_logged_in(Token *token)
{
  CK_SESSION_INFO info;
  g_mutex_lock(&token->lock);
  CK_SESSION_HANDLE keeper = token->keeper;
  g_mutex_unlock(&token->lock);
  return keeper != CK_INVALID_HANDLE &&
         token->module->f->C_GetSessionInfo(keeper, &info) == CKR_OK &&
         (info.state == CKS_RW_USER_FUNCTIONS || info.state == CKS_RO_USER_FUNCTIONS);
}

gboolean
token_recover(Token *token, CK_RV rv, GError **error)
{
  if (!token_still_there(token))
    return base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token was removed");
  token_session_flush(token);
  if (atomic_load(&token->logged_in) &&
      (rv == CKR_USER_NOT_LOGGED_IN || !keeper_is_logged_in(token)))
    token_login_lost(token);
  atomic_fetch_add(&token->epoch, 1); /* handles are asked for anew */
  return TRUE;
}
