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

/* What the launcher says fits into a pipe, so it is read when it has ended. */
static gboolean
read_usage(int fd, BenchUsage *ret_usage)
{
  char text[128] = "";
  BenchUsage usage = { 0 };
  long long microseconds, processor, peak;
  ssize_t length = read(fd, text, sizeof text - 1);

  if (length <= 0 ||
      sscanf(text, "%lld %lld %lld %d", &microseconds, &processor, &peak, &usage.status) != 4)
    return FALSE;
  usage.milliseconds = (double)microseconds / 1000;
  usage.processor = (double)processor / 1000;
  usage.peak = peak;
  *ret_usage = usage;
  return TRUE;
}

/* An interrupted wait is somebody who wants an end: the launcher takes the program with it. */
static gboolean
wait_or_end(pid_t pid)
{
  while (waitpid(pid, NULL, 0) < 0) {
    if (errno != EINTR)
      return FALSE;
    kill(pid, SIGTERM);
  }
  return TRUE;
}

gboolean
bench_process_measure(const char *launcher, const char *folder, const char *const *argv, char **env,
                      const char *output, const char *errors, BenchUsage *ret_usage)
{
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  const char *const own[] = { launcher, folder, output, errors };
  posix_spawn_file_actions_t files;
  int ends[2];
  pid_t pid;

  for (guint i = 0; i < G_N_ELEMENTS(own); i++)
    g_ptr_array_add(words, (gpointer)(gintptr)own[i]);
  for (guint i = 0; argv[i]; i++)
    g_ptr_array_add(words, (gpointer)(gintptr)argv[i]);
  g_ptr_array_add(words, NULL);
  if (pipe2(ends, O_CLOEXEC) != 0)
    return FALSE;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[1], 1);
  int rc = posix_spawn(&pid, launcher, &files, NULL, (char *const *)words->pdata, env);
  posix_spawn_file_actions_destroy(&files);
  close(ends[1]);
  gboolean good = rc == 0 && wait_or_end(pid) && read_usage(ends[0], ret_usage);
  close(ends[0]);
  return good;
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
