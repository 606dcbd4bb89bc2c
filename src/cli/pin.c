/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/secret.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
descriptor(const Cli *cli, const char *from)
{
  return (int)cli_number(cli, from, -1);
}

BaseSecret *
cli_pin_optional(Cli *cli, const char *from, const char *what, GError **error)
{
  int fd = descriptor(cli, from);
  if (fd < 0)
    return NULL;
  GError *failed = NULL;
  BaseSecret *secret = base_secret_read_line(fd, what, &failed);
  if (failed && g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED))
    g_clear_error(&failed);
  if (failed)
    g_propagate_error(error, failed);
  return secret;
}

static BaseSecret *
ask_twice(const char *prompt, GError **error)
{
  g_autofree char *again = g_strdup_printf("The same again, to be sure");
  for (int attempt = 0; attempt < 3; attempt++) {
    g_autoptr(BaseSecret) first = cli_terminal_secret(prompt, error);
    g_autoptr(BaseSecret) second = first ? cli_terminal_secret(again, error) : NULL;
    if (!second)
      return NULL;
    if (base_secret_equal(first, second))
      return g_steal_pointer(&first);
    fprintf(stderr, "signet: the two are not the same; once more\n");
  }
  base_error_set(error, SIGNET_ERROR_CANCELLED, "%s: typed differently three times", prompt);
  return NULL;
}

BaseSecret *
cli_pin_get(Cli *cli, const char *from, const char *prompt, gboolean twice, GError **error)
{
  int fd = descriptor(cli, from);
  if (fd >= 0)
    return base_secret_read_line(fd, prompt, error);
  if (!cli_terminal_available(cli)) {
    base_error_set(error, SIGNET_ERROR_PIN_REQUIRED, "%s: %s; give it with --%s N", prompt,
                   cli->no_input ? "--no-input forbids to ask" : "there is no terminal to ask on",
                   from);
    return NULL;
  }
  cli_status(cli, "ask %s", prompt);
  return twice ? ask_twice(prompt, error) : cli_terminal_secret(prompt, error);
}

/* libsignet wipes it and frees it with free(). */
static char *
copy_for_library(const BaseSecret *secret)
{
  gsize length = base_secret_length(secret);
  char *copy = malloc(length + 1);
  if (copy)
    memcpy(copy, base_secret_text(secret), length + 1);
  return copy;
}

gboolean
cli_pin_ask(const char *token, int tries_left, gpointer user_data, char **ret_pin, GError **error)
{
  Cli *cli = user_data;
  g_autofree char *label = cli_safe(token);
  g_autofree char *tries = tries_left >= 0 ? g_strdup_printf(" (%d %s left)", tries_left,
                                                             tries_left == 1 ? "try" : "tries")
                                           : g_strdup("");
  g_autofree char *prompt = g_strdup_printf("PIN of token \"%s\"%s, for `signet %s%s%s`", label,
                                            tries, cli->verb->group ? cli->verb->group : "",
                                            cli->verb->group ? " " : "", cli->verb->name);
  g_autoptr(BaseSecret) pin = cli_pin_get(cli, "pin-fd", prompt, FALSE, error);
  if (!pin)
    return FALSE;
  cli->asked = TRUE;
  *ret_pin = copy_for_library(pin);
  return TRUE;
}
