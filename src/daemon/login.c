/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logins: one at a time per token, each PIN tried once, every outcome booked. */
#include "base/error.h"
#include "base/log.h"
#include "daemon/catalogue.h"
#include "daemon/channels.h"
#include "daemon/pins.h"
#include "daemon/token.h"
#include "wire/limits.h"

#include <string.h>

typedef struct {
  DaemonToken *token;
  BaseSecret *pin; /* (nullable: PIN pad, or `from_cache`) */
  gboolean repeat;
  gboolean from_cache; /* after a restart of the host */
  DaemonLoginDone done;
  gpointer user_data;
} Login;

static void run_next(DaemonToken *token);

void
daemon_token_free_login(gpointer data)
{
  Login *login = data;
  base_secret_free(login->pin);
  g_free(login);
}

int
daemon_token_tries_left(DaemonToken *token)
{
  guint max = (guint)token->host->spec.profile->pin_max;
  guint failures = daemon_pins_failures(token->daemon->pins, token->identity);
  if (token->record->flags & WIRE_TOKEN_USER_LOCKED)
    return 0;
  if (token->record->flags & WIRE_TOKEN_USER_FINAL_TRY)
    return 1;
  return max > 0 ? (int)(max - MIN(failures, max)) : -1;
}

static void
add_details(DaemonToken *token, GError *error)
{
  SignetErrorDetails *details = error ? base_error_details(error) : NULL;
  if (!details)
    return;
  g_free(details->token);
  details->token = g_strdup(daemon_token_label(token));
  details->tries_left = daemon_token_tries_left(token);
}

void
daemon_login_required(DaemonToken *token, GError **error)
{
  const char *label = daemon_token_label(token);
  guint32 flags = token->record->flags;
  if (flags & WIRE_TOKEN_USER_LOCKED) {
    base_error_set(error, SIGNET_ERROR_PIN_BLOCKED, "the PIN of \"%s\" is blocked; unblock it",
                   label);
    base_error_suggest(error, "signet", "token", "unblock", label, NULL);
  } else if (!(flags & WIRE_TOKEN_USER_PIN_SET)) {
    base_error_set(error, SIGNET_ERROR_PIN_NOT_SET, "the token \"%s\" has no PIN yet", label);
  } else {
    base_error_set(error, SIGNET_ERROR_PIN_REQUIRED, "the token \"%s\" is locked; unlock it",
                   label);
    base_error_suggest(error, "signet", "token", "unlock", label, NULL);
  }
  if (error)
    add_details(token, *error);
}

/* Where the token itself warns (a flag was ever possible), its word counts; where it does not,
 * ours does, and stops one short of the maximum. */
static gboolean
one_short(DaemonToken *token, const char *identity)
{
  guint max = (guint)token->host->spec.profile->pin_max;
  const guint32 warns = WIRE_TOKEN_USER_COUNT_LOW | WIRE_TOKEN_USER_FINAL_TRY |
                        WIRE_TOKEN_SO_COUNT_LOW | WIRE_TOKEN_SO_FINAL_TRY;
  return max > 1 && !(token->record->flags & warns) &&
         daemon_pins_failures(token->daemon->pins, identity) >= max - 1;
}

gboolean
daemon_login_check_pin(DaemonToken *token, const char *identity, BaseSecret *pin, gboolean repeat,
                       GError **error)
{
  const WireToken *record = token->record;
  const char *label = daemon_token_label(token);
  gsize length = pin ? base_secret_length(pin) : 0;
  gsize max =
      record->max_pin > 0 && record->max_pin < WIRE_PIN_MAX ? record->max_pin : WIRE_PIN_MAX;

  if (!pin && (record->flags & WIRE_TOKEN_PROTECTED_PATH))
    return TRUE;
  if (!pin || length == 0 || length > max || (record->min_pin <= max && length < record->min_pin))
    base_error_set(error, SIGNET_ERROR_PIN_REFUSED,
                   "a PIN of \"%s\" has %u to %u characters; no try was spent", label,
                   MAX(record->min_pin, 1), (guint)max);
  else if (memchr(base_secret_bytes(pin), 0, length))
    base_error_set(error, SIGNET_ERROR_PIN_REFUSED, "a PIN holds no NUL; no try was spent");
  else if (!repeat && daemon_pins_known_wrong(token->daemon->pins, identity, pin))
    base_error_set(error, SIGNET_ERROR_PIN_REFUSED,
                   "this PIN was wrong for \"%s\" before; no try was spent", label);
  else if (one_short(token, identity))
    base_error_set(error, SIGNET_ERROR_PIN_REFUSED,
                   "%u wrong PINs were tried on \"%s\" and one more can block it: unblock it, or "
                   "unlock it once with its maker's own tool; no try was spent",
                   daemon_pins_failures(token->daemon->pins, identity), label);
  else
    return TRUE;
  if (error)
    add_details(token, *error);
  return FALSE;
}

static gboolean
surely_not_tried(int code)
{
  switch (code) {
  case SIGNET_ERROR_USAGE:
  case SIGNET_ERROR_UNSUPPORTED:
  case SIGNET_ERROR_PIN_REFUSED:
  case SIGNET_ERROR_PIN_NOT_SET:
  case SIGNET_ERROR_PIN_REQUIRED:
  case SIGNET_ERROR_CANCELLED:
  case SIGNET_ERROR_TOKEN_DOWN:
  case SIGNET_ERROR_DENIED:
    return TRUE;
  default: /* a card pulled out in the middle may have counted it */
    return FALSE;
  }
}

void
daemon_login_book(DaemonToken *token, const char *identity, BaseSecret *pin, const GError *error,
                  GError **ret_error)
{
  DaemonPins *pins = token->daemon->pins;
  GError *told = error ? g_error_copy(error) : NULL;
  if (!error) {
    daemon_pins_was_right(pins, identity);
  } else if (daemon_host_lost(error) || error->code == SIGNET_ERROR_TIMEOUT) {
    /* Whether the card saw the PIN is not known: the booked failure stands. */
    g_clear_error(&told);
    base_error_set(&told, (SignetError)error->code,
                   "the token \"%s\" did not say whether the PIN was right; it counts as a try",
                   daemon_token_label(token));
  } else if (error->code == SIGNET_ERROR_PIN_INCORRECT) {
    daemon_count(token->daemon, "wrong PINs", 1);
    if (pin)
      daemon_pins_was_wrong(pins, identity, pin);
  } else if (surely_not_tried(error->code)) {
    daemon_pins_not_tried(pins, identity);
  }
  if (told) {
    int said = signet_error_get_details(told) ? signet_error_get_details(told)->tries_left : -1;
    add_details(token, told);
    if (said >= 0)
      base_error_details(told)->tries_left = said;
  }
  *ret_error = told;
}

char *
daemon_login_so_identity(DaemonToken *token)
{
  return g_strconcat(token->identity, "\nso", NULL);
}

/* Ends this login and starts the next of the token. */
static void
login_end(Login *login, gboolean already, const GError *error)
{
  DaemonToken *token = login->token;
  token->login_running = FALSE;
  login->done(login->user_data, already, error);
  daemon_token_free_login(login);
  if (!token->login_idle && !g_queue_is_empty(&token->logins))
    run_next(token);
  daemon_token_unref(token);
}

static void
opened_done(gpointer user_data, const GError *error G_GNUC_UNUSED)
{
  /* Listing its objects may have failed; the login has not. */
  login_end(user_data, FALSE, NULL);
}

static gboolean
is_complete(DaemonToken *token)
{
  const DaemonView *view = daemon_catalogue_view(token->daemon->catalogue, token->host->number,
                                                 token->record->slot, token->record->generation);
  return view && view->complete;
}

static void
login_worked(Login *login)
{
  DaemonToken *token = login->token;
  gboolean news = !token->opened;
  token->logged_in = TRUE;
  token->opened = TRUE;
  if (!login->from_cache) {
    base_secret_free(token->pin);
    token->pin = g_steal_pointer(&login->pin);
    token->opened_at = daemon_expiry_now();
  }
  daemon_token_used(token);
  if (news)
    daemon_count(token->daemon, "unlocks", 1);
  daemon_expiry_arm(token->daemon);
  daemon_token_tell(token);
  /* Private keys may only be seen now. */
  if (!is_complete(token)) {
    daemon_token_refresh(token, opened_done, login);
    return;
  }
  if (!login->from_cache)
    daemon_token_refresh(token, NULL, NULL); /* others may have made keys since; nobody waits */
  login_end(login, FALSE, NULL);
}

static void
login_answer(gpointer user_data, WireReader *body G_GNUC_UNUSED, const GError *error)
{
  Login *login = user_data;
  DaemonToken *token = login->token;
  g_autoptr(GError) told = NULL;
  BaseSecret *pin = login->from_cache ? token->pin : login->pin;

  daemon_login_book(token, token->identity, pin, error, &told);
  if (!told) {
    login_worked(login);
    return;
  }
  /* A cached PIN is used once after a restart; whatever came of it, it is not used again. */
  if (login->from_cache || token->opened) {
    daemon_token_close(token);
    daemon_token_tell(token);
  }
  if (!daemon_host_lost(error) && token->present)
    daemon_tokens_list(token->host); /* its warning flags */
  login_end(login, FALSE, told);
}

static gboolean
check_login(Login *login, gboolean *ret_already, GError **error)
{
  DaemonToken *token = login->token;
  guint32 flags = token->record->flags;
  BaseSecret *pin = login->from_cache ? token->pin : login->pin;

  *ret_already = FALSE;
  if (!token->present) {
    base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token \"%s\" was removed",
                   daemon_token_label(token));
    return FALSE;
  }
  if (!daemon_catalogue_check_lost(daemon_token_device(token), error))
    return FALSE;
  if (token->opened && daemon_expiry_passed(token)) {
    daemon_token_close(token);
    daemon_token_tell(token);
    pin = login->from_cache ? NULL : login->pin;
  }
  if (!daemon_token_wants_login(token) || (token->opened && !login->from_cache)) {
    *ret_already = TRUE;
    return TRUE;
  }
  if ((flags & WIRE_TOKEN_USER_LOCKED) || !(flags & WIRE_TOKEN_USER_PIN_SET)) {
    daemon_login_required(token, error);
    return FALSE;
  }
  if (login->from_cache && (!pin || (flags & WIRE_TOKEN_USER_FINAL_TRY) ||
                            daemon_pins_known_wrong(token->daemon->pins, token->identity, pin))) {
    daemon_login_required(token, error);
    return FALSE;
  }
  return login->from_cache ||
         daemon_login_check_pin(token, token->identity, pin, login->repeat, error);
}

static void
run_next(DaemonToken *token)
{
  g_autoptr(GError) error = NULL;
  gboolean already = FALSE;
  WirePacker body = { 0 };
  if (token->login_running || (token->present && (token->away || token->host->restart_wanted)))
    return; /* back from its restart, the token says whether a try is still safe */
  Login *login = g_queue_pop_head(&token->logins);
  if (!login)
    return;
  token->login_running = TRUE;
  if (!check_login(login, &already, &error) || already) {
    login_end(login, already, error);
    return;
  }
  BaseSecret *pin = login->from_cache ? token->pin : login->pin;
  wire_pack_u8(&body, 0);
  wire_pack_bytes(&body, pin ? base_secret_bytes(pin) : NULL, pin ? base_secret_length(pin) : 0);
  daemon_pins_attempt(token->daemon->pins, token->identity);
  daemon_count(token->daemon, "logins", 1);
  daemon_token_request(token, WIRE_HOST_LOGIN, 0, &body, login_answer, login);
}

static gboolean
run_idle(gpointer user_data)
{
  DaemonToken *token = user_data;
  token->login_idle = 0;
  run_next(token);
  return G_SOURCE_REMOVE;
}

void
daemon_login_resume(DaemonToken *token)
{
  if (!token->login_idle && !token->login_running && !g_queue_is_empty(&token->logins))
    token->login_idle = g_idle_add_full(G_PRIORITY_DEFAULT, run_idle, token, NULL);
}

static void
enqueue(Login *login)
{
  g_queue_push_tail(&login->token->logins, login);
  daemon_login_resume(login->token);
}

void
daemon_login_try(DaemonToken *token, BaseSecret *pin, gboolean repeat, DaemonLoginDone done,
                 gpointer user_data)
{
  Login *login = g_new0(Login, 1);
  login->token = daemon_token_ref(token);
  login->pin = pin;
  login->repeat = repeat;
  login->done = done;
  login->user_data = user_data;
  enqueue(login);
}

typedef struct {
  DaemonDone done;
  gpointer user_data;
} Ensure;

static void
ensure_done(gpointer user_data, gboolean already G_GNUC_UNUSED, const GError *error)
{
  g_autofree Ensure *ensure = user_data;
  ensure->done(ensure->user_data, error);
}

void
daemon_token_login(DaemonToken *token, DaemonDone done, gpointer user_data)
{
  Ensure *ensure = g_new0(Ensure, 1);
  ensure->done = done;
  ensure->user_data = user_data;
  Login *login = g_new0(Login, 1);
  login->token = daemon_token_ref(token);
  login->from_cache = TRUE;
  login->done = ensure_done;
  login->user_data = ensure;
  enqueue(login);
}

typedef struct {
  DaemonToken *token;
  DaemonDone done;
  gpointer user_data;
} Lock;

static void
lock_answer(gpointer user_data, WireReader *body G_GNUC_UNUSED, const GError *error)
{
  g_autofree Lock *lock = user_data;
  /* A host that ended has logged out; a token that is gone too. */
  gboolean out = !error || daemon_host_lost(error) || error->code == SIGNET_ERROR_TOKEN_GONE ||
                 error->code == SIGNET_ERROR_TIMEOUT;
  lock->token->locking--;
  if (lock->done)
    lock->done(lock->user_data, out ? NULL : error);
  daemon_token_unref(lock->token);
}

void
daemon_login_lock(DaemonToken *token, DaemonDone done, gpointer user_data)
{
  Lock *lock = g_new0(Lock, 1);
  lock->token = daemon_token_ref(token);
  lock->done = done;
  lock->user_data = user_data;
  token->locking++;
  daemon_token_close(token);
  daemon_token_tell(token);
  daemon_token_request(token, WIRE_HOST_LOGOUT, 0, NULL, lock_answer, lock);
}
