/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
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

static gboolean
check_input(Cli *cli, const char *path, GError **error)
{
  if (cli_text(cli, "input") && cli_argument(cli, 0))
    return base_error_set(error, SIGNET_ERROR_USAGE, "two messages named: %s and %s", path,
                          cli_argument(cli, 0));
  if (strcmp(path, "-") == 0 && isatty(STDIN_FILENO))
    cli_note(cli, "reading from the terminal, end with Ctrl-D");
  return TRUE;
}

BaseInput *
cli_input_open(Cli *cli, GError **error)
{
  const char *path = input_path(cli);
  return check_input(cli, path, error) ? base_input_open(path, G_MAXOFFSET, error) : NULL;
}

static gboolean
write_whole(BaseSink *sink, GBytes *bytes, GError **error)
{
  gsize length;
  gconstpointer data = g_bytes_get_data(bytes, &length);
  return base_sink_write(sink, data, length, error) && base_sink_finish(sink, error);
}

gboolean
cli_write_file(const char *path, GBytes *bytes, GError **error)
{
  g_autoptr(BaseSink) sink = base_sink_to_file(path, error);
  return sink && write_whole(sink, bytes, error);
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
  g_autoptr(BaseSink) sink = base_sink_to_fd(STDOUT_FILENO, "standard output");
  return write_whole(sink, bytes, error);
}
