/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "transfer/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERRORS_MAX (64 * 1024)
#define READ_SIZE 16384
#define HIGH_FD \
  16 /* above those that the child gets, so that none is overwritten while they are set */

extern char **environ;

typedef struct {
  pid_t pid;
  int line;   /* the child's end */
  int output; /* [0] ours */
  int errors;
} Running;

static gboolean
make_pipe(int ends[2], GError **error)
{
  int low[2];
  if (pipe2(low, O_CLOEXEC) != 0)
    return base_error_set_errno(error, errno, "cannot make a pipe");
  for (int i = 0; i < 2; i++) {
    ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, HIGH_FD);
    close(low[i]);
  }
  if (ends[0] >= 0 && ends[1] >= 0)
    return TRUE;
  for (int i = 0; i < 2; i++)
    if (ends[i] >= 0)
      close(ends[i]);
  return base_error_set(error, SIGNET_ERROR_FAILED, "no descriptor is left");
}

static void
close_both(int ends[2])
{
  close(ends[0]);
  close(ends[1]);
}

/* A line of at most 1 KiB always fits into a pipe, so it can be written before anybody reads. */
static gboolean
fill_line(int fd, const BaseSecret *line, GError **error)
{
  if (!line)
    return TRUE;
  gsize length = base_secret_length(line);
  if (length > PIPE_BUF - 1)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the passphrase is too long");
  if (write(fd, base_secret_text(line), length) != (ssize_t)length || write(fd, "\n", 1) != 1)
    return base_error_set_errno(error, errno, "cannot hand over the passphrase");
  return TRUE;
}

static int
spawn(const TransferChild *child, int line, int output, int errors, pid_t *ret_pid)
{
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, line, TRANSFER_CHILD_FD);
  /* What our own caller left open (--passphrase-fd) is none of its business. */
  posix_spawn_file_actions_addclosefrom_np(&actions, TRANSFER_CHILD_FD + 1);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  int failed = posix_spawnp(ret_pid, child->argv[0], &actions, &attributes,
                            (char *const *)(guintptr)child->argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

static gboolean
start(const TransferChild *child, Running *running, GError **error)
{
  int line[2], output[2], errors[2];
  if (!make_pipe(line, error))
    return FALSE;
  if (!make_pipe(output, error)) {
    close_both(line);
    return FALSE;
  }
  if (!make_pipe(errors, error)) {
    close_both(line);
    close_both(output);
    return FALSE;
  }
  gboolean filled = fill_line(line[1], child->line, error);
  close(line[1]);
  int failed = filled ? spawn(child, line[0], output[1], errors[1], &running->pid) : 0;
  close(line[0]);
  close(output[1]);
  close(errors[1]);
  if (filled && !failed) {
    running->output = output[0];
    running->errors = errors[0];
    return TRUE;
  }
  close(output[0]);
  close(errors[0]);
  if (failed == ENOENT)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "%s is not installed", child->argv[0]);
  return !failed ? FALSE : base_error_set_errno(error, failed, "cannot start %s", child->argv[0]);
}

/* One read; *fd is -1 at the end. */
static void
take(int *fd, GByteArray *into)
{
  guint length = into->len;
  g_byte_array_set_size(into, length + READ_SIZE);
  ssize_t got = read(*fd, into->data + length, READ_SIZE);
  gboolean ended = got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
  g_byte_array_set_size(into, length + (guint)MAX(got, 0));
  if (ended) {
    close(*fd);
    *fd = -1;
  }
}

static gboolean
collect(const TransferChild *child, Running *running, GByteArray *output, GByteArray *errors,
        GError **error)
{
  gint64 end = g_get_monotonic_time() + (gint64)child->timeout_ms * 1000;
  /* Its output alone says when it is done: a daemon that it started may keep the other open. */
  while (running->output >= 0) {
    gint64 left = (end - g_get_monotonic_time()) / 1000;
    if (left <= 0)
      return base_error_set(error, SIGNET_ERROR_TIMEOUT, "%s did not end within %u seconds",
                            child->argv[0], child->timeout_ms / 1000);
    struct pollfd ready[] = { { running->output, POLLIN, 0 }, { running->errors, POLLIN, 0 } };
    if (poll(ready, 2, (int)left) < 0 && errno != EINTR)
      return base_error_set_errno(error, errno, "cannot wait for %s", child->argv[0]);
    if (ready[0].revents)
      take(&running->output, output);
    if (running->errors >= 0 && ready[1].revents)
      take(&running->errors, errors);
    if (output->len > child->max || errors->len > ERRORS_MAX)
      return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s printed too much", child->argv[0]);
  }
  return TRUE;
}

/* What it said last, once it ended. */
static void
drain_errors(Running *running, GByteArray *errors)
{
  if (running->errors < 0)
    return;
  fcntl(running->errors, F_SETFL, O_NONBLOCK);
  for (guint before = errors->len + 1; before != errors->len && errors->len < ERRORS_MAX;) {
    before = errors->len;
    take(&running->errors, errors);
    if (running->errors < 0)
      return;
  }
}

GByteArray *
transfer_child_run(const TransferChild *child, char **ret_errors, GError **error)
{
  Running running = { .output = -1, .errors = -1 };
  if (!start(child, &running, error))
    return NULL;
  GByteArray *output = g_byte_array_new();
  g_autoptr(GByteArray) errors = g_byte_array_new();
  gboolean collected = collect(child, &running, output, errors, error);
  if (!collected)
    kill(running.pid, SIGKILL);
  while (waitpid(running.pid, NULL, 0) < 0 && errno == EINTR)
    continue;
  if (collected)
    drain_errors(&running, errors);
  if (running.output >= 0)
    close(running.output);
  if (running.errors >= 0)
    close(running.errors);
  if (!collected) {
    g_byte_array_unref(output);
    return NULL;
  }
  if (ret_errors)
    *ret_errors = g_strndup((const char *)errors->data, errors->len);
  return output;
}
