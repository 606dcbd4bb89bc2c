/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/watchdog.h"

#include "base/log.h"

#include <stdatomic.h>
#include <unistd.h>

#define LOOK_EVERY_US 100000

struct TokenWatch {
  _Atomic(gint64) deadline; /* 0: nothing under way */
  atomic_bool patient;
  TokenWatch *next;
  TokenWatch *previous;
};

static GMutex lock;
static TokenWatch *watches;

/* TRUE: some call is late. Patient ones count while no other is under way. */
static gboolean
look(gint64 now)
{
  gboolean late = FALSE;
  gboolean late_poll = FALSE;
  gboolean busy = FALSE;

  g_mutex_lock(&lock);
  for (TokenWatch *watch = watches; watch; watch = watch->next) {
    gint64 deadline = atomic_load(&watch->deadline);
    gboolean patient = atomic_load(&watch->patient);
    if (!deadline)
      continue;
    busy |= !patient;
    if (deadline != BASE_DEADLINE_NEVER && now > deadline + TOKEN_WATCH_GRACE_MS * 1000) {
      late |= !patient;
      late_poll |= patient;
    }
  }
  g_mutex_unlock(&lock);
  return late || (late_poll && !busy);
}

static gpointer
run(gpointer data)
{
  (void)data;
  for (;;) {
    g_usleep(LOOK_EVERY_US);
    if (!look(g_get_monotonic_time()))
      continue;
    base_log("what was asked, or the PKCS#11 module, passed its deadline; this process ends");
    _exit(TOKEN_EXIT_DEADLINE);
  }
  return NULL;
}

void
token_watchdog_start(void)
{
  g_thread_unref(g_thread_new("watchdog", run, NULL));
}

TokenWatch *
token_watch_new(void)
{
  TokenWatch *watch = g_new0(TokenWatch, 1);
  g_mutex_lock(&lock);
  watch->next = watches;
  if (watches)
    watches->previous = watch;
  watches = watch;
  g_mutex_unlock(&lock);
  return watch;
}

void
token_watch_free(TokenWatch *watch)
{
  if (!watch)
    return;
  g_mutex_lock(&lock);
  if (watch->previous)
    watch->previous->next = watch->next;
  else
    watches = watch->next;
  if (watch->next)
    watch->next->previous = watch->previous;
  g_mutex_unlock(&lock);
  g_free(watch);
}

void
token_watch_arm(TokenWatch *watch, BaseDeadline deadline)
{
  atomic_store_explicit(&watch->deadline, deadline, memory_order_relaxed);
}

void
token_watch_arm_patient(TokenWatch *watch, BaseDeadline deadline)
{
  atomic_store(&watch->patient, TRUE);
  token_watch_arm(watch, deadline);
}

void
token_watch_disarm(TokenWatch *watch)
{
  atomic_store_explicit(&watch->deadline, 0, memory_order_relaxed);
}
