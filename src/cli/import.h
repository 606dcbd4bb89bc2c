/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* `signet import`: files and other programs' keys onto a token. What is imported one at a time (a file, a
 * profile, a key of gpgsm) is a source; each succeeds or fails alone. */

#include "cli/cli.h"
#include "transfer/transfer.h"

typedef struct {
  Cli *cli;
  const char *label; /* (nullable) */
  gboolean never_export;
  gboolean shred;
  char *token;       /* (nullable): its URI, once it is chosen */
  char *token_label; /* (nullable) */
  gboolean token_made;
  BaseSecret *passphrase; /* (nullable): the last that was right, tried on the next */
  BaseSecret *line;       /* (nullable): of --passphrase-fd, that opened nothing yet */
  GPtrArray *keys;        /* (element-type char): 64 hex digits each, that were imported */
  char *first_id;         /* (nullable): one with a certificate, if any */
  gboolean first_certified;
  json_t *imported;
  json_t *failed;
  GError *error; /* (nullable): the first */
} CliImport;

void cli_import_start(CliImport *import, Cli *cli);
void cli_import_clear(CliImport *import);

/* One file; certificates without keys are put into `later` (element-type CliImportLater), which
 * cli_import_join_later() takes up when all keys are there. */
gboolean cli_import_file(CliImport *import, const char *path, GPtrArray *later, GError **error);
void cli_import_join_later(CliImport *import, GPtrArray *later);
GPtrArray *cli_import_later_new(void);

/* One source with keys: looked at, shown, stored, checked, told. */
gboolean cli_import_source(CliImport *import, const TransferSource *source, GError **error);
/* What went wrong with one of several: told, counted, and the others go on. */
void cli_import_failed(CliImport *import, const char *name, GError *error);

typedef struct {
  const char *what;   /* "Passphrase of alice.p12" */
  gboolean encrypted; /* it is known to want one; an empty one may do */
  gboolean (*try)(const BaseSecret *passphrase, gpointer user_data, GError **error);
  gpointer user_data;
} CliImportAsk;

/* Tries no passphrase, those that were right elsewhere, and those that are given or typed. A line of
 * --passphrase-fd is used up only by what it opens. */
gboolean cli_import_with_passphrase(CliImport *import, const CliImportAsk *ask,
                                    BaseSecret **ret_passphrase, GError **error);

/* Where keys go: --token, the one that has them already, the only one, or a new soft token. Asks for its new
 * PIN. REFUSED: another token that is here has one of them, and nobody said yes to a second copy. */
gboolean cli_import_choose_token(CliImport *import, const TransferPlan *plan, GError **error);

void cli_import_show_plan(const Cli *cli, const TransferSource *source, const TransferPlan *plan);
void cli_import_show_outcome(const Cli *cli, const TransferOutcome *outcome);
json_t *cli_import_json(const char *name, const TransferPlan *plan, const TransferOutcome *outcome);
/* As a shell takes it; the home folder as ~. */
char *cli_import_shell_path(const char *path);

gboolean cli_import_scan(Cli *cli, GError **error);
gboolean cli_import_from(CliImport *import, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CliImport, cli_import_clear)
