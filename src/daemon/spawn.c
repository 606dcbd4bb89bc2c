/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Child processes: spawned (never forked) with a cleaned environment. */
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_FD 3
/* dup2(n, n) would keep close-on-exec, so the child's end is moved away from 3 first. */
#define CHILD_FD_FLOOR 10

/* What a module may need to find its configuration, reader or store; the rest of the
 * environment can hold other programs' secrets and stays behind. */
static const char *const kept[] = {
  "HOME",
  "PATH",
  "USER",
  "LOGNAME",
  "LANG",
  "LANGUAGE",
  "TZ",
  "TMPDIR",
  "LD_LIBRARY_PATH",
  "MALLOC_ARENA_MAX",
  "DBUS_SESSION_BUS_ADDRESS",
};
static const char *const kept_prefixes[] = {
  "XDG_",    "LC_",   "OPENSC", "PCSCLITE_", "SOFTHSM2_", "TPM2_", "TSS2_",
  "SIGNET_", "ASAN_", "LSAN_",  "UBSAN_",    "TSAN_",     "SSL_",  "OPENSSL_CONF",
};

static gboolean
is_kept(const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS(kept); i++)
    if (strcmp(name, kept[i]) == 0)
      return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS(kept_prefixes); i++)
    if (g_str_has_prefix(name, kept_prefixes[i]))
      return TRUE;
  return FALSE;
}

char **
daemon_spawn_environment(void)
{
  g_auto(GStrv) all = g_get_environ();
  char **clean = g_new0(char *, 1);
  for (char **entry = all; *entry; entry++) {
    g_auto(GStrv) parts = g_strsplit(*entry, "=", 2);
    if (parts[0] && parts[1] && is_kept(parts[0]))
      clean = g_environ_setenv(clean, parts[0], parts[1], TRUE);
  }
  return clean;
}

static char **
with_entries(char **environment, char *const *entries)
{
  for (; entries && *entries; entries++) {
    g_auto(GStrv) parts = g_strsplit(*entries, "=", 2);
    if (parts[0] && parts[1])
      environment = g_environ_setenv(environment, parts[0], parts[1], TRUE);
  }
  return environment;
}

/* (nullable) where the children's standard error goes: a detached signetd has none. */
static char *log_path;

void
daemon_spawn_log_to(const char *path)
{
  g_free(log_path);
  log_path = g_strdup(path);
}

gboolean
daemon_spawn(char *const *argv, char *const *environment, int child_fd, pid_t *ret_pid,
             GError **error)
{
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, defaults;
  sigemptyset(&none);
  sigfillset(&defaults);

  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (log_path && access(log_path, W_OK) == 0)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_path, O_WRONLY | O_APPEND, 0);
  posix_spawn_file_actions_adddup2(&actions, child_fd, CHILD_FD);
  /* A group of its own: Ctrl-C at the terminal of a foreground daemon is the daemon's alone. */
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  int failed = posix_spawn(ret_pid, argv[0], &actions, &attributes, argv, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed)
    return base_error_set_errno(error, failed, "cannot start %s", argv[0]);
  return TRUE;
}

/* The file that the host reads its profile from; "" for a module that no profile knows. */
static char *
profile_file(const BaseProfile *profile)
{
  g_autofree char *name = g_strconcat(profile->name, ".profile", NULL);
  g_autofree char *installed = base_path_installed("tokens");
  g_autofree char *first = g_build_filename(base_path_system_config(), "tokens.d", name, NULL);
  g_autofree char *second = g_build_filename(installed, name, NULL);
  if (access(first, R_OK) == 0)
    return g_steal_pointer(&first);
  return access(second, R_OK) == 0 ? g_steal_pointer(&second) : g_strdup("");
}

static char **
token_arguments(const DaemonHostSpec *spec, gboolean transfer, GError **error)
{
  char *program = base_path_program("signet-token", error);
  if (!program)
    return NULL;
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  g_ptr_array_add(words, program);
  if (transfer)
    g_ptr_array_add(words, g_strdup("--transfer"));
  if (spec) {
    g_ptr_array_add(words, g_strdup("--module"));
    g_ptr_array_add(words, g_strdup(spec->module));
    g_ptr_array_add(words, g_strdup("--profile"));
    g_ptr_array_add(words, profile_file(spec->profile));
  }
  g_ptr_array_add(words, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

static gboolean
spawn_token(const DaemonHostSpec *spec, gboolean transfer, pid_t *ret_pid, int *ret_fd,
            GError **error)
{
  int pair[2];
  g_auto(GStrv) argv = token_arguments(spec, transfer, error);
  if (!argv)
    return FALSE;
  g_auto(GStrv) environment = daemon_spawn_environment();
  if (spec) {
    environment = with_entries(environment, spec->profile->environment);
    environment = with_entries(environment, spec->environment);
  }

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
    return base_error_set_errno(error, errno, "cannot make a socket pair");
  int flags = fcntl(pair[1], F_GETFL);
  fcntl(pair[1], F_SETFL, flags & ~O_NONBLOCK);
  int child = fcntl(pair[1], F_DUPFD_CLOEXEC, CHILD_FD_FLOOR);
  close(pair[1]);
  gboolean done = child >= 0 && daemon_spawn(argv, environment, child, ret_pid, error);
  if (child >= 0)
    close(child);
  if (!done) {
    close(pair[0]);
    return FALSE;
  }
  *ret_fd = pair[0];
  return TRUE;
}

gboolean
daemon_spawn_host(const DaemonHostSpec *spec, pid_t *ret_pid, int *ret_fd, GError **error)
{
  return spawn_token(spec, FALSE, ret_pid, ret_fd, error);
}

gboolean
daemon_spawn_transfer(const DaemonHostSpec *spec, pid_t *ret_pid, int *ret_fd, GError **error)
{
  return spawn_token(spec, TRUE, ret_pid, ret_fd, error);
}

typedef struct {
  pid_t pid;
  int pidfd;
  char *name;
  GSource *io;
} Reaper;

static void
log_end(const Reaper *reaper, int status)
{
  if (!reaper->name)
    return;
  if (WIFSIGNALED(status))
    base_log("%s: process %d ended by signal %d", reaper->name, (int)reaper->pid, WTERMSIG(status));
  else if (WEXITSTATUS(status) != 0)
    base_log("%s: process %d ended with status %d", reaper->name, (int)reaper->pid,
             WEXITSTATUS(status));
}

static void
reap(int fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  Reaper *reaper = user_data;
  int status = 0;
  if (waitpid(reaper->pid, &status, WNOHANG) == reaper->pid)
    log_end(reaper, status);
  daemon_io_remove(&reaper->io);
  close(reaper->pidfd);
  g_free(reaper->name);
  g_free(reaper);
}

void
daemon_spawn_reap(pid_t pid, const char *name)
{
  int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0)
    return;
  Reaper *reaper = g_new0(Reaper, 1);
  reaper->pid = pid;
  reaper->pidfd = pidfd;
  reaper->name = g_strdup(name);
  reaper->io = daemon_io_add(pidfd, G_IO_IN, reap, reaper);
}
