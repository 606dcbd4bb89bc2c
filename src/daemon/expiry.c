/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The idle limit and the hard limit of an unlocked token. */
#include "base/error.h"
#include "base/log.h"
#include "daemon/token.h"

#include <time.h>

#define IDLE_MINUTES 15
#define HARD_MINUTES 480
#define MINUTES_MAX (7 * 24 * 60)
#define MINUTE_US (60 * G_USEC_PER_SEC)
#define SLEPT_US G_USEC_PER_SEC /* the two clocks are read one after the other */

/* Time asleep counts: a laptop that was closed for an hour has been idle for an hour. */
gint64
daemon_expiry_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static gint64
asleep_now(void)
{
  struct timespec awake;
  clock_gettime(CLOCK_MONOTONIC, &awake);
  return daemon_expiry_now() - ((gint64)awake.tv_sec * G_USEC_PER_SEC + awake.tv_nsec / 1000);
}

/* Who took the machine while it slept must not find tokens open. CLOCK_BOOTTIME goes on in
 * sleep and CLOCK_MONOTONIC does not, which needs no logind. */
void
daemon_expiry_check_sleep(Daemon *daemon)
{
  gint64 asleep = asleep_now();
  gint64 slept = asleep - daemon->asleep;
  daemon->asleep = asleep;
  if (slept < SLEPT_US)
    return;
  g_autoptr(GPtrArray) all = daemon_token_all(daemon);
  for (guint i = 0; i < all->len; i++) {
    DaemonToken *token = all->pdata[i];
    if (!token->opened && !token->logged_in)
      continue;
    base_log("the machine slept: %s is locked", daemon_token_label(token));
    daemon_login_lock(token, NULL, NULL);
  }
}

void
daemon_expiry_start(Daemon *daemon)
{
  daemon->asleep = asleep_now();
}

static gint64
limit_of(Daemon *daemon, const char *key, int fallback)
{
  int minutes = fallback;
  base_config_number(daemon->config, "pin", key, fallback, 1, MINUTES_MAX, &minutes, NULL);
  return (gint64)minutes * MINUTE_US;
}

gboolean
daemon_expiry_check_config(Daemon *daemon, GError **error)
{
  int minutes = 0;
  return base_config_number(daemon->config, "pin", "idle", IDLE_MINUTES, 1, MINUTES_MAX, &minutes,
                            error) &&
         base_config_number(daemon->config, "pin", "hard", HARD_MINUTES, 1, MINUTES_MAX, &minutes,
                            error);
}

static gint64
end_of(DaemonToken *token)
{
  return MIN(token->used_at + limit_of(token->daemon, "idle", IDLE_MINUTES),
             token->opened_at + limit_of(token->daemon, "hard", HARD_MINUTES));
}

gboolean
daemon_expiry_passed(DaemonToken *token)
{
  return token->opened && end_of(token) <= daemon_expiry_now();
}

static gboolean
check(gpointer user_data)
{
  Daemon *daemon = user_data;
  daemon->expiry_timer = 0;
  g_autoptr(GPtrArray) all = daemon_token_all(daemon);
  for (guint i = 0; i < all->len; i++) {
    DaemonToken *token = all->pdata[i];
    if (daemon_expiry_passed(token)) {
      base_log("%s was unlocked and not used: locked", daemon_token_label(token));
      daemon_login_lock(token, NULL, NULL);
    }
  }
  daemon_expiry_arm(daemon);
  return G_SOURCE_REMOVE;
}

void
daemon_expiry_arm(Daemon *daemon)
{
  gint64 now = daemon_expiry_now();
  gint64 end = G_MAXINT64;
  for (guint i = 0; i < daemon->tokens->len; i++) {
    DaemonToken *token = daemon->tokens->pdata[i];
    if (token->opened)
      end = MIN(end, end_of(token));
  }
  daemon_timer_clear(&daemon->expiry_timer);
  if (end != G_MAXINT64)
    daemon_timer_set(&daemon->expiry_timer, (guint)CLAMP((end - now) / 1000 + 1, 1, G_MAXINT),
                     check, daemon);
}
