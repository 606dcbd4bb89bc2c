/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "servers.h"

#include "processes.h"

#include <stdlib.h>
#include <string.h>

gboolean
bench_server_p11_kit(BenchSandbox *sandbox, const char *token, char **ret_setting, GError **error)
{
  g_autofree char *uri = g_strconcat("pkcs11:token=", token, NULL);
  g_autofree char *socket = bench_sandbox_path(sandbox, "run/p11-kit/bench");
  const char *const argv[] = {
    "p11-kit", "server", "--foreground", "--provider", BENCH_SOFTHSM_MODULE, "--name", socket,
    uri,       NULL
  };
  g_autofree char *folder = g_path_get_dirname(socket);

  g_mkdir_with_parents(folder, 0700);
  if (!bench_sandbox_start(sandbox, argv, NULL, error) ||
      !bench_sandbox_wait_for(sandbox, socket, error))
    return FALSE;
  *ret_setting = g_strconcat("P11_KIT_SERVER_ADDRESS=unix:path=", socket, NULL);
  return TRUE;
}

gboolean
bench_server_adopt_gpg_agent(BenchSandbox *sandbox, const char *home, GError **error)
{
  /* It detaches itself whatever it is told, so its own word for its process id; the second
   * command has it start its card daemon. */
  const char *const ask[] = { "gpg-connect-agent", "--no-autostart", "--homedir", home,
                              "GETINFO pid",       "SCD SERIALNO",   "/bye",      NULL };
  g_autofree char *answer = NULL;

  if (!bench_sandbox_run(sandbox, ask, NULL, &answer, error))
    return FALSE;
  int pid = g_str_has_prefix(answer, "D ") ? atoi(answer + 2) : 0;
  if (pid > 0)
    bench_sandbox_adopt(sandbox, (pid_t)pid);
  return pid > 0;
}

gboolean
bench_server_gpg_agent(BenchSandbox *sandbox, char **ret_setting, GError **error)
{
  static guint count;
  g_autofree char *name = g_strdup_printf("gnupg%u", ++count);
  g_autofree char *home = bench_sandbox_path(sandbox, name);
  g_autofree char *socket = g_strconcat(home, "/S.gpg-agent", NULL);
  g_autofree char *agent_file = g_strconcat(name, "/gpg-agent.conf", NULL);
  g_autofree char *scd_file = g_strconcat(name, "/gnupg-pkcs11-scd.conf", NULL);
  g_autofree char *program = g_find_program_in_path("gnupg-pkcs11-scd");
  g_autofree char *agent = g_strdup_printf("scdaemon-program %s\n"
                                           "allow-loopback-pinentry\n",
                                           program);
  const char *const start[] = { "gpg-agent", "--homedir", home, "--daemon", NULL };

  if (!program) {
    g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT, "gnupg-pkcs11-scd is not installed");
    return FALSE;
  }
  g_mkdir_with_parents(home, 0700);
  if (!bench_sandbox_write(sandbox, agent_file, agent, error) ||
      !bench_sandbox_write(sandbox, scd_file,
                           "providers softhsm\n"
                           "provider-softhsm-library " BENCH_SOFTHSM_MODULE "\n",
                           error) ||
      !bench_sandbox_start(sandbox, start, NULL, error) ||
      !bench_sandbox_wait_for(sandbox, socket, error) ||
      !bench_server_adopt_gpg_agent(sandbox, home, error))
    return FALSE;
  *ret_setting = g_strconcat("GNUPGHOME=", home, NULL);
  return TRUE;
}

/* Unprotected, because the agent would derive a key from the passphrase at each signature, a tenth
 * of a second of nothing but that. */
gboolean
bench_server_gpgsm(BenchSandbox *sandbox, const char *key, GError **error)
{
  g_autofree char *p12_name = g_strconcat(key, ".p12", NULL);
  g_autofree char *pem_name = g_strconcat(key, ".pem", NULL);
  g_autofree char *p12 = bench_sandbox_path(sandbox, p12_name);
  g_autofree char *pem = bench_sandbox_path(sandbox, pem_name);
  g_autofree char *home = bench_sandbox_path(sandbox, "gnupg");
  g_autofree char *socket = bench_sandbox_path(sandbox, "gnupg/S.gpg-agent");
  const char *const fingerprint[] = { "openssl", "x509",         "-in",   pem,
                                      "-noout",  "-fingerprint", "-sha1", NULL };
  static const char *const agent[] = { "gpg-agent", "--daemon", NULL };
  const char *const import[] = {
    "gpgsm", "--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "0", "--import", p12, NULL
  };
  g_autofree char *output = NULL;

  if (!bench_sandbox_run(sandbox, fingerprint, NULL, &output, error))
    return FALSE;
  const char *digits = strchr(output, '=');
  g_autofree char *trust =
      g_strconcat(digits ? g_strstrip(strchr(output, '=') + 1) : "", " S relax\n", NULL);
  if (!bench_sandbox_write(sandbox, "gnupg/trustlist.txt", trust, error) ||
      !bench_sandbox_write(sandbox, "gnupg/gpg-agent.conf",
                           "allow-loopback-pinentry\ndisable-scdaemon\n", error) ||
      !bench_sandbox_write(sandbox, "gnupg/gpgsm.conf",
                           "disable-crl-checks\ndisable-dirmngr\ndisable-policy-checks\n", error) ||
      !bench_sandbox_start(sandbox, agent, NULL, error) ||
      !bench_sandbox_wait_for(sandbox, socket, error))
    return FALSE;
  return bench_server_adopt_gpg_agent(sandbox, home, error) &&
         bench_sandbox_run(sandbox, import, "\n", NULL, error);
}

gboolean
bench_server_signet(BenchSandbox *sandbox, GPid *ret_broker, GError **error)
{
  g_autofree char *daemon = bench_sandbox_signet(sandbox, "signetd");
  g_autofree char *socket = bench_sandbox_path(sandbox, "run/signet/socket");
  const char *const start[] = { daemon, NULL };

  if (!daemon || !g_file_test(daemon, G_FILE_TEST_IS_EXECUTABLE)) {
    g_set_error(error, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT, "signet is not built (see --signet)");
    return FALSE;
  }
  return bench_sandbox_start(sandbox, start, ret_broker, error) &&
         bench_sandbox_wait_for(sandbox, socket, error);
}

gboolean
bench_server_signet_unlock(BenchSandbox *sandbox, const char *token, GError **error)
{
  g_autofree char *signet = bench_sandbox_signet(sandbox, "signet");
  const char *const unlock[] = { signet, "--pin-fd", "0", "token", "unlock", token, NULL };

  return bench_sandbox_run(sandbox, unlock, BENCH_PIN "\n", NULL, error);
}
