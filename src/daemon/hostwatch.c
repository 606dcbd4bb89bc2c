/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SoftHSM reads its tokens folder when it starts and never again (2.6.1): it sees no
 * token that others make or delete. So its folder is watched, and its host is started
 * anew when a token's folder came or went and nothing runs. */
#include "base/log.h"
#include "daemon/hostlife.h"

#include <sys/inotify.h>
#include <unistd.h>

/* A new token's folder is there before its files are. */
#define REST_MS 300

static gboolean
rested(gpointer user_data)
{
  DaemonHost *host = user_data;
  host->start_timer = 0;
  daemon_host_watch_check(host);
  return G_SOURCE_REMOVE;
}

static gboolean
read_events(DaemonHost *host)
{
  _Alignas(struct inotify_event) char buffer[4096];
  gboolean any = FALSE;
  ssize_t got = 0;
  while ((got = read(host->watch, buffer, sizeof buffer)) > 0) {
    for (char *at = buffer; at < buffer + got;) {
      const struct inotify_event *event = (const struct inotify_event *)(gpointer)at;
      any = any || (event->mask & (IN_ISDIR | IN_DELETE_SELF | IN_MOVE_SELF));
      at += sizeof *event + event->len;
    }
  }
  return any;
}

static void
folder_changed(int fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  DaemonHost *host = user_data;
  if (!read_events(host) || host->own_changes > 0)
    return;
  host->restart_wanted = TRUE;
  if (host->state == DAEMON_HOST_READY)
    daemon_timer_set(&host->start_timer, REST_MS, rested, host);
}

void
daemon_host_watch(DaemonHost *host)
{
  if (!host->spec.folder || host->watch >= 0)
    return;
  host->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (host->watch < 0)
    return;
  if (inotify_add_watch(host->watch, host->spec.folder,
                        IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |
                            IN_ONLYDIR) < 0)
    base_log("%s: the folder %s cannot be watched", host->spec.name, host->spec.folder);
  host->watch_io = daemon_io_add(host->watch, G_IO_IN, folder_changed, host);
}

void
daemon_host_unwatch(DaemonHost *host)
{
  daemon_io_remove(&host->watch_io);
  if (host->watch >= 0)
    close(host->watch);
  host->watch = -1;
}

void
daemon_host_watch_drain(DaemonHost *host)
{
  if (host->watch >= 0 && host->own_changes == 0)
    read_events(host);
}

void
daemon_host_watch_check(DaemonHost *host)
{
  if (!host->restart_wanted || host->state != DAEMON_HOST_READY || daemon_host_busy(host))
    return;
  base_log("%s: tokens came or went in %s: started anew", host->spec.name, host->spec.folder);
  daemon_host_restart(host, TRUE, "its folder changed");
}
