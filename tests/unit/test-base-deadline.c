/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/deadline.h"

static void
never_waits_forever(void)
{
  g_assert_cmpint(base_deadline_left(BASE_DEADLINE_NEVER), ==, -1);
  g_assert_false(base_deadline_passed(BASE_DEADLINE_NEVER));
}

static void
past_is_passed(void)
{
  g_assert_cmpint(base_deadline_left(g_get_monotonic_time() - 1), ==, 0);
  g_assert_true(base_deadline_passed(g_get_monotonic_time() - 1));
  g_assert_true(base_deadline_passed(base_deadline_in(0)));
}

/* poll(2) with 0 for the last fraction of a millisecond would spin. */
static void
fraction_rounds_up(void)
{
  g_assert_cmpint(base_deadline_left(g_get_monotonic_time() + 1500), >=, 1);
  int left = base_deadline_left(base_deadline_in(10000));
  g_assert_cmpint(left, >, 9000);
  g_assert_cmpint(left, <=, 10000);
}

static void
far_future_fits_poll(void)
{
  g_assert_cmpint(base_deadline_left(base_deadline_in(G_MAXUINT)), ==, G_MAXINT);
  g_assert_cmpint(base_deadline_left(BASE_DEADLINE_NEVER - 1), ==, G_MAXINT);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/base/deadline/never-waits-forever", never_waits_forever);
  g_test_add_func("/base/deadline/past-is-passed", past_is_passed);
  g_test_add_func("/base/deadline/fraction-rounds-up", fraction_rounds_up);
  g_test_add_func("/base/deadline/far-future-fits-poll", far_future_fits_poll);
  return g_test_run();
}
