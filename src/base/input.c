/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/flow.h"
#include "base/path.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
too_large(const char *name, goffset max, GError **error)
{
  return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                        "%s is larger than %" G_GOFFSET_FORMAT " bytes", name, max);
}

gboolean
base_flow_pump_fd(int fd, const char *name, goffset max, BaseSink *to, GError **error)
{
  guint8 *piece = g_malloc(BASE_FLOW_PIECE);
  gboolean ok = TRUE;
  ssize_t got = 1;
  while (ok && got > 0) {
    got = base_path_read_some(fd, piece, BASE_FLOW_PIECE);
    if (got < 0)
      ok = base_error_set_errno(error, errno, "cannot read %s", name);
    else if (got > max)
      ok = too_large(name, max, error);
    else
      ok = base_sink_write(to, piece, (gsize)got, error);
    max -= got;
  }
  base_wipe(piece, BASE_FLOW_PIECE);
  g_free(piece);
  return ok;
}

/* ---- input ---- */

struct BaseInput {
  char *name;
  int fd;
  goffset start; /* standard input may be a file that was read in part */
  goffset length;
  struct stat was;
  BaseSpool *spool; /* NULL: a regular file */
};

static gboolean
still_the_same(const BaseInput *input, GError **error)
{
  struct stat now;
  if (fstat(input->fd, &now) != 0)
    return base_error_set_errno(error, errno, "cannot read %s", input->name);
  if (now.st_size != input->was.st_size || now.st_mtim.tv_sec != input->was.st_mtim.tv_sec ||
      now.st_mtim.tv_nsec != input->was.st_mtim.tv_nsec)
    return base_error_set(error, SIGNET_ERROR_IO, "%s was changed while it was read; try again",
                          input->name);
  return TRUE;
}

static gboolean
open_spool(BaseInput *input, goffset max, GError **error)
{
  input->spool = base_spool_new(TRUE, error);
  if (!input->spool)
    return FALSE;
  BaseSink *sink = base_spool_sink(input->spool);
  if (!base_flow_pump_fd(input->fd, input->name, max, sink, error) ||
      !base_sink_finish(sink, error))
    return FALSE;
  input->length = base_spool_length(input->spool);
  return TRUE;
}

/* Files of /proc and /sys say that they are empty, and are not. */
static gboolean
open_any(BaseInput *input, goffset max, GError **error)
{
  if (fstat(input->fd, &input->was) != 0)
    return base_error_set_errno(error, errno, "cannot read %s", input->name);
  if (!S_ISREG(input->was.st_mode) || input->was.st_size == 0)
    return open_spool(input, max, error);
  input->start = lseek(input->fd, 0, SEEK_CUR);
  if (input->start < 0)
    return base_error_set_errno(error, errno, "cannot read %s", input->name);
  input->length = MAX(input->was.st_size - input->start, 0);
  if (input->length > max)
    return too_large(input->name, max, error);
  /* Whoever shares standard input with us finds it read. */
  lseek(input->fd, 0, SEEK_END);
  return TRUE;
}

BaseInput *
base_input_open(const char *path, goffset max, GError **error)
{
  gboolean standard = strcmp(path, "-") == 0;
  int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    base_error_set_errno(error, errno, "cannot open %s", path);
    return NULL;
  }
  g_autoptr(BaseInput) input = g_new0(BaseInput, 1);
  input->name = g_strdup(standard ? "standard input" : path);
  input->fd = fd;
  return open_any(input, max, error) ? g_steal_pointer(&input) : NULL;
}

BaseInput *
base_input_from_spool(BaseSpool *spool)
{
  BaseInput *input = g_new0(BaseInput, 1);
  input->name = g_strdup("a temporary file");
  input->fd = -1;
  input->spool = spool;
  input->length = base_spool_length(spool);
  return input;
}

goffset
base_input_length(const BaseInput *input)
{
  return input->length;
}

gboolean
base_input_is_kept(const BaseInput *input)
{
  return input->spool != NULL;
}

static gboolean
read_piece(const BaseInput *input, goffset from, guint8 *piece, gsize want, gsize *ret_got,
           GError **error)
{
  ssize_t got = pread(input->fd, piece, want, input->start + from);
  if (got < 0 && errno == EINTR)
    got = pread(input->fd, piece, want, input->start + from);
  if (got < 0)
    return base_error_set_errno(error, errno, "cannot read %s", input->name);
  if (got == 0)
    return base_error_set(error, SIGNET_ERROR_IO, "%s was cut off while it was read; try again",
                          input->name);
  *ret_got = (gsize)got;
  return TRUE;
}

static gboolean
read_file(const BaseInput *input, goffset from, goffset length, BaseSink *to, GError **error)
{
  gsize size = (gsize)MIN(length, BASE_FLOW_PIECE);
  guint8 *piece = g_malloc(size);
  gboolean ok = still_the_same(input, error);
  gsize got = 0;
  for (; ok && length; from += (goffset)got, length -= (goffset)got) {
    ok = read_piece(input, from, piece, (gsize)MIN(length, (goffset)size), &got, error) &&
         base_sink_write(to, piece, got, error);
  }
  base_wipe(piece, size);
  g_free(piece);
  return ok && still_the_same(input, error);
}

gboolean
base_input_read(BaseInput *input, goffset from, goffset length, BaseSink *to, GError **error)
{
  if (input->spool)
    return base_spool_read(input->spool, from, length, to, error);
  if (from < 0 || length < 0 || from > input->length || length > input->length - from)
    return base_error_set(error, SIGNET_ERROR_FAILED, "more of %s was asked for than there is",
                          input->name);
  return read_file(input, from, length, to, error);
}

void
base_input_free(BaseInput *input)
{
  if (!input)
    return;
  if (input->fd >= 0 && input->fd != STDIN_FILENO)
    close(input->fd);
  base_spool_free(input->spool);
  g_free(input->name);
  g_free(input);
}
