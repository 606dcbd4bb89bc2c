/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Deadlines: a point on the monotonic clock, handed down through every call
 * that can block on hardware, a peer or a person. */

#include <glib.h>

typedef gint64 BaseDeadline; /* microseconds of g_get_monotonic_time(); G_MAXINT64: never */

#define BASE_DEADLINE_NEVER G_MAXINT64

BaseDeadline base_deadline_in(guint milliseconds);
int base_deadline_left(
    BaseDeadline deadline); /* milliseconds for poll(2): 0 passed, -1 never; rounds up */
gboolean base_deadline_passed(BaseDeadline deadline);
