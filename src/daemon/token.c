/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens come, stay, go; what hosts tell reaches the catalogue. */
#include "daemon/token.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/catalogue.h"
#include "daemon/channels.h"
#include "daemon/events.h"
#include "daemon/pins.h"
#include "daemon/prompt.h"
#include "daemon/tokenload.h"
#include "daemon/transfer.h"
#include "wire/limits.h"

#include <string.h>

DaemonToken *
daemon_token_ref(DaemonToken *token)
{
  token->refs++;
  return token;
}

void
daemon_token_unref(DaemonToken *token)
{
  if (!token || --token->refs > 0)
    return;
  daemon_timer_clear(&token->login_idle);
  daemon_timer_clear(&token->load_timer);
  g_queue_clear_full(&token->logins, daemon_token_free_login);
  base_secret_free(token->pin);
  wire_token_free(token->record);
  g_strfreev(token->mechanisms);
  g_free(token->identity);
  g_free(token->folder);
  g_free(token);
}

/* A serial alone identifies little (every tpm2-pkcs11 token has the same one), so all
 * that a token says of itself goes in. */
static char *
identity_of(const DaemonHost *host, const WireToken *record)
{
  const char *scope = daemon_pins_scope(host->spec.profile->pin_scope);
  return g_strjoin("\n", scope, record->manufacturer, record->model, record->serial, record->label,
                   NULL);
}

static DaemonToken *
token_new(DaemonHost *host, WireToken *record)
{
  DaemonToken *token = g_new0(DaemonToken, 1);
  token->refs = 1;
  token->daemon = host->daemon;
  token->host = host;
  token->record = record;
  token->identity = identity_of(host, record);
  token->present = TRUE;
  g_queue_init(&token->logins);
  return token;
}

const WireToken *
daemon_token_record(DaemonToken *token)
{
  return token->record;
}

const char *
daemon_token_label(DaemonToken *token)
{
  return token->record->label && *token->record->label ? token->record->label
                                                       : token->record->slot_description;
}

DaemonHost *
daemon_token_host(DaemonToken *token)
{
  return token->host;
}

gboolean
daemon_token_present(DaemonToken *token)
{
  return token->present;
}

gboolean
daemon_token_opened(DaemonToken *token)
{
  return token->opened;
}

gboolean
daemon_token_unlocked(DaemonToken *token)
{
  return token->opened || !(token->record->flags & WIRE_TOKEN_LOGIN_REQUIRED);
}

gboolean
daemon_token_wants_login(DaemonToken *token)
{
  return (token->record->flags & WIRE_TOKEN_LOGIN_REQUIRED) && !token->logged_in;
}

gboolean
daemon_token_soft(DaemonToken *token)
{
  return token->host->spec.embedded;
}

guint32
daemon_token_abilities(DaemonToken *token)
{
  return token->abilities;
}

guint
daemon_token_deadline(DaemonToken *token, WireHostKind kind)
{
  const BaseProfile *profile = token->host->spec.profile;
  if (kind == WIRE_HOST_GENERATE || kind == WIRE_HOST_OBJECTS)
    return MAX(profile->generate_ms, profile->operation_ms);
  if (kind == WIRE_HOST_LOGIN && (token->record->flags & WIRE_TOKEN_PROTECTED_PATH))
    return MAX(profile->operation_ms, WIRE_PERSON_MS);
  return profile->operation_ms;
}

void
daemon_token_request(DaemonToken *token, WireHostKind kind, guint deadline_ms, WirePacker *rest,
                     DaemonAnswer answer, gpointer user_data)
{
  const DaemonAsk ask = { .kind = kind,
                          .deadline_ms =
                              deadline_ms ? deadline_ms : daemon_token_deadline(token, kind),
                          .token = token,
                          .pass_fd = -1,
                          .answer = answer,
                          .user_data = user_data };
  daemon_host_ask(token->host, &ask, rest);
}

GPtrArray *
daemon_token_all(Daemon *daemon)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)daemon_token_unref);
  for (guint i = 0; i < daemon->tokens->len; i++)
    g_ptr_array_add(all, daemon_token_ref(daemon->tokens->pdata[i]));
  return all;
}

DaemonToken *
daemon_token_at(Daemon *daemon, guint host, guint32 slot)
{
  for (guint i = 0; i < daemon->tokens->len; i++) {
    DaemonToken *token = daemon->tokens->pdata[i];
    if (token->host->number == host && token->record->slot == slot)
      return token;
  }
  return NULL;
}

DaemonDevice *
daemon_token_device(DaemonToken *token)
{
  const DaemonView *view = daemon_catalogue_view(token->daemon->catalogue, token->host->number,
                                                 token->record->slot, token->record->generation);
  return view ? view->device : NULL;
}

static DaemonToken *
only_token(Daemon *daemon, GError **error)
{
  DaemonToken *found = NULL;
  g_autoptr(GPtrArray) labels = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < daemon->tokens->len; i++) {
    DaemonToken *token = daemon->tokens->pdata[i];
    const DaemonDevice *device = daemon_token_device(token);
    if (!(token->record->flags & WIRE_TOKEN_INITIALIZED) || (device && device->lost))
      continue;
    found = token;
    g_ptr_array_add(labels, g_strdup(daemon_token_label(token)));
  }
  if (found && labels->len == 1)
    return daemon_token_ref(found);
  if (!found) {
    base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                   "there is no token; make one with `signet token init --soft`");
    return NULL;
  }
  base_error_set(error, SIGNET_ERROR_AMBIGUOUS, "there are %u tokens; name one", labels->len);
  g_ptr_array_add(labels, NULL);
  if (error && *error)
    base_error_details(*error)->candidates = g_strdupv((char **)labels->pdata);
  return NULL;
}

DaemonToken *
daemon_token_find(Daemon *daemon, const char *name, GError **error)
{
  g_autoptr(DaemonToken) token = daemon_token_find_any(daemon, name, error);
  if (!token || !daemon_catalogue_check_lost(daemon_token_device(token), error))
    return NULL;
  return g_steal_pointer(&token);
}

DaemonToken *
daemon_token_find_any(Daemon *daemon, const char *name, GError **error)
{
  if (!name)
    return only_token(daemon, error);
  const DaemonView *view = daemon_catalogue_find_view(daemon->catalogue, name, error);
  if (!view)
    return NULL;
  DaemonToken *token = daemon_token_at(daemon, view->host, view->token->slot);
  if (token)
    return daemon_token_ref(token);
  base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token \"%s\" is not here; insert it",
                 view->token->label);
  if (error && *error)
    base_error_details(*error)->token = g_strdup(view->token->label);
  return NULL;
}

void
daemon_token_tell(DaemonToken *token)
{
  if (token->present)
    daemon_catalogue_set_logged_in(token->daemon->catalogue, token->host->number,
                                   token->record->slot, token->record->generation,
                                   token->opened || token->logged_in);
  daemon_catalogue_changed(token->daemon);
}

void
daemon_token_close(DaemonToken *token)
{
  daemon_channels_revoke(token);
  daemon_transfers_end(token);
  g_clear_pointer(&token->pin, base_secret_free);
  token->opened = FALSE;
  token->logged_in = FALSE;
}

void
daemon_token_used(DaemonToken *token)
{
  token->used_at = daemon_expiry_now();
}

static void
token_removed(DaemonToken *token)
{
  token->present = FALSE;
  daemon_timer_clear(&token->load_timer);
  daemon_token_close(token);
  daemon_prompt_token_gone(token);
  daemon_login_resume(token);
  g_ptr_array_remove(token->daemon->tokens, token); /* drops the list's reference */
}

/* The same token as before? After its host's restart any slot and generation will do; within
 * one host a new generation means that it was pulled out. */
static DaemonToken *
match(DaemonHost *host, const WireToken *record)
{
  g_autofree char *identity = identity_of(host, record);
  Daemon *daemon = host->daemon;
  for (guint i = 0; i < daemon->tokens->len; i++) {
    DaemonToken *token = daemon->tokens->pdata[i];
    if (token->host != host || strcmp(token->identity, identity) != 0)
      continue;
    if (token->away ||
        (token->record->slot == record->slot && token->record->generation == record->generation))
      return token;
  }
  return NULL;
}

static void
take_record(DaemonHost *host, WireToken *record, GHashTable *seen)
{
  DaemonToken *token = match(host, record);
  if (token && !g_hash_table_contains(seen, token)) {
    if (token->locking)
      record->flags &= ~(guint32)WIRE_TOKEN_LOGGED_IN;
    wire_token_free(token->record);
    token->record = record;
    token->logged_in = !token->away && (token->logged_in || (record->flags & WIRE_TOKEN_LOGGED_IN));
    token->away = FALSE;
    daemon_login_resume(token);
  } else {
    token = token_new(host, record);
    token->logged_in = (record->flags & WIRE_TOKEN_LOGGED_IN) != 0;
    g_ptr_array_add(host->daemon->tokens, token);
  }
  /* The catalogue's "unlocked" is the person's: a cached PIN counts. */
  if (token->opened)
    record->flags |= WIRE_TOKEN_LOGGED_IN;
  g_hash_table_add(seen, token);
}

void
daemon_token_take_records(DaemonHost *host, GPtrArray *records)
{
  Daemon *daemon = host->daemon;
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  for (guint i = 0; i < records->len; i++)
    take_record(host, records->pdata[i], seen);
  for (guint i = daemon->tokens->len; i > 0; i--) {
    DaemonToken *token = daemon->tokens->pdata[i - 1];
    if (token->host == host && !g_hash_table_contains(seen, token))
      token_removed(token);
  }
  daemon_catalogue_set_tokens(daemon->catalogue, host->number, host->spec.name, host->spec.profile,
                              records);
}

void
daemon_tokens_host_died(DaemonHost *host)
{
  for (guint i = 0; i < host->daemon->tokens->len; i++) {
    DaemonToken *token = host->daemon->tokens->pdata[i];
    if (token->host != host)
      continue;
    token->logged_in = FALSE;
    token->away = TRUE;
    /* Without a PIN to log in again, unlocked is over: a PIN pad must be asked. */
    if (token->opened && !token->pin) {
      daemon_token_close(token);
      daemon_token_tell(token);
    }
  }
}

void
daemon_tokens_host_down(DaemonHost *host)
{
  Daemon *daemon = host->daemon;
  for (guint i = daemon->tokens->len; i > 0; i--) {
    DaemonToken *token = daemon->tokens->pdata[i - 1];
    if (token->host == host)
      token_removed(token);
  }
  daemon_catalogue_drop_host(daemon->catalogue, host->number);
  daemon_catalogue_changed(daemon);
}

/* Another program, or a reset of the card. The PIN is used once more, at the next need. */
void
daemon_tokens_logged_out(DaemonHost *host, guint32 slot, guint32 generation)
{
  DaemonToken *token = daemon_token_at(host->daemon, host->number, slot);
  if (!token || token->record->generation != generation || token->login_running)
    return;
  token->logged_in = FALSE;
  daemon_channels_revoke(token);
  if (token->opened && !token->pin)
    daemon_token_close(token);
  daemon_token_tell(token);
}
