/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of this folder share and the catalogue need not know: the
 * Daemon itself, its connections, and a call's inside. */

#include "daemon/daemon.h"
#include "daemon/io.h"
#include "wire/line.h"

#include <sys/types.h>

typedef struct DaemonConnection DaemonConnection;
typedef struct DaemonListener DaemonListener;
typedef struct DaemonPins DaemonPins;

#define DAEMON_SECRET_SIZE 32

struct Daemon {
  GMainLoop *loop;
  BaseConfig *config;
  DaemonCatalogue *catalogue;
  DaemonListener *listener;
  DaemonPins *pins;
  GPtrArray *hosts;       /* DaemonHost, never removed: the index is the host's number */
  GPtrArray *modules;     /* DaemonModule: what ListModules tells */
  GPtrArray *problems;    /* char: settings and profiles left out, and why; Status warns of them */
  GPtrArray *tokens;      /* DaemonToken: those present */
  GPtrArray *connections; /* DaemonConnection */
  GPtrArray *watchers;    /* DaemonCall: Watch under way */
  GQueue settling;        /* DaemonCall: waiting for the first enumeration */
  guint settle_timer;
  guint expiry_timer;
  gint64 asleep;        /* microseconds, since the machine was started */
  GHashTable *counters; /* static text -> gint64 */
  gint64 started;       /* seconds since 1970 */
  gint64 started_monotonic;
  guint8 rejection_secret[DAEMON_SECRET_SIZE];
  GPtrArray *channels; /* key channels (channels.c) */
  guint32 next_channel;
  GPtrArray *transfers; /* processes that open files (transfer.c) */
  char *catalogue_path;
  guint save_timer;
  guint quiet_idle;
  gboolean stopping;
  guint stop_timer;
};

Daemon *daemon_new(GError **error);
void daemon_free(Daemon *daemon);
/* Ends the main loop once running calls are done, at the latest after a grace. */
void daemon_stop(Daemon *daemon);
/* Called whenever a call or a request ended: goes on with what waited for quiet. */
void daemon_quiet_check(Daemon *daemon);

/* ---- connections (connection.c, accept.c) ---- */

struct DaemonConnection {
  Daemon *daemon;
  int fd;
  pid_t pid;
  uid_t uid;
  GSource *io;
  WireLines in;
  DaemonQueue out;
  DaemonCall *call; /* the request under way */
  gint64 last_used; /* monotonic */
  guint
      half_timer; /* a message was begun, or the last answer of a closing connection is on its way */
  guint next_idle;   /* a whole message waits in `in` */
  gboolean gathers;  /* the next message is followed by others at once */
  gboolean closing;  /* nothing more is read; closed once `out` is written */
  gboolean seen_end; /* the client will write no more */
};

/* Takes fd. */
DaemonConnection *daemon_connection_new(Daemon *daemon, int fd, pid_t pid, uid_t uid);
/* Drops it at once: a call under way is told that its client is gone. */
void daemon_connection_close(DaemonConnection *connection);
void daemon_connection_refuse(DaemonConnection *connection, SignetError code, const char *message);
void daemon_connection_accept(Daemon *daemon, int fd);

/* Queues one message (not taken) and writes what goes. FALSE: the connection is gone now. */
gboolean daemon_connection_send(DaemonConnection *connection, const json_t *message, int pass_fd);
/* The call under way was answered: the next message may be read. */
void daemon_connection_call_done(DaemonConnection *connection);

/* ---- calls (call.c) ---- */

/* Starts the call that a message asks for. */
void daemon_call_start(DaemonConnection *connection, json_t *message);
/* The client left. */
void daemon_call_abandon(DaemonCall *call);
/* More room in the connection's queue: a stream goes on. */
void daemon_call_pump(DaemonCall *call);
/* One reply of a `more` call that others will follow (events). */
void daemon_call_push(DaemonCall *call, json_t *parameters /* taken */);
/* An error of org.varlink.service, with its one member (NULL: none). */
void daemon_call_fail_service(DaemonCall *call, const char *error, const char *member,
                              const char *value);
/* Called once when the client leaves before the end of the call; for calls that wait for a person. */
void daemon_call_on_gone(DaemonCall *call, void (*gone)(DaemonCall *call, gpointer user_data),
                         gpointer user_data);
/* All hosts have told their tokens once, or the bound has passed: SETTLED calls go on. */
void daemon_settle_check(Daemon *daemon);

/* ---- the interfaces' text, generated from src/wire/ *.varlink ---- */

typedef struct {
  const char *name;
  const char *text;
} DaemonInterface;

extern const DaemonInterface daemon_interfaces[]; /* ends with a NULL name */

/* expiry.c: locks all tokens when the machine slept since the last look. */
void daemon_expiry_start(Daemon *daemon);
void daemon_expiry_check_sleep(Daemon *daemon);
