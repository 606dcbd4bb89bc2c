/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `signet-token --mail-roots PATH`: which CAs a module of trust (libnssckbi.so, p11-kit-trust.so)
 * trusts for e-mail, as PEM on standard output with a line "# SUBJECT" before each, and before
 * that "# distrust-after SECONDS" where only what it issued until then counts. */

#include <glib.h>

/* Ends the process: 0, or 1 after a message. */
void token_roots_run(const char *path) G_GNUC_NORETURN;
