/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/sandbox.h"

#include "base/error.h"
#include "cli/verbs.h"

#include <string.h>
#include <unistd.h>

/* ---- signet sandbox do … ---- */

static const struct {
  const char *word;
  SandboxAct act;
  const char *done;
} acts[] = {
  { "remove", SANDBOX_REMOVE, "The token is out." },
  { "insert", SANDBOX_INSERT, "The token is in, and locked." },
  { "wrong-pin", SANDBOX_WRONG_PIN, "The token is locked; a wrong PIN was tried." },
};

static gboolean
check_words(Cli *cli, const char *word, GError **error)
{
  static const char *const later[] = { "block", "slow", "crash", NULL };
  const char *const *at = later;
  if (!word)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "what is to be done to the token? remove, insert or wrong-pin");
  while (*at && strcmp(*at, word) != 0)
    at++;
  if (*at)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "`signet sandbox do %s` is not in this version", word);
  if (cli_count(cli) > 2)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`signet sandbox do` takes one word");
  return TRUE;
}

static gboolean
run_act(Cli *cli, GError **error)
{
  const char *word = cli_argument(cli, 1);
  gsize i = 0;
  if (!check_words(cli, word, error))
    return FALSE;
  while (i < G_N_ELEMENTS(acts) && strcmp(acts[i].word, word) != 0)
    i++;
  if (i == G_N_ELEMENTS(acts)) {
    g_autofree char *shown = cli_safe(word);
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "\"%s\" cannot be done: remove, insert or wrong-pin", shown);
  }
  if (cli_text(cli, "socket"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "a sandbox has a socket of its own");
  if (!sandbox_check_inside(error) || !cli_connect(cli, error) ||
      !sandbox_act(cli->client, acts[i].act, error))
    return FALSE;
  cli_say(cli, "%s", acts[i].done);
  return cli_json(cli, json_pack("{s:s}", "done", acts[i].word), error);
}

/* ---- signet sandbox … -- COMMAND ---- */

static GPtrArray *
read_people(Cli *cli, const char *option, gboolean contacts, GError **error)
{
  g_autoptr(GPtrArray) people = g_ptr_array_new_with_free_func((GDestroyNotify)sandbox_person_free);
  for (const char *const *text = cli_list(cli, option); *text; text++) {
    SandboxPerson *person = sandbox_person_parse(*text, contacts, error);
    if (!person)
      return NULL;
    for (guint i = 0; i < people->len; i++)
      if (strcmp(((SandboxPerson *)people->pdata[i])->address, person->address) == 0) {
        base_error_set(error, SIGNET_ERROR_USAGE, "%s is given twice", person->address);
        sandbox_person_free(person);
        return NULL;
      }
    g_ptr_array_add(people, person);
  }
  return g_steal_pointer(&people);
}

/* (element-type char), NULL at its end */
static GPtrArray *
read_command(Cli *cli, GError **error)
{
  g_autoptr(GPtrArray) command = g_ptr_array_new_with_free_func(g_free);
  for (int i = 0; i < cli_count(cli); i++)
    g_ptr_array_add(command, g_strdup(cli_argument(cli, i)));
  if (command->len == 0) {
    const char *shell = g_getenv("SHELL");
    if (!isatty(STDIN_FILENO)) {
      base_error_set(error, SIGNET_ERROR_USAGE,
                     "a command is needed where there is no terminal for a shell");
      base_error_suggest(error, "signet", "sandbox", "--id", "alice@example.org", "--", "COMMAND",
                         NULL);
      return NULL;
    }
    g_ptr_array_add(command, g_strdup(shell && *shell ? shell : "/bin/sh"));
    cli_note(cli, "a sandbox; it is gone when you leave this shell");
  }
  g_ptr_array_add(command, NULL);
  return g_steal_pointer(&command);
}

static gboolean
run_sandbox(Cli *cli, GError **error)
{
  g_autofree char *kept = NULL;
  g_autoptr(GPtrArray) ids = read_people(cli, "id", FALSE, error);
  g_autoptr(GPtrArray) contacts = ids ? read_people(cli, "contact", TRUE, error) : NULL;
  if (contacts && cli_text(cli, "socket"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "a sandbox has a socket of its own");
  g_autoptr(GPtrArray) command = contacts ? read_command(cli, error) : NULL;
  if (!command)
    return FALSE;
  SandboxWish wish = {
    .ids = ids,
    .contacts = contacts,
    .locked = cli_flag(cli, "locked"),
    .keep = cli_flag(cli, "keep"),
    .command = (char *const *)command->pdata,
  };
  gboolean ran = sandbox_run(&wish, &cli->exit_status, &kept, error);
  if (kept)
    cli_note(cli, "the sandbox is kept in %s", kept);
  return ran;
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *first = cli_argument(cli, 0);
  return first && strcmp(first, "do") == 0 ? run_act(cli, error) : run_sandbox(cli, error);
}

static const CliOption options[] = {
  { "id", 0, CLI_LIST, "ADDR[,KEY][,VARIANT]", "an ID on the token, certified" },
  { "contact", 0, CLI_LIST, "ADDR[,KEY][,VARIANT]", "another person, as files" },
  { "locked", 0, CLI_FLAG, NULL, "the token's PIN is not cached" },
  { "keep", 0, CLI_FLAG, NULL, "leave the folder, and say where" },
  { 0 },
};

const CliVerb cli_sandbox_verb = {
  .name = "sandbox",
  .arguments = "[-- COMMAND…] | do remove|insert|wrong-pin",
  .max_arguments = -1,
  .help = "try a mail tool in a throwaway signet",
  .more =
      "Runs COMMAND (else a shell) with a daemon, a soft token and a trusted CA of its own; its "
      "exit status is passed on, and everything is gone afterwards.\n"
      "KEY: ec:p256 (default), ec:p384, rsa:2048, rsa:3072, rsa:4096, ed25519.\n"
      "VARIANT: expired, revoked, untrusted, split (a key to sign, one to decrypt), no-address, "
      "old-keys (an expired certificate of an earlier key, too).\n"
      "HOME, XDG_*, GNUPGHOME, SOFTHSM2_CONF and SIGNET_SOCKET lead into the sandbox; the current "
      "folder stays. SIGNET_SANDBOX_DIR is its folder (ids/ADDR.pem, contacts/ADDR.pem, .key and "
      ".p12, whose passphrase is the PIN; ca.crl); SIGNET_SANDBOX_CA, _PIN, _MODULE and _URI are "
      "the CA's file, the token's PIN, PKCS#11 module and URI.\n"
      "Inside, `signet sandbox do remove` pulls the token out and `insert` puts it back, locked, "
      "as a card; both return when signetd has seen it. `wrong-pin` locks the token and spends "
      "one try with a wrong PIN.",
  .example = "signet sandbox --id alice@example.org --id bob@example.org -- make check",
  .options = options,
  .run = run,
};
