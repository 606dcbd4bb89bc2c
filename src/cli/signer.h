/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which ID signs, with what, and the signature: for `sign` and `encrypt --sign`. */

#include "cli/cli.h"
#include "cms/flow.h"

typedef struct {
  SignetChoice *choice;
  BaseKeyKind kind;
  char *hash; /* "sha256" */
  gboolean pss;
  GBytes *encryption_certificate; /* (nullable) where answers are to be sealed to */
  char **receipts_to;             /* (nullable) */
  gint64 ends;                    /* of the certificate; seconds since 1970 */
  char *warning;                  /* (nullable) it ends soon */
} CliSigner;

/* By --id, else the From address, else (no From at all) the default ID. */
CliSigner *cli_signer_new(Cli *cli, const char *from, GError **error);
void cli_signer_free(CliSigner *signer);
/* For the calls of cms; borrows of the signer. */
CmsSigner cli_signer_cms(const CliSigner *signer);
/* Content in, signed message out: cms_sign_new() for this signer. */
BaseSink *cli_signer_sink(Cli *cli, const CliSigner *signer, gboolean detached, gint64 length,
                          BaseSink *out, GError **error);

/* --hash or --cipher, else the settings' [mail] value, else NULL; transfer full. */
gboolean cli_mail_setting(Cli *cli, const char *option, char **ret_value, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CliSigner, cli_signer_free)
