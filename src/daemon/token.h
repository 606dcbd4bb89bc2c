/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tokens as the broker holds them: present in a slot of a host, locked or unlocked,
 * with their cached PIN. */

#include "daemon/broker.h"
#include "daemon/host.h"

typedef struct DaemonPrompt DaemonPrompt;

struct DaemonToken {
  int refs;
  Daemon *daemon;
  DaemonHost *host;
  WireToken *record;
  gboolean present;
  gboolean away; /* its host is being started anew; it is expected back */
  guint32 abilities;
  char **mechanisms; /* (nullable) */
  char *identity;    /* the same after a restart of host or daemon */

  char *folder;        /* (nullable) SoftHSM's, of this token */
  gint64 folder_time;  /* of its last change, when its objects were asked for; microseconds */
  guint load_timer;    /* OBJECTS failed, or something was stored: asked again then */
  guint load_failures; /* in a row */

  gboolean logged_in; /* in the host that runs now */
  guint locking;      /* LOGOUT under way: a list that was begun before still shows it unlocked */
  gboolean opened;    /* the person unlocked it, and no limit has passed since */
  BaseSecret *pin;    /* (nullable: a PIN pad) for a login after the host's restart */
  gint64 opened_at;   /* boot time, microseconds */
  gint64 used_at;
  GQueue logins; /* Login: one at a time */
  gboolean login_running;
  guint login_idle;
  DaemonPrompt *prompt; /* (nullable) a person is being asked */
};

/* ---- token.c ---- */

/* Asks the host for its tokens, feeds the catalogue, asks new tokens for their objects. */
void daemon_tokens_list(DaemonHost *host);
/* The same, and tells when it is done. */
void daemon_tokens_list_then(DaemonHost *host, DaemonDone done, gpointer user_data);
/* Tells when the host, which is being started anew, has told its tokens. */
void daemon_tokens_listed_then(DaemonHost *host, DaemonDone done, gpointer user_data);
void daemon_tokens_list_lost(DaemonHost *host);
/* Reads the soft tokens again to which other programs wrote, as far as is known of it without
 * asking. FALSE: none; else `done` is called later. */
gboolean daemon_tokens_catch_up(Daemon *daemon, void (*done)(gpointer user_data),
                                gpointer user_data);
/* Something that should be on a token is not: reads tokens and objects again, seldom. */
void daemon_tokens_look_again(Daemon *daemon);
void daemon_tokens_host_died(DaemonHost *host);
void daemon_tokens_host_down(DaemonHost *host);
void daemon_tokens_logged_out(DaemonHost *host, guint32 slot, guint32 generation);
/* Login state changed: tells the catalogue, and with it the watchers. */
void daemon_token_tell(DaemonToken *token);
/* Locks it for us: PIN wiped, channels closed. The host is not asked. */
void daemon_token_close(DaemonToken *token);
gboolean daemon_token_opened(DaemonToken *token);
void daemon_token_used(DaemonToken *token); /* by an operation: starts the idle limit anew */
gboolean daemon_token_wants_login(DaemonToken *token); /* now, in its host */
guint daemon_token_deadline(DaemonToken *token, WireHostKind kind);
int daemon_token_tries_left(DaemonToken *token); /* -1: not known */
void daemon_token_free_login(gpointer login);

/* ---- login.c ---- */

typedef void (*DaemonLoginDone)(gpointer user_data, gboolean already, const GError *error);
/* One try with `pin` (taken; NULL: typed on the reader's PIN pad). */
void daemon_login_try(DaemonToken *token, BaseSecret *pin, gboolean repeat, DaemonLoginDone done,
                      gpointer user_data);
/* The token is back, or gone for good: logins that waited for that go on. */
void daemon_login_resume(DaemonToken *token);
/* Locks, asks the host to log out; done always later. */
void daemon_login_lock(DaemonToken *token, DaemonDone done, gpointer user_data);
/* PIN_REQUIRED (or PIN_BLOCKED, PIN_NOT_SET) for a locked token. */
void daemon_login_required(DaemonToken *token, GError **error);
/* What must hold before a PIN is spent; `identity` as in pins.h. */
gboolean daemon_login_check_pin(DaemonToken *token, const char *identity, BaseSecret *pin,
                                gboolean repeat, GError **error);
/* Books an attempt's outcome (error NULL: right); *ret_error: the error to hand on, with token and tries. */
void daemon_login_book(DaemonToken *token, const char *identity, BaseSecret *pin,
                       const GError *error, GError **ret_error);
char *daemon_login_so_identity(DaemonToken *token);

/* ---- expiry.c: the idle and hard limits ---- */

/* At start, so that a mistake in the settings is told and not passed over. */
gboolean daemon_expiry_check_config(Daemon *daemon, GError **error);
gint64 daemon_expiry_now(void);
void daemon_expiry_arm(Daemon *daemon);
gboolean daemon_expiry_passed(DaemonToken *token);
