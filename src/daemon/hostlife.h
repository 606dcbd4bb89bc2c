/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The two halves of a host: its requests (host.c), its process (hostlife.c) and the
 * watch on its folder (hostwatch.c). For these files only. */

#include "daemon/host.h"

/* host.c */
void daemon_host_io(int fd, GIOCondition condition, gpointer user_data);
void daemon_host_lose_requests(DaemonHost *host, const char *reason);
void daemon_host_send_waiting(DaemonHost *host);
void daemon_host_fail_waiting(DaemonHost *host, const GError *error);

/* hostlife.c */
void daemon_host_spawn(DaemonHost *host);
void daemon_host_died(DaemonHost *host, const char *reason);
void daemon_host_notice(DaemonHost *host, guint16 kind, WireReader *body);

/* hostwatch.c */
void daemon_host_watch(DaemonHost *host);
void daemon_host_unwatch(DaemonHost *host);
/* Our own request changed the folder: what is queued about it is thrown away. */
void daemon_host_watch_drain(DaemonHost *host);
/* Starts it anew when the folder changed and nothing runs. */
void daemon_host_watch_check(DaemonHost *host);
