/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Handlers of org.signet.Token that have files of their own. */

#include "daemon/token.h"

void daemon_token_init(DaemonCall *call);   /* tokeninit.c */
void daemon_modules_list(DaemonCall *call); /* modules.c */
void daemon_module_add(DaemonCall *call);
