/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/start.h"

#include "base/error.h"
#include "cli/verbs.h"

void
cli_start_tell_so_pin(Start *start, FILE *out)
{
  if (!start->so_pin)
    return;
  fprintf(out, "SO PIN: %s\nWrite it down now: it unblocks the token when the PIN is lost.\n",
          start->so_pin);
  fflush(out);
  base_wipe_string(g_steal_pointer(&start->so_pin));
}

static void
start_clear(Start *start)
{
  cli_start_tell_so_pin(start, stderr); /* it failed before there was an answer to carry it */
  g_clear_pointer(&start->tokens, g_ptr_array_unref);
  g_clear_pointer(&start->ids, g_ptr_array_unref);
  g_free(start->id);
  g_free(start->token);
  g_free(start->file);
  g_free(start->request);
  g_free(start->verdict);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Start, start_clear)

static gboolean
check_options(Cli *cli, GError **error)
{
  gint64 days = cli_number(cli, "self-signed", 1);
  if (cli_flag(cli, "soft") && cli_text(cli, "token"))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "--soft makes a new token; it goes with no --token");
  if (cli_text(cli, "csr") && cli_flag(cli, "self-signed"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "either --csr or --self-signed, not both");
  if (days < 1 || days > 36600)
    return base_error_set(error, SIGNET_ERROR_USAGE, "--self-signed takes 1 to 36600 days");
  if (cli_flag(cli, "trust-ca") && cli_flag(cli, "no-trust"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "either --trust-ca or --no-trust, not both");
  return TRUE;
}

static gboolean
get_the_id(Start *start, GError **error)
{
  switch (start->way) {
  case START_NEW:
    return cli_start_make(start, error);
  case START_IMPORT:
    return cli_start_import(start, error);
  case START_USE:
  case START_NOTHING:
  default:
    return TRUE;
  }
}

static void
say_next(const Start *start)
{
  if (start->request) {
    cli_say(start->cli,
            "\nThe request is in %s. Send it to the CA; when the answer comes:\n"
            "  signet import ANSWER\n  signet start --use %s",
            start->request, start->id);
    return;
  }
  cli_say(start->cli,
          "\nNext:\n"
          "  signet sign < mail.eml > signed.eml       sign a mail\n"
          "  signet id cert %s -o my.pem   give it away, to get sealed mail",
          start->id);
}

static gboolean
report(Start *start, GError **error)
{
  json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:b}", "id", cli_json_text(start->id), "token",
                             cli_json_text(start->token), "request", cli_json_text(start->request),
                             "verdict", cli_json_text(start->verdict), "trusted", start->trusted);
  if (start->so_pin)
    json_object_set_new(object, "so_pin", json_string(start->so_pin));
  gboolean told = cli_json(start->cli, object, error);
  if (told)
    base_wipe_string(g_steal_pointer(&start->so_pin));
  return told;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(Start) start = { .cli = cli, .asks = !cli->json && cli_terminal_available(cli) };
  if (!check_options(cli, error) || !cli_connect(cli, error) || !cli_start_look(&start, error))
    return FALSE;
  cli_start_explain(&start);
  if (!cli_start_decide(&start, error))
    return FALSE;
  if (start.way == START_NOTHING)
    return TRUE;
  if (!get_the_id(&start, error))
    return FALSE;
  if (!start.request && (!cli_start_trust(&start, error) || !cli_start_prove(&start, error)))
    return FALSE;
  cli_start_tools(&start);
  say_next(&start);
  return report(&start, error);
}

static const CliOption options[] = {
  { "use", 0, CLI_TEXT, "ID", "use this ID, which is on a token already" },
  { "new", 0, CLI_TEXT, "ADDRESS", "make a new ID for this address" },
  { "import", 0, CLI_TEXT, "FILE", "take what is in FILE (.p12, .pem, …)" },
  { "soft", 0, CLI_FLAG, NULL, "on a soft token, on this computer" },
  { "name", 0, CLI_TEXT, "CN", "your name" },
  { "key", 'k', CLI_CHOICE, "rsa:2048|rsa:3072|rsa:4096|ec:p256|ec:p384|ed25519",
    "the kind of key" },
  { "self-signed", 0, CLI_NUMBER, "DAYS", "certify it by itself, for so many days (365)" },
  { "csr", 0, CLI_TEXT, "FILE", "write a request for a CA instead" },
  { "no-backup", 0, CLI_FLAG, NULL, "a key that cannot be backed up will do: I know" },
  { "trust-ca", 0, CLI_FLAG, NULL, "trust the ID's issuer for mail, on this computer" },
  { "no-trust", 0, CLI_FLAG, NULL, "do not" },
  { "output", 'o', CLI_TEXT, "FILE", "keep the signed mail to yourself in FILE" },
  { 0 },
};

const CliVerb cli_start_verb = {
  .name = "start",
  .arguments = "",
  .help = "from whatever you have to a signed mail, step by step",
  .more =
      "Looks for cards and IDs, says what is there, and asks what to do; every question has an option.\n"
      "Broken off, it can be run again: what is done is found and not done twice.\n"
      "--pin-fd N: one line, the PIN of the token; a new one where the token is made.",
  .example = "signet start",
  .options = options,
  .run = run,
};
