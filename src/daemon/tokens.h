/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Handlers of org.signet.Token that have files of their own. */

#include "daemon/token.h"

/* The token that a call names, which is initialised; or NULL, and the call has failed. */
DaemonToken *daemon_token_named(DaemonCall *call);

void daemon_token_init(DaemonCall *call);   /* tokeninit.c */
void daemon_token_erase(DaemonCall *call);  /* tokenerase.c */
void daemon_token_forget(DaemonCall *call); /* tokenlost.c */
void daemon_token_mark_lost(DaemonCall *call);
void daemon_token_change_pin(DaemonCall *call); /* tokenpin.c */
void daemon_token_unblock(DaemonCall *call);
void daemon_modules_list(DaemonCall *call); /* modules.c */
void daemon_module_add(DaemonCall *call);
