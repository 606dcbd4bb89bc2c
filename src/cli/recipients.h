/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whom a mail is sealed to: certificates from files and from own IDs, and who
 * has none that can be used, with the reason. */

#include "base/cert.h"
#include "cli/cli.h"

typedef struct {
  GPtrArray *certificates;  /* (element-type BaseCert), each once */
  GPtrArray *missing;       /* (element-type char): "bob@example.org: no certificate known" */
  GPtrArray *missing_names; /* (element-type char): "bob@example.org" */
  GHashTable *own;          /* fingerprints of those of `certificates` that are the person's */
} CliRecipients;

CliRecipients *cli_recipients_new(void);
void cli_recipients_free(CliRecipients *recipients);
/* One --to: a file, or the name of an own ID. FALSE only for what is wrong beyond a missing certificate. */
gboolean cli_recipients_add(Cli *cli, CliRecipients *recipients, const char *to, GError **error);
/* The sender's own, so that they can read what they sent; one that cannot receive is said and skipped. */
gboolean cli_recipients_add_self(Cli *cli, CliRecipients *recipients, const char *from,
                                 GError **error);
gboolean cli_recipients_is_own(const CliRecipients *recipients, const BaseCert *certificate);
/* RECIPIENTS_MISSING with the list as candidates. */
gboolean cli_recipients_refuse(const CliRecipients *recipients, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CliRecipients, cli_recipients_free)
