/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The host: reads the broker's requests, has them done, answers. */

#include "token/token.h"
#include "token/watchdog.h"

typedef struct TokenHost TokenHost;
typedef struct TokenChannels TokenChannels;

struct TokenHost {
  char *module_path;
  char *only_serial;
  BaseProfile *profile; /* until the module is loaded */
  TokenModule *module;  /* set once, by HELLO */
  atomic_bool ready;
  WireChannel channel;
  GMutex send_lock;
  GThreadPool *general; /* what is about no one token */
  TokenChannels *channels;
};

/* One request on its way to a worker. */
typedef struct {
  TokenHost *host;
  WireHeader header;
  BaseSecret *secret; /* the body, when it is short: it may hold a PIN */
  guint8 *bytes;      /* the body, when it is long */
  int fd;             /* that came along; -1 */
  BaseDeadline deadline;
  Token *token;
} TokenJob;

/* Serves descriptor `fd` until the broker closes it, and ends the process. */
void token_host_run(TokenHost *host, int fd) G_GNUC_NORETURN;

/* An answer or notice; the process ends when the broker takes none. */
void token_host_send(TokenHost *host, guint16 kind, guint32 serial, gconstpointer body,
                     gsize length);
void token_host_send_error(TokenHost *host, guint32 serial, const GError *error);

extern const TokenEvents token_host_events;

/* ---- requests.c ---- */

/* TRUE: `kind` is a request about a token, whose slot and generation begin its body. */
gboolean token_request_known(guint16 kind, gboolean *ret_about_token, gboolean *ret_needs_module);
guint token_request_deadline(TokenHost *host,
                             guint16 kind); /* milliseconds, where the broker names none */
/* Does the request and answers it. */
void token_request_do(TokenJob *job);

/* ---- channel.c ---- */

TokenChannels *token_channels_new(TokenHost *host);
/* Takes the descriptor in any case. */
gboolean token_channels_open(TokenChannels *channels, Token *token, TokenKey *key, guint32 verbs,
                             guint32 id, int fd, GError **error);
/* Ends those of one token: it is gone, or was locked. */
void token_channels_close(TokenChannels *channels, Token *token);
