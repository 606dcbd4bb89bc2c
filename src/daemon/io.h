/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Non-blocking descriptors on the main loop. */

#include <glib.h>

typedef void (*DaemonIoFunc)(int fd, GIOCondition condition, gpointer user_data);

/* Watches fd; hang-up and error are always told. Cheaper than g_unix_fd_add where the
 * wanted events change with every message. */
GSource *daemon_io_add(int fd, GIOCondition events, DaemonIoFunc func, gpointer user_data);
void daemon_io_want(GSource *io, GIOCondition events);
void daemon_io_remove(GSource **io); /* the descriptor stays open */

/* One timer, set anew or cleared; 0 is "none". */
void daemon_timer_set(guint *timer, guint milliseconds, GSourceFunc func, gpointer user_data);
void daemon_timer_clear(guint *timer);

gboolean daemon_fd_nonblocking(int fd);

/* Bytes on their way out, with descriptors attached to some of them; wiped as they go. */
typedef struct {
  GQueue chunks;
  gsize bytes; /* not yet written */
} DaemonQueue;

void daemon_queue_init(DaemonQueue *queue);
void daemon_queue_clear(DaemonQueue *queue);
/* Copies; takes pass_fd (-1: none), which goes with the first byte. */
void daemon_queue_add(DaemonQueue *queue, gconstpointer bytes, gsize length, int pass_fd);
/* Header and body of one frame in one chunk. */
void daemon_queue_add_frame(DaemonQueue *queue, const guint8 *header, gsize header_length,
                            gconstpointer body, gsize length, int pass_fd);
/* Writes what goes without blocking; FALSE when the peer is gone. */
gboolean daemon_queue_write(DaemonQueue *queue, int fd);
