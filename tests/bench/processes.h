/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel says of other processes (/proc), and running a command for its time and memory. */

#include <glib.h>
#include <sys/types.h>

/* The process ids of pid's children; never NULL. */
GArray *bench_process_children(pid_t pid);
gboolean bench_process_alive(pid_t pid);
/* A field of /proc/PID/status in KiB ("VmRSS", "VmHWM"); 0 when there is none. */
gint64 bench_process_memory(pid_t pid, const char *field);
/* Asks it to end, and after two seconds no longer asks. Not for our own children. */
void bench_process_end(pid_t pid);

/* Ends, at once, our children of that name (comm, 15 bytes): with bench_process_reap_orphans()
 * also those whose parent is gone. */
void bench_process_reap_orphans(void);
void bench_process_end_orphans(const char *comm);

/* Runs argv (argv[0] is a path) with standard input from the file input (NULL: /dev/null), output
 * to /dev/null and standard error to the file errors, and waits for it. Microseconds from before
 * the start to after the end, or -1 when it cannot be started or does not exit with 0. */
gint64 bench_process_time(const char *const *argv, char **env, const char *input,
                          const char *errors);

typedef struct {
  double milliseconds;
  double processor; /* milliseconds, its own and the kernel's for it */
  gint64 peak;      /* KiB: its largest resident memory, without its children's */
  int status;       /* exit status; 128 and more: ended by a signal */
} BenchUsage;

/* Runs argv in a folder through bench-measure (`launcher`), from /dev/null to a new file `output`, standard
 * error to the file `errors`. FALSE when it could not be started, or was interrupted. */
gboolean bench_process_measure(const char *launcher, const char *folder, const char *const *argv,
                               char **env, const char *output, const char *errors,
                               BenchUsage *ret_usage);

double bench_median(GArray *doubles); /* sorts them; 0 when empty */
