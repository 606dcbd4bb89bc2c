/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which cipher seals a message. */

#include "cli/recipients.h"

typedef struct {
  char *name;
  const char *reason; /* "option", "setting", "capabilities" or "default" */
} CliCipher;

/* --cipher, else the setting: wrong ones are found before anything is read. `name` stays NULL when
 * neither says. */
gboolean cli_cipher_settle(Cli *cli, CliCipher *cipher, GError **error);
/* Else the best one that all recipients are known to read, or should be able to. */
void cli_cipher_choose(CliCipher *cipher, const CliRecipients *recipients);
void cli_cipher_clear(CliCipher *cipher);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CliCipher, cli_cipher_clear)
