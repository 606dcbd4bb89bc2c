/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command to type next, where whoever made the error knew none. */
#include "base/error.h"
#include "cli/cli.h"

#include <string.h>

#define WORDS_MAX 7

/* `%t` is the token that the error names: without one the line is not used. */
static const struct {
  SignetError code;
  const char *group; /* (nullable) of verbs of this group only */
  const char *words[WORDS_MAX];
} advice[] = {
  { SIGNET_ERROR_PIN_REQUIRED, NULL, { "signet", "token", "unlock", "%t" } },
  { SIGNET_ERROR_PIN_INCORRECT, NULL, { "signet", "token", "show", "%t" } },
  { SIGNET_ERROR_PIN_BLOCKED, NULL, { "signet", "token", "unblock", "%t" } },
  { SIGNET_ERROR_PIN_REFUSED, NULL, { "signet", "token", "show", "%t" } },
  { SIGNET_ERROR_TOKEN_GONE, NULL, { "signet", "token", "list" } },
  { SIGNET_ERROR_TIMEOUT, NULL, { "signet", "status" } },
  { SIGNET_ERROR_TOKEN_DOWN, NULL, { "signet", "token", "modules" } },
  { SIGNET_ERROR_NO_DAEMON, NULL, { "signet", "status" } },
  { SIGNET_ERROR_VERSION, NULL, { "pkill", "-x", "signetd" } },
  { SIGNET_ERROR_AMBIGUOUS, "token", { "signet", "token", "list" } },
  { SIGNET_ERROR_NOT_FOUND, "token", { "signet", "token", "list" } },
  { SIGNET_ERROR_AMBIGUOUS, NULL, { "signet", "id", "list" } },
  { SIGNET_ERROR_NOT_FOUND, NULL, { "signet", "id", "list" } },
  { SIGNET_ERROR_NONE_USABLE, NULL, { "signet", "id", "list" } },
};

static char **
fill_in(const char *const *words, const char *token)
{
  g_autoptr(GPtrArray) filled = g_ptr_array_new();
  for (int i = 0; i < WORDS_MAX && words[i]; i++) {
    gboolean names_token = strcmp(words[i], "%t") == 0;
    if (names_token && !token)
      return NULL;
    g_ptr_array_add(filled, (gpointer)(guintptr)(names_token ? token : words[i]));
  }
  g_ptr_array_add(filled, NULL);
  return g_strdupv((char **)filled->pdata);
}

void
cli_advise(const Cli *cli, GError *error)
{
  SignetErrorDetails *details = base_error_details(error);
  const char *group = cli->verb ? cli->verb->group : NULL;
  for (gsize i = 0; details && !details->try_command && i < G_N_ELEMENTS(advice); i++)
    if (advice[i].code == (SignetError)error->code &&
        (!advice[i].group || g_strcmp0(advice[i].group, group) == 0))
      details->try_command = fill_in(advice[i].words, details->token);
}
