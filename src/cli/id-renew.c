/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/cmp.h"
#include "cli/generate.h"
#include "cli/issue.h"
#include "cli/verbs.h"

#include <string.h>

#define DAY_S (24 * 3600)
#define DAYS 365

typedef enum { BY_ITSELF, BY_REQUEST, BY_CMP } Way;

typedef struct {
  Way way;
  gint64 days;
  const char *csr;
  SignetId *id;
  const SignetKey *old; /* the id's */
  const SignetCertificate *certificate;
  CliSubject subject;
  GBytes *public_key;
  char *key;
  char *kind;
  char *token;
  gboolean new_key;
  gboolean made; /* in this run */
} Renewal;

static void
renewal_clear(Renewal *renewal)
{
  signet_id_free(renewal->id);
  g_clear_pointer(&renewal->subject.subject, g_bytes_unref);
  g_clear_pointer(&renewal->public_key, g_bytes_unref);
  g_free(renewal->key);
  g_free(renewal->kind);
  g_free(renewal->token);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Renewal, renewal_clear)

/* ---- what is to be ---- */

static gboolean
read_words(Cli *cli, Renewal *renewal, GError **error)
{
  gboolean by_itself = cli_flag(cli, "self-signed");
  const char *output = cli_text(cli, "output");
  renewal->csr = cli_text(cli, "csr") ? cli_text(cli, "csr") : output;
  renewal->days = cli_number(cli, "self-signed", 0);
  renewal->new_key = cli_flag(cli, "new-key");
  if (cli_text(cli, "csr") && output)
    return base_error_set(error, SIGNET_ERROR_USAGE, "either --csr or -o, not both");
  if (renewal->new_key && cli_flag(cli, "same-key"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "either --same-key or --new-key, not both");
  if (by_itself + (renewal->csr != NULL) + (cli_text(cli, "cmp") != NULL) > 1)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "one of --csr, --self-signed and --cmp, not several");
  if (by_itself && (renewal->days < 1 || renewal->days > CLI_ISSUE_DAYS_MAX))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--self-signed takes 1 to %d days",
                          CLI_ISSUE_DAYS_MAX);
  return TRUE;
}

/* As long as the present one was good. */
static gint64
same_days(const SignetCertificate *certificate)
{
  gint64 days = (certificate->not_after - certificate->not_before + DAY_S / 2) / DAY_S;
  return days > 0 ? MIN(days, CLI_ISSUE_DAYS_MAX) : DAYS;
}

static gboolean
settle_way(Cli *cli, Renewal *renewal, GError **error)
{
  g_autofree char *name = cli_safe(renewal->id->id);
  if (cli_text(cli, "cmp"))
    renewal->way = BY_CMP;
  else if (renewal->csr)
    renewal->way = BY_REQUEST;
  else if (renewal->days || renewal->certificate->self_signed)
    renewal->way = BY_ITSELF;
  else {
    g_autofree char *issuer = cli_safe(renewal->certificate->issuer);
    g_autofree char *file = g_strdup_printf("%.64s.csr", renewal->id->id);
    base_error_set(
        error, SIGNET_ERROR_USAGE,
        "%s has its certificate of %s: --csr FILE writes a request for it, --cmp URL asks "
        "it directly",
        name, issuer);
    base_error_suggest(error, "signet", "id", "renew", renewal->id->id, "--csr", file, NULL);
    return FALSE;
  }
  if (renewal->way == BY_ITSELF && !renewal->days)
    renewal->days = same_days(renewal->certificate);
  return TRUE;
}

static gboolean
find_current(Cli *cli, Renewal *renewal, GError **error)
{
  renewal->id = signet_id_describe(cli->client, cli_argument(cli, 0), TRUE, error);
  renewal->certificate = renewal->id ? cli_issue_current(renewal->id, cli_text(cli, "certificate"),
                                                         &renewal->old, error)
                                     : NULL;
  return renewal->certificate && settle_way(cli, renewal, error) &&
         cli_issue_again(renewal->id, renewal->certificate, &renewal->subject, error) &&
         cli_issue_check(&renewal->subject, error);
}

/* ---- the key ---- */

static gboolean
take_key(Renewal *renewal, const SignetKey *key, GError **error)
{
  renewal->public_key = cli_issue_public_key(key, error);
  renewal->key = g_strdup(key->key);
  renewal->kind = g_strdup(key->kind);
  renewal->token = g_strdup(key->tokens[0]);
  renewal->subject.can_decrypt = (key->can & (SIGNET_CAN_DECRYPT | SIGNET_CAN_DERIVE)) != 0;
  return renewal->public_key != NULL;
}

/* One that an earlier run made and that waits for its certificate is as new. */
static const SignetKey *
key_to_use(const Renewal *renewal)
{
  return renewal->new_key ? cli_issue_waiting_key(renewal->id) : renewal->old;
}

static gboolean
make_key(Cli *cli, Renewal *renewal, GError **error)
{
  const SignetKey *old = renewal->old;
  const char *token = cli_text(cli, "token");
  gboolean decrypts = (old->can & (SIGNET_CAN_DECRYPT | SIGNET_CAN_DERIVE)) != 0;
  SignetGenerate request = { .addresses = renewal->subject.addresses,
                             .name =
                                 renewal->id->name && *renewal->id->name ? renewal->id->name : NULL,
                             .token = token ? token : old->tokens[0],
                             .kind = old->kind,
                             .can = decrypts ? 0 : SIGNET_CAN_SIGN,
                             .no_backup = cli_flag(cli, "no-backup") };
  g_autoptr(SignetGenerated) made = cli_generate(cli, &request, error);
  if (!made)
    return FALSE;
  renewal->made = TRUE;
  renewal->public_key = g_bytes_ref(made->public_key);
  renewal->key = g_strdup(made->key);
  renewal->kind = g_strdup(made->kind);
  renewal->token = g_strdup(made->token);
  renewal->subject.can_decrypt = decrypts;
  return TRUE;
}

static void
say_plan(Cli *cli, const Renewal *renewal)
{
  const SignetKey *key = key_to_use(renewal);
  g_autofree char *name = cli_safe(renewal->id->id);
  g_autofree char *token = cli_safe(renewal->old->tokens[0]);
  g_autofree char *until = cli_day(renewal->certificate->not_after);
  g_autofree char *csr = cli_safe(renewal->csr);
  g_autofree char *by =
      renewal->way == BY_CMP ? g_strdup("the CA is asked now")
      : renewal->way == BY_REQUEST
          ? g_strdup_printf("a request goes to %s", csr)
          : g_strdup_printf("it certifies itself for %" G_GINT64_FORMAT " days", renewal->days);
  cli_note(cli, "%s, whose certificate is good until %s: %s", name, until, by);
  if (!renewal->new_key)
    cli_note(cli, "its %s key on token \"%s\" stays the same", renewal->old->kind, token);
  else if (key)
    cli_note(cli, "with the new key that was made before; the old one stays for old mail");
  else
    cli_note(cli, "a new %s key is made; the old one on token \"%s\" stays for old mail",
             renewal->old->kind, token);
}

/* ---- the certificate ---- */

static gboolean
but_key_stays(const Renewal *renewal, GError **error)
{
  if (error && *error && renewal->made) {
    g_prefix_error(error,
                   "the new key of %s was made and stays on token \"%s\", but: ", renewal->id->id,
                   renewal->token);
    if (renewal->way != BY_CMP)
      base_error_suggest(error, "signet", "id", "renew", renewal->id->id, "--new-key", NULL);
  }
  return FALSE;
}

static json_t *
json_of(const Renewal *renewal)
{
  return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "id", cli_json_text(renewal->id->id),
                   "key", cli_json_text(renewal->key), "kind", cli_json_text(renewal->kind),
                   "token", cli_json_text(renewal->token), "new_key", renewal->new_key, "replaces",
                   cli_json_text(renewal->certificate->fingerprint), "csr",
                   cli_json_text(renewal->way == BY_REQUEST ? renewal->csr : NULL));
}

static gboolean
renew_by_itself(Cli *cli, const Renewal *renewal, GError **error)
{
  g_autoptr(GBytes) der =
      cli_issue_certificate(cli->client, &renewal->subject, renewal->days, error);
  g_autoptr(BaseCert) certificate = der ? base_cert_new(der, error) : NULL;
  g_autoptr(SignetStored) stored =
      certificate ? signet_id_put_certificate(cli->client, der, FALSE, NULL, error) : NULL;
  if (!stored)
    return FALSE;
  g_autofree char *name = cli_safe(renewal->id->id);
  g_autofree char *token = cli_safe(stored->token);
  g_autofree char *until = cli_day(certificate->not_after);
  cli_say(cli, "%s: a self-signed certificate, good until %s: SHA-256 %.16s…", name, until,
          certificate->fingerprint);
  cli_say(cli,
          stored->kept
              ? "Token \"%s\" took no certificate; it is in signet's own store."
              : "It is on token \"%s\". Whoever trusted the one before has to trust it anew.",
          token);
  json_t *object = json_of(renewal);
  json_object_set_new(object, "fingerprint", cli_json_text(certificate->fingerprint));
  json_object_set_new(object, "not_after", cli_json_time(certificate->not_after));
  json_object_set_new(object, "kept", json_boolean(stored->kept));
  return cli_json(cli, object, error);
}

static gboolean
renew_by_request(Cli *cli, const Renewal *renewal, GError **error)
{
  g_autoptr(GBytes) der = cli_issue_request(cli->client, &renewal->subject, error);
  g_autoptr(GBytes) pem = der ? cli_issue_request_pem(der) : NULL;
  if (!pem || !cli_write_file(renewal->csr, pem, error))
    return FALSE;
  cli_say(cli,
          "The request is in %s. What the CA sends back: signet id install FILE\n"
          "Until then the present certificate is used.",
          renewal->csr);
  return cli_json(cli, json_of(renewal), error);
}

static gboolean
renew_by_cmp(Cli *cli, CliCmp *cmp, const Renewal *renewal, GError **error)
{
  EnrollRequest request = { .subject = renewal->subject, .old = renewal->certificate->der };
  if (!cli_cmp_run(cli, cmp, &request, renewal->old->key, renewal->certificate->der, error))
    return FALSE;
  cli_cmp_say(cli, cmp);
  json_t *object = json_of(renewal), *more = cli_cmp_json(cmp);
  json_object_update(object, more);
  json_decref(more);
  return cli_json(cli, object, error);
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(Renewal) renewal = { 0 };
  g_auto(CliCmp) cmp = { 0 };
  if (!read_words(cli, &renewal, error) ||
      (cli_text(cli, "cmp") && !cli_cmp_prepare(cli, &cmp, ENROLL_KEY_UPDATE, TRUE, error)) ||
      !cli_connect(cli, error) || !find_current(cli, &renewal, error))
    return FALSE;
  say_plan(cli, &renewal);
  const SignetKey *key = key_to_use(&renewal);
  if (!(key ? take_key(&renewal, key, error) : make_key(cli, &renewal, error)))
    return FALSE;
  renewal.subject.key = renewal.key;
  renewal.subject.public_key = renewal.public_key;
  gboolean done = renewal.way == BY_CMP       ? renew_by_cmp(cli, &cmp, &renewal, error)
                  : renewal.way == BY_REQUEST ? renew_by_request(cli, &renewal, error)
                                              : renew_by_itself(cli, &renewal, error);
  return done || but_key_stays(&renewal, error);
}

static const CliOption options[] = {
  { "same-key", 0, CLI_FLAG, NULL, "keep the key; the default" },
  { "new-key", 0, CLI_FLAG, NULL, "another of its kind; the old one opens old mail" },
  { "csr", 0, CLI_TEXT, "FILE", "write a request for the CA" },
  { "output", 'o', CLI_TEXT, "FILE", "the same" },
  { "self-signed", 0, CLI_NUMBER, "DAYS", "certify it by itself, for so many days" },
  { "certificate", 0, CLI_TEXT, "FPR", "which certificate to renew; else the newest" },
  { "no-backup", 0, CLI_FLAG, NULL, "losing the token loses the mail: I know" },
  CLI_CMP_OPTIONS,
  { 0 },
};

const CliVerb cli_id_renew = {
  .group = "id",
  .name = "renew",
  .arguments = "ID",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "get another certificate before the present one expires",
  .more =
      "An ID that certified itself does so again; for one that a CA certified give --csr FILE or --cmp URL.\n"
      "--pin-fd N: one line, the token's PIN.",
  .example = "signet id renew alice@example.org --csr alice.csr",
  .options = options,
  .run = run,
};
