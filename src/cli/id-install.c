/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "base/error.h"
#include "base/path.h"
#include "cli/verbs.h"

#include <string.h>

#define FILE_MAX (4 * 1024 * 1024)

typedef struct {
  char *id;
  char *token;
  gboolean stored;
  gboolean kept;
  GPtrArray *chain; /* (element-type char): subjects stored */
  char *skipped;    /* a root, by its subject */
} Installed;

static void
installed_clear(Installed *installed)
{
  g_free(installed->id);
  g_free(installed->token);
  g_free(installed->skipped);
  g_clear_pointer(&installed->chain, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Installed, installed_clear)

/* One that has its key here; a certificate without one is no failure as long as another has. */
static gboolean
install_own(Cli *cli, const BaseCert *certificate, Installed *installed, gboolean *ret_own,
            GError **error)
{
  GError *failed = NULL;
  g_autoptr(SignetStored) stored = signet_id_put_certificate(cli->client, certificate->der, FALSE,
                                                             cli_text(cli, "token"), &failed);
  *ret_own = stored != NULL;
  if (stored && !installed->id) {
    installed->id = g_strdup(stored->id ? stored->id : certificate->subject);
    installed->token = g_strdup(stored->token);
    installed->stored = stored->stored;
    installed->kept = stored->kept;
    return TRUE;
  }
  if (!failed || g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND)) {
    g_clear_error(&failed);
    return TRUE;
  }
  g_propagate_error(error, failed);
  return FALSE;
}

/* Issuers go beside the certificate; a root need not be sent along with mail, and is trusted elsewhere. */
static gboolean
install_issuer(Cli *cli, const BaseCert *certificate, Installed *installed, GError **error)
{
  if (certificate->self_signed) {
    g_free(installed->skipped);
    installed->skipped = g_strdup(certificate->subject);
    return TRUE;
  }
  g_autoptr(SignetStored) stored =
      signet_id_put_certificate(cli->client, certificate->der, TRUE, installed->token, error);
  if (!stored)
    return FALSE;
  g_ptr_array_add(installed->chain, g_strdup(certificate->subject));
  return TRUE;
}

static gboolean
no_key(const char *path, const GPtrArray *certificates, GError **error)
{
  const BaseCert *first = g_ptr_array_index(certificates, 0);
  if (first->use & BASE_USE_CA) {
    base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                   "%s holds no certificate of yours, but that of a CA, %s: import puts it beside "
                   "the IDs it certified",
                   path, first->subject);
    base_error_suggest(error, "signet", "import", path, NULL);
    return FALSE;
  }
  return base_error_set(
      error, SIGNET_ERROR_NOT_FOUND,
      "%s: no token that is here has the key of %s; put in the token that made its request", path,
      first->subject);
}

static gboolean
install(Cli *cli, const char *path, GPtrArray *certificates, Installed *installed, GError **error)
{
  g_autofree gboolean *own = g_new0(gboolean, certificates->len);
  installed->chain = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(certificates, i);
    if (!install_own(cli, certificate, installed, &own[i], error))
      return FALSE;
  }
  if (!installed->id)
    return no_key(path, certificates, error);
  for (guint i = 0; i < certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(certificates, i);
    if (!own[i] && (certificate->use & BASE_USE_CA) &&
        !install_issuer(cli, certificate, installed, error))
      return FALSE;
  }
  return TRUE;
}

static void
say_where(Cli *cli, const Installed *installed)
{
  g_autofree char *id = cli_safe(installed->id);
  g_autofree char *token = cli_safe(installed->token);
  if (installed->kept)
    cli_say(cli,
            "%s: the certificate is in signet's own store: token \"%s\" is full or read-only.\n"
            "Other programs that read the token do not see it there.",
            id, token);
  else
    cli_say(cli,
            installed->stored ? "%s: the certificate is on token \"%s\"."
                              : "%s: the certificate was on token \"%s\" already.",
            id, token);
}

static gboolean
run(Cli *cli, GError **error)
{
  const char *path = cli_argument(cli, 0);
  g_autoptr(GBytes) bytes = base_path_read(path, FILE_MAX, error);
  g_autoptr(GPtrArray) certificates = bytes ? base_cert_read_all(bytes, path, error) : NULL;
  if (!certificates || !cli_connect(cli, error))
    return FALSE;
  g_auto(Installed) installed = { 0 };
  if (!install(cli, path, certificates, &installed, error))
    return FALSE;
  g_autofree char *root = cli_safe(installed.skipped);
  say_where(cli, &installed);
  if (installed.chain->len)
    cli_say(cli, "With it: %u of its issuers.", installed.chain->len);
  if (*root)
    cli_say(cli, "Left out: the root %s, which mail does not carry along.", root);
  g_ptr_array_add(installed.chain, NULL);
  return cli_json(cli,
                  json_pack("{s:o, s:o, s:b, s:b, s:o, s:o}", "id", cli_json_text(installed.id),
                            "token", cli_json_text(installed.token), "stored", installed.stored,
                            "kept", installed.kept, "chain",
                            cli_json_strv((char *const *)installed.chain->pdata), "root_left_out",
                            cli_json_text(installed.skipped)),
                  error);
}

const CliVerb cli_id_install = {
  .group = "id",
  .name = "install",
  .arguments = "FILE",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "put a certificate and its chain beside its key",
  .more =
      "FILE: what the CA sent, in PEM, DER or .p7b; - is standard input. What a full or read-only token cannot take is kept in signet's own store.\n"
      "--pin-fd N: one line, the token's PIN.",
  .example = "signet id install alice.p7b",
  .run = run,
};
