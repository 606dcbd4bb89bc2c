/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* When an ID's certificates end, and the word that goes out before they do. */

#include "cli/cli.h"

/* The first of the certificates in use (to sign, to receive) to end; 0: it has none. */
gint64 cli_expiry(const SignetId *id);
/* 30 days or fewer, or over already. */
gboolean cli_expires_soon(gint64 ends);
/* "the certificate of X ends on 2026-12-01, in 8 days: signet id renew X" */
char *cli_expiry_sentence(const char *id, gint64 ends);
