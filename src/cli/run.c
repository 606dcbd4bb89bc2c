/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

/* A descriptor of the caller's that a verb may read from. */
static void
pass_descriptor(const Cli *cli, const char *option, GPtrArray *words)
{
  if (!cli_text(cli, option))
    return;
  g_ptr_array_add(words, g_strdup_printf("--%s", option));
  g_ptr_array_add(words, g_strdup(cli_text(cli, option)));
}

gboolean
cli_run(Cli *cli, const char *const *verb_words, int *ret_status, GError **error)
{
  g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(words, g_strdup("signet"));
  pass_descriptor(cli, "pin-fd", words);
  pass_descriptor(cli, "so-pin-fd", words);
  pass_descriptor(cli, "passphrase-fd", words);
  for (; *verb_words; verb_words++)
    g_ptr_array_add(words, g_strdup(*verb_words));

  Cli other = { .json_fd = -1,
                .status_fd = cli->status_fd,
                .quiet = TRUE,
                .no_input = cli->no_input,
                .yes = TRUE,
                .client = cli->client };
  other.args = cli_args_parse((int)words->len, (char *const *)words->pdata, &other.verb, error);
  gboolean done = other.args && other.verb->run(&other, error);
  cli_args_free(other.args);
  cli->client = other.client;
  cli->asked |= other.asked;
  if (done && ret_status)
    *ret_status = other.exit_status;
  return done;
}
