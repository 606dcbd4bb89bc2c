/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/cli.h"

#include <string.h>

static gboolean
has_display(void)
{
  const char *display = g_getenv("DISPLAY");
  const char *wayland = g_getenv("WAYLAND_DISPLAY");
  return (display && *display) || (wayland && *wayland);
}

/* --pin-fd first; then the desktop's pinentry, which the daemon starts; then this terminal. */
static void
settle_asking(Cli *cli)
{
  gboolean from_fd = cli_flag(cli, "pin-fd");
  if (!from_fd && cli->no_input)
    signet_client_set_ask(cli->client, FALSE, NULL, NULL);
  else if (!from_fd && has_display())
    signet_client_set_ask(cli->client, TRUE, NULL, NULL);
  else
    signet_client_set_ask(cli->client, from_fd || cli_terminal_available(cli), cli_pin_ask, cli);
}

gboolean
cli_connect(Cli *cli, GError **error)
{
  if (cli->client)
    return TRUE;
  cli->client = signet_client_connect(cli_text(cli, "socket"), SIGNET_CONNECT_DEFAULT, error);
  if (!cli->client)
    return FALSE;
  settle_asking(cli);
  return TRUE;
}

const char *
cli_token_name(const Cli *cli)
{
  const char *named = cli_argument(cli, 0);
  return named ? named : cli_text(cli, "token");
}
