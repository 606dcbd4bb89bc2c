/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* libsignet: the connection to signetd and its typed calls.
 *
 * It lives in other people's processes: no threads, no signal handlers, no SIGPIPE, every
 * descriptor close-on-exec, and whatever a daemon sends is an error at worst.
 *
 * Layers, each in one file: connect (socket, starting the daemon), connection (bytes and
 * messages), call (one method, with reconnecting and unlocking), record (JSON into public structs),
 * then one file per noun of the public headers. */

#include "base/deadline.h"
#include "base/secret.h"
#include "wire/json.h"
#include "wire/line.h"

#include <signet/client.h>

#include <sys/types.h>

#define CLIENT_TIMEOUT_MS 60000
#define CLIENT_PERSON_MS 240000      /* calls that wait for a person or a key generation */
#define CLIENT_START_MS 20000        /* signetd --detach */
#define CLIENT_ITEMS_MAX 100000      /* replies to one `more` call */
#define CLIENT_TEXT_MAX (128 * 1024) /* one text in a reply */
#define CLIENT_STRINGS_MAX 10000     /* texts in one list of a reply */

struct SignetClient {
  pid_t pid;     /* who connected: a child that was forked off must not write here */
  char *address; /* as given: NULL is the usual socket */
  SignetConnectFlags flags;
  int fd;           /* -1: connect at the next call */
  gboolean greeted; /* the daemon's protocol version was checked on this connection */
  WireLines lines;
  guint timeout;
  gboolean may_ask;
  SignetAsk ask;
  gpointer ask_data;
};

typedef enum {
  CLIENT_REPEATABLE =
      1 << 0, /* doing it twice is doing it once: repeat when the daemon was restarted */
  CLIENT_PERSON = 1 << 1,    /* waits for a person, or for a key generation */
  CLIENT_UNLOCKS = 1 << 2,   /* PinRequired: unlock once, repeat once */
  CLIENT_TAKES_PIN = 1 << 3, /* has a `pin` parameter, for keys that want it at each use */
  CLIENT_ENDLESS = 1 << 4    /* a stream of events: no deadline */
} ClientCallFlags;

/* One reply's parameters of a `more` call (borrowed). FALSE without an error: no more wanted. */
typedef gboolean (*ClientItem)(const json_t *parameters, gpointer data, GError **error);

typedef struct {
  const char *method;
  json_t *parameters; /* taken by client_call(); NULL: none */
  guint flags;
  const char *operation; /* (nullable): what a person is asked a PIN for */
  ClientItem item;       /* (nullable): makes it a `more` call */
  gpointer item_data;
  int *ret_fd; /* (nullable): a descriptor that comes with the reply, or -1 */
} ClientCall;

/* The reply's parameters, or with `item` the last reply's. ret_reply may be NULL. */
gboolean client_call(SignetClient *client, ClientCall *call, json_t **ret_reply, GError **error);
/* For a method without reply; takes `parameters`. */
gboolean client_call_plain(SignetClient *client, const char *method, json_t *parameters,
                           guint flags, GError **error);

/* Answers a PinRequired failure: asks (the program's own way, or pinentry by signetd) and unlocks.
 * ret_pin: what the program's own way said, for a key that wants it at each use; else NULL. */
gboolean client_unlock(SignetClient *client, const GError *failure, const char *operation,
                       BaseSecret **ret_pin, gboolean *ret_already, GError **error);
/* org.signet.Token.Interaction of this process. */
json_t *client_interaction(const char *operation);

/* ---- connection ---- */

typedef enum {
  CLIENT_IO_DONE,
  CLIENT_IO_LOST,  /* the other side is gone; no error set */
  CLIENT_IO_FAILED /* error set; the connection is of no more use */
} ClientIo;

typedef struct {
  const char *bytes;
  gsize length;
} ClientPiece;

/* Refuses a client of the parent process. */
gboolean client_check_process(const SignetClient *client, GError **error);
/* Connects, starting the daemon where that is allowed. */
gboolean client_connection_open(SignetClient *client, BaseDeadline deadline, GError **error);
void client_connection_close(SignetClient *client);
/* FALSE: closed by the other side, or bytes are there that answer nothing. */
gboolean client_connection_is_idle(const SignetClient *client);
ClientIo client_connection_send(SignetClient *client, const ClientPiece *pieces, gsize n,
                                BaseDeadline deadline, GError **error);
/* One message. `fd` collects a descriptor that comes along when not NULL. */
ClientIo client_connection_receive(SignetClient *client, int *fd, BaseDeadline deadline,
                                   json_t **ret_message, GError **error);

/* A connected socket, or -1 with *ret_errnum and no error. */
int client_socket_connect(const char *path, BaseDeadline deadline, int *ret_errnum);
/* Runs signetd --detach until it says that the daemon listens. */
gboolean client_daemon_start(const char *address, GError **error);
