/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is in a new sandbox: settings, environment, CA, token, IDs, contacts. */

#include "sandbox/place.h"
#include "sandbox/sandbox.h"

#define SANDBOX_LABEL "sandbox"    /* the token's */
#define SANDBOX_TOKEN_FILE "token" /* holds the name of the token's folder */
#define SANDBOX_PULLED "pulled"
#define SANDBOX_SOCKET "run/signet/socket"
#define SANDBOX_TOKENS "home/.local/share/signet/softhsm/tokens"

/* Folders, settings, SoftHSM's configuration; then the environment of this process and so of
 * all that it starts. */
gboolean sandbox_environment_make(const SandboxPlace *place, const char *pin, GError **error);
gboolean sandbox_fill(const SandboxPlace *place, const SandboxWish *wish, const char *pin,
                      GError **error);
