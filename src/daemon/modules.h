/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which PKCS#11 modules there are, and the hosts made of them. */

#include "daemon/host.h"

GPtrArray *daemon_modules_new(void);
/* Reads profiles and settings and starts a host for each module found. */
void daemon_modules_start(Daemon *daemon);
void daemon_modules_free(Daemon *daemon);

/* signet's own SoftHSM (softhsm.c). */
gboolean daemon_softhsm_is(const char *module_path);
char *daemon_softhsm_own_config(void);                /* (nullable) the person's, readable */
char *daemon_softhsm_embedded_config(void);           /* path; may not exist */
char *daemon_softhsm_folder(const char *config_path); /* (nullable) its tokens folder */
/* (nullable) the one token's folder there: its name */
char *daemon_softhsm_token_folder(const char *tokens, const char *serial);
gboolean daemon_softhsm_make(GError **error); /* configuration and folder, where missing */
/* Starts the host of signet's own SoftHSM, once. NULL: there is no SoftHSM module. */
DaemonHost *daemon_modules_soft_host(Daemon *daemon, GError **error);
