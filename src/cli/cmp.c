/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cmp.h"

#include "base/error.h"
#include "base/path.h"

#define FILE_MAX (1024 * 1024)

void
cli_cmp_clear(CliCmp *cmp)
{
  cli_spinner_stop(cmp->spinner);
  base_secret_free(cmp->secret);
  g_clear_pointer(&cmp->certificates, g_ptr_array_unref);
  g_clear_pointer(&cmp->roots, g_ptr_array_unref);
  signet_choice_free(cmp->signer);
  signet_stored_free(cmp->stored);
  base_cert_free(cmp->certificate);
}

static gboolean
read_certificates(Cli *cli, const char *option, GPtrArray **ret_certificates, GError **error)
{
  const char *path = cli_text(cli, option);
  if (!path)
    return TRUE;
  g_autoptr(GBytes) bytes = base_path_read(path, FILE_MAX, error);
  *ret_certificates = bytes ? base_cert_read_all(bytes, path, error) : NULL;
  return *ret_certificates != NULL;
}

static gboolean
read_secret(Cli *cli, CliCmp *cmp, GError **error)
{
  const char *reference = cli_text(cli, "ref");
  if (!reference && !cli_flag(cli, "passphrase-fd"))
    return TRUE;
  g_autofree char *shown = cli_safe(reference);
  g_autofree char *prompt = reference ? g_strdup_printf("The CA's secret for reference %s", shown)
                                      : g_strdup("The CA's secret");
  cmp->secret = cli_pin_get(cli, "passphrase-fd", prompt, FALSE, error);
  if (cmp->secret && base_secret_length(cmp->secret) == 0)
    return base_error_set(error, SIGNET_ERROR_PIN_REFUSED, "the CA's secret is empty");
  return cmp->secret != NULL;
}

static gboolean
read_signer(Cli *cli, CliCmp *cmp, GError **error)
{
  const char *signer = cli_text(cli, "signer");
  if (!signer)
    return TRUE;
  if (cmp->secret)
    return base_error_set(error, SIGNET_ERROR_USAGE, "either --signer or a secret, not both");
  cmp->signer = signet_id_choose(cli->client, SIGNET_USE_SIGN, signer, NULL, error);
  return cmp->signer != NULL;
}

gboolean
cli_cmp_prepare(Cli *cli, CliCmp *cmp, EnrollKind kind, gboolean signs, GError **error)
{
  cmp->cli = cli;
  cmp->kind = kind;
  if (!cli_text(cli, "cmp"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--cmp URL says where the CA is");
  if (!read_certificates(cli, "server-cert", &cmp->certificates, error) ||
      !read_certificates(cli, "trust", &cmp->roots, error) || !read_secret(cli, cmp, error))
    return FALSE;
  gint64 timeout = cli_number(cli, "timeout", ENROLL_TIMEOUT_S);
  cmp->server = (EnrollServer){
    .url = cli_text(cli, "cmp"),
    .proxy = cli_text(cli, "proxy"),
    .tls_roots = cli_text(cli, "tls-ca"),
    .certificates = cmp->certificates,
    .roots = cmp->roots,
    .recipient = cli_text(cli, "recipient"),
    .profile = cli_text(cli, "profile"),
    .reference = cli_text(cli, "ref"),
    .secret = cmp->secret,
    .timeout_s = (guint)CLAMP(timeout, 0, ENROLL_TIMEOUT_MAX_S + 1),
    .implicit_confirm = cli_flag(cli, "implicit-confirm"),
    .unprotected_errors = cli_flag(cli, "unprotected-errors"),
  };
  return enroll_check_server(&cmp->server, kind, signs || cli_text(cli, "signer"), error) &&
         cli_connect(cli, error) && read_signer(cli, cmp, error);
}

/* ---- the exchange ---- */

static gboolean
store(GBytes *der, GPtrArray *chain, gpointer data, GError **error)
{
  CliCmp *cmp = data;
  g_autoptr(BaseCert) certificate = base_cert_new(der, error);
  g_autoptr(SignetStored) stored =
      certificate ? signet_id_put_certificate(cmp->cli->client, der, FALSE, NULL, error) : NULL;
  if (!stored)
    return FALSE;
  /* An issuer that cannot be stored is no reason to give the certificate back. */
  guint kept = 0;
  for (guint i = 0; i < chain->len; i++) {
    g_autoptr(SignetStored) issuer = signet_id_put_certificate(
        cmp->cli->client, g_ptr_array_index(chain, i), TRUE, stored->token, NULL);
    kept += issuer != NULL;
  }
  if (kept < chain->len)
    cli_note(cmp->cli, "%u of the certificate's %u issuers could not be stored", chain->len - kept,
             chain->len);
  cmp->chain = kept;
  cmp->stored = g_steal_pointer(&stored);
  cmp->certificate = g_steal_pointer(&certificate);
  return TRUE;
}

static void
on_wait(int seconds, gpointer data)
{
  CliCmp *cmp = data;
  g_autofree char *doing = g_strdup_printf(
      "The CA is not ready yet; asking again in %d s … (Ctrl-C: the key stays)", seconds);
  cli_spinner_stop(g_steal_pointer(&cmp->spinner));
  cmp->spinner = cli_spinner_start(cmp->cli, doing);
  cli_status(cmp->cli, "waiting %d", seconds);
}

gboolean
cli_cmp_run(Cli *cli, CliCmp *cmp, EnrollRequest *request, const char *key, GBytes *certificate,
            GError **error)
{
  EnrollCalls calls = { .store = store, .wait = on_wait, .data = cmp };
  request->kind = cmp->kind;
  if (!cmp->secret) {
    request->signer = cmp->signer ? cmp->signer->key : key;
    request->signer_certificate = cmp->signer ? cmp->signer->certificate : certificate;
  }
  g_autofree char *url = cli_safe(cmp->server.url);
  g_autofree char *doing = g_strdup_printf("Asking the CA at %s …", url);
  cmp->spinner = cli_spinner_start(cli, doing);
  cli_status(cli, "ask %s", cmp->server.url);
  gboolean done = enroll_run(cli->client, &cmp->server, request, &calls, error);
  cli_spinner_stop(g_steal_pointer(&cmp->spinner));
  return done;
}

/* ---- what came of it ---- */

void
cli_cmp_say(Cli *cli, const CliCmp *cmp)
{
  g_autofree char *id = cli_safe(cmp->stored->id ? cmp->stored->id : cmp->certificate->subject);
  g_autofree char *issuer = cli_safe(cmp->certificate->issuer);
  g_autofree char *token = cli_safe(cmp->stored->token);
  g_autofree char *until = cli_day(cmp->certificate->not_after);
  cli_say(cli, "%s: a certificate of %s, good until %s.", id, issuer, until);
  if (!cmp->stored->stored)
    cli_say(cli, "It is no newer than what was there: the CA sent the same certificate again.");
  if (cmp->stored->kept)
    cli_say(cli, "Token \"%s\" took no certificate; it is in signet's own store.", token);
  else
    cli_say(cli, "It is on token \"%s\"%s.", token, cmp->chain ? ", with its issuers" : "");
}

json_t *
cli_cmp_json(const CliCmp *cmp)
{
  return json_pack(
      "{s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:i}", "id", cli_json_text(cmp->stored->id),
      "token", cli_json_text(cmp->stored->token), "stored", cmp->stored->stored, "kept",
      cmp->stored->kept, "fingerprint", cli_json_text(cmp->certificate->fingerprint), "subject",
      cli_json_text(cmp->certificate->subject), "issuer", cli_json_text(cmp->certificate->issuer),
      "not_after", cli_json_time(cmp->certificate->not_after), "chain", (int)cmp->chain);
}
