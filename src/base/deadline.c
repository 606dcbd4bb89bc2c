/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/deadline.h"

BaseDeadline
base_deadline_in(guint milliseconds)
{
  return g_get_monotonic_time() + (gint64)milliseconds * 1000;
}

int
base_deadline_left(BaseDeadline deadline)
{
  if (deadline == BASE_DEADLINE_NEVER)
    return -1;
  gint64 left = deadline - g_get_monotonic_time();
  if (left <= 0)
    return 0;
  return (int)MIN((left + 999) / 1000, G_MAXINT);
}

gboolean
base_deadline_passed(BaseDeadline deadline)
{
  return deadline != BASE_DEADLINE_NEVER && g_get_monotonic_time() >= deadline;
}
