/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/issue.h"
#include "cli/verbs.h"

#include <openssl/x509.h>
#include <string.h>

/* A key that waits for its certificate comes first, then the newest that has one. */
static const SignetKey *
pick_key(const SignetId *id, GError **error)
{
  const SignetKey *picked = NULL;
  gboolean away = FALSE;
  for (guint i = 0; i < id->keys->len; i++) {
    const SignetKey *key = g_ptr_array_index(id->keys, i);
    gboolean present = key->tokens && key->tokens[0];
    away = away || !present;
    if (!present || !(key->can & SIGNET_CAN_SIGN))
      continue;
    if (!picked || (key->certificates->len == 0 && picked->certificates->len > 0))
      picked = key;
  }
  if (!picked)
    base_error_set(error, away ? SIGNET_ERROR_TOKEN_GONE : SIGNET_ERROR_NONE_USABLE, "%s of %s %s",
                   away ? "the token with the key" : "no key", id->id,
                   away ? "is not here; put it in" : "can sign a request");
  return picked;
}

static GBytes *
public_key_of(const SignetKey *key, GError **error)
{
  if (key->public_key)
    return g_bytes_ref(key->public_key);
  const SignetCertificate *certificate =
      key->certificates->len ? g_ptr_array_index(key->certificates, 0) : NULL;
  g_autoptr(BaseCert) facts =
      certificate && certificate->der ? base_cert_new(certificate->der, error) : NULL;
  X509 *x509 = facts ? base_cert_to_x509(facts, error) : NULL;
  guint8 *der = NULL;
  int length = x509 ? i2d_PUBKEY(X509_get0_pubkey(x509), &der) : 0;
  GBytes *spki = length > 0 ? g_bytes_new(der, (gsize)length) : NULL;
  OPENSSL_free(der);
  X509_free(x509);
  if (!spki && error && !*error)
    base_error_set(error, SIGNET_ERROR_FAILED, "the public key of %s is not known", key->key);
  return spki;
}

static GBytes *
make_request(Cli *cli, const SignetId *id, GError **error)
{
  if (!id->addresses || !id->addresses[0]) {
    base_error_set(error, SIGNET_ERROR_NONE_USABLE, "%s has no mail address to put into a request",
                   id->id);
    return NULL;
  }
  const SignetKey *key = pick_key(id, error);
  g_autoptr(GBytes) spki = key ? public_key_of(key, error) : NULL;
  if (!spki)
    return NULL;
  CliSubject subject = {
    .key = key->key,
    .public_key = spki,
    .name = id->name && *id->name ? id->name : NULL,
    .addresses = (const char *const *)id->addresses,
    .can_decrypt = (key->can & (SIGNET_CAN_DECRYPT | SIGNET_CAN_DERIVE)) != 0,
  };
  if (!cli_issue_check(&subject, error))
    return NULL;
  g_autoptr(GBytes) der = cli_issue_request(cli->client, &subject, error);
  if (!der)
    return NULL;
  return cli_flag(cli, "der") ? g_steal_pointer(&der) : cli_issue_request_pem(der);
}

static gboolean
run(Cli *cli, GError **error)
{
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetId) id = signet_id_describe(cli->client, cli_argument(cli, 0), TRUE, error);
  g_autoptr(GBytes) request = id ? make_request(cli, id, error) : NULL;
  if (!request || !cli_write(cli, request, cli_flag(cli, "der"), error))
    return FALSE;
  if (!cli_output_is_stdout(cli))
    cli_say(cli, "The request is in %s. What the CA sends back: signet id install FILE",
            cli_text(cli, "output"));
  return cli_json(cli,
                  json_pack("{s:o, s:o}", "id", cli_json_text(id->id), "output",
                            cli_json_text(cli_text(cli, "output"))),
                  error);
}

static const CliOption options[] = {
  { "output", 'o', CLI_TEXT, "FILE", "write it to FILE" },
  { "der", 0, CLI_FLAG, NULL, "binary, not PEM" },
  { 0 },
};

const CliVerb cli_id_request = {
  .group = "id",
  .name = "request",
  .arguments = "ID",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "make a request for a certificate (PKCS#10), signed on the token",
  .example = "signet id request alice@example.org -o alice.csr",
  .options = options,
  .message = TRUE,
  .run = run,
};
