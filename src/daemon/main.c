/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* signetd: started, detached, told to stop. */
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/broker.h"
#include "daemon/host.h"
#include "daemon/listen.h"
#include "daemon/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define FILES_MIN 2048 /* 512 connections, 256 key channels of a few hosts, and some */
#define EXIT_USAGE 2
#define LARGE_BLOCK (32 * 1024)
#define REPORT_MAX 4096

static void
on_signal(int fd, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  struct signalfd_siginfo info;
  if (read(fd, &info, sizeof info) == (ssize_t)sizeof info)
    daemon_stop(user_data);
}

/* By descriptor and not by handler: GLib's own way would start a thread. */
static int
signals_fd(void)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
raise_file_limit(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= FILES_MIN)
    return;
  limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)FILES_MIN);
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* How the start went is said on `report`: nothing, and its end, mean well. */
static void
say_failed(int report, const GError *error)
{
  if (report != STDERR_FILENO)
    base_log("%s", error->message);
  dprintf(report, "signetd: %s\n", error->message);
}

/* Serves until it is told to stop. `listener` is taken; `report` is closed when all is
 * well, unless it is standard error. */
static int
serve(DaemonListener *listener, int report)
{
  g_autoptr(GError) error = NULL;
  int signals = signals_fd();
  raise_file_limit();
  wire_json_start();
  /* Large blocks (lists under way, hash tables) on pages of their own leave no holes behind. */
  mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
  mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK);
  Daemon *daemon = daemon_new(&error);
  if (!daemon) {
    say_failed(report, error);
    daemon_listener_free(listener);
    return 1;
  }
  GSource *io = daemon_io_add(signals, G_IO_IN, on_signal, daemon);
  daemon->listener = listener;
  daemon_listener_start(listener, daemon);
  if (report != STDERR_FILENO)
    close(report);
  g_main_loop_run(daemon->loop);
  daemon_io_remove(&io);
  close(signals);
  daemon_free(daemon);
  daemon_listener_free(listener);
  return 0;
}

static int
report_running(void)
{
  g_autoptr(GError) error = NULL;
  if (daemon_listener_answers(&error)) {
    fprintf(stderr, "signetd: another one is running already\n");
    return 0;
  }
  fprintf(stderr, "signetd: %s\n", error->message);
  return 1;
}

static int
run_foreground(void)
{
  g_autoptr(GError) error = NULL;
  gboolean running = FALSE;
  DaemonListener *listener = daemon_listener_new(&running, &error);
  if (running)
    return report_running();
  if (!listener) {
    fprintf(stderr, "signetd: %s\n", error->message);
    return 1;
  }
  return serve(listener, STDERR_FILENO);
}

static void
log_to_file(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *state = base_path_state();
  g_autofree char *path = g_build_filename(state, "signetd.log", NULL);
  if (base_path_make_folder(state, &error) && base_log_to_file(path, &error))
    daemon_spawn_log_to(path);
}

/* An inherited pipe would keep `$(signet …)` waiting for ever, so nothing is kept. */
static void
drop_streams(int report)
{
  int null = open("/dev/null", O_RDWR);
  if (report != 3) {
    dup2(report, 3);
    report = 3;
  }
  for (int fd = 0; fd < 3; fd++)
    dup2(null, fd);
  fcntl(report, F_SETFD, FD_CLOEXEC);
  close_range(4, ~0U, 0);
}

/* The child's half: says on `report` how the start went (nothing: well), then serves. */
static int
run_detached(int report)
{
  g_autoptr(GError) error = NULL;
  gboolean running = FALSE;
  setsid();
  drop_streams(report);
  report = 3;
  if (chdir("/") != 0)
    return 1;
  log_to_file();
  DaemonListener *listener = daemon_listener_new(&running, &error);
  if (running && daemon_listener_answers(&error))
    return 0;
  if (!listener) {
    say_failed(report, error);
    return 1;
  }
  return serve(listener, report);
}

static int
wait_for_child(int report)
{
  char text[REPORT_MAX];
  gsize length = 0;
  ssize_t got = 0;
  while (length < sizeof text &&
         ((got = read(report, text + length, sizeof text - length)) > 0 || errno == EINTR))
    if (got > 0)
      length += (gsize)got;
    else if (got == 0)
      break;
  if (length == 0)
    return 0;
  fwrite(text, 1, length, stderr);
  return 1;
}

static int
detach(void)
{
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    perror("signetd: pipe");
    return 1;
  }
  pid_t child = fork(); /* before anything makes a thread */
  if (child < 0) {
    perror("signetd: fork");
    return 1;
  }
  if (child == 0)
    return run_detached(report[1]);
  close(report[1]);
  return wait_for_child(report[0]);
}

static const char help[] =
    "signetd keeps a person's digital IDs on their tokens and lends their operations.\n"
    "It is started by itself; to start it by hand:\n"
    "\n"
    "  signetd [--foreground]   serve until ended\n"
    "  signetd --detach         return when the socket listens\n"
    "  signetd --version\n"
    "\n"
    "Example: signetd --detach && signet token list\n";

int
main(int argc, char **argv)
{
  const char *option = argc > 1 ? argv[1] : "--foreground";
  base_secret_start();
  base_log_start("signetd");
  if (argc <= 2 && strcmp(option, "--foreground") == 0)
    return run_foreground();
  if (argc == 2 && strcmp(option, "--detach") == 0)
    return detach();
  if (argc == 2 && strcmp(option, "--ask-pin") == 0)
    return daemon_askpin_main();
  if (argc == 2 && strcmp(option, "--version") == 0) {
    puts("signetd " SIGNET_VERSION);
    return 0;
  }
  if (argc == 2 && strcmp(option, "--help") == 0) {
    fputs(help, stdout);
    return 0;
  }
  fprintf(stderr, "signetd: unknown option %s; see signetd --help\n", option);
  return EXIT_USAGE;
}
