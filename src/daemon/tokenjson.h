/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tokens as JSON, for org.signet.Token. */

#include "daemon/catalogue.h"
#include "daemon/token.h"

#define DAEMON_SOFT "signet-soft" /* name of the host of signet's own SoftHSM */

json_t *daemon_device_json(Daemon *daemon, const DaemonDevice *device);
json_t *daemon_token_json(DaemonToken *token);
json_t *daemon_abilities_json(const DaemonToken *token); /* NULL: none */
/* The view to use: the unlocked one first. (nullable) */
DaemonToken *daemon_token_of_device(Daemon *daemon, const DaemonDevice *device);
