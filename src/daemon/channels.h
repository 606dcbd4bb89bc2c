/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Key channels: from a client straight to the host. The broker keeps a duplicate of the
 * host's end, only to shut it down. */

#include "daemon/token.h"

/* Called later, once. error NULL: the client's end went out with `call`'s reply; else `call` is
 * still to be ended. */
typedef struct {
  DaemonCall *call;
  DaemonToken *token;
  const char *key;
  guint32 mask; /* 1 << WireVerb for each operation */
  const char *kind;
  DaemonDone done;
  gpointer user_data;
} DaemonChannelAsk;

/* Makes a channel and hands the client's end to its call. What `ask` points to is copied. */
void daemon_channel_open(const DaemonChannelAsk *ask);
void daemon_channels_revoke(DaemonToken *token);
void daemon_channels_host_died(DaemonHost *host);
void daemon_channel_used(DaemonHost *host, guint32 id, guint32 operations);
void daemon_channel_closed(DaemonHost *host, guint32 id);
