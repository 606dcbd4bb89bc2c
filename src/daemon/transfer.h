/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.signet.Transfer: throwaway processes in which files with private keys are opened.
 *
 * signetd starts one (`signet-token --transfer`), gives it the PIN of the token that keys are to go
 * to, and hands its own end of the channel to the client: what is in a file it never sees. */

#include "daemon/token.h"

GPtrArray *daemon_transfers_new(void);
/* TRUE while one may be writing to the token. */
gboolean daemon_transfers_bound(const DaemonToken *token);
/* Ends those that are bound to the token: it was locked, or is gone. */
void daemon_transfers_end(DaemonToken *token);
void daemon_transfers_free(Daemon *daemon);
