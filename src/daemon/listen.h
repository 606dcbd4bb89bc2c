/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one socket of the one daemon: held by a lock from before bind to exit. */

#include "daemon/broker.h"

/* *ret_running: another daemon holds the lock (then NULL without an error). */
DaemonListener *daemon_listener_new(gboolean *ret_running, GError **error);
void daemon_listener_start(DaemonListener *listener, Daemon *daemon);
/* No new connections; the socket file goes. */
void daemon_listener_stop(DaemonListener *listener);
void daemon_listener_free(DaemonListener *listener);
/* Somebody answers on the socket. */
gboolean daemon_listener_answers(GError **error);
