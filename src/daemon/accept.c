/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may connect, and how many. */
#include "base/error.h"
#include "base/log.h"
#include "daemon/broker.h"
#include "wire/limits.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_US 1000

static guint
count_of(Daemon *daemon, pid_t pid)
{
  guint count = 0;
  for (guint i = 0; i < daemon->connections->len; i++) {
    const DaemonConnection *connection = daemon->connections->pdata[i];
    count += connection->pid == pid;
  }
  return count;
}

/* The process with most connections: whoever floods loses its own. */
static pid_t
greediest(Daemon *daemon)
{
  g_autoptr(GHashTable) counts = g_hash_table_new(NULL, NULL);
  pid_t best = 0;
  int most = 0;
  for (guint i = 0; i < daemon->connections->len; i++) {
    const DaemonConnection *connection = daemon->connections->pdata[i];
    gpointer key = GINT_TO_POINTER(connection->pid);
    int count = GPOINTER_TO_INT(g_hash_table_lookup(counts, key)) + 1;
    g_hash_table_insert(counts, key, GINT_TO_POINTER(count));
    if (count > most) {
      most = count;
      best = connection->pid;
    }
  }
  return best;
}

/* Closes the longest idle connection of `pid`, never one with a request under way. */
static gboolean
evict_one_of(Daemon *daemon, pid_t pid)
{
  DaemonConnection *oldest = NULL;
  for (guint i = 0; i < daemon->connections->len; i++) {
    DaemonConnection *connection = daemon->connections->pdata[i];
    if (connection->pid != pid || connection->call || connection->next_idle)
      continue;
    if (!oldest || connection->last_used < oldest->last_used)
      oldest = connection;
  }
  if (!oldest)
    return FALSE;
  daemon_count(daemon, "connections evicted", 1);
  daemon_connection_close(oldest);
  return TRUE;
}

static gboolean
make_room(Daemon *daemon, pid_t pid)
{
  if (count_of(daemon, pid) >= WIRE_CONNECTIONS_PER_PROCESS && !evict_one_of(daemon, pid))
    return FALSE;
  return daemon->connections->len < WIRE_CONNECTIONS_MAX || evict_one_of(daemon, greediest(daemon));
}

void
daemon_connection_accept(Daemon *daemon, int listener)
{
  struct ucred peer = { 0 };
  socklen_t size = sizeof peer;
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

  if (fd < 0) {
    /* No descriptor is left. The listener stays readable, so without the pause a turn of
     * the main loop would follow the next. */
    if ((errno == EMFILE || errno == ENFILE) && !evict_one_of(daemon, greediest(daemon)))
      g_usleep(PAUSE_US);
    return;
  }
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    close(fd);
    return;
  }
  daemon_count(daemon, "connections", 1);
  if (peer.uid != getuid() && peer.uid != 0) {
    base_log("refused a connection of user %u, process %d", (unsigned)peer.uid, (int)peer.pid);
    DaemonConnection *stranger = daemon_connection_new(daemon, fd, peer.pid, peer.uid);
    daemon_connection_refuse(stranger, SIGNET_ERROR_DENIED,
                             "this signetd belongs to another user; start your own");
    return;
  }
  gboolean room = make_room(daemon, peer.pid);
  DaemonConnection *connection = daemon_connection_new(daemon, fd, peer.pid, peer.uid);
  if (!room)
    daemon_connection_refuse(connection, SIGNET_ERROR_DENIED,
                             "too many connections are busy; close some and repeat");
}
