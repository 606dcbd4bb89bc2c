/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/io.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHUNKS_PER_WRITE 32

typedef struct {
  GSource source;
  gpointer tag;
  GIOCondition events;
  int fd;
  DaemonIoFunc func;
  gpointer user_data;
} IoSource;

static gboolean
io_check(GSource *source)
{
  IoSource *io = (IoSource *)source;
  return g_source_query_unix_fd(source, io->tag) != 0;
}

static gboolean
io_dispatch(GSource *source, GSourceFunc callback G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
  IoSource *io = (IoSource *)source;
  io->func(io->fd, g_source_query_unix_fd(source, io->tag), io->user_data);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs io_funcs = { .check = io_check, .dispatch = io_dispatch };

GSource *
daemon_io_add(int fd, GIOCondition events, DaemonIoFunc func, gpointer user_data)
{
  GSource *source = g_source_new(&io_funcs, sizeof(IoSource));
  IoSource *io = (IoSource *)source;
  io->fd = fd;
  io->func = func;
  io->user_data = user_data;
  io->events = events;
  io->tag = g_source_add_unix_fd(source, fd, events | G_IO_HUP | G_IO_ERR);
  g_source_attach(source, NULL);
  return source;
}

void
daemon_io_want(GSource *source, GIOCondition events)
{
  IoSource *io = (IoSource *)source;
  if (io->events == events) /* each change wakes the loop by a system call */
    return;
  io->events = events;
  g_source_modify_unix_fd(source, io->tag, events | G_IO_HUP | G_IO_ERR);
}

void
daemon_io_remove(GSource **io)
{
  if (!*io)
    return;
  g_source_destroy(*io);
  g_source_unref(*io);
  *io = NULL;
}

void
daemon_timer_set(guint *timer, guint milliseconds, GSourceFunc func, gpointer user_data)
{
  daemon_timer_clear(timer);
  *timer = g_timeout_add(milliseconds, func, user_data);
}

void
daemon_timer_clear(guint *timer)
{
  if (*timer)
    g_source_remove(*timer);
  *timer = 0;
}

gboolean
daemon_fd_nonblocking(int fd)
{
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

typedef struct {
  gsize length;
  gsize offset;
  int fd;
  guint8 bytes[];
} Chunk;

static void
chunk_free(gpointer data)
{
  Chunk *chunk = data;
  if (chunk->fd >= 0)
    close(chunk->fd);
  base_wipe(chunk->bytes, chunk->length);
  g_free(chunk);
}

void
daemon_queue_init(DaemonQueue *queue)
{
  g_queue_init(&queue->chunks);
  queue->bytes = 0;
}

void
daemon_queue_clear(DaemonQueue *queue)
{
  g_queue_clear_full(&queue->chunks, chunk_free);
  queue->bytes = 0;
}

void
daemon_queue_add_frame(DaemonQueue *queue, const guint8 *header, gsize header_length,
                       gconstpointer body, gsize length, int pass_fd)
{
  Chunk *chunk = g_malloc(sizeof *chunk + header_length + length);
  chunk->length = header_length + length;
  chunk->offset = 0;
  chunk->fd = pass_fd;
  if (header_length)
    memcpy(chunk->bytes, header, header_length);
  if (length)
    memcpy(chunk->bytes + header_length, body, length);
  g_queue_push_tail(&queue->chunks, chunk);
  queue->bytes += chunk->length;
}

void
daemon_queue_add(DaemonQueue *queue, gconstpointer bytes, gsize length, int pass_fd)
{
  daemon_queue_add_frame(queue, NULL, 0, bytes, length, pass_fd);
}

static void
attach_fd(struct msghdr *message, char *space, gsize space_size, int fd)
{
  message->msg_control = space;
  message->msg_controllen = space_size;
  struct cmsghdr *control = CMSG_FIRSTHDR(message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(control), &fd, sizeof fd);
}

/* As many chunks as fit in one call; a descriptor only ever goes with the first of them,
 * since a receiver gets it with the first byte of the call. */
static ssize_t
write_some(DaemonQueue *queue, int fd)
{
  struct iovec parts[CHUNKS_PER_WRITE];
  struct msghdr message = { .msg_iov = parts };
  char space[CMSG_SPACE(sizeof(int))] = { 0 };

  for (GList *at = queue->chunks.head; at && message.msg_iovlen < CHUNKS_PER_WRITE; at = at->next) {
    Chunk *chunk = at->data;
    if (chunk->fd >= 0 && message.msg_iovlen > 0)
      break;
    if (chunk->fd >= 0)
      attach_fd(&message, space, sizeof space, chunk->fd);
    parts[message.msg_iovlen++] = (struct iovec){ .iov_base = chunk->bytes + chunk->offset,
                                                  .iov_len = chunk->length - chunk->offset };
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
queue_written(DaemonQueue *queue, gsize written)
{
  queue->bytes -= written;
  while (written > 0) {
    Chunk *chunk = g_queue_peek_head(&queue->chunks);
    gsize part = MIN(written, chunk->length - chunk->offset);
    chunk->offset += part;
    written -= part;
    if (chunk->fd >= 0)
      close(chunk->fd);
    chunk->fd = -1;
    if (chunk->offset == chunk->length)
      chunk_free(g_queue_pop_head(&queue->chunks));
  }
}

gboolean
daemon_queue_write(DaemonQueue *queue, int fd)
{
  while (queue->bytes > 0) {
    ssize_t written = write_some(queue, fd);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return errno == EAGAIN || errno == EWOULDBLOCK;
    queue_written(queue, (gsize)written);
  }
  return TRUE;
}
