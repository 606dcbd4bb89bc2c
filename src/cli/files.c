/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/path.h"
#include "cli/cli.h"
#include "cms/cms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
input_path(const Cli *cli)
{
  const char *path = cli_text(cli, "input");
  if (!path)
    path = cli_argument(cli, 0);
  return path ? path : "-";
}

const char *
cli_input_name(const Cli *cli)
{
  const char *path = input_path(cli);
  return strcmp(path, "-") == 0 ? "standard input" : path;
}

GBytes *
cli_read_message(Cli *cli, GError **error)
{
  const char *path = input_path(cli);
  if (cli_text(cli, "input") && cli_argument(cli, 0)) {
    base_error_set(error, SIGNET_ERROR_USAGE, "two messages named: %s and %s", path,
                   cli_argument(cli, 0));
    return NULL;
  }
  if (strcmp(path, "-") == 0 && isatty(STDIN_FILENO))
    cli_note(cli, "reading from the terminal, end with Ctrl-D");
  return base_path_read(path, CMS_CONTENT_MAX, error);
}

static gboolean
write_descriptor(int fd, const char *name, GBytes *bytes, GError **error)
{
  gsize length;
  const guint8 *at = g_bytes_get_data(bytes, &length);
  while (length) {
    ssize_t done = write(fd, at, length);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return base_error_set_errno(error, errno, "cannot write to %s", name);
    at += done;
    length -= (gsize)done;
  }
  return TRUE;
}

/* A device or a pipe is written, never replaced by a file of its name. */
static gboolean
write_special(const char *path, GBytes *bytes, GError **error)
{
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return base_error_set_errno(error, errno, "cannot write %s", path);
  gboolean written = write_descriptor(fd, path, bytes, error);
  if (close(fd) != 0 && written)
    return base_error_set_errno(error, errno, "cannot write %s", path);
  return written;
}

gboolean
cli_write_file(const char *path, GBytes *bytes, GError **error)
{
  struct stat info;
  mode_t mode = 0600;
  /* What a link points to is written, not the link; a file that is there keeps its mode. */
  char *real = realpath(path, NULL);
  g_autofree char *target = g_strdup(real ? real : path);
  free(real);
  if (stat(target, &info) == 0) {
    if (S_ISDIR(info.st_mode))
      return base_error_set(error, SIGNET_ERROR_IO, "cannot write %s: it is a folder", path);
    if (!S_ISREG(info.st_mode))
      return write_special(target, bytes, error);
    mode = info.st_mode & 0777;
  }
  gsize length;
  gconstpointer data = g_bytes_get_data(bytes, &length);
  return base_path_write(target, data, length, mode, error);
}

gboolean
cli_write(Cli *cli, GBytes *bytes, gboolean binary, GError **error)
{
  const char *output = cli_text(cli, "output");
  if (output && strcmp(output, "-") != 0)
    return cli_write_file(output, bytes, error);
  if (binary && isatty(STDOUT_FILENO)) {
    base_error_set(error, SIGNET_ERROR_USAGE,
                   "this is binary, which a terminal cannot show; name a file with -o");
    return FALSE;
  }
  if (fflush(stdout) != 0)
    return base_error_set_errno(error, errno, "cannot write to standard output");
  return write_descriptor(STDOUT_FILENO, "standard output", bytes, error);
}
