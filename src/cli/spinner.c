/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define FRAME_MS 120
#define FIRST_MS 300 /* what is done sooner shows nothing */

struct CliSpinner {
  GThread *thread;
  GMutex mutex;
  GCond wake;
  gboolean stop;
  gboolean paused;
  gboolean drawn;
  char *doing;
};

static CliSpinner *running;

static void
put(const char *text)
{
  if (write(STDERR_FILENO, text, strlen(text)) < 0)
    return; /* an ornament; the terminal may be gone */
}

static void
erase_locked(CliSpinner *spinner)
{
  if (spinner->drawn)
    put("\r\033[K");
  spinner->drawn = FALSE;
}

static gpointer
spin(gpointer data)
{
  static const char *const frames[] = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" };
  CliSpinner *spinner = data;
  sigset_t all;
  sigfillset(&all); /* Ctrl-C is for the thread that waits at a prompt */
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  gint64 next = g_get_monotonic_time() + FIRST_MS * 1000;
  g_mutex_lock(&spinner->mutex);
  for (guint i = 0; !spinner->stop; i++) {
    while (!spinner->stop && g_cond_wait_until(&spinner->wake, &spinner->mutex, next))
      continue;
    if (spinner->stop)
      break;
    if (!spinner->paused) {
      g_autofree char *line =
          g_strdup_printf("\r\033[K%s %s", frames[i % G_N_ELEMENTS(frames)], spinner->doing);
      put(line);
      spinner->drawn = TRUE;
    }
    next = g_get_monotonic_time() + FRAME_MS * 1000;
  }
  erase_locked(spinner);
  g_mutex_unlock(&spinner->mutex);
  return NULL;
}

CliSpinner *
cli_spinner_start(const Cli *cli, const char *doing)
{
  if (cli->quiet || cli->json || !isatty(STDERR_FILENO) || g_strcmp0(g_getenv("TERM"), "dumb") == 0)
    return NULL;
  CliSpinner *spinner = g_new0(CliSpinner, 1);
  g_mutex_init(&spinner->mutex);
  g_cond_init(&spinner->wake);
  spinner->doing = g_strdup(doing);
  spinner->thread = g_thread_new("spinner", spin, spinner);
  running = spinner;
  return spinner;
}

void
cli_spinner_stop(CliSpinner *spinner)
{
  if (!spinner)
    return;
  running = NULL;
  g_mutex_lock(&spinner->mutex);
  spinner->stop = TRUE;
  g_cond_signal(&spinner->wake);
  g_mutex_unlock(&spinner->mutex);
  g_thread_join(spinner->thread);
  g_mutex_clear(&spinner->mutex);
  g_cond_clear(&spinner->wake);
  g_free(spinner->doing);
  g_free(spinner);
}

void
cli_spinner_pause(void)
{
  if (!running)
    return;
  g_mutex_lock(&running->mutex);
  running->paused = TRUE;
  erase_locked(running);
  g_mutex_unlock(&running->mutex);
}
