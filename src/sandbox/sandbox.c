/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/sandbox.h"

#include "base/error.h"
#include "sandbox/fill.h"
#include "sandbox/guard.h"

#include <errno.h>
#include <openssl/rand.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIN_DIGITS 8

static const int forwarded[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };

static gboolean
make_pin(char *pin, GError **error)
{
  guint8 random[PIN_DIGITS];
  if (RAND_bytes(random, sizeof random) != 1)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no random bytes");
  for (gsize i = 0; i < PIN_DIGITS; i++)
    pin[i] = (char)('0' + random[i] % 10);
  pin[PIN_DIGITS] = '\0';
  return TRUE;
}

/* ---- the command ---- */

/* As the caller would have started it: its signals, its process group, so that Ctrl-C and
 * Ctrl-Z at the terminal reach both. */
static int
spawn_command(char *const *command, const sigset_t *mask, pid_t *ret_pid)
{
  posix_spawnattr_t attributes;
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE); /* main() ignores it */
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigmask(&attributes, mask);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  int errnum = posix_spawnp(ret_pid, command[0], NULL, &attributes, command, environ);
  posix_spawnattr_destroy(&attributes);
  return errnum;
}

static int
status_of(int status)
{
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* A shell that suspends itself is in a group of its own: only then does the caller's shell not
 * see that its job has stopped. */
static void
stop_with(pid_t pid)
{
  pid_t group = getpgid(pid);
  if (group <= 0 || group == getpgrp())
    return;
  raise(SIGSTOP);
  kill(-group, SIGCONT);
}

/* What the terminal sends goes to the whole group (si_code SI_KERNEL): the command has it. */
static int
wait_for_command(pid_t pid, const sigset_t *caught)
{
  for (;;) {
    siginfo_t info;
    int status = 0;
    pid_t ended = waitpid(pid, &status, WNOHANG | WUNTRACED);
    if (ended == pid && !WIFSTOPPED(status))
      return status_of(status);
    if (ended == pid)
      stop_with(pid);
    if (ended < 0 && errno != EINTR)
      return 1;
    int signal = sigwaitinfo(caught, &info);
    if (signal > 0 && signal != SIGCHLD && info.si_code <= 0)
      kill(pid, signal);
  }
}

static gboolean
run_command(char *const *command, const SandboxGuard *guard, int *ret_status, GError **error)
{
  sigset_t caught, before;
  pid_t pid = 0;
  sigemptyset(&caught);
  sigaddset(&caught, SIGCHLD);
  for (gsize i = 0; i < G_N_ELEMENTS(forwarded); i++)
    sigaddset(&caught, forwarded[i]);
  /* Blocked until this process ends: what comes while it clears up must not stop that. */
  sigprocmask(SIG_BLOCK, &caught, &before);
  int errnum = spawn_command(command, &before, &pid);
  if (errnum != 0)
    return base_error_set_errno(error, errnum, "cannot run \"%s\"", command[0]);
  sandbox_guard_tell_command(guard, pid);
  *ret_status = wait_for_command(pid, &caught);
  return TRUE;
}

/* ---- all of it ---- */

static gboolean
run_in(const SandboxPlace *place, const SandboxWish *wish, const SandboxGuard *guard,
       int *ret_status, GError **error)
{
  char pin[PIN_DIGITS + 1];
  return make_pin(pin, error) && sandbox_environment_make(place, pin, error) &&
         sandbox_fill(place, wish, pin, error) &&
         run_command(wish->command, guard, ret_status, error);
}

gboolean
sandbox_run(const SandboxWish *wish, int *ret_status, char **ret_kept, GError **error)
{
  SandboxGuard guard;
  g_autofree char *found = g_find_program_in_path(wish->command[0]);
  if (!found && strcmp(wish->command[0], "signet") != 0)
    return base_error_set(error, SIGNET_ERROR_FAILED, "cannot run \"%s\": there is no such program",
                          wish->command[0]);
  signal(SIGCHLD, SIG_DFL); /* ignored, how the command ended could not be told */
  g_autoptr(SandboxPlace) place = sandbox_place_new(error);
  if (!place)
    return FALSE;
  if (!sandbox_guard_start(place, wish->keep, &guard, error)) {
    sandbox_place_clear(place->path, FALSE);
    return FALSE;
  }
  gboolean ran = run_in(place, wish, &guard, ret_status, error);
  sandbox_guard_end(&guard, place, wish->keep);
  *ret_kept = wish->keep ? g_strdup(place->path) : NULL;
  return ran;
}
