/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the verbs that read mail share. */

#include "cli/cli.h"
#include "mime/open.h"

/* Of the run's connection, which is made when the first key is needed. */
MimeOpened *cli_mail_open(Cli *cli, BaseInput *input, MimeDepth depth, GError **error);

/* The verdict on the innermost signature; NULL without an error where there is none. */
TrustReport *cli_mail_verdict(const MimeOpened *opened, GError **error);
/* Outer signatures and notes, for a person, to standard output (1) or error (2). `said`: what the
 * verdict's sentence says already. */
gboolean cli_mail_print(const MimeOpened *opened, const char *said, int fd, GError **error);
/* Members "subject", "layers", "protected", "notes" and "receipt_to" into `object`. */
gboolean cli_mail_json(const MimeOpened *opened, json_t *object, GError **error);
const char *cli_mail_kind(MimeKind kind); /* "opaque-signed" */

/* The CMS file that the verb reads, in any form, into `to`, which is finished. */
gboolean cli_cms_push(Cli *cli, BaseInput *input, BaseSink *to, GError **error);
