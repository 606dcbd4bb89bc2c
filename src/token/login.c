/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/token.h"

/* A PIN reaches the module at one place for each purpose, once per request, and
 * no failure there is ever tried again (architecture.md, "PIN rules"). */

static void
tell_logged_out(Token *token)
{
  TokenModule *module = token->module;
  if (module->events && module->events->logged_out)
    module->events->logged_out(token, module->events_data);
}

static void
tell_changed(Token *token)
{
  TokenModule *module = token->module;
  if (module->events && module->events->changed)
    module->events->changed(module->events_data);
}

gboolean
token_needs_login(Token *token)
{
  return (atomic_load(&token->flags) & CKF_LOGIN_REQUIRED) && !atomic_load(&token->logged_in);
}

gboolean
token_locked_error(Token *token, GError **error)
{
  g_autofree char *label = token_label(token);
  if (!(atomic_load(&token->flags) & CKF_USER_PIN_INITIALIZED))
    return base_error_set(error, SIGNET_ERROR_PIN_NOT_SET, "the token \"%s\" has no PIN yet",
                          label);
  return base_error_set(error, SIGNET_ERROR_PIN_REQUIRED, "the token \"%s\" is locked", label);
}

gboolean
token_check_pin(const CK_TOKEN_INFO *info, BaseSecret *pin, GError **error)
{
  gsize length = base_secret_length(pin);
  CK_ULONG max = info->ulMaxPinLen;
  CK_ULONG min = info->ulMinPinLen;

  if (max == CK_UNAVAILABLE_INFORMATION || max == 0 || max > WIRE_PIN_MAX)
    max = WIRE_PIN_MAX;
  if (min == CK_UNAVAILABLE_INFORMATION || min > max)
    min = 0;
  if (length == 0 && (info->flags & CKF_PROTECTED_AUTHENTICATION_PATH))
    return TRUE; /* typed on the reader */
  if (length >= MAX(min, 1) && length <= max)
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_PIN_REFUSED,
                        "a PIN of this token has %lu to %lu characters; no try was spent",
                        MAX(min, 1), max);
}

static void
set_pin_error(GError **error, gboolean so, CK_RV rv, const char *what, const char *label)
{
  if (!so)
    token_rv_set(error, rv, "%s \"%s\"", what, label);
  else if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED)
    base_error_set(error,
                   rv == CKR_PIN_LOCKED ? SIGNET_ERROR_PIN_BLOCKED : SIGNET_ERROR_PIN_INCORRECT,
                   "%s \"%s\" with the SO PIN: it is %s (%s)", what, label,
                   rv == CKR_PIN_LOCKED ? "blocked" : "wrong", token_rv_name(rv));
  else
    token_rv_set(error, rv, "%s \"%s\" with the SO PIN", what, label);
}

/* The error of a PIN that was tried, with what the flags tell about the tries left. A token that is
 * being pulled out may say anything; whether it saw the PIN is not known then, and it counts as a try. */
static gboolean
pin_failed(Token *token, gboolean so, CK_RV rv, const char *what, GError **error)
{
  g_autoptr(GError) made = NULL;
  g_autoptr(GError) away = NULL;
  g_autofree char *label = token_label(token);

  token_refresh(token);
  CK_TOKEN_INFO info = token_info(token);
  gboolean blocked = (info.flags & (so ? CKF_SO_PIN_LOCKED : CKF_USER_PIN_LOCKED)) != 0;
  gboolean last = (info.flags & (so ? CKF_SO_PIN_FINAL_TRY : CKF_USER_PIN_FINAL_TRY)) != 0;
  set_pin_error(&made, so, rv, what, label);
  if (made->code == SIGNET_ERROR_FAILED && !token_surely_there(token, &away)) {
    g_clear_error(&made);
    made = g_steal_pointer(&away);
  }
  if (made->code == SIGNET_ERROR_PIN_INCORRECT && (blocked || last))
    base_error_details(made)->tries_left = blocked ? 0 : 1;
  base_error_details(made)->token = g_steal_pointer(&label);
  g_propagate_error(error, g_steal_pointer(&made));
  tell_changed(token); /* the flags may have */
  return FALSE;
}

static CK_UTF8CHAR *
pin_bytes(BaseSecret *pin)
{
  return base_secret_length(pin) ? base_secret_bytes(pin) : NULL;
}

static void login_lost_locked(Token *token);

/* A session of its own for one PIN, opened before the PIN is looked at. */
static gboolean
open_for_pin(Token *token, CK_SESSION_HANDLE *session, GError **error)
{
  CK_RV rv = token_session_open(token, session);
  if (rv != CKR_OK && rv != CKR_SESSION_COUNT && token_still_there(token))
    rv = token_session_open(token, session); /* no PIN was at risk yet */
  if (rv == CKR_SESSION_COUNT) {
    token_session_flush(token);
    rv = token_session_open(token, session);
  }
  return rv == CKR_OK || token_rv_set(error, rv, "no session with the token");
}

static void
set_logged_in(Token *token, CK_SESSION_HANDLE keeper)
{
  g_mutex_lock(&token->lock);
  CK_SESSION_HANDLE old = token->keeper;
  token->keeper = keeper;
  g_mutex_unlock(&token->lock);
  if (old != CK_INVALID_HANDLE)
    token->module->f->C_CloseSession(old);
  atomic_store(&token->logged_in, keeper != CK_INVALID_HANDLE);
  atomic_fetch_add(&token->epoch, 1);
}

/* PKCS#11 v2.40 5.6.6: CKR_USER_ALREADY_LOGGED_IN is answered before the PIN is looked at, so
 * passing it on as success would open the token to any PIN. */
static gboolean
already_logged_in(Token *token, CK_SESSION_HANDLE session, CK_RV rv, GError **error)
{
  token->module->f->C_Logout(session);
  token->module->f->C_CloseSession(session);
  set_logged_in(token, CK_INVALID_HANDLE);
  token_keys_forget(token);
  return token_rv_set(error, rv, "the token is locked now; try again");
}

static gboolean
login_user(Token *token, BaseSecret *pin, GError **error)
{
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  CK_FUNCTION_LIST *f = token->module->f;

  if (atomic_load(&token->logged_in))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "the token is unlocked already; the PIN was not checked");
  if (!open_for_pin(token, &session, error))
    return FALSE;
  CK_RV rv = f->C_Login(session, CKU_USER, pin_bytes(pin), base_secret_length(pin));
  if (rv == CKR_USER_ALREADY_LOGGED_IN || rv == CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
    return already_logged_in(token, session, rv, error);
  if (rv != CKR_OK) {
    f->C_CloseSession(session);
    return pin_failed(token, FALSE, rv, "cannot unlock the token", error);
  }
  set_logged_in(token, session);
  token_refresh(token);
  tell_changed(token);
  return TRUE;
}

/* What is done while the SO is logged in. */
typedef CK_RV (*SoWork)(Token *token, CK_SESSION_HANDLE session, BaseSecret *so, BaseSecret *new);

static CK_RV
check_only(Token *token G_GNUC_UNUSED, CK_SESSION_HANDLE session G_GNUC_UNUSED,
           BaseSecret *so G_GNUC_UNUSED, BaseSecret *new G_GNUC_UNUSED)
{
  return CKR_OK;
}

static CK_RV
set_user_pin(Token *token, CK_SESSION_HANDLE session, BaseSecret *so G_GNUC_UNUSED, BaseSecret *new)
{
  return token->module->f->C_InitPIN(session, pin_bytes(new), base_secret_length(new));
}

/* PKCS#11 v2.40 5.5.9: C_SetPIN changes the PIN of whoever is logged in. */
static CK_RV
set_so_pin(Token *token, CK_SESSION_HANDLE session, BaseSecret *so, BaseSecret *new)
{
  return token->module->f->C_SetPIN(session, pin_bytes(so), base_secret_length(so), pin_bytes(new),
                                    base_secret_length(new));
}

/* Runs `work` in a session where the SO is logged in. The token is the SO's alone meanwhile: a
 * login is for all sessions of a process (PKCS#11 v2.40 5.6.6). */
static gboolean
as_so(Token *token, BaseSecret *so, SoWork work, BaseSecret *new, BaseDeadline deadline,
      GError **error)
{
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  CK_FUNCTION_LIST *f = token->module->f;

  login_lost_locked(token);
  if (!token_session_exclusive(token, deadline, error))
    return FALSE;
  token_session_flush(token);
  gboolean ok = open_for_pin(token, &session, error);
  if (ok) {
    CK_RV rv = f->C_Login(session, CKU_SO, pin_bytes(so), base_secret_length(so));
    ok = rv == CKR_OK || pin_failed(token, TRUE, rv, "cannot log in to the token", error);
    if (ok) {
      rv = work(token, session, so, new);
      ok = rv == CKR_OK || token_rv_set(error, rv, "the new PIN was not set");
    }
    f->C_Logout(session);
    f->C_CloseSession(session);
  }
  token_session_release(token);
  token_refresh(token);
  return ok;
}

static gboolean
lacks_pin(const CK_TOKEN_INFO *info)
{
  return !(info->flags & CKF_USER_PIN_INITIALIZED) && (info->flags & CKF_LOGIN_REQUIRED);
}

gboolean
token_login(Token *token, gboolean so, BaseSecret *pin, BaseDeadline deadline, GError **error)
{
  CK_TOKEN_INFO info = token_info(token);

  if (!so && lacks_pin(&info)) {
    token_refresh(token); /* the SO may have set one since */
    info = token_info(token);
    if (lacks_pin(&info))
      return token_locked_error(token, error);
  }
  if (!token_check_pin(&info, pin, error))
    return FALSE;
  g_mutex_lock(&token->login_lock);
  gboolean ok =
      so ? as_so(token, pin, check_only, NULL, deadline, error) : login_user(token, pin, error);
  g_mutex_unlock(&token->login_lock);
  return ok;
}

gboolean
token_logout(Token *token, BaseDeadline deadline, GError **error)
{
  (void)deadline;
  (void)error;
  g_mutex_lock(&token->login_lock);
  login_lost_locked(token);
  g_mutex_unlock(&token->login_lock);
  return TRUE;
}

static void
login_lost_locked(Token *token)
{
  if (!atomic_exchange(&token->logged_in, FALSE))
    return;
  g_mutex_lock(&token->lock);
  CK_SESSION_HANDLE keeper = token->keeper;
  g_mutex_unlock(&token->lock);
  if (keeper != CK_INVALID_HANDLE)
    token->module->f->C_Logout(keeper); /* where it was lost already this does no harm */
  set_logged_in(token, CK_INVALID_HANDLE);
  token_session_flush(token);
  token_keys_forget(token);
  tell_logged_out(token);
}

/* An operation noticed. It does not wait for a login under way, which may wait for a person:
 * whoever holds the lock finds out about the state as well. */
void
token_login_lost(Token *token)
{
  if (!g_mutex_trylock(&token->login_lock))
    return;
  login_lost_locked(token);
  g_mutex_unlock(&token->login_lock);
}

gboolean
token_set_pin(Token *token, BaseSecret *old, BaseSecret *new, BaseDeadline deadline, GError **error)
{
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  CK_TOKEN_INFO info = token_info(token);
  CK_FUNCTION_LIST *f = token->module->f;

  (void)deadline;
  if (!token_check_pin(&info, old, error) || !token_check_pin(&info, new, error))
    return FALSE;
  g_mutex_lock(&token->login_lock);
  gboolean ok = open_for_pin(token, &session, error);
  if (ok) {
    CK_RV rv = f->C_SetPIN(session, pin_bytes(old), base_secret_length(old), pin_bytes(new),
                           base_secret_length(new));
    f->C_CloseSession(session);
    ok = rv == CKR_OK || pin_failed(token, FALSE, rv, "cannot change the PIN of the token", error);
  }
  g_mutex_unlock(&token->login_lock);
  if (ok)
    token_refresh(token);
  return ok;
}

gboolean
token_init_pin(Token *token, BaseSecret *so, BaseSecret *pin, BaseDeadline deadline, GError **error)
{
  CK_TOKEN_INFO info = token_info(token);

  if (!token_check_pin(&info, so, error) || !token_check_pin(&info, pin, error))
    return FALSE;
  g_mutex_lock(&token->login_lock);
  gboolean ok = as_so(token, so, set_user_pin, pin, deadline, error);
  g_mutex_unlock(&token->login_lock);
  if (ok)
    tell_changed(token);
  return ok;
}

gboolean
token_set_so_pin(Token *token, BaseSecret *old, BaseSecret *new, BaseDeadline deadline,
                 GError **error)
{
  CK_TOKEN_INFO info = token_info(token);

  if (!token_check_pin(&info, old, error) || !token_check_pin(&info, new, error))
    return FALSE;
  g_mutex_lock(&token->login_lock);
  gboolean ok = as_so(token, old, set_so_pin, new, deadline, error);
  g_mutex_unlock(&token->login_lock);
  if (ok)
    tell_changed(token);
  return ok;
}
