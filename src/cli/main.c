/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "sandbox/sandbox.h"
#include "wire/json.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Neither somebody's openssl.cnf nor a tidying up that the end of the process does anyway:
 * 0.8 ms of a signature's 5. A leak checker wants it tidy. */
#ifdef __SANITIZE_ADDRESS__
#define NO_TIDYING_UP 0
#else
#define NO_TIDYING_UP OPENSSL_INIT_NO_ATEXIT
#endif

/* A socket or a file must never get the number of a standard stream that the
 * caller closed: what is printed would go into it. Opened the wrong way round, so
 * that using the stream is still the error it was. */
static void
fill_standard_streams(void)
{
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* A usage error comes before the options are known, and is to be JSON all the same. */
static void
look_for_json(Cli *cli, int argc, char *const *argv)
{
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (strcmp(argv[i], "--json") == 0)
      cli->json = TRUE;
}

static gboolean
check_descriptor(const char *option, int fd, GError **error)
{
  if (fd >= 0 && fcntl(fd, F_GETFD) < 0)
    return base_error_set(error, SIGNET_ERROR_USAGE, "--%s %d: no such descriptor is open", option,
                          fd);
  return TRUE;
}

static gboolean
take_common_options(Cli *cli, GError **error)
{
  cli->json_fd = (int)cli_number(cli, "json-fd", -1);
  cli->json = cli_flag(cli, "json") || cli->json_fd >= 0;
  cli->status_fd = (int)cli_number(cli, "status-fd", -1);
  cli->quiet = cli_flag(cli, "quiet");
  cli->no_input = cli_flag(cli, "no-input");
  cli->yes = cli_flag(cli, "yes");
  return check_descriptor("json-fd", cli->json_fd, error) &&
         check_descriptor("status-fd", cli->status_fd, error) &&
         check_descriptor("pin-fd", (int)cli_number(cli, "pin-fd", -1), error) &&
         check_descriptor("so-pin-fd", (int)cli_number(cli, "so-pin-fd", -1), error);
}

/* Without a verb: help where it is asked for, else a usage error with the way to it. */
static gboolean
without_verb(const CliArgs *args, GError **error)
{
  const char *group = cli_args_group(args);
  if (cli_args_flag(args, "help")) {
    if (group)
      cli_help_group(group);
    else
      cli_help_all();
    return TRUE;
  }
  if (group)
    base_error_set(error, SIGNET_ERROR_USAGE, "`signet %s` needs a verb", group);
  else
    base_error_set(error, SIGNET_ERROR_USAGE, "what is to be done? Name a verb");
  base_error_suggest(error, "signet", group ? group : "--help", group ? "--help" : NULL, NULL);
  return FALSE;
}

static gboolean
run(Cli *cli, int argc, char *const *argv, GError **error)
{
  cli->args = cli_args_parse(argc, argv, &cli->verb, error);
  if (!cli->args)
    return FALSE;
  if (cli_flag(cli, "version")) {
    printf("signet %s\n", SIGNET_VERSION);
    return TRUE;
  }
  if (!take_common_options(cli, error))
    return FALSE;
  if (!cli->verb)
    return without_verb(cli->args, error);
  if (cli_flag(cli, "help")) {
    cli_help_verb(cli->verb);
    return TRUE;
  }
  cli_status(cli, "begin %s%s%s", cli->verb->group ? cli->verb->group : "",
             cli->verb->group ? " " : "", cli->verb->name);
  return cli->verb->run(cli, error);
}

static gboolean
finish_output(GError **error)
{
  if (fflush(stdout) == 0 && !ferror(stdout))
    return TRUE;
  return base_error_set_errno(error, errno, "cannot write to standard output");
}

int
main(int argc, char **argv)
{
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | NO_TIDYING_UP, NULL);
  base_secret_start();
  fill_standard_streams();
  signal(SIGPIPE, SIG_IGN);
  g_set_prgname("signet");
  wire_json_start();

  if (argc >= 2 && strcmp(argv[1], "--complete") == 0) {
    cli_complete(argc - 2, argv + 2);
    return 0;
  }
  if (argc >= 3 && strcmp(argv[1], SANDBOX_GUARD_OPTION) == 0)
    return sandbox_guard_main(argv[2], argc > 3);
  Cli cli = { .json_fd = -1, .status_fd = -1 };
  g_autoptr(GError) error = NULL;
  look_for_json(&cli, argc, argv);
  int status = 0;
  if (!run(&cli, argc, argv, &error) || !finish_output(&error)) {
    cli_advise(&cli, error);
    cli_report_error(&cli, error);
    status = base_error_exit_status(error);
  } else {
    status = cli.exit_status;
  }
  cli_status(&cli, "done %d", status);
  signet_client_free(cli.client);
  cli_args_free(cli.args);
  return status;
}
