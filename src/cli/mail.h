/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Reading mail takes GMime, which takes longer to load than all the rest of
 * signet together; so it is in a file of its own that only the verbs that read mail load. */

#include "mime/mime.h"

#define CLI_MAIL_PLUGIN "libsignet-mime.so"
#define CLI_MAIL_SYMBOL "cli_mail_plugin"

/* What the plugin exports, as CLI_MAIL_SYMBOL. `version` guards against a file of another build. */
typedef struct {
  const char *version;
  MimeMessage *(*read)(GBytes *message, GError **error);
  void (*free)(MimeMessage *message);
} CliMailPlugin;

/* A MimeMessage, which the plugin made and the plugin frees. */
typedef MimeMessage CliMail;

CliMail *cli_mail_read(GBytes *message, GError **error);
void cli_mail_free(CliMail *mail);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CliMail, cli_mail_free)
