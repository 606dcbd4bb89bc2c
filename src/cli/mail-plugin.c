/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/mail.h"

__attribute__((visibility("default"))) extern const CliMailPlugin cli_mail_plugin;

const CliMailPlugin cli_mail_plugin = { SIGNET_VERSION, mime_read, mime_message_free };
