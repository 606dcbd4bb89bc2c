/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_SIZE_MAX (1024 * 1024)

static struct {
  const char *program;
  int fd;
} sink = { "signet", STDERR_FILENO };

void
base_log_start(const char *program)
{
  sink.program = program;
}

gboolean
base_log_to_file(const char *path, GError **error)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat info;
  if (fd < 0)
    return base_error_set_errno(error, errno, "cannot open the log %s", path);
  if (fstat(fd, &info) == 0 && info.st_size > LOG_SIZE_MAX && ftruncate(fd, 0) != 0) {
    int saved = errno;
    close(fd);
    return base_error_set_errno(error, saved, "cannot start the log %s anew", path);
  }
  sink.fd = fd;
  return TRUE;
}

void
base_log(const char *format, ...)
{
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *when = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  /* Text may hold a token's label or a peer's name: control bytes never reach a terminal. */
  for (char *at = text; *at; at++)
    if (g_ascii_iscntrl(*at))
      *at = '?';
  if (dprintf(sink.fd, "%s %s[%d]: %s\n", when, sink.program, (int)getpid(), text) < 0)
    return; /* a full disk must not stop the daemon */
}
