/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Deadlines: a point on the monotonic clock, handed down through every call
 * that can block on hardware, a peer or a person. */

#include <glib.h>

/* In microseconds of g_get_monotonic_time(). */
typedef gint64 BaseDeadline;

#define BASE_DEADLINE_NEVER G_MAXINT64

BaseDeadline base_deadline_in(guint milliseconds);

/* Milliseconds for poll(2), rounded up: 0 passed, -1 never. */
int base_deadline_left(BaseDeadline deadline);

gboolean base_deadline_passed(BaseDeadline deadline);
