/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hosts: one signet-token process per module and configuration, its requests,
 * its death and its return. */

#include "daemon/broker.h"

typedef enum {
  DAEMON_HOST_STARTING, /* spawned; HELLO or the first TOKENS is under way */
  DAEMON_HOST_READY,
  DAEMON_HOST_WAITING, /* to be spawned anew in a moment */
  DAEMON_HOST_DOWN     /* given up for a while; `problem` says why */
} DaemonHostState;

/* What makes a host: its module with one configuration. */
typedef struct {
  char *name;
  char *module;
  BaseProfile *profile;
  char **environment; /* NAME=VALUE, besides the profile's; (nullable) */
  char *folder;       /* (nullable) SoftHSM's tokens folder, to watch */
  gboolean embedded;  /* signet's own SoftHSM */
  guint start_after;  /* milliseconds */
} DaemonHostSpec;

struct DaemonHost {
  Daemon *daemon;
  guint number;
  DaemonHostSpec spec;
  DaemonHostState state;
  char *problem;     /* (nullable) */
  char *description; /* (nullable) of the module, from HELLO, as the next two */
  char *manufacturer;
  char *version;

  pid_t pid; /* 0: none */
  int fd;
  GSource *io;
  DaemonQueue out;
  guint8 *in; /* one frame being read */
  gsize in_length;
  gsize in_size;

  guint32 next_serial;
  GHashTable *requests; /* serial -> Request: sent */
  GQueue waiting;       /* Request: until it is ready */
  guint waiting_idle;
  guint deadline_timer;
  gint64 deadline_at;

  GArray *deaths; /* gint64: when, within the breaker's minute */
  guint start_timer;
  guint backoff_ms;
  gboolean said_hello;
  gboolean planned; /* ended on purpose: no death for the breaker */

  gboolean settled;    /* told its tokens and their objects once, or failed to */
  gint64 settle_until; /* monotonic; nobody waits longer for it */
  gboolean listing;    /* TOKENS under way */
  gboolean list_again;
  GQueue list_waiters; /* private to tokenload.c, as the next three */
  guint list_timer;    /* TOKENS failed: asked again then */
  guint list_failures; /* in a row */
  gint64 looked_at;    /* monotonic */
  guint loading;       /* OBJECTS under way */

  int watch; /* inotify descriptor, -1 none */
  GSource *watch_io;
  gboolean restart_wanted; /* the folder changed: start anew when nothing runs */
  guint own_changes;       /* requests of ours under way that change the folder */
};

/* Called for each MORE frame before the answer. FALSE: malformed. */
typedef gboolean (*DaemonPart)(gpointer user_data, WireReader *body);

typedef struct {
  WireHostKind kind;
  guint deadline_ms;
  DaemonToken
      *token; /* (nullable): its slot and generation, as they are when it is sent, start the body */
  int pass_fd;     /* -1 none; taken */
  DaemonPart part; /* (nullable) */
  DaemonAnswer answer;
  gpointer user_data;
} DaemonAsk;

/* Takes what `spec` holds. Starts it. */
DaemonHost *daemon_host_new(Daemon *daemon, DaemonHostSpec *spec);
void daemon_host_free(DaemonHost *host);
void daemon_host_spec_clear(DaemonHostSpec *spec);
void daemon_host_ask(DaemonHost *host, const DaemonAsk *ask, WirePacker *body);

/* TRUE when `error` says that the host ended underneath: what was asked may or may not
 * have happened. */
gboolean daemon_host_lost(const GError *error);
gboolean daemon_host_busy(DaemonHost *host);
/* Kills it; it is started anew. `planned`: not counted as a crash. */
void daemon_host_restart(DaemonHost *host, gboolean planned, const char *reason);
/* TOKENS was answered: what waited may go. */
void daemon_host_ready(DaemonHost *host);
void daemon_host_settled_now(DaemonHost *host);
gboolean daemon_hosts_settled(Daemon *daemon);
json_t *daemon_hosts_warnings(Daemon *daemon);

/* spawn.c: a signet-token with `ret_fd` as the broker's end. */
gboolean daemon_spawn_host(const DaemonHostSpec *spec, pid_t *ret_pid, int *ret_fd, GError **error);
/* The same program for one file with keys, bound to the token's module and configuration; NULL: to
 * none. */
gboolean daemon_spawn_transfer(const DaemonHostSpec *spec, pid_t *ret_pid, int *ret_fd,
                               GError **error);
/* argv[0] is the program's path; child_fd becomes descriptor 3. */
gboolean daemon_spawn(char *const *argv, char *const *environment, int child_fd, pid_t *ret_pid,
                      GError **error);
void daemon_spawn_log_to(const char *path);
/* Waits for a process that is ended or about to, without blocking, and logs how it ended if `name` is given. */
void daemon_spawn_reap(pid_t pid, const char *name);
char **daemon_spawn_environment(void); /* ours, cleaned */
