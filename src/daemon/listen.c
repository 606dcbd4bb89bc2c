/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/listen.h"

#include "base/error.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128
#define FIRST_PASSED_FD 3 /* sd_listen_fds(3) */
#define ANSWER_TRIES 50
#define ANSWER_WAIT_US 100000

struct DaemonListener {
  char *path;
  int lock;
  int fd;
  gboolean passed; /* by socket activation: the file is systemd's */
  GSource *io;
};

static int
open_lock(const char *socket_path, gboolean *ret_running, GError **error)
{
  g_autofree char *path = g_strconcat(socket_path, ".lock", NULL);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    base_error_set_errno(error, errno, "cannot open %s", path);
    return -1;
  }
  if (flock(fd, LOCK_EX | LOCK_NB) == 0)
    return fd;
  *ret_running = errno == EWOULDBLOCK;
  if (!*ret_running)
    base_error_set_errno(error, errno, "cannot lock %s", path);
  close(fd);
  return -1;
}

static gboolean
fill_address(const char *path, struct sockaddr_un *address, GError **error)
{
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof address->sun_path)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "the path of the socket is too long (%u bytes at most): %s",
                          (guint)sizeof address->sun_path - 1, path);
  memcpy(address->sun_path, path, strlen(path) + 1);
  return TRUE;
}

/* Only what is a socket and ours is taken away; under the lock nobody can be behind it. */
static gboolean
remove_stale(const char *path, GError **error)
{
  struct stat info;
  if (lstat(path, &info) != 0)
    return TRUE;
  if (!S_ISSOCK(info.st_mode) || info.st_uid != getuid())
    return base_error_set(error, SIGNET_ERROR_IO, "%s is in the way: it is no socket of ours",
                          path);
  if (unlink(path) != 0)
    return base_error_set_errno(error, errno, "cannot remove the old socket %s", path);
  return TRUE;
}

static int
make_socket(const char *path, GError **error)
{
  struct sockaddr_un address;
  if (!fill_address(path, &address, error) || !remove_stale(path, error))
    return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  mode_t before = umask(0177);
  gboolean bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
  int saved = errno;
  umask(before);
  if (bound && listen(fd, BACKLOG) == 0)
    return fd;
  if (bound)
    saved = errno;
  if (fd >= 0)
    close(fd);
  base_error_set_errno(error, saved, "cannot listen on %s", path);
  return -1;
}

static int
passed_socket(GError **error)
{
  int type = 0;
  socklen_t size = sizeof type;
  const char *pid = g_getenv("LISTEN_PID");
  const char *fds = g_getenv("LISTEN_FDS");
  if (!pid || !fds || strtol(pid, NULL, 10) != (long)getpid() || strtol(fds, NULL, 10) < 1)
    return -1;
  g_unsetenv("LISTEN_PID");
  g_unsetenv("LISTEN_FDS");
  g_unsetenv("LISTEN_FDNAMES");
  if (getsockopt(FIRST_PASSED_FD, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
    base_error_set(error, SIGNET_ERROR_USAGE, "descriptor 3 is no stream socket");
    return -1;
  }
  fcntl(FIRST_PASSED_FD, F_SETFD, FD_CLOEXEC);
  daemon_fd_nonblocking(FIRST_PASSED_FD);
  return FIRST_PASSED_FD;
}

DaemonListener *
daemon_listener_new(gboolean *ret_running, GError **error)
{
  g_autoptr(GError) bad = NULL;
  g_autofree char *path = base_path_socket(error);
  *ret_running = FALSE;
  if (!path)
    return NULL;
  int lock = open_lock(path, ret_running, error);
  if (lock < 0)
    return NULL;
  int fd = passed_socket(&bad);
  gboolean passed = fd >= 0;
  if (bad)
    g_propagate_error(error, g_steal_pointer(&bad));
  else if (!passed)
    fd = make_socket(path, error);
  if (fd < 0) {
    close(lock);
    return NULL;
  }
  DaemonListener *listener = g_new0(DaemonListener, 1);
  listener->path = g_steal_pointer(&path);
  listener->lock = lock;
  listener->fd = fd;
  listener->passed = passed;
  return listener;
}

static void
incoming(int fd, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  daemon_connection_accept(user_data, fd);
}

void
daemon_listener_start(DaemonListener *listener, Daemon *daemon)
{
  listener->io = daemon_io_add(listener->fd, G_IO_IN, incoming, daemon);
}

void
daemon_listener_stop(DaemonListener *listener)
{
  daemon_io_remove(&listener->io);
  if (listener->fd < 0)
    return;
  if (!listener->passed)
    unlink(listener->path);
  close(listener->fd);
  listener->fd = -1;
}

void
daemon_listener_free(DaemonListener *listener)
{
  if (!listener)
    return;
  daemon_listener_stop(listener);
  close(listener->lock); /* last: who waits for it finds the way free */
  g_free(listener->path);
  g_free(listener);
}

static gboolean
connects(const struct sockaddr_un *address)
{
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gboolean good = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
  if (fd >= 0)
    close(fd);
  return good;
}

/* One that starts at this very moment holds the lock before it listens. */
gboolean
daemon_listener_answers(GError **error)
{
  struct sockaddr_un address;
  g_autofree char *path = base_path_socket(error);
  if (!path || !fill_address(path, &address, error))
    return FALSE;
  for (int i = 0; i < ANSWER_TRIES; i++) {
    if (connects(&address))
      return TRUE;
    g_usleep(ANSWER_WAIT_US);
  }
  return base_error_set(error, SIGNET_ERROR_NO_DAEMON,
                        "another signetd holds %s.lock but does not answer; end it", path);
}
