/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ending what runs from a sandbox's folder. */
#include "base/deadline.h"
#include "sandbox/place.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET "run/signet/socket"
#define TERM_MS 400   /* signetd waits up to 5 s for operations under way; nobody waits for those */
#define KILL_MS 2000  /* until the kernel has put it away */
#define HOST_MS 100   /* a host leaves by itself when its broker is gone */
#define START_MS 2000 /* a daemon that has the lock is about to listen */
#define START_POLL_MS 5
#define CHILDREN_MAX 64
#define DAEMONS_MAX 5 /* a client that still runs may start another */

int
sandbox_pidfd(pid_t pid)
{
  return (int)syscall(SYS_pidfd_open, pid, 0);
}

static gboolean
wait_for_end(int pidfd, guint milliseconds)
{
  struct pollfd ended = { pidfd, POLLIN, 0 };
  BaseDeadline deadline = base_deadline_in(milliseconds);
  while (poll(&ended, 1, base_deadline_left(deadline)) <= 0)
    if (base_deadline_passed(deadline))
      return FALSE;
  return TRUE;
}

static void
send_signal(int pidfd, int signal)
{
  syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

void
sandbox_end_process(int pidfd, guint patience_ms)
{
  send_signal(pidfd, SIGTERM);
  send_signal(pidfd, SIGHUP); /* shells take no notice of the other */
  if (wait_for_end(pidfd, patience_ms))
    return;
  send_signal(pidfd, SIGKILL);
  wait_for_end(pidfd, KILL_MS);
}

/* By the open folder, so that neither its name nor its length matters. */
static int
connect_in(int folder)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" SOCKET, folder);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

static gboolean
is_starting(int folder)
{
  int fd = openat(folder, SOCKET ".lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return FALSE;
  gboolean locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
  close(fd);
  return locked;
}

/* The process that listens, as the kernel has it. 0: none. */
static pid_t
find_daemon(int folder)
{
  BaseDeadline deadline = base_deadline_in(START_MS);
  int fd = connect_in(folder);
  while (fd < 0 && is_starting(folder) && !base_deadline_passed(deadline)) {
    g_usleep(START_POLL_MS * 1000);
    fd = connect_in(folder);
  }
  if (fd < 0)
    return 0;
  struct ucred peer = { 0 };
  socklen_t length = sizeof peer;
  gboolean told = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0;
  close(fd);
  return told ? peer.pid : 0;
}

static guint
open_children(pid_t pid, int *pidfds)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)pid, (int)pid);
  g_autofree char *text = NULL;
  guint n = 0;
  if (!g_file_get_contents(path, &text, NULL, NULL))
    return 0;
  g_auto(GStrv) words = g_strsplit(g_strstrip(text), " ", CHILDREN_MAX);
  for (char **word = words; *word && n < CHILDREN_MAX; word++) {
    pid_t child = (pid_t)g_ascii_strtoll(*word, NULL, 10);
    int pidfd = child > 0 ? sandbox_pidfd(child) : -1;
    if (pidfd >= 0)
      pidfds[n++] = pidfd;
  }
  return n;
}

static void
end_hosts(const int *pidfds, guint n)
{
  for (guint i = 0; i < n; i++) {
    if (!wait_for_end(pidfds[i], HOST_MS)) {
      send_signal(pidfds[i], SIGKILL);
      wait_for_end(pidfds[i], KILL_MS);
    }
    close(pidfds[i]);
  }
}

void
sandbox_end_daemon(int folder)
{
  for (int i = 0; i < DAEMONS_MAX; i++) {
    int children[CHILDREN_MAX];
    pid_t pid = find_daemon(folder);
    int pidfd = pid > 0 ? sandbox_pidfd(pid) : -1;
    if (pidfd < 0)
      return;
    guint n = open_children(pid, children);
    sandbox_end_process(pidfd, TERM_MS);
    close(pidfd);
    end_hosts(children, n);
  }
}
