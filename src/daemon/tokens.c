/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Token: lists, unlock, lock; the rest is in files of its own (tokens.h). */
#include "daemon/tokens.h"

#include "base/error.h"
#include "daemon/catalogue.h"
#include "daemon/channels.h"
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
DaemonToken *
daemon_token_named(DaemonCall *call)
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
} UnlockCall;

static UnlockCall *
unlock_call_new(DaemonCall *call, DaemonToken *token)
{
  UnlockCall *self = g_new0(UnlockCall, 1);
  self->call = call;
  self->token = daemon_token_ref(token);
  return self;
}

static void
unlock_done(gpointer user_data, gboolean already, const GError *error)
{
  UnlockCall *self = user_data;
  reply_unlocked(self->call, self->token, already, error);
  daemon_token_unref(self->token);
  g_free(self);
}

static void
unlock_without_pin(DaemonCall *call, DaemonToken *token)
{
  g_autoptr(GError) error = NULL;
  const json_t *interaction = json_object_get(daemon_call_parameters(call), "interaction");
  guint32 flags = token->record->flags;
  if (!daemon_token_wants_login(token) || token->opened)
    daemon_login_try(token, NULL, FALSE, unlock_done, unlock_call_new(call, token)); /* "already" */
  else if ((flags & WIRE_TOKEN_USER_LOCKED) || !(flags & WIRE_TOKEN_USER_PIN_SET) ||
           (!json_is_object(interaction) && !(flags & WIRE_TOKEN_PROTECTED_PATH))) {
    daemon_login_required(token, &error);
    daemon_call_fail(call, error);
  } else if (flags & WIRE_TOKEN_PROTECTED_PATH)
    daemon_login_try(token, NULL, FALSE, unlock_done, unlock_call_new(call, token));
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
  g_autoptr(DaemonToken) token = daemon_token_named(call);
  if (!token)
    return;
  if (!wire_json_get_secret(parameters, "pin", TRUE, &pin, &error) ||
      !wire_json_get_bool(parameters, "repeat", FALSE, &repeat, &error))
    daemon_call_fail(call, error);
  else if (!pin)
    unlock_without_pin(call, token);
  else
    daemon_login_try(token, g_steal_pointer(&pin), repeat, unlock_done,
                     unlock_call_new(call, token));
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
    g_autoptr(DaemonToken) token = daemon_token_named(call);
    if (!token)
      return;
    g_ptr_array_set_size(tokens, 0);
    g_ptr_array_add(tokens, g_steal_pointer(&token));
  }
  lock_tokens(call, tokens);
}

const DaemonMethod daemon_token_methods[] = {
  { "org.signet.Token.List", list, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Describe", describe, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Init", daemon_token_init, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.ChangePin", daemon_token_change_pin, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Unblock", daemon_token_unblock, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Erase", daemon_token_erase, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Forget", daemon_token_forget, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.MarkLost", daemon_token_mark_lost, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Unlock", unlock, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.Lock", lock, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.ListModules", daemon_modules_list, DAEMON_METHOD_SETTLED },
  { "org.signet.Token.AddModule", daemon_module_add, DAEMON_METHOD_SETTLED },
  { NULL, NULL, 0 },
};
