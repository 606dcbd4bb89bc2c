/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "client/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_SIZE 16384
#define PIECES_MAX 2
#define DESCRIPTORS_MAX 8 /* more than one is wrong; these are received in order to be closed */

gboolean
client_check_process(const SignetClient *client, GError **error)
{
  if (client->pid == getpid())
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_USAGE,
                        "this client was opened by process %d before the fork; "
                        "a child process must call signet_client_connect() itself",
                        (int)client->pid);
}

void
client_connection_close(SignetClient *client)
{
  if (client->fd >= 0)
    close(client->fd);
  client->fd = -1;
  client->greeted = FALSE;
  wire_lines_clear(&client->lines);
}

gboolean
client_connection_is_idle(const SignetClient *client)
{
  char byte;
  if (client->lines.length)
    return FALSE;
  ssize_t got = recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static gboolean
is_gone(int errnum)
{
  return errnum == EPIPE || errnum == ECONNRESET || errnum == ENOTCONN || errnum == ESHUTDOWN;
}

/* DONE: ready (or an error that the next read or write will tell). */
static ClientIo
wait_for(int fd, short events, BaseDeadline deadline, GError **error)
{
  for (;;) {
    struct pollfd poll_fd = { .fd = fd, .events = events };
    int ready = poll(&poll_fd, 1, base_deadline_left(deadline));
    if (ready > 0)
      return CLIENT_IO_DONE;
    if (ready < 0 && errno != EINTR) {
      base_error_set_errno(error, errno, "cannot wait for signetd");
      return CLIENT_IO_FAILED;
    }
    if (base_deadline_passed(deadline)) {
      base_error_set(error, SIGNET_ERROR_TIMEOUT, "signetd did not answer in time");
      return CLIENT_IO_FAILED;
    }
  }
}

static gsize
fill_vector(struct iovec *vector, const ClientPiece *pieces, gsize n, gsize done)
{
  gsize used = 0;
  for (gsize i = 0; i < n; i++) {
    gsize skip = MIN(done, pieces[i].length);
    done -= skip;
    if (skip < pieces[i].length)
      vector[used++] =
          (struct iovec){ (char *)(gintptr)pieces[i].bytes + skip, pieces[i].length - skip };
  }
  return used;
}

ClientIo
client_connection_send(SignetClient *client, const ClientPiece *pieces, gsize n,
                       BaseDeadline deadline, GError **error)
{
  g_return_val_if_fail(n <= PIECES_MAX, CLIENT_IO_FAILED);
  gsize done = 0;
  for (;;) {
    struct iovec vector[PIECES_MAX];
    gsize left = fill_vector(vector, pieces, n, done);
    if (left == 0)
      return CLIENT_IO_DONE;
    const struct msghdr message = { .msg_iov = vector, .msg_iovlen = left };
    ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      done += (gsize)sent;
    } else if (is_gone(errno)) {
      return CLIENT_IO_LOST;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      ClientIo io = wait_for(client->fd, POLLOUT, deadline, error);
      if (io != CLIENT_IO_DONE)
        return io;
    } else if (errno != EINTR) {
      base_error_set_errno(error, errno, "cannot write to signetd");
      return CLIENT_IO_FAILED;
    }
  }
}

/* Keeps the first descriptor that came, closes others. */
static void
take_descriptors(struct msghdr *message, int *fd)
{
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
      continue;
    gsize count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (gsize i = 0; i < count; i++) {
      int came;
      memcpy(&came, CMSG_DATA(part) + i * sizeof(int), sizeof came);
      if (*fd < 0)
        *fd = came;
      else
        close(came);
    }
  }
}

/* Without a place for descriptors the kernel closes those that come. */
static ssize_t
receive_some(int socket_fd, char *bytes, gsize size, int *fd)
{
  if (!fd)
    return recv(socket_fd, bytes, size, MSG_DONTWAIT);
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
  } control;
  struct iovec vector = { bytes, size };
  struct msghdr message = {
    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
  };
  ssize_t got = recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got >= 0)
    take_descriptors(&message, fd);
  return got;
}

static ClientIo
read_more(SignetClient *client, int *fd, BaseDeadline deadline, GError **error)
{
  ClientIo io = wait_for(client->fd, POLLIN, deadline, error);
  if (io != CLIENT_IO_DONE)
    return io;
  char *room = wire_lines_room(&client->lines, READ_SIZE);
  ssize_t got = receive_some(client->fd, room, READ_SIZE, fd);
  if (got > 0) {
    wire_lines_filled(&client->lines, (gsize)got);
    return CLIENT_IO_DONE;
  }
  if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
    return CLIENT_IO_DONE;
  if (got < 0 && !is_gone(errno)) {
    base_error_set_errno(error, errno, "cannot read from signetd");
    return CLIENT_IO_FAILED;
  }
  if (client->lines.length == 0)
    return CLIENT_IO_LOST;
  base_error_set(error, SIGNET_ERROR_BAD_INPUT, "signetd closed the connection inside an answer");
  return CLIENT_IO_FAILED;
}

ClientIo
client_connection_receive(SignetClient *client, int *fd, BaseDeadline deadline,
                          json_t **ret_message, GError **error)
{
  for (;;) {
    json_t *message = NULL;
    if (!wire_lines_take(&client->lines, &message, error)) {
      g_prefix_error(error, "signetd's answer: ");
      return CLIENT_IO_FAILED;
    }
    if (message) {
      *ret_message = message;
      return CLIENT_IO_DONE;
    }
    ClientIo io = read_more(client, fd, deadline, error);
    if (io != CLIENT_IO_DONE)
      return io;
  }
}
