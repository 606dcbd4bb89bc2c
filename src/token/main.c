/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "base/path.h"
#include "token/host.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_USAGE 2

/* signet-token --module PATH --profile FILE-or-empty [--fd N] [--slot-serial S]
 * For signetd's use. */

typedef struct {
  char *module;
  char *profile;
  char *serial;
  int fd;
} Arguments;

static gboolean
parse(int argc, char **argv, Arguments *arguments, GError **error)
{
  const GOptionEntry entries[] = {
    { "module", 0, 0, G_OPTION_ARG_FILENAME, &arguments->module, "PKCS#11 module", "PATH" },
    { "profile", 0, 0, G_OPTION_ARG_FILENAME, &arguments->profile, "its profile", "FILE" },
    { "fd", 0, 0, G_OPTION_ARG_INT, &arguments->fd, "the broker's channel (3)", "N" },
    { "slot-serial", 0, 0, G_OPTION_ARG_STRING, &arguments->serial, "only this token", "S" },
    { 0 },
  };
  GOptionContext *context = g_option_context_new("- serves one PKCS#11 module to signetd");
  g_option_context_add_main_entries(context, entries, NULL);
  gboolean ok = g_option_context_parse(context, &argc, &argv, error);
  g_option_context_free(context);
  if (!ok)
    return FALSE;
  if (!arguments->module || argc > 1)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "signet-token is started by signetd; it needs --module PATH");
  return TRUE;
}

static gboolean
is_socket(int fd, GError **error)
{
  int type = 0;
  socklen_t length = sizeof type;
  if (fd >= 3 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM)
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_USAGE,
                        "descriptor %d is no stream socket; signet-token is started by signetd",
                        fd);
}

static BaseProfile *
load_profile(const Arguments *arguments, GError **error)
{
  if (!arguments->profile || !*arguments->profile)
    return base_profile_default(arguments->module);
  return base_profile_load(arguments->profile, error);
}

/* What is set already wins: the broker, or a person, knows better than a profile. */
static void
set_environment(char **environment)
{
  for (char **entry = environment; entry && *entry; entry++) {
    g_auto(GStrv) parts = g_strsplit(*entry, "=", 2);
    if (parts[0] && *parts[0] && parts[1])
      g_setenv(parts[0], parts[1], FALSE);
  }
}

int
main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  Arguments arguments = { .fd = 3 };
  TokenHost *host = g_new0(TokenHost, 1); /* lives as long as the process */

  base_secret_start();
  base_log_start("signet-token");
  signal(SIGPIPE, SIG_IGN);
  if (!parse(argc, argv, &arguments, &error) || !is_socket(arguments.fd, &error)) {
    base_log("%s", error->message);
    return EXIT_USAGE;
  }
  host->profile = load_profile(&arguments, &error);
  if (!host->profile) {
    base_log("%s", error->message);
    return EXIT_USAGE;
  }
  set_environment(host->profile->environment);
  host->module_path = arguments.module;
  host->only_serial = arguments.serial;
  token_host_run(host, arguments.fd);
}
