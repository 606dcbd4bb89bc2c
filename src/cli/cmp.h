/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What `id enroll` and `id renew --cmp` have in common: the CA's options, the exchange with its
 * progress, and what came of it. */

#include "cli/cli.h"
#include "enroll/enroll.h"

typedef struct {
  EnrollServer server;
  BaseSecret *secret;
  GPtrArray *certificates, *roots;
  EnrollKind kind;
  SignetChoice *signer; /* (nullable): of --signer */
  /* afterwards */
  SignetStored *stored;
  BaseCert *certificate;
  guint chain;
  Cli *cli;
  CliSpinner *spinner;
} CliCmp;

/* The options that take an argument are the same in both verbs. */
#define CLI_CMP_OPTIONS                                                                      \
  { "cmp", 0, CLI_TEXT, "URL", "the CA's address: http:// or https://" },                    \
      { "ref", 0, CLI_TEXT, "REF", "the reference that goes with the CA's secret" },         \
      { "server-cert", 0, CLI_TEXT, "FILE", "the certificate that the CA's answers carry" }, \
      { "trust", 0, CLI_TEXT, "FILE", "or a root that this certificate leads to" },          \
      { "recipient", 0, CLI_TEXT, "DN", "the CA's name, \"CN=Mail CA,O=Example\"" },         \
      { "profile", 0, CLI_TEXT, "NAME", "the kind of certificate, as the CA calls it" },     \
      { "timeout", 0, CLI_NUMBER, "SECONDS", "for all of it, 120 if not given" },            \
      { "proxy", 0, CLI_TEXT, "HOST:PORT", "through this HTTP proxy; else through none" },   \
      { "tls-ca", 0, CLI_TEXT, "FILE", "roots for https, in place of the system's" },        \
      { "implicit-confirm", 0, CLI_FLAG, NULL, "ask the CA to wait for no confirmation" },   \
  {                                                                                          \
    "unprotected-errors", 0, CLI_FLAG, NULL, "believe a refusal that anybody may have sent"  \
  }

/* Checks the words, reads files and the secret, and connects. `signs`: a key of the ID protects the
 * messages where there is no secret. */
gboolean cli_cmp_prepare(Cli *cli, CliCmp *cmp, EnrollKind kind, gboolean signs, GError **error);
/* Without a secret, `key` and `certificate` (nullable, both) protect the messages. */
gboolean cli_cmp_run(Cli *cli, CliCmp *cmp, EnrollRequest *request, const char *key,
                     GBytes *certificate, GError **error);
/* The lines for a person, and the members for --json. */
void cli_cmp_say(Cli *cli, const CliCmp *cmp);
json_t *cli_cmp_json(const CliCmp *cmp);
void cli_cmp_clear(CliCmp *cmp);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CliCmp, cli_cmp_clear)
