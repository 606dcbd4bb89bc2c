/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Binary frames of the host channel and of key channels, over a stream socket.
 *
 *   u32 length of what follows this header   (at most WIRE_FRAME_MAX)
 *   u32 serial: chosen by the asker, repeated in the answer; 0 in a notice
 *   u16 kind: what is asked (host.h), in an answer WIRE_OK, WIRE_MORE or WIRE_ERROR
 *   u16 reserved, 0
 *   u32 deadline in milliseconds, 0 in answers
 *
 * On a key channel the kind of a request is WIRE_HOST_OPERATE (host.h) and its
 * body a bare WireOperation (operation.h); the answer's body is the result.
 * An error's body: u32 SignetError, u32 tries left (0xffffffff unknown), text message. */

#include "base/deadline.h"

#include <glib.h>

#define WIRE_HEADER_SIZE 16

enum {
  WIRE_OK = 0x8000,   /* the answer */
  WIRE_MORE = 0x8001, /* part of an answer; others follow */
  WIRE_ERROR = 0x8002
};

typedef struct {
  guint32 length;
  guint32 serial;
  guint16 kind;
  guint32 deadline;
} WireHeader;

void wire_header_pack(const WireHeader *header, guint8 out[WIRE_HEADER_SIZE]);
gboolean wire_header_unpack(const guint8 in[WIRE_HEADER_SIZE], WireHeader *ret_header,
                            GError **error);

/* Blocking, for hosts and libsignet. One sendmsg per frame (MSG_NOSIGNAL), usually one
 * recvmsg too. EOF before a header is TOKEN_GONE with the text "the other side closed the
 * channel"; inside a frame BAD_INPUT; deadline: TIMEOUT, after which receiving can go on.
 *
 * One thread may receive while another sends; two that send need a lock of their own. */
typedef struct {
  int fd;
  guint8 *bytes; /* the body of the last frame read; wiped when the next is read */
  gsize size;
  WireHeader header;

  /* frame.c's own: what was read of later frames, and of one that has begun. */
  struct {
    guint8 *bytes;
    gsize at;
    gsize length;
    int fd; /* came with the last frame here */
    gboolean begun;
    WireHeader header;
    gsize come;
  } ahead;
} WireChannel;

void wire_channel_start(WireChannel *channel, int fd); /* takes the descriptor */
void wire_channel_clear(WireChannel *channel);         /* closes, wipes */

/* A frame that could be sent only in part shuts the channel down: nothing may follow it. */
gboolean wire_channel_send(WireChannel *channel, const WireHeader *header, gconstpointer body,
                           BaseDeadline deadline, GError **error);
/* `fd_to_pass` -1 for none; stays the caller's. */
gboolean wire_channel_send_fd(WireChannel *channel, const WireHeader *header, gconstpointer body,
                              int fd_to_pass, BaseDeadline deadline, GError **error);

/* Body in channel->bytes, header in channel->header. *ret_fd: the descriptor that came, -1
 * for none; ret_fd NULL: one that came is closed. */
gboolean wire_channel_receive(WireChannel *channel, int *ret_fd, BaseDeadline deadline,
                              GError **error);

/* A whole frame was read already: receive will not wait. poll(2) on the descriptor does not
 * tell, so whoever polls asks this first, or receives until it says no. */
gboolean wire_channel_pending(const WireChannel *channel);

/* The body of an error frame, both ways. */
GBytes *wire_error_pack(const GError *error);
void wire_error_unpack(gconstpointer body, gsize length, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WireChannel, wire_channel_clear)
