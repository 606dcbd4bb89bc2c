/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Key channels: from a client straight to the host. The broker keeps a duplicate of the
 * host's end, only to shut it down. */

#include "daemon/token.h"

/* Makes a channel for the operations of `mask` (1 << WireVerb) and hands the client's end
 * to `call`, which it ends. */
void daemon_channel_open(DaemonCall *call, DaemonToken *token, const char *key, guint32 mask,
                         const char *kind);
void daemon_channels_revoke(DaemonToken *token);
void daemon_channels_host_died(DaemonHost *host);
void daemon_channel_used(DaemonHost *host, guint32 id, guint32 operations);
void daemon_channel_closed(DaemonHost *host, guint32 id);
