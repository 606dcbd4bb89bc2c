/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/guard.h"

#include "base/deadline.h"
#include "base/error.h"
#include "base/path.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCK_FD 3
#define COMMAND "command " /* and its pid */
#define FD_FLOOR 10
#define COMMAND_MS 500 /* the orphaned command may tidy up */
#define AGAIN_MS 1000  /* a daemon on its way up makes its folders again */
#define AGAIN_POLL_MS 50
#define END_MS 10000 /* then the sandbox does it itself */
#define END_POLL_US 1000

/* ---- the sandbox's side ---- */

static int
spawn_guard(const char *program, const SandboxPlace *place, gboolean keep, const int *fds,
            pid_t *ret_pid)
{
  const char *argv[] = { program, SANDBOX_GUARD_OPTION, place->path, keep ? "keep" : NULL, NULL };
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none, defaults;
  sigemptyset(&none);
  sigfillset(&defaults);
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  /* Nothing of the caller's stays open: who reads our output must not wait for the guard. */
  posix_spawn_file_actions_adddup2(&files, fds[0], STDIN_FILENO);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, fds[1], LOCK_FD);
  posix_spawn_file_actions_addclosefrom_np(&files, LOCK_FD + 1);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  int errnum =
      posix_spawn(ret_pid, program, &files, &attributes, (char *const *)(gintptr)argv, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  return errnum;
}

gboolean
sandbox_guard_start(const SandboxPlace *place, gboolean keep, SandboxGuard *guard, GError **error)
{
  int ends[2];
  g_autofree char *program = base_path_program("signet", error);
  if (!program)
    return FALSE;
  if (pipe2(ends, O_CLOEXEC) != 0)
    return base_error_set_errno(error, errno, "cannot make a pipe");
  /* Moved away from the numbers that they get in the guard: dup2(n, n) would keep close-on-exec. */
  const int fds[] = { fcntl(ends[0], F_DUPFD_CLOEXEC, FD_FLOOR),
                      fcntl(place->lock, F_DUPFD_CLOEXEC, FD_FLOOR) };
  close(ends[0]);
  int errnum = spawn_guard(program, place, keep, fds, &guard->pid);
  close(fds[0]);
  close(fds[1]);
  guard->pipe = ends[1];
  if (errnum == 0)
    return TRUE;
  close(ends[1]);
  return base_error_set_errno(error, errnum, "cannot start %s", program);
}

void
sandbox_guard_tell_command(const SandboxGuard *guard, pid_t command)
{
  dprintf(guard->pipe, COMMAND "%d\n", (int)command);
}

static gboolean
wait_for_guard(pid_t pid)
{
  BaseDeadline deadline = base_deadline_in(END_MS);
  int status = 0;
  for (;;) {
    pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid)
      return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if ((ended < 0 && errno != EINTR) || base_deadline_passed(deadline))
      return FALSE;
    g_usleep(END_POLL_US);
  }
}

void
sandbox_guard_end(SandboxGuard *guard, const SandboxPlace *place, gboolean keep)
{
  dprintf(guard->pipe, "end\n");
  close(guard->pipe);
  if (!wait_for_guard(guard->pid)) /* somebody killed it */
    sandbox_place_clear(place->path, keep);
}

/* ---- the guard's side ---- */

typedef struct {
  int command; /* pidfd, -1: none */
  gboolean ended;
} Told;

static void
take_line(Told *told, char *line)
{
  gint64 pid = 0;
  g_strchomp(line);
  if (strcmp(line, "end") == 0) {
    told->ended = TRUE;
  } else if (g_str_has_prefix(line, COMMAND) &&
             g_ascii_string_to_signed(line + strlen(COMMAND), 10, 2, G_MAXINT, &pid, NULL)) {
    if (told->command >= 0)
      close(told->command);
    told->command = sandbox_pidfd((pid_t)pid);
  }
}

static void
listen_to_sandbox(Told *told)
{
  char line[64];
  FILE *pipe = fdopen(STDIN_FILENO, "r");
  while (pipe && fgets(line, sizeof line, pipe))
    take_line(told, line);
}

/* The sandbox died while it started a daemon. */
static void
clear_what_comes_back(const char *folder)
{
  struct stat info;
  BaseDeadline deadline = base_deadline_in(AGAIN_MS);
  while (!base_deadline_passed(deadline)) {
    if (lstat(folder, &info) == 0)
      sandbox_place_clear(folder, FALSE);
    g_usleep(AGAIN_POLL_MS * 1000);
  }
}

int
sandbox_guard_main(const char *folder, gboolean keep)
{
  Told told = { .command = -1 };
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  if (chdir("/") != 0)
    return 1;
  sandbox_place_sweep(folder);
  listen_to_sandbox(&told);
  if (!told.ended && told.command >= 0)
    sandbox_end_process(told.command, COMMAND_MS);
  gboolean cleared = sandbox_place_clear(folder, keep);
  if (!told.ended && told.command < 0 && !keep)
    clear_what_comes_back(folder);
  return cleared ? 0 : 1;
}
