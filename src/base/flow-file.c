/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/draft.h"
#include "base/error.h"
#include "base/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  BaseSink sink;
  char *path;
  BaseDraft *draft; /* NULL: a device or a pipe, which is written and never replaced */
  int fd;           /* the device's or pipe's own; -1 when closed */
  mode_t mode;
  BaseSink *bytes;
} FileSink;

static gboolean
file_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  return base_sink_write(((FileSink *)sink)->bytes, bytes, length, error);
}

static gboolean
close_device(FileSink *self, GError **error)
{
  int fd = self->fd;
  self->fd = -1;
  if (close(fd) != 0)
    return base_error_set_errno(error, errno, "cannot write to %s", self->path);
  return TRUE;
}

static gboolean
file_finish(BaseSink *sink, GError **error)
{
  FileSink *self = (FileSink *)sink;
  if (!base_sink_finish(self->bytes, error))
    return FALSE;
  return self->draft ? base_draft_commit(self->draft, self->mode, error)
                     : close_device(self, error);
}

static void
file_free(BaseSink *sink)
{
  FileSink *self = (FileSink *)sink;
  base_sink_free(self->bytes);
  base_draft_free(self->draft);
  if (self->fd >= 0)
    close(self->fd);
  g_free(self->path);
  g_free(self);
}

static gboolean
open_target(FileSink *self, const char *name, GError **error)
{
  struct stat info;
  gboolean there = stat(self->path, &info) == 0;
  if (there && S_ISDIR(info.st_mode))
    return base_error_set(error, SIGNET_ERROR_IO, "cannot write %s: it is a folder", name);
  if (there && !S_ISREG(info.st_mode)) {
    self->fd = open(self->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (self->fd < 0)
      return base_error_set_errno(error, errno, "cannot write to %s", name);
    self->bytes = base_sink_to_fd(self->fd, name);
    return TRUE;
  }
  self->mode = there ? info.st_mode & 0777 : 0600;
  self->draft = base_draft_new(self->path, error);
  if (!self->draft)
    return FALSE;
  self->bytes = base_sink_to_fd(base_draft_fd(self->draft), name);
  return TRUE;
}

BaseSink *
base_sink_to_file(const char *path, GError **error)
{
  static const BaseSinkClass klass = { file_write, file_finish, file_free };
  FileSink *self = g_new0(FileSink, 1);
  self->sink.klass = &klass;
  self->fd = -1;
  /* What a link points to is written, not the link. */
  char *real = realpath(path, NULL);
  self->path = g_strdup(real ? real : path);
  free(real);
  if (open_target(self, path, error))
    return &self->sink;
  file_free(&self->sink);
  return NULL;
}
