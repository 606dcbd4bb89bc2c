/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "base/path.h"
#include "token/host.h"
#include "token/roots.h"
#include "token/transfer.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXIT_USAGE 2

/* For signetd's use:
 *   signet-token --module PATH --profile FILE-or-empty [--fd N] [--slot-serial S]
 *   signet-token --transfer [--module PATH --profile FILE-or-empty] [--fd N] [--slot-serial S]
 * For the trust engine's:
 *   signet-token --mail-roots PATH */

typedef struct {
  char *module;
  char *profile;
  char *serial;
  char *roots;
  gboolean transfer;
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
    { "transfer", 0, 0, G_OPTION_ARG_NONE, &arguments->transfer, "opens files with keys", NULL },
    { "mail-roots", 0, 0, G_OPTION_ARG_FILENAME, &arguments->roots,
      "writes the CAs that this module trusts for e-mail", "PATH" },
    { 0 },
  };
  GOptionContext *context = g_option_context_new("- serves one PKCS#11 module to signetd");
  g_option_context_add_main_entries(context, entries, NULL);
  gboolean ok = g_option_context_parse(context, &argc, &argv, error);
  g_option_context_free(context);
  if (!ok)
    return FALSE;
  if (argc > 1 || !(arguments->module || arguments->transfer || arguments->roots))
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

static void run_host(const Arguments *arguments, BaseProfile *profile) G_GNUC_NORETURN;

static void
run_host(const Arguments *arguments, BaseProfile *profile)
{
  TokenHost *host = g_new0(TokenHost, 1); /* lives as long as the process */
  host->profile = profile;
  host->module_path = arguments->module;
  host->only_serial = arguments->serial;
  token_host_run(host, arguments->fd);
}

int
main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  Arguments arguments = { .fd = 3 };

  base_secret_start();
  base_log_start("signet-token");
  signal(SIGPIPE, SIG_IGN);
  gboolean parsed = parse(argc, argv, &arguments, &error);
  if (parsed && arguments.roots)
    token_roots_run(arguments.roots);
  if (!parsed || !is_socket(arguments.fd, &error)) {
    base_log("%s", error->message);
    return EXIT_USAGE;
  }
  BaseProfile *profile = arguments.module ? load_profile(&arguments, &error) : NULL;
  if (arguments.module && !profile) {
    base_log("%s", error->message);
    return EXIT_USAGE;
  }
  set_environment(profile ? profile->environment : NULL);
  if (!arguments.transfer)
    run_host(&arguments, profile);
  TokenTransferStart start = { arguments.module, arguments.serial, profile, arguments.fd };
  token_transfer_run(&start);
}
