/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Logging of the programs. Libraries return errors; programs log them. No
 * secret, PIN, key or plaintext is ever an argument here. */

#include <glib.h>

/* Lines go to standard error, or, after base_log_to_file(), to that file
 * (0600, started anew whenever it is beyond 1 MiB). `program` prefixes each line and must
 * stay; control characters come as \XX. base_log() leaves errno as it was. */
void base_log_start(const char *program);
gboolean base_log_to_file(const char *path, GError **error);

void base_log(const char *format, ...) G_GNUC_PRINTF(1, 2);
