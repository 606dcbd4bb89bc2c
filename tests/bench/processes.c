/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t
parent_of(pid_t pid)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
  g_autofree char *stat = NULL;

  if (!g_file_get_contents(path, &stat, NULL, NULL))
    return -1;
  /* proc(5): pid (comm) state ppid; comm may hold anything, so count from its last bracket. */
  const char *rest = strrchr(stat, ')');
  char state;
  int parent;
  if (!rest || sscanf(rest + 1, " %c %d", &state, &parent) != 2)
    return -1;
  return (pid_t)parent;
}

GArray *
bench_process_children(pid_t pid)
{
  GArray *children = g_array_new(FALSE, FALSE, sizeof(pid_t));
  g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
  const char *name;

  while (proc && (name = g_dir_read_name(proc))) {
    pid_t child = (pid_t)g_ascii_strtoll(name, NULL, 10);
    if (child > 0 && parent_of(child) == pid)
      g_array_append_val(children, child);
  }
  return children;
}

gboolean
bench_process_alive(pid_t pid)
{
  return kill(pid, 0) == 0;
}

gint64
bench_process_memory(pid_t pid, const char *field)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
  g_autofree char *status = NULL;

  if (!g_file_get_contents(path, &status, NULL, NULL))
    return 0;
  g_auto(GStrv) lines = g_strsplit(status, "\n", -1);
  for (guint i = 0; lines[i]; i++) {
    if (g_str_has_prefix(lines[i], field) && lines[i][strlen(field)] == ':')
      return g_ascii_strtoll(lines[i] + strlen(field) + 1, NULL, 10);
  }
  return 0;
}

void
bench_process_end(pid_t pid)
{
  kill(pid, SIGTERM);
  for (guint i = 0; i < 200 && bench_process_alive(pid); i++)
    g_usleep(10 * 1000);
  kill(pid, SIGKILL);
}

void
bench_process_reap_orphans(void)
{
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void
bench_process_end_orphans(const char *comm)
{
  g_autoptr(GArray) children = bench_process_children(getpid());
  for (guint i = 0; i < children->len; i++) {
    pid_t pid = g_array_index(children, pid_t, i);
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)pid);
    g_autofree char *name = NULL;
    if (!g_file_get_contents(path, &name, NULL, NULL) || strcmp(g_strchomp(name), comm) != 0)
      continue;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
  }
}

gint64
bench_process_time(const char *const *argv, char **env, const char *input, const char *errors)
{
  posix_spawn_file_actions_t files;
  pid_t pid;
  int status;

  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, input ? input : "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  gint64 before = g_get_monotonic_time();
  int rc = posix_spawn(&pid, argv[0], &files, NULL, (char *const *)(gintptr)argv, env);
  posix_spawn_file_actions_destroy(&files);
  if (rc != 0)
    return -1;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR)
      return -1;
  }
  gint64 after = g_get_monotonic_time();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? after - before : -1;
}

static int
compare_doubles(gconstpointer a, gconstpointer b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double
bench_median(GArray *doubles)
{
  guint n = doubles->len;

  if (n == 0)
    return 0;
  g_array_sort(doubles, compare_doubles);
  double upper = g_array_index(doubles, double, n / 2);
  return n % 2 ? upper : (upper + g_array_index(doubles, double, n / 2 - 1)) / 2;
}
