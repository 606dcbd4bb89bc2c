/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is to be said about the signatures of one message. */

#include "cli/cli.h"
#include "mime/mime.h"

typedef struct {
  TrustVerdict verdict; /* the worst of all signatures' */
  char *sentence;
  char *from;       /* (nullable) */
  gboolean outside; /* the message has content that no signature covers */
  GPtrArray *lines; /* (element-type char): details for a person */
  json_t *signatures;
} CliVerdict;

CliVerdict *cli_verdict_unsigned(const char *sentence, TrustVerdict verdict);
/* `from`: what the mail claims; `from_count`: how many From addresses it has; -1: no mail, nothing to compare. */
CliVerdict *cli_verdict_new(const CmsVerified *verified, const char *from, int from_count,
                            gboolean outside, GError **error);
void cli_verdict_free(CliVerdict *verdict);
/* To standard output (1) or error (2). */
void cli_verdict_print(const CliVerdict *verdict, int fd);
/* Members "verdict", "message", "from", "outside", "signatures" into `object`. */
void cli_verdict_json(const CliVerdict *verdict, json_t *object);

/* For a message that mime_read() or --cms says is signed. *ret_content (optional): what was signed. */
CliVerdict *cli_verdict_of_mail(const MimeMessage *mail, const char *from, int from_count,
                                GBytes **ret_content, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CliVerdict, cli_verdict_free)
