/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the verbs of signed receipts share: a signed message, as mail or as a CMS file. */

#include "cli/cli.h"
#include "cms/receipt.h"
#include "mime/open.h"

typedef struct {
  MimeOpened *opened;    /* of a mail */
  CmsVerified *verified; /* of a CMS file */
  GBytes *content;       /* what was signed, where it was wanted */
  TrustReport *report;   /* (nullable): not signed */
} CliReceiptMessage;

/* Opens what is sealed. With `content` what was signed is kept, which must be small then. */
gboolean cli_receipt_read(Cli *cli, BaseInput *input, gboolean content, CliReceiptMessage *message,
                          GError **error);
void cli_receipt_clear(CliReceiptMessage *message);
/* (nullable) the innermost signature's; the message's own */
const CmsVerified *cli_receipt_verified(const CliReceiptMessage *message);
/* (nullable) the first good signature's */
const CmsReceiptAsked *cli_receipt_asked(const CliReceiptMessage *message);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CliReceiptMessage, cli_receipt_clear)
