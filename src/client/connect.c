/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/path.h"
#include "client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_POLL_US 2000
#define SETTLE_MS 3000 /* another program's signetd may hold the lock and not listen yet */

/* connect(2) on a Unix socket blocks while the listener's backlog is full, for as long as
 * the send timeout says. */
static void
limit_connect(int fd, BaseDeadline deadline)
{
  int left = base_deadline_left(deadline);
  const struct timeval limit = { left < 0 ? 0 : left / 1000,
                                 left < 0 ? 0 : left % 1000 * 1000 + 1 };
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

int
client_socket_connect(const char *path, BaseDeadline deadline, int *ret_errnum)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  if (strlen(path) >= sizeof address.sun_path) {
    *ret_errnum = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, path, strlen(path) + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    *ret_errnum = errno;
    return -1;
  }
  limit_connect(fd, deadline);
  int status;
  do
    status = connect(fd, (const struct sockaddr *)&address, sizeof address);
  while (status != 0 && errno == EINTR && !base_deadline_passed(deadline));
  if (status == 0)
    return fd;
  *ret_errnum = errno;
  close(fd);
  return -1;
}

/* The daemon must not inherit what the host process ignores or blocks. */
static void
reset_signals(posix_spawnattr_t *attributes)
{
  static const int handled[] = { SIGCHLD, SIGPIPE, SIGINT,  SIGTERM, SIGHUP,
                                 SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2 };
  sigset_t defaults, none;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (gsize i = 0; i < G_N_ELEMENTS(handled); i++)
    sigaddset(&defaults, handled[i]);
  posix_spawnattr_setsigdefault(attributes, &defaults);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static int
spawn_daemon(const char *program, const char *address, pid_t *ret_pid)
{
  const char *arguments[] = { program, "--detach", NULL };
  g_auto(GStrv) environment = g_get_environ();
  if (address)
    environment = g_environ_setenv(environment, "SIGNET_SOCKET", address, TRUE);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  reset_signals(&attributes);
  int errnum = posix_spawn(ret_pid, program, &files, &attributes, (char *const *)(gintptr)arguments,
                           environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return errnum;
}

/* ECHILD: the host process ignores SIGCHLD or has reaped our child itself; then
 * how it ended is not to be had, and whether the daemon answers decides. */
static gboolean
wait_for_start(pid_t pid, GError **error)
{
  BaseDeadline deadline = base_deadline_in(CLIENT_START_MS);
  for (;;) {
    int status = 0;
    pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
      return TRUE;
    if (ended == pid && WIFEXITED(status))
      return base_error_set(error, SIGNET_ERROR_NO_DAEMON, "signetd did not start (exit status %d)",
                            WEXITSTATUS(status));
    if (ended == pid)
      return base_error_set(error, SIGNET_ERROR_NO_DAEMON,
                            "signetd was ended by signal %d while starting", WTERMSIG(status));
    if (ended < 0 && errno != EINTR)
      return TRUE;
    if (base_deadline_passed(deadline))
      break;
    g_usleep(START_POLL_US);
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  return base_error_set(error, SIGNET_ERROR_NO_DAEMON,
                        "signetd did not get ready within %d seconds", CLIENT_START_MS / 1000);
}

gboolean
client_daemon_start(const char *address, GError **error)
{
  g_autofree char *program = base_path_program("signetd", error);
  if (!program)
    return FALSE;
  pid_t pid = 0;
  int errnum = spawn_daemon(program, address, &pid);
  if (errnum != 0)
    return base_error_set(error, SIGNET_ERROR_NO_DAEMON, "cannot start %s: %s", program,
                          g_strerror(errnum));
  return wait_for_start(pid, error);
}

/* Another program may have started a daemon at the same moment; ours then gave way to
 * it, in whatever manner. So the socket is asked, not only the exit status. */
static int
start_and_connect(const char *path, const char *address, int *ret_errnum, GError **error)
{
  g_autoptr(GError) failure = NULL;
  client_daemon_start(address, &failure);
  BaseDeadline settle = base_deadline_in(SETTLE_MS);
  for (;;) {
    int fd = client_socket_connect(path, settle, ret_errnum);
    if (fd >= 0)
      return fd;
    gboolean may_come = *ret_errnum == ENOENT || *ret_errnum == ECONNREFUSED;
    if (!may_come || base_deadline_passed(settle))
      break;
    g_usleep(5 * START_POLL_US);
  }
  if (failure)
    g_propagate_error(error, g_steal_pointer(&failure));
  return -1;
}

static void
say_unreachable(const char *path, int errnum, GError **error)
{
  if (errnum == ENOENT || errnum == ECONNREFUSED)
    base_error_set(error, SIGNET_ERROR_NO_DAEMON, "no signetd listens on %s; start signetd", path);
  else if (errnum == EAGAIN)
    base_error_set(error, SIGNET_ERROR_TIMEOUT, "signetd on %s takes no connections", path);
  else if (errnum == ENAMETOOLONG)
    base_error_set(
        error, SIGNET_ERROR_USAGE,
        "the socket's path has %zu bytes, a socket takes at most %zu: %s; use a shorter one",
        strlen(path), sizeof((struct sockaddr_un *)NULL)->sun_path - 1, path);
  else
    base_error_set(error, SIGNET_ERROR_NO_DAEMON, "cannot reach signetd on %s: %s", path,
                   g_strerror(errnum));
}

gboolean
client_connection_open(SignetClient *client, BaseDeadline deadline, GError **error)
{
  g_autofree char *path = client->address ? g_strdup(client->address) : base_path_socket(error);
  if (!path)
    return FALSE;
  int errnum = 0;
  g_autoptr(GError) failure = NULL;
  int fd = client_socket_connect(path, deadline, &errnum);
  gboolean none_runs = fd < 0 && (errnum == ENOENT || errnum == ECONNREFUSED);
  if (none_runs && !(client->flags & SIGNET_CONNECT_NO_AUTOSTART))
    fd = start_and_connect(path, client->address, &errnum, &failure);
  if (fd < 0 && failure) {
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
  }
  if (fd < 0) {
    say_unreachable(path, errnum, error);
    return FALSE;
  }
  client->fd = fd;
  client->greeted = FALSE;
  return TRUE;
}
