/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The handlers of org.signet.Id, and what they share. */

#include "daemon/catalogue.h"
#include "daemon/daemon.h"

/* A text parameter of at most WIRE_NAME_MAX bytes; optional: NULL when it is missing. */
gboolean daemon_id_text(DaemonCall *call, const char *name, gboolean optional,
                        const char **ret_text, GError **error);

/* (transfer full) (nullable): NULL when the token went away since. */
DaemonToken *daemon_id_token_of_view(Daemon *daemon, const DaemonView *view);
/* (nullable) */
DaemonDevice *daemon_id_device_of(Daemon *daemon, DaemonToken *token);

void daemon_id_generate(DaemonCall *call);
void daemon_id_store_certificate(DaemonCall *call);
void daemon_id_remove(DaemonCall *call);
void daemon_id_set_addresses(DaemonCall *call);
void daemon_id_set_policy(DaemonCall *call);
