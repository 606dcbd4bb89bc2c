/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/generate.h"

#include "base/error.h"

#include <stdio.h>

static SignetGenerated *
generate_once(Cli *cli, const SignetGenerate *request, GError **error)
{
  g_autoptr(CliSpinner) spinner =
      cli_spinner_start(cli, "The token makes the key, which may take a minute …");
  cli_status(cli, "generate");
  return signet_id_generate(cli->client, request, error);
}

SignetGenerated *
cli_generate(Cli *cli, const SignetGenerate *request, GError **error)
{
  GError *failed = NULL;
  SignetGenerated *made = generate_once(cli, request, &failed);
  if (made)
    return made;
  gboolean for_backup = !request->no_backup && request->can != SIGNET_CAN_SIGN &&
                        g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_REFUSED);
  if (for_backup && cli_terminal_available(cli)) {
    g_autofree char *message = cli_safe(failed->message);
    fprintf(stderr, "signet: %s\n", message);
    if (cli_terminal_confirm(
            cli, "Without a backup, losing the token loses the mail. Make the key all the same?")) {
      SignetGenerate again = *request;
      again.no_backup = TRUE;
      g_clear_error(&failed);
      return generate_once(cli, &again, error);
    }
  }
  g_propagate_error(error, failed);
  return NULL;
}
