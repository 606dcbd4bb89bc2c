/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A key channel's bytes: one frame out, one frame back (wire/frame.h), and nothing
 * allocated on the way. wire's own WireChannel serves many frames in any order and takes
 * three system calls to read one; here a signature is one send and one receive. */

#include "client/key.h"
#include "wire/limits.h"
#include "wire/pack.h"

/* The largest answer: a result, or an error with its text. */
#define CLIENT_ANSWER_MAX 8192

typedef struct {
  int fd; /* -1: closed */
  guint32 serial;
  guint timeout; /* as set on the socket */
  WirePacker packer;
  guint8 answer[CLIENT_ANSWER_MAX];
} ClientChannel;

typedef enum {
  CLIENT_CHANNEL_DONE,   /* *ret_result */
  CLIENT_CHANNEL_CLOSED, /* by the other side, before an answer; no error set */
  CLIENT_CHANNEL_FAILED  /* error set: the host's own answer, or the channel was closed by us */
} ClientChannelEnd;

void client_channel_start(ClientChannel *channel);
void client_channel_attach(ClientChannel *channel, int fd); /* takes the descriptor */
void client_channel_close(ClientChannel *channel);
void client_channel_clear(ClientChannel *channel); /* closes, frees what it holds */
ClientChannelEnd client_channel_operate(ClientChannel *channel, const WireOperation *operation,
                                        guint timeout, GBytes **ret_result, GError **error);
