/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/tokenload.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/catalogue.h"
#include "daemon/events.h"
#include "daemon/modules.h"
#include "daemon/transfer.h"
#include "wire/limits.h"

#include <malloc.h>
#include <sys/stat.h>

/* A list as long as this leaves much behind in the heap. */
#define TRIM_OBJECTS 200
/* What failed to be listed is asked for again after this, doubled each time. */
#define AGAIN_MS 200
#define LOAD_TRIES 6
#define SOON_MS 500
/* A module whose token stays silent as often in a row is started anew, while nothing runs in it;
 * after the second number in any case. SoftHSM never recovers from a file it read half written. */
#define LIST_TRIES 3
#define LIST_TRIES_BUSY 6
#define LOOK_EVERY_US (2 * G_USEC_PER_SEC)

typedef struct {
  DaemonToken *token;
  DaemonTaking *taking; /* NULL once it is over */
  guint n;
  gboolean logged_in;
  gboolean first; /* the host's first enumeration waits for it */
  DaemonDone done;
  gpointer user_data;
} Load;

static void
load_free(Load *load)
{
  guint n = load->n;
  daemon_catalogue_take_free(load->taking);
  daemon_token_unref(load->token);
  g_free(load);
  if (n >= TRIM_OBJECTS)
    malloc_trim(0);
}

static gboolean
load_part(gpointer user_data, WireReader *body)
{
  Load *load = user_data;
  guint32 n = wire_read_u32(body);
  for (guint32 i = 0; i < n && !body->failed; i++) {
    g_autoptr(WireObject) object = wire_object_unpack(body);
    if (!object || ++load->n > WIRE_OBJECTS_MAX)
      return FALSE;
    daemon_catalogue_take(load->taking, object);
  }
  return wire_reader_done(body, "a list of objects", NULL);
}

static void
one_loaded(DaemonHost *host)
{
  if (host->loading > 0)
    host->loading--;
  if (host->loading == 0 && !host->settled)
    daemon_host_settled_now(host);
}

static void load(DaemonToken *token, gboolean first, DaemonDone done, gpointer user_data);

static gboolean
load_again(gpointer user_data)
{
  DaemonToken *token = user_data;
  token->load_timer = 0;
  if (token->present && !token->away)
    load(token, FALSE, NULL, NULL);
  return G_SOURCE_REMOVE;
}

/* What is known of the token stands meanwhile. */
static void
load_failed(DaemonToken *token, const GError *error)
{
  base_log("%s: the objects of %s cannot be listed: %s", token->host->spec.name,
           daemon_token_label(token), error->message);
  if (token->present && !token->away && !token->load_timer && token->load_failures < LOAD_TRIES)
    daemon_timer_set(&token->load_timer, AGAIN_MS << token->load_failures++, load_again, token);
}

static void
load_answer(gpointer user_data, WireReader *body G_GNUC_UNUSED, const GError *error)
{
  Load *load = user_data;
  DaemonToken *token = load->token;
  if (!error && token->present) {
    /* A login lost meanwhile may have hidden keys half way. */
    gboolean complete = (load->logged_in && token->logged_in) ||
                        !(token->record->flags & WIRE_TOKEN_LOGIN_REQUIRED);
    daemon_catalogue_take_end(g_steal_pointer(&load->taking), token->host->number,
                              token->record->slot, token->record->generation, complete);
    token->load_failures = 0;
    daemon_catalogue_changed(token->daemon);
  } else if (error) {
    load_failed(token, error);
  }
  if (load->done)
    load->done(load->user_data, error);
  if (load->first)
    one_loaded(token->host);
  load_free(load);
}

/* SoftHSM keeps each object in a file of its own, so that its token's folder tells when something
 * came or went. 0: not known. */
static gint64
folder_time(DaemonToken *token)
{
  const char *tokens = token->host->spec.folder;
  struct stat info;
  if (tokens && !token->folder && (token->record->flags & WIRE_TOKEN_INITIALIZED)) {
    g_autofree char *name = daemon_softhsm_token_folder(tokens, token->record->serial);
    token->folder = name ? g_build_filename(tokens, name, NULL) : NULL;
  }
  if (!token->folder || stat(token->folder, &info) != 0)
    return 0;
  return (gint64)info.st_mtim.tv_sec * G_USEC_PER_SEC + info.st_mtim.tv_nsec / 1000;
}

static void
load(DaemonToken *token, gboolean first, DaemonDone done, gpointer user_data)
{
  token->folder_time = folder_time(token);
  daemon_count(token->daemon, "lists", 1);
  Load *load = g_new0(Load, 1);
  load->token = daemon_token_ref(token);
  load->taking = daemon_catalogue_take_start(token->daemon->catalogue);
  load->logged_in = token->logged_in;
  load->first = first;
  load->done = done;
  load->user_data = user_data;
  const DaemonAsk ask = { .kind = WIRE_HOST_OBJECTS,
                          .deadline_ms = daemon_token_deadline(token, WIRE_HOST_OBJECTS),
                          .token = token,
                          .pass_fd = -1,
                          .part = load_part,
                          .answer = load_answer,
                          .user_data = load };
  daemon_host_ask(token->host, &ask, NULL);
}

void
daemon_token_refresh(DaemonToken *token, DaemonDone done, gpointer user_data)
{
  load(token, FALSE, done, user_data);
}

void
daemon_token_refresh_soon(DaemonToken *token)
{
  daemon_timer_set(&token->load_timer, SOON_MS, load_again, token);
}

static void
abilities_answer(gpointer user_data, WireReader *body, const GError *error)
{
  DaemonToken *token = user_data;
  if (!error) {
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    guint32 n = wire_read_u32(body);
    for (guint32 i = 0; i < n && !body->failed; i++)
      g_ptr_array_add(names, wire_read_text(body, WIRE_NAME_MAX));
    guint32 bits = wire_read_u32(body);
    if (wire_reader_done(body, "the abilities", NULL)) {
      g_ptr_array_add(names, NULL);
      g_strfreev(token->mechanisms);
      token->mechanisms = g_strdupv((char **)names->pdata);
      token->abilities = bits;
    }
  }
  daemon_token_unref(token);
}

static void
load_new_tokens(DaemonHost *host)
{
  Daemon *daemon = host->daemon;
  g_autoptr(GPtrArray) views = daemon_catalogue_views(daemon->catalogue, host->number);
  for (guint i = 0; i < views->len; i++) {
    const DaemonView *view = views->pdata[i];
    DaemonToken *token = daemon_token_at(daemon, host->number, view->token->slot);
    if (!token || !(token->record->flags & WIRE_TOKEN_INITIALIZED))
      continue;
    if (!token->mechanisms)
      daemon_token_request(token, WIRE_HOST_ABILITIES, 0, NULL, abilities_answer,
                           daemon_token_ref(token));
    if (view->listed && host->settled)
      continue;
    if (!host->settled)
      host->loading++;
    load(token, !host->settled, NULL, NULL);
  }
}

static GPtrArray *
read_records(WireReader *body, GError **error)
{
  g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)wire_token_free);
  guint32 n = wire_read_u32(body);
  if (n > WIRE_TOKENS_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "a module shows more than %d tokens",
                   WIRE_TOKENS_MAX);
    return NULL;
  }
  for (guint32 i = 0; i < n && !body->failed; i++) {
    WireToken *record = wire_token_unpack(body);
    if (record)
      g_ptr_array_add(records, record);
  }
  if (!wire_reader_done(body, "the list of tokens", error))
    return NULL;
  return g_steal_pointer(&records);
}

typedef struct {
  DaemonDone done;
  gpointer user_data;
} ListWaiter;

static void
tell_waiters(DaemonHost *host, const GError *error)
{
  ListWaiter *waiter = NULL;
  while ((waiter = g_queue_pop_head(&host->list_waiters))) {
    waiter->done(waiter->user_data, error);
    g_free(waiter);
  }
}

void
daemon_tokens_list_lost(DaemonHost *host)
{
  g_autoptr(GError) error = NULL;
  base_error_set(&error, SIGNET_ERROR_TOKEN_GONE, "the host of %s ended", host->spec.name);
  tell_waiters(host, error);
}

static gboolean
list_now(gpointer user_data)
{
  DaemonHost *host = user_data;
  host->list_timer = 0;
  daemon_tokens_list(host);
  return G_SOURCE_REMOVE;
}

/* The tokens as they were known stand meanwhile, and stay unlocked over the new start. */
static void
list_failed(DaemonHost *host, const GError *error)
{
  host->list_again = FALSE;
  tell_waiters(host, error);
  host->list_failures++;
  if (host->list_failures >= LIST_TRIES_BUSY ||
      (host->list_failures >= LIST_TRIES && !daemon_host_busy(host)))
    daemon_host_restart(host, TRUE, "a token of it does not answer");
  else if (!host->list_timer)
    daemon_timer_set(&host->list_timer, AGAIN_MS << host->list_failures, list_now, host);
}

static void
tokens_answer(gpointer user_data, WireReader *body, const GError *error)
{
  DaemonHost *host = user_data;
  g_autoptr(GError) bad = NULL;
  host->listing = FALSE;
  if (daemon_host_lost(error) || host->fd < 0)
    return;
  g_autoptr(GPtrArray) records = error ? NULL : read_records(body, &bad);
  if (!records) {
    base_log("%s: the tokens cannot be listed: %s", host->spec.name,
             error ? error->message : bad->message);
    if (host->state != DAEMON_HOST_READY)
      daemon_host_restart(host, FALSE, "its tokens cannot be listed");
    else
      list_failed(host, error ? error : bad);
    return;
  }
  host->list_failures = 0;
  g_ptr_array_set_free_func(records, NULL);
  daemon_token_take_records(host, records);
  daemon_host_ready(host);
  load_new_tokens(host);
  if (host->loading == 0 && !host->settled)
    daemon_host_settled_now(host);
  daemon_catalogue_changed(host->daemon);
  if (host->list_again) {
    host->list_again = FALSE;
    daemon_tokens_list(host);
  } else {
    tell_waiters(host, NULL);
  }
}

void
daemon_tokens_list(DaemonHost *host)
{
  if (host->listing) {
    host->list_again = TRUE;
    return;
  }
  host->listing = TRUE;
  daemon_host_request(host, WIRE_HOST_TOKENS,
                      MAX(host->spec.profile->start_ms, host->spec.profile->operation_ms), NULL,
                      tokens_answer, host);
}

typedef struct {
  guint waiting;
  void (*done)(gpointer user_data);
  gpointer user_data;
} CatchUp;

/* What cannot be read again stays as it was known. */
static void
caught_up(gpointer user_data, const GError *error G_GNUC_UNUSED)
{
  CatchUp *self = user_data;
  if (--self->waiting > 0)
    return;
  self->done(self->user_data);
  g_free(self);
}

gboolean
daemon_tokens_catch_up(Daemon *daemon, void (*done)(gpointer user_data), gpointer user_data)
{
  CatchUp *self = NULL;
  for (guint i = 0; i < daemon->tokens->len; i++) {
    DaemonToken *token = daemon->tokens->pdata[i];
    gint64 changed = token->folder_time && !token->away ? folder_time(token) : 0;
    if (!changed || changed == token->folder_time || daemon_transfers_bound(token))
      continue;
    if (!self) {
      self = g_new0(CatchUp, 1);
      self->done = done;
      self->user_data = user_data;
    }
    self->waiting++;
    load(token, FALSE, caught_up, self);
  }
  return self != NULL;
}

void
daemon_tokens_look_again(Daemon *daemon)
{
  gint64 now = g_get_monotonic_time();
  g_autoptr(GPtrArray) tokens = daemon_token_all(daemon);
  for (guint i = 0; i < daemon->hosts->len; i++) {
    DaemonHost *host = daemon->hosts->pdata[i];
    if (host->state != DAEMON_HOST_READY || now - host->looked_at < LOOK_EVERY_US)
      continue;
    host->looked_at = now;
    daemon_tokens_list(host);
    for (guint j = 0; j < tokens->len; j++) {
      DaemonToken *token = tokens->pdata[j];
      if (token->host == host && (token->record->flags & WIRE_TOKEN_INITIALIZED))
        load(token, FALSE, NULL, NULL);
    }
  }
}

void
daemon_tokens_listed_then(DaemonHost *host, DaemonDone done, gpointer user_data)
{
  ListWaiter *waiter = g_new0(ListWaiter, 1);
  waiter->done = done;
  waiter->user_data = user_data;
  g_queue_push_tail(&host->list_waiters, waiter);
}

void
daemon_tokens_list_then(DaemonHost *host, DaemonDone done, gpointer user_data)
{
  daemon_tokens_listed_then(host, done, user_data);
  daemon_tokens_list(host);
}
