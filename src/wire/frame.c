/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/frame.h"

#include "base/error.h"
#include "base/secret.h"
#include "wire/limits.h"
#include "wire/pack.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FIRST_SIZE 4096 /* holds any operation's frame but a long Ed25519 message */
#define AHEAD_SIZE 4096
#define ERROR_TEXT_MAX 4096
#define TRIES_UNKNOWN 0xffffffffu

static void
put_u16(guint8 *at, guint16 value)
{
  at[0] = (guint8)value;
  at[1] = (guint8)(value >> 8);
}

static void
put_u32(guint8 *at, guint32 value)
{
  guint32 little = GUINT32_TO_LE(value);
  memcpy(at, &little, sizeof little);
}

static guint32
get_u32(const guint8 *at)
{
  guint32 little = 0;
  memcpy(&little, at, sizeof little);
  return GUINT32_FROM_LE(little);
}

void
wire_header_pack(const WireHeader *header, guint8 out[WIRE_HEADER_SIZE])
{
  put_u32(out, header->length);
  put_u32(out + 4, header->serial);
  put_u16(out + 8, header->kind);
  put_u16(out + 10, 0);
  put_u32(out + 12, header->deadline);
}

gboolean
wire_header_unpack(const guint8 in[WIRE_HEADER_SIZE], WireHeader *ret_header, GError **error)
{
  WireHeader header = { get_u32(in), get_u32(in + 4), (guint16)(in[8] | in[9] << 8),
                        get_u32(in + 12) };
  if (in[10] || in[11])
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "a frame's header is malformed");
  if (header.length > WIRE_FRAME_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "a frame of %u bytes is larger than %d",
                          header.length, WIRE_FRAME_MAX);
  *ret_header = header;
  return TRUE;
}

void
wire_channel_start(WireChannel *channel, int fd)
{
  memset(channel, 0, sizeof *channel);
  channel->fd = fd;
  channel->size = FIRST_SIZE;
  channel->bytes = g_malloc(channel->size);
  channel->ahead.bytes = g_malloc(AHEAD_SIZE);
  channel->ahead.fd = -1;
}

void
wire_channel_clear(WireChannel *channel)
{
  if (channel->bytes) {
    base_wipe(channel->bytes, channel->size);
    base_wipe(channel->ahead.bytes, AHEAD_SIZE);
    g_free(channel->bytes);
    g_free(channel->ahead.bytes);
    if (channel->ahead.fd >= 0)
      close(channel->ahead.fd);
    close(channel->fd);
  }
  memset(channel, 0, sizeof *channel);
  channel->fd = -1;
}

/* Waits until the socket is ready for `events`, or has failed (the next call on it tells). */
static gboolean
wait_for(WireChannel *channel, short events, BaseDeadline deadline, GError **error)
{
  for (;;) {
    struct pollfd ready = { channel->fd, events, 0 };
    int n = poll(&ready, 1, base_deadline_left(deadline));
    if (n > 0)
      return TRUE;
    if (n == 0)
      return base_error_set(error, SIGNET_ERROR_TIMEOUT, "%s",
                            events == POLLIN ? "no answer in time"
                                             : "the other side does not read in time");
    if (errno != EINTR)
      return base_error_set_errno(error, errno, "cannot wait for the channel");
  }
}

static gboolean
send_failed(int errnum, GError **error)
{
  if (errnum == EPIPE || errnum == ECONNRESET)
    return base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the other side closed the channel");
  return base_error_set_errno(error, errnum, "cannot write to the channel");
}

static void
attach_fd(struct msghdr *message, void *control, gsize control_size, int fd)
{
  memset(control, 0, control_size);
  message->msg_control = control;
  message->msg_controllen = control_size;
  struct cmsghdr *head = CMSG_FIRSTHDR(message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(head), &fd, sizeof fd);
}

/* What is left of a frame to send: its header and body, and the descriptor once. */
typedef struct {
  struct iovec parts[2];
  struct msghdr message;
  gsize left;
} Sending;

static void
sent(Sending *sending, gsize done)
{
  sending->left -= done;
  sending->message.msg_control = NULL; /* the descriptor went with the first byte */
  sending->message.msg_controllen = 0;
  for (gsize i = 0; i < 2 && done; i++) {
    gsize step = MIN(done, sending->parts[i].iov_len);
    sending->parts[i].iov_base = (guint8 *)sending->parts[i].iov_base + step;
    sending->parts[i].iov_len -= step;
    done -= step;
  }
}

static gboolean
send_all(WireChannel *channel, Sending *sending, BaseDeadline deadline, GError **error)
{
  while (sending->left) {
    ssize_t done = sendmsg(channel->fd, &sending->message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done >= 0) {
      sent(sending, (gsize)done);
    } else if (errno == EAGAIN) {
      if (!wait_for(channel, POLLOUT, deadline, error))
        return FALSE;
    } else if (errno != EINTR) {
      return send_failed(errno, error);
    }
  }
  return TRUE;
}

gboolean
wire_channel_send_fd(WireChannel *channel, const WireHeader *header, gconstpointer body,
                     int fd_to_pass, BaseDeadline deadline, GError **error)
{
  guint8 head[WIRE_HEADER_SIZE];
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  const gsize whole = sizeof head + header->length;
  Sending sending = {
    .parts = { { head, sizeof head }, { (gpointer)(gintptr)body, header->length } }, .left = whole
  };

  if (header->length > WIRE_FRAME_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "a frame of %u bytes is larger than %d",
                          header->length, WIRE_FRAME_MAX);
  wire_header_pack(header, head);
  sending.message.msg_iov = sending.parts;
  sending.message.msg_iovlen = header->length ? 2 : 1;
  if (fd_to_pass >= 0)
    attach_fd(&sending.message, control.bytes, sizeof control.bytes, fd_to_pass);
  if (send_all(channel, &sending, deadline, error))
    return TRUE;
  if (sending.left < whole) /* half a frame cannot be taken back: nothing may follow it */
    shutdown(channel->fd, SHUT_RDWR);
  return FALSE;
}

gboolean
wire_channel_send(WireChannel *channel, const WireHeader *header, gconstpointer body,
                  BaseDeadline deadline, GError **error)
{
  return wire_channel_send_fd(channel, header, body, -1, deadline, error);
}

/* Takes the descriptors that came: keeps the first, closes the rest. */
static void
take_fds(struct msghdr *message, int *kept)
{
  for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
      continue;
    gsize n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (gsize i = 0; i < n; i++) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
      if (*kept < 0)
        *kept = fd;
      else
        close(fd);
    }
  }
}

/* Bytes read, 0 at the end of file, -1 on failure. */
static ssize_t
receive_some(WireChannel *channel, guint8 *at, gsize want, BaseDeadline deadline, GError **error)
{
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * 4)];
  } control;
  /* Without a deadline the call itself waits: two calls fewer for each frame. */
  const int flags = MSG_CMSG_CLOEXEC | (deadline == BASE_DEADLINE_NEVER ? 0 : MSG_DONTWAIT);

  for (;;) {
    struct iovec part = { at, want };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    ssize_t got = recvmsg(channel->fd, &message, flags);
    if (got >= 0) {
      take_fds(&message, &channel->ahead.fd);
      return got;
    }
    if (errno == EINTR)
      continue;
    if (errno == ECONNRESET)
      return 0;
    if (errno != EAGAIN) {
      base_error_set_errno(error, errno, "cannot read from the channel");
      return -1;
    }
    if (!wait_for(channel, POLLIN, deadline, error))
      return -1;
  }
}

static gsize
ahead_left(const WireChannel *channel)
{
  return channel->ahead.length - channel->ahead.at;
}

/* More than one frame is read only where nothing is there yet. Later reads take what the
 * first frame lacks and no more. So at any time the one descriptor that is kept came with the
 * last frame that has begun: the kernel ends a read after the bytes that carried one, unix(7). */
static gboolean
fill_header(WireChannel *channel, BaseDeadline deadline, GError **error)
{
  while (ahead_left(channel) < WIRE_HEADER_SIZE) {
    gsize have = ahead_left(channel);
    memmove(channel->ahead.bytes, channel->ahead.bytes + channel->ahead.at, have);
    channel->ahead.at = 0;
    channel->ahead.length = have;
    ssize_t got = receive_some(channel, channel->ahead.bytes + have,
                               have ? WIRE_HEADER_SIZE - have : AHEAD_SIZE, deadline, error);
    if (got < 0)
      return FALSE;
    if (got == 0)
      return have ? base_error_set(error, SIGNET_ERROR_BAD_INPUT, "a frame was cut off")
                  : base_error_set(error, SIGNET_ERROR_TOKEN_GONE,
                                   "the other side closed the channel");
    channel->ahead.length += (gsize)got;
  }
  return TRUE;
}

static gboolean
begin_frame(WireChannel *channel, BaseDeadline deadline, GError **error)
{
  if (!fill_header(channel, deadline, error) ||
      !wire_header_unpack(channel->ahead.bytes + channel->ahead.at, &channel->ahead.header, error))
    return FALSE;
  channel->ahead.at += WIRE_HEADER_SIZE;
  channel->ahead.begun = TRUE;
  channel->ahead.come = 0;
  base_wipe(channel->bytes, MIN(channel->header.length, channel->size));
  channel->header.length = 0;
  if (channel->ahead.header.length > channel->size) {
    g_free(channel->bytes);
    channel->size = channel->ahead.header.length;
    channel->bytes = g_malloc(channel->size);
  }
  return TRUE;
}

static gboolean
fill_body(WireChannel *channel, BaseDeadline deadline, GError **error)
{
  const gsize length = channel->ahead.header.length;
  gsize step = MIN(length - channel->ahead.come, ahead_left(channel));
  guint8 *from = channel->ahead.bytes + channel->ahead.at;

  memcpy(channel->bytes + channel->ahead.come, from, step);
  base_wipe(from, step);
  channel->ahead.at += step;
  channel->ahead.come += step;
  while (channel->ahead.come < length) {
    ssize_t got = receive_some(channel, channel->bytes + channel->ahead.come,
                               length - channel->ahead.come, deadline, error);
    if (got < 0)
      return FALSE;
    if (got == 0)
      return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "a frame was cut off");
    channel->ahead.come += (gsize)got;
  }
  return TRUE;
}

/* After a TIMEOUT the next call goes on where this one stopped. */
gboolean
wire_channel_receive(WireChannel *channel, int *ret_fd, BaseDeadline deadline, GError **error)
{
  int fd = -1;
  if ((!channel->ahead.begun && !begin_frame(channel, deadline, error)) ||
      !fill_body(channel, deadline, error))
    return FALSE;
  channel->ahead.begun = FALSE;
  channel->header = channel->ahead.header;
  if (ahead_left(channel) == 0) {
    fd = channel->ahead.fd;
    channel->ahead.fd = -1;
  }
  if (ret_fd)
    *ret_fd = fd;
  else if (fd >= 0)
    close(fd);
  return TRUE;
}

gboolean
wire_channel_pending(const WireChannel *channel)
{
  WireHeader header = { 0 };
  gsize left = ahead_left(channel);
  if (channel->ahead.begun)
    return channel->ahead.come == channel->ahead.header.length;
  return left >= WIRE_HEADER_SIZE &&
         (!wire_header_unpack(channel->ahead.bytes + channel->ahead.at, &header, NULL) ||
          left - WIRE_HEADER_SIZE >= header.length);
}

GBytes *
wire_error_pack(const GError *error)
{
  g_auto(WirePacker) packer = { 0 };
  const SignetErrorDetails *details =
      error->domain == SIGNET_ERROR ? signet_error_get_details(error) : NULL;
  gboolean ours = error->domain == SIGNET_ERROR;
  wire_pack_u32(&packer, ours ? (guint32)error->code : SIGNET_ERROR_FAILED);
  wire_pack_u32(&packer,
                details && details->tries_left >= 0 ? (guint32)details->tries_left : TRIES_UNKNOWN);
  g_autofree char *text = g_strndup(error->message, ERROR_TEXT_MAX);
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  wire_pack_text(&packer, valid);
  return g_bytes_new(packer.bytes, packer.length);
}

void
wire_error_unpack(gconstpointer body, gsize length, GError **error)
{
  WireReader reader;
  wire_reader_start(&reader, body, length);
  guint32 code = wire_read_u32(&reader);
  guint32 tries = wire_read_u32(&reader);
  g_autofree char *text = wire_read_text(&reader, ERROR_TEXT_MAX * 4);
  if (!wire_reader_done(&reader, "an error from the other side", error))
    return;
  base_error_set(error, code <= SIGNET_ERROR_REFUSED ? (SignetError)code : SIGNET_ERROR_FAILED,
                 "%s", text);
  if (tries != TRIES_UNKNOWN)
    base_error_count_tries(error, (int)MIN(tries, 255));
}
