/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/issue.h"
#include "cli/verbs.h"

static GBytes *
make_request(Cli *cli, const SignetId *id, GError **error)
{
  if (!id->addresses || !id->addresses[0]) {
    base_error_set(error, SIGNET_ERROR_NONE_USABLE, "%s has no mail address to put into a request",
                   id->id);
    return NULL;
  }
  const SignetKey *key = cli_issue_key(id, error);
  g_autoptr(GBytes) spki = key ? cli_issue_public_key(key, error) : NULL;
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
