/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loaded before the C library: a machine that slept for ten minutes once the file
 * $SIGNET_FAKE_FOLDER/slept is there. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLEPT 600 /* seconds: less than any idle limit of the tests */

int clock_gettime(clockid_t clock, struct timespec *ret_time);

__attribute__((visibility("default"))) int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
  char path[4096];
  const char *folder = getenv("SIGNET_FAKE_FOLDER");
  if (syscall(SYS_clock_gettime, clock, ret_time) != 0)
    return -1;
  if (clock != CLOCK_BOOTTIME || !folder)
    return 0;
  snprintf(path, sizeof path, "%s/slept", folder);
  if (access(path, F_OK) == 0)
    ret_time->tv_sec += SLEPT;
  return 0;
}
