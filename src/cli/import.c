/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/import.h"

#include "base/error.h"
#include "cli/verbs.h"

#include <string.h>

static gboolean
check_options(const Cli *cli, GError **error)
{
  gboolean scan = cli_flag(cli, "scan");
  const char *from = cli_text(cli, "from");
  gboolean from_stdin = FALSE;
  for (int i = 0; i < cli_count(cli); i++)
    from_stdin |= strcmp(cli_argument(cli, i), "-") == 0;
  if (scan && from)
    return base_error_set(error, SIGNET_ERROR_USAGE, "--scan looks, --from imports: one of them");
  if (cli_flag(cli, "shred") && (scan || from || from_stdin))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--shred goes with files that are named");
  if (cli_flag(cli, "all") && !from)
    return base_error_set(error, SIGNET_ERROR_USAGE, "--all goes with --from");
  if (scan || from || cli_count(cli))
    return TRUE;
  base_error_set(error, SIGNET_ERROR_USAGE,
                 "name a file to import; `signet import --scan` finds what this computer has");
  base_error_suggest(error, "signet", "import", "--scan", NULL);
  return FALSE;
}

static gboolean
check_addresses(const Cli *cli, GError **error)
{
  const char *const *addresses = cli_list(cli, "address");
  for (int i = 0; addresses[i]; i++) {
    g_autofree char *normal = base_address_normal(addresses[i]);
    if (!normal)
      return base_error_set(error, SIGNET_ERROR_USAGE, "--address: \"%s\" is no mail address",
                            addresses[i]);
  }
  return TRUE;
}

static void
import_files(CliImport *import)
{
  g_autoptr(GPtrArray) later = cli_import_later_new();
  for (int i = 0; i < cli_count(import->cli); i++) {
    GError *failed = NULL;
    const char *path = cli_argument(import->cli, i);
    if (!cli_import_file(import, path, later, &failed))
      cli_import_failed(import, path, failed);
  }
  cli_import_join_later(import, later);
}

/* Once all is there: a certificate of a later file may have brought an address. */
static gboolean
tie_addresses(CliImport *import, GError **error)
{
  const char *const *addresses = cli_list(import->cli, "address");
  char *id = NULL;
  if (!addresses[0] || !import->keys->len)
    return TRUE;
  if (!transfer_tie(import->cli->client, import->keys, addresses, &id, error))
    return FALSE;
  if (!id) {
    cli_note(import->cli, "the certificates name addresses of their own; --address adds none");
    return TRUE;
  }
  g_autofree char *joined = cli_join((char *const *)(guintptr)addresses, ", ", "");
  g_autofree char *shown = cli_safe(joined);
  cli_say(import->cli, "It is the ID of %s now.", shown);
  g_free(import->first_id);
  import->first_id = id;
  return TRUE;
}

static gboolean
finish(CliImport *import, GError **error)
{
  Cli *cli = import->cli;
  gsize imported = json_array_size(import->imported);
  if (import->first_id && !import->error) {
    g_autofree char *id = cli_import_shell_path(import->first_id);
    g_autofree char *safe = cli_safe(id);
    if (import->first_certified)
      cli_say(cli, "Next: signet sign --id %s MAIL", safe);
    else
      cli_say(cli,
              "Next: import its certificate, or ask a CA for one:\n"
              "signet id request %s -o request.csr",
              safe);
  }
  /* One alone that failed is told as any error; of several, what was done is told, too. */
  if (!import->error || imported || json_array_size(import->failed) > 1) {
    json_t *object =
        json_pack("{s:O, s:O, s:o, s:b}", "imported", import->imported, "failed", import->failed,
                  "token", cli_json_text(import->token_label), "token_made", import->token_made);
    if (!cli_json(cli, object, error))
      return FALSE;
  }
  if (!import->error)
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&import->error));
  return FALSE;
}

static gboolean
run(Cli *cli, GError **error)
{
  if (!check_options(cli, error) || !check_addresses(cli, error))
    return FALSE;
  if (cli_flag(cli, "scan"))
    return cli_import_scan(cli, error);
  g_auto(CliImport) import;
  cli_import_start(&import, cli);
  if (cli_text(cli, "from")) {
    if (!cli_import_from(&import, error))
      return FALSE;
  } else {
    import_files(&import);
  }
  GError *failed = NULL;
  if (!tie_addresses(&import, &failed))
    cli_import_failed(&import, "--address", failed);
  return finish(&import, error);
}

static const CliOption options[] = {
  { "label", 'l', CLI_TEXT, "L", "what to call the keys on the token" },
  { "address", 0, CLI_LIST, "ADDR", "whose it is, where no certificate says so" },
  { "never-export", 0, CLI_FLAG, NULL, "the keys can never leave the token again" },
  { "shred", 0, CLI_FLAG, NULL, "destroy each file once its keys are safely stored" },
  { "scan", 0, CLI_FLAG, NULL, "look for IDs on this computer; import nothing" },
  { "from", 0, CLI_CHOICE, "thunderbird|evolution|gpgsm|smime_keys",
    "take over what that program keeps" },
  { "all", 0, CLI_FLAG, NULL, "with --from: everything it keeps" },
  { 0 },
};

const CliVerb cli_import_verb = {
  .name = "import",
  .arguments = "[FILE…|DIR…|ADDRESS…]",
  .max_arguments = -1,
  .help = "put keys and certificates from files onto a token",
  .more = "FILE: .p12, .pfx, PEM, DER, PKCS #8 or .p7b, of any age; - is standard input.\n"
          "Without --token the only token is taken; where there is none, a soft one is\n"
          "made. FILE stays, unless --shred destroys it. A key that another token has\n"
          "already is copied with --yes only.\n"
          "--scan [DIR…]: below the home folder, or in DIR. --from: with DIR from there,\n"
          "with ADDRESS only that ID.\n"
          "--passphrase-fd N: a line for each file that wants one. --pin-fd N: one line,\n"
          "the token's PIN (of a new soft token: its new PIN).",
  .example = "signet import alice.p12",
  .options = options,
  .run = run,
};
