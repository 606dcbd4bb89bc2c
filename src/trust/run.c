/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/deadline.h"
#include "base/error.h"
#include "base/text.h"
#include "trust/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (4 * 1024 * 1024)
#define COMPLAINT_MAX 4096
#define CHUNK 16384

typedef struct {
  int fd; /* the end to read; -1: closed */
  int other;
  guint max;
  GByteArray *bytes;
} Stream;

static void
close_fd(int *fd)
{
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static void
stream_clear(Stream *stream)
{
  close_fd(&stream->fd);
  close_fd(&stream->other);
  g_clear_pointer(&stream->bytes, g_byte_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Stream, stream_clear)

static gboolean
stream_open(Stream *stream, guint max, GError **error)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return base_error_set_errno(error, errno, "cannot make a pipe");
  *stream = (Stream){ ends[0], ends[1], max, g_byte_array_new() };
  return TRUE;
}

extern char **environ;

/* The module's code may do as it likes: in a process that ends with it. */
static gboolean
start(const char *program, const char *module, const Stream *out, const Stream *err, pid_t *ret_pid,
      GError **error)
{
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, defaults;
  const char *argv[] = { program, "--mail-roots", module, NULL };
  sigemptyset(&none);
  sigfillset(&defaults);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out->other, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err->other, STDERR_FILENO);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  int failed =
      posix_spawn(ret_pid, program, &actions, &attributes, (char *const *)(guintptr)argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return !failed || base_error_set_errno(error, failed, "cannot start %s", program);
}

/* FALSE: over the limit. */
static gboolean
take(Stream *stream)
{
  guint8 chunk[CHUNK];
  ssize_t got = read(stream->fd, chunk, sizeof chunk);
  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return TRUE;
  if (got <= 0) {
    close_fd(&stream->fd);
    return TRUE;
  }
  if (stream->bytes->len + (guint)got > stream->max)
    return FALSE;
  g_byte_array_append(stream->bytes, chunk, (guint)got);
  return TRUE;
}

static gboolean
collect(Stream *out, Stream *err, const char *module, guint milliseconds, GError **error)
{
  BaseDeadline deadline = base_deadline_in(milliseconds);
  while (out->fd >= 0) {
    struct pollfd both[] = { { out->fd, POLLIN, 0 }, { err->fd, POLLIN, 0 } };
    if (base_deadline_passed(deadline))
      return base_error_set(error, SIGNET_ERROR_TIMEOUT, "%s gave no roots within %u ms", module,
                            milliseconds);
    if (poll(both, 2, base_deadline_left(deadline)) <= 0)
      continue;
    if (both[0].revents && !take(out))
      return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s gave over %d bytes of roots", module,
                            OUTPUT_MAX);
    if (both[1].revents && !take(err))
      close_fd(&err->fd);
  }
  return TRUE;
}

/* It may have closed its output and live on. */
static gboolean
await(pid_t pid, gboolean kill_it, int *ret_status)
{
  BaseDeadline deadline = base_deadline_in(1000);
  while (!kill_it) {
    pid_t ended = waitpid(pid, ret_status, WNOHANG);
    if (ended == pid || (ended < 0 && errno != EINTR))
      return ended == pid;
    kill_it = base_deadline_passed(deadline);
    g_usleep(500);
  }
  kill(pid, SIGKILL);
  while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
    ;
  return FALSE;
}

static gboolean
judge_end(int status, Stream *err, const char *module, GError **error)
{
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return TRUE;
  if (WIFSIGNALED(status))
    return base_error_set(error, SIGNET_ERROR_FAILED, "%s crashed its process (signal %d)", module,
                          WTERMSIG(status));
  g_byte_array_append(err->bytes, (const guint8 *)"", 1);
  const char *said = (const char *)err->bytes->data;
  g_autofree char *first = g_strndup(said, strcspn(said, "\n"));
  /* A line of a log begins with time and process. */
  const char *text = strstr(first, "]: ");
  g_autofree char *shown = base_text_shown(text ? text + strlen("]: ") : first, -1);
  return base_error_set(error, SIGNET_ERROR_FAILED, "no roots could be read from %s%s%s", module,
                        *shown ? ": " : "", shown);
}

GBytes *
trust_roots_run(const char *program, const char *module, guint milliseconds, GError **error)
{
  g_auto(Stream) out = { -1, -1, 0, NULL };
  g_auto(Stream) err = { -1, -1, 0, NULL };
  pid_t pid;
  int status = 0;
  if (!stream_open(&out, OUTPUT_MAX, error) || !stream_open(&err, COMPLAINT_MAX, error) ||
      !start(program, module, &out, &err, &pid, error))
    return NULL;
  close_fd(&out.other);
  close_fd(&err.other);
  gboolean whole = collect(&out, &err, module, milliseconds, error);
  gboolean ended = await(pid, !whole, &status);
  if (!whole)
    return NULL;
  if (err.fd >= 0)
    take(&err);
  if (!ended) {
    base_error_set(error, SIGNET_ERROR_TIMEOUT, "%s did not end", module);
    return NULL;
  }
  if (!judge_end(status, &err, module, error))
    return NULL;
  return g_byte_array_free_to_bytes(g_steal_pointer(&out.bytes));
}
