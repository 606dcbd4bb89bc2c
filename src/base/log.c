/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

/* FALSE: it has grown too large and cannot be started anew. */
static gboolean
limit_size(int fd)
{
  struct stat info;
  return fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= LOG_SIZE_MAX ||
         ftruncate(fd, 0) == 0;
}

gboolean
base_log_to_file(const char *path, GError **error)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return base_error_set_errno(error, errno, "cannot open the log %s", path);
  if (!limit_size(fd)) {
    int saved = errno;
    close(fd);
    return base_error_set_errno(error, saved, "cannot start the log %s anew", path);
  }
  int old = sink.fd;
  sink.fd = fd;
  if (old != STDERR_FILENO)
    close(old);
  return TRUE;
}

/* One write for each line: O_APPEND keeps the lines of several threads and processes whole.
 * A full disk must not stop the daemon, so nothing is done about a failure. */
void
base_log(const char *format, ...)
{
  const int saved = errno;
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *when = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *shown = base_text_shown(text, -1); /* may hold a token's label */
  g_autofree char *line =
      g_strdup_printf("%s %s[%d]: %s\n", when, sink.program, (int)getpid(), shown);
  if (sink.fd != STDERR_FILENO)
    limit_size(sink.fd);
  while (write(sink.fd, line, strlen(line)) < 0 && errno == EINTR)
    ;
  errno = saved;
}
