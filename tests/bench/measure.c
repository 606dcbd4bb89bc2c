/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* bench-measure FOLDER OUTPUT ERRORS PROGRAM [ARGUMENT…]: runs a program (a path) in FOLDER, from
 * /dev/null to a new file OUTPUT, and prints "MICROSECONDS PROCESSOR-MICROSECONDS PEAK-KIB STATUS" of it.
 *
 * A process of its own and without any library, because the kernel counts what the starting process
 * had resident to the peak of what it starts (exec_mmap(): signal->maxrss). */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CANNOT_START 127

static long long
microseconds(void)
{
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static long long
of_timeval(struct timeval time)
{
  return (long long)time.tv_sec * 1000000 + time.tv_usec;
}

static int
open_file(const char *path)
{
  return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static void
become(char **argv, int input, int output, int errors)
{
  /* Whoever stops the benchmark ends this one; the program goes with it. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (dup2(input, 0) >= 0 && dup2(output, 1) >= 0 && dup2(errors, 2) >= 0)
    execv(argv[0], argv);
  _exit(CANNOT_START);
}

static int
wait_for(pid_t child, struct rusage *ret_usage)
{
  int status;

  while (wait4(child, &status, 0, ret_usage) < 0) {
    if (errno != EINTR)
      return CANNOT_START;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
main(int argc, char **argv)
{
  struct rusage usage = { 0 };

  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (argc < 5 || chdir(argv[1]) != 0)
    return 2;
  int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int output = open_file(argv[2]);
  int errors = open_file(argv[3]);
  if (input < 0 || output < 0 || errors < 0)
    return 2;
  long long before = microseconds();
  pid_t child = fork();
  if (child == 0)
    become(argv + 4, input, output, errors);
  if (child < 0)
    return 2;
  int status = wait_for(child, &usage);
  long long after = microseconds();
  printf("%lld %lld %ld %d\n", after - before,
         of_timeval(usage.ru_utime) + of_timeval(usage.ru_stime), usage.ru_maxrss, status);
  return 0;
}
