/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/flow.h"

#include "base/error.h"
#include "base/path.h"
#include "base/secret.h"

#include <string.h>

/* ---- every sink ---- */

gboolean
base_sink_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  g_assert(!sink->failed && !sink->finished);
  if (length == 0)
    return TRUE;
  sink->failed = !sink->klass->write(sink, bytes, length, error);
  return !sink->failed;
}

gboolean
base_sink_finish(BaseSink *sink, GError **error)
{
  g_assert(!sink->failed && !sink->finished);
  sink->finished = TRUE;
  sink->failed = !sink->klass->finish(sink, error);
  return !sink->failed;
}

void
base_sink_free(BaseSink *sink)
{
  if (sink && sink->klass->free)
    sink->klass->free(sink);
}

/* ---- a descriptor ---- */

/* Headers of a message come in pieces of a few bytes; they are gathered. */
#define GATHER (16 * 1024)

typedef struct {
  BaseSink sink;
  int fd;
  char *name;
  gsize gathered;
  guint8 buffer[GATHER];
} FdSink;

static gboolean
fd_flush(FdSink *self, GError **error)
{
  gsize length = self->gathered;
  self->gathered = 0;
  return base_path_write_fd(self->fd, self->name, self->buffer, length, error);
}

static gboolean
fd_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  FdSink *self = (FdSink *)sink;
  if (length > GATHER - self->gathered && !fd_flush(self, error))
    return FALSE;
  if (length >= GATHER)
    return base_path_write_fd(self->fd, self->name, bytes, length, error);
  memcpy(self->buffer + self->gathered, bytes, length);
  self->gathered += length;
  return TRUE;
}

static gboolean
fd_finish(BaseSink *sink, GError **error)
{
  return fd_flush((FdSink *)sink, error);
}

static void
fd_free(BaseSink *sink)
{
  FdSink *self = (FdSink *)sink;
  base_wipe(self->buffer, sizeof self->buffer);
  g_free(self->name);
  g_free(self);
}

BaseSink *
base_sink_to_fd(int fd, const char *name)
{
  static const BaseSinkClass klass = { fd_write, fd_finish, fd_free };
  FdSink *self = g_new0(FdSink, 1);
  self->sink.klass = &klass;
  self->fd = fd;
  self->name = g_strdup(name);
  return &self->sink;
}

/* ---- memory ---- */

typedef struct {
  BaseSink sink;
  gsize max;
  gsize length;
  gsize size;
  guint8 *bytes;
  GBytes *result;
} MemorySink;

static void
memory_drop(guint8 *bytes, gsize size)
{
  base_wipe(bytes, size);
  g_free(bytes);
}

/* Not g_realloc(), which leaves what it moved behind. */
static void
memory_grow(MemorySink *self, gsize needed)
{
  if (needed <= self->size)
    return;
  gsize size = MAX(
      needed, MIN(self->max, MAX(4096, self->size > G_MAXSIZE / 2 ? G_MAXSIZE : 2 * self->size)));
  guint8 *bytes = g_malloc(size);
  if (self->length)
    memcpy(bytes, self->bytes, self->length);
  memory_drop(self->bytes, self->length);
  self->bytes = bytes;
  self->size = size;
}

static gboolean
memory_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  MemorySink *self = (MemorySink *)sink;
  if (length > self->max - self->length)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "larger than %zu bytes", self->max);
  memory_grow(self, self->length + length);
  memcpy(self->bytes + self->length, bytes, length);
  self->length += length;
  return TRUE;
}

typedef struct {
  guint8 *bytes;
  gsize length;
} Block;

static void
block_free(gpointer data)
{
  Block *block = data;
  memory_drop(block->bytes, block->length);
  g_free(block);
}

static gboolean
memory_finish(BaseSink *sink, GError **error)
{
  (void)error;
  MemorySink *self = (MemorySink *)sink;
  Block *block = g_new(Block, 1);
  block->bytes = g_steal_pointer(&self->bytes);
  block->length = self->length;
  self->result = g_bytes_new_with_free_func(block->bytes, block->length, block_free, block);
  return TRUE;
}

static void
memory_free(BaseSink *sink)
{
  MemorySink *self = (MemorySink *)sink;
  memory_drop(self->bytes, self->length);
  if (self->result)
    g_bytes_unref(self->result);
  g_free(self);
}

BaseSink *
base_sink_to_memory(gsize max)
{
  static const BaseSinkClass klass = { memory_write, memory_finish, memory_free };
  MemorySink *self = g_new0(MemorySink, 1);
  self->sink.klass = &klass;
  self->max = max;
  return &self->sink;
}

GBytes *
base_sink_memory_bytes(BaseSink *sink)
{
  MemorySink *self = (MemorySink *)sink;
  g_assert(self->result);
  return g_bytes_ref(self->result);
}

/* ---- nowhere ---- */

typedef struct {
  BaseSink sink;
  guint64 count;
} NowhereSink;

static gboolean
nowhere_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  (void)bytes;
  (void)error;
  ((NowhereSink *)sink)->count += length;
  return TRUE;
}

static gboolean
nowhere_finish(BaseSink *sink, GError **error)
{
  (void)sink;
  (void)error;
  return TRUE;
}

static void
nowhere_free(BaseSink *sink)
{
  g_free(sink);
}

BaseSink *
base_sink_to_nowhere(void)
{
  static const BaseSinkClass klass = { nowhere_write, nowhere_finish, nowhere_free };
  NowhereSink *self = g_new0(NowhereSink, 1);
  self->sink.klass = &klass;
  return &self->sink;
}

guint64
base_sink_nowhere_count(const BaseSink *sink)
{
  return ((const NowhereSink *)sink)->count;
}

/* ---- a tee ---- */

typedef struct {
  BaseSink sink;
  BaseSink *one;
  BaseSink *other;
} TeeSink;

static gboolean
tee_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  TeeSink *self = (TeeSink *)sink;
  return base_sink_write(self->one, bytes, length, error) &&
         base_sink_write(self->other, bytes, length, error);
}

static gboolean
tee_finish(BaseSink *sink, GError **error)
{
  TeeSink *self = (TeeSink *)sink;
  return base_sink_finish(self->one, error) && base_sink_finish(self->other, error);
}

static void
tee_free(BaseSink *sink)
{
  TeeSink *self = (TeeSink *)sink;
  base_sink_free(self->one);
  base_sink_free(self->other);
  g_free(self);
}

BaseSink *
base_sink_tee(BaseSink *one, BaseSink *other)
{
  static const BaseSinkClass klass = { tee_write, tee_finish, tee_free };
  TeeSink *self = g_new0(TeeSink, 1);
  self->sink.klass = &klass;
  self->one = one;
  self->other = other;
  return &self->sink;
}
