/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Token, but for Init (tokeninit.c) and modules (modules.c). */
#include "daemon/tokens.h"

#include "base/error.h"
#include "daemon/catalogue.h"
#include "daemon/channels.h"
#include "daemon/pins.h"
#include "daemon/prompt.h"
#include "daemon/tokenjson.h"
#include "wire/limits.h"

#include <string.h>

static json_t *
wrap(const char *name, json_t *value)
{
  json_t *parameters = json_object();
  json_object_set_new(parameters, name, value);
  return parameters;
}

/* SoftHSM always has one empty slot more; that of signet's own is nothing to show. */
static gboolean
is_spare(Daemon *daemon, const DaemonDevice *device)
{
  const DaemonToken *token = daemon_token_of_device(daemon, device);
  return token && token->host->spec.embedded && !(token->record->flags & WIRE_TOKEN_INITIALIZED);
}

static json_t *
next_token(Daemon *daemon, gpointer state, GError **error G_GNUC_UNUSED)
{
  guint *index = state;
  const GPtrArray *devices = daemon_catalogue_devices(daemon->catalogue);
  while (*index < devices->len) {
    const DaemonDevice *device = devices->pdata[(*index)++];
    if (!is_spare(daemon, device))
      return wrap("token", daemon_device_json(daemon, device));
  }
  return NULL;
}

static void
list(DaemonCall *call)
{
  daemon_call_stream(call, next_token, g_new0(guint, 1), g_free);
}

static gboolean
read_token_name(DaemonCall *call, gboolean optional, const char **ret_name, GError **error)
{
  return wire_json_get_text(daemon_call_parameters(call), "token", optional, WIRE_NAME_MAX,
                            ret_name, error);
}

static void
describe(DaemonCall *call)
{
  Daemon *daemon = daemon_call_daemon(call);
  g_autoptr(GError) error = NULL;
  const char *name = NULL;
  DaemonDevice *device = NULL;
  if (!read_token_name(call, FALSE, &name, &error) ||
      !(device = daemon_catalogue_find_device(daemon->catalogue, name, &error))) {
    daemon_call_fail(call, error);
    return;
  }
  g_autoptr(GPtrArray) ids = daemon_catalogue_device_ids(daemon->catalogue, device);
  json_t *names = json_array();
  for (guint i = 0; i < ids->len; i++)
    json_array_append_new(names, json_string(((DaemonId *)ids->pdata[i])->id));
  json_t *reply = json_object();
  json_object_set_new(reply, "token", daemon_device_json(daemon, device));
  json_object_set_new(reply, "abilities",
                      daemon_abilities_json(daemon_token_of_device(daemon, device)));
  json_object_set_new(reply, "ids", names);
  daemon_call_reply(call, reply);
}

/* The token that a call names, or NULL and the call has failed. */
static DaemonToken *
named_token(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  const char *name = NULL;
  DaemonToken *token = NULL;
  if (read_token_name(call, FALSE, &name, &error))
    token = daemon_token_find(daemon_call_daemon(call), name, &error);
  if (token && !(token->record->flags & WIRE_TOKEN_INITIALIZED)) {
    base_error_set(&error, SIGNET_ERROR_PIN_NOT_SET,
                   "the token in %s is blank: initialise it first",
                   token->record->slot_description);
    g_clear_pointer(&token, daemon_token_unref);
  }
  if (!token)
    daemon_call_fail(call, error);
  return token;
}

/* ---- unlock ---- */

static void
reply_unlocked(DaemonCall *call, DaemonToken *token, gboolean already, const GError *error)
{
  if (error) {
    daemon_call_fail(call, error);
    return;
  }
  json_t *reply = json_object();
  json_object_set_new(reply, "already", json_boolean(already));
  json_object_set_new(reply, "token", daemon_token_json(token));
  daemon_call_reply(call, reply);
}

typedef struct {
  DaemonCall *call;
  DaemonToken *token;
  char *identity; /* whose attempt is booked (change, unblock) */
  BaseSecret *tried;
  BaseSecret *fresh;
} PinCall;

static PinCall *
pin_call_new(DaemonCall *call, DaemonToken *token)
{
  PinCall *self = g_new0(PinCall, 1);
  self->call = call;
  self->token = daemon_token_ref(token);
  return self;
}

static void
pin_call_free(PinCall *self)
{
  base_secret_free(self->tried);
  base_secret_free(self->fresh);
  daemon_token_unref(self->token);
  g_free(self->identity);
  g_free(self);
}

static void
unlock_done(gpointer user_data, gboolean already, const GError *error)
{
  PinCall *self = user_data;
  reply_unlocked(self->call, self->token, already, error);
  pin_call_free(self);
}

static void
unlock_without_pin(DaemonCall *call, DaemonToken *token)
{
  g_autoptr(GError) error = NULL;
  const json_t *interaction = json_object_get(daemon_call_parameters(call), "interaction");
  guint32 flags = token->record->flags;
  if (!daemon_token_wants_login(token) || token->opened)
    daemon_login_try(token, NULL, FALSE, unlock_done, pin_call_new(call, token)); /* "already" */
  else if ((flags & WIRE_TOKEN_USER_LOCKED) || !(flags & WIRE_TOKEN_USER_PIN_SET) ||
           (!json_is_object(interaction) && !(flags & WIRE_TOKEN_PROTECTED_PATH))) {
    daemon_login_required(token, &error);
    daemon_call_fail(call, error);
  } else if (flags & WIRE_TOKEN_PROTECTED_PATH)
    daemon_login_try(token, NULL, FALSE, unlock_done, pin_call_new(call, token));
  else
    daemon_prompt_unlock(call, token, interaction, reply_unlocked);
}

static void
unlock(DaemonCall *call)
{
  const json_t *parameters = daemon_call_parameters(call);
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSecret) pin = NULL;
  gboolean repeat = FALSE;
  g_autoptr(DaemonToken) token = named_token(call);
  if (!token)
    return;
  if (!wire_json_get_secret(parameters, "pin", TRUE, &pin, &error) ||
      !wire_json_get_bool(parameters, "repeat", FALSE, &repeat, &error))
    daemon_call_fail(call, error);
  else if (!pin)
    unlock_without_pin(call, token);
  else
    daemon_login_try(token, g_steal_pointer(&pin), repeat, unlock_done, pin_call_new(call, token));
}

/* ---- lock ---- */

typedef struct {
  DaemonCall *call;
  guint waiting;
  json_t *locked;
  GError *error;
} LockCall;

static void
lock_done(gpointer user_data, const GError *error)
{
  LockCall *self = user_data;
  if (error && !self->error)
    self->error = g_error_copy(error);
  if (--self->waiting > 0)
    return;
  if (self->error)
    daemon_call_fail(self->call, self->error);
  else
    daemon_call_reply(self->call, wrap("locked", json_incref(self->locked)));
  json_decref(self->locked);
  g_clear_error(&self->error);
  g_free(self);
}

static void
lock_tokens(DaemonCall *call, const GPtrArray *tokens)
{
  LockCall *self = g_new0(LockCall, 1);
  self->call = call;
  self->locked = json_array();
  self->waiting = 1;
  for (guint i = 0; i < tokens->len; i++) {
    DaemonToken *token = tokens->pdata[i];
    if (!token->opened && !token->logged_in)
      continue;
    json_array_append_new(self->locked, json_string(daemon_token_label(token)));
    self->waiting++;
    daemon_login_lock(token, lock_done, self);
  }
  lock_done(self, NULL);
}

static void
lock(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  const char *name = NULL;
  if (!read_token_name(call, TRUE, &name, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  g_autoptr(GPtrArray) tokens = daemon_token_all(daemon_call_daemon(call));
  if (name) {
    g_autoptr(DaemonToken) token = named_token(call);
    if (!token)
      return;
    g_ptr_array_set_size(tokens, 0);
    g_ptr_array_add(tokens, g_steal_pointer(&token));
  }
  lock_tokens(call, tokens);
}

/* ---- change and unblock ---- */

static void
change_done(gpointer user_data, WireReader *body G_GNUC_UNUSED, const GError *error)
{
  PinCall *self = user_data;
  DaemonToken *token = self->token;
  g_autoptr(GError) told = NULL;
  daemon_login_book(token, self->identity, self->tried, error, &told);
  if (token->present)
    daemon_tokens_list(token->host); /* its flags */
  if (told) {
    daemon_call_fail(self->call, told);
  } else {
    daemon_pins_was_right(token->daemon->pins, token->identity);
    if (token->pin) {
      base_secret_free(token->pin);
      token->pin = g_steal_pointer(&self->fresh);
    }
    daemon_call_reply(self->call, NULL);
  }
  pin_call_free(self);
}

/* The checks that need no token first: what is wrong with the new PIN costs no try of the old. */
static gboolean
check_new_pin(DaemonToken *token, BaseSecret *fresh, GError **error)
{
  g_autoptr(GError) reason = NULL;
  const char *nobody = "new\n"; /* a new PIN is never "known wrong" */
  if (daemon_login_check_pin(token, nobody, fresh, TRUE, &reason))
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_PIN_REFUSED, "the new PIN: %s", reason->message);
}

static void
ask_change(PinCall *self, WireHostKind kind)
{
  WirePacker body = { 0 };
  DaemonToken *token = self->token;
  wire_pack_bytes(&body, base_secret_bytes(self->tried), base_secret_length(self->tried));
  wire_pack_bytes(&body, base_secret_bytes(self->fresh), base_secret_length(self->fresh));
  daemon_pins_attempt(token->daemon->pins, self->identity);
  daemon_token_request(token, kind, 0, &body, change_done, self);
}

static void
change_pin(DaemonCall *call)
{
  const json_t *parameters = daemon_call_parameters(call);
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSecret) old = NULL;
  g_autoptr(BaseSecret) fresh = NULL;
  const char *which = NULL;
  g_autoptr(DaemonToken) token = named_token(call);
  if (!token)
    return;
  gboolean good = wire_json_get_text(parameters, "which", FALSE, WIRE_NAME_MAX, &which, &error) &&
                  wire_json_get_secret(parameters, "old", FALSE, &old, &error) &&
                  wire_json_get_secret(parameters, "new", FALSE, &fresh, &error);
  if (good && strcmp(which, "user") != 0)
    good = base_error_set(&error, SIGNET_ERROR_UNSUPPORTED,
                          "only the user PIN can be changed, not \"%s\"", which);
  if (!good || !check_new_pin(token, fresh, &error) ||
      !daemon_login_check_pin(token, token->identity, old, FALSE, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  if (token->record->flags & WIRE_TOKEN_USER_LOCKED) {
    daemon_login_required(token, &error);
    daemon_call_fail(call, error);
    return;
  }
  PinCall *self = pin_call_new(call, token);
  self->identity = g_strdup(token->identity);
  self->tried = g_steal_pointer(&old);
  self->fresh = g_steal_pointer(&fresh);
  ask_change(self, WIRE_HOST_SET_PIN);
}

/* The SO cannot log in while the user is (PKCS#11 v2.40 5.6.2), hence locked first. */
static void
unblock_locked(gpointer user_data, const GError *error)
{
  PinCall *self = user_data;
  if (error) {
    daemon_call_fail(self->call, error);
    pin_call_free(self);
    return;
  }
  ask_change(self, WIRE_HOST_INIT_PIN);
}

static void
unblock(DaemonCall *call)
{
  const json_t *parameters = daemon_call_parameters(call);
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseSecret) so_pin = NULL;
  g_autoptr(BaseSecret) fresh = NULL;
  g_autoptr(DaemonToken) token = named_token(call);
  if (!token)
    return;
  g_autofree char *identity = daemon_login_so_identity(token);
  if (!wire_json_get_secret(parameters, "so_pin", FALSE, &so_pin, &error) ||
      !wire_json_get_secret(parameters, "new", FALSE, &fresh, &error) ||
      !check_new_pin(token, fresh, &error) ||
      !daemon_login_check_pin(token, identity, so_pin, FALSE, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  PinCall *self = pin_call_new(call, token);
  self->identity = g_steal_pointer(&identity);
  self->tried = g_steal_pointer(&so_pin);
  self->fresh = g_steal_pointer(&fresh);
  daemon_login_lock(token, unblock_locked, self);
}

const DaemonMethod daemon_token_methods[] = {
  { "org.signet.Token.List", list, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Describe", describe, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Init", daemon_token_init, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.ChangePin", change_pin, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Unblock", unblock, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Unlock", unlock, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Lock", lock, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.ListModules", daemon_modules_list, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.AddModule", daemon_module_add, DAEMON_METHOD_SETTLED },
  { NULL, NULL, 0 },
};
