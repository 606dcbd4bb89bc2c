/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/cmp.h"
#include "cli/generate.h"
#include "cli/issue.h"
#include "cli/verbs.h"

#include <string.h>

/* By CRLReason, RFC 5280 5.3.1; 7 is not used. */
static const char *const reasons[] = { "unspecified", "key-compromise", NULL, "affiliation",
                                       "superseded",  "cessation",      NULL };

typedef struct {
  SignetId *id;         /* (nullable): there is none yet */
  GPtrArray *addresses; /* NULL-terminated (element-type char) */
  CliSubject subject;   /* of the key that is used */
  GBytes *public_key;
  char *key;
  char *called; /* the ID, in commands to type */
  gboolean made;
} Applicant;

static void
applicant_clear(Applicant *applicant)
{
  signet_id_free(applicant->id);
  g_clear_pointer(&applicant->addresses, g_ptr_array_unref);
  g_clear_pointer(&applicant->public_key, g_bytes_unref);
  g_clear_pointer(&applicant->subject.subject, g_bytes_unref);
  g_free(applicant->key);
  g_free(applicant->called);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Applicant, applicant_clear)

/* ---- the key ---- */

static gboolean
is_settled(const SignetId *id)
{
  const SignetKey *key = NULL;
  const SignetCertificate *newest = cli_newest_certificate(id, 0, &key);
  return newest && !newest->self_signed && newest->not_after > g_get_real_time() / G_USEC_PER_SEC;
}

static gboolean
has_certificate_already(Cli *cli, const SignetId *id, GError **error)
{
  g_autofree char *name = cli_safe(id->id);
  base_error_set(error, SIGNET_ERROR_REFUSED,
                 "%s has a certificate of a CA: renew it (--key-update), or ask for another with "
                 "--new-key or --same-key",
                 name);
  base_error_suggest(error, "signet", "id", "renew", id->id, "--cmp", cli_text(cli, "cmp"), NULL);
  return FALSE;
}

static gboolean
use_key(Applicant *applicant, const SignetKey *key, GError **error)
{
  if (!key)
    return FALSE;
  applicant->public_key = cli_issue_public_key(key, error);
  applicant->key = g_strdup(key->key);
  applicant->subject.can_decrypt = (key->can & (SIGNET_CAN_DECRYPT | SIGNET_CAN_DERIVE)) != 0;
  return applicant->public_key != NULL;
}

static gboolean
make_key(Cli *cli, Applicant *applicant, GError **error)
{
  const char *kind = cli_text(cli, "key");
  gboolean signs_only = g_strcmp0(kind, "ed25519") == 0;
  SignetGenerate request = { .addresses = (const char *const *)applicant->addresses->pdata,
                             .name = applicant->subject.name,
                             .token = cli_text(cli, "token"),
                             .kind = kind,
                             .can = signs_only ? SIGNET_CAN_SIGN : 0,
                             .no_backup = cli_flag(cli, "no-backup") };
  g_autoptr(SignetGenerated) made = cli_generate(cli, &request, error);
  if (!made)
    return FALSE;
  applicant->made = TRUE;
  applicant->public_key = g_bytes_ref(made->public_key);
  applicant->key = g_strdup(made->key);
  applicant->subject.can_decrypt = !g_str_has_prefix(made->kind, "ed25519");
  g_free(applicant->called);
  applicant->called = g_strdup(made->id);
  return TRUE;
}

/* A key that waits is used before another is made: so an exchange that broke off goes on. */
static gboolean
settle_key(Cli *cli, Applicant *applicant, GError **error)
{
  const SignetId *id = applicant->id;
  const SignetKey *waiting = id ? cli_issue_waiting_key(id) : NULL;
  if (waiting) {
    g_autofree char *token = cli_safe(waiting->tokens[0]);
    cli_note(cli, "the key on token \"%s\" that has no certificate yet is used", token);
    return use_key(applicant, waiting, error);
  }
  if (!id || cli_flag(cli, "new-key"))
    return make_key(cli, applicant, error);
  if (is_settled(id) && !cli_flag(cli, "same-key"))
    return has_certificate_already(cli, id, error);
  return use_key(applicant, cli_issue_key(id, error), error);
}

/* ---- who ---- */

static gboolean
add_address(Applicant *applicant, const char *address, GError **error)
{
  char *normal = base_address_normal(address);
  if (!normal) {
    g_autofree char *shown = cli_safe(address);
    return base_error_set(error, SIGNET_ERROR_USAGE, "\"%s\" is no mail address", shown);
  }
  for (guint i = 0; i < applicant->addresses->len; i++)
    if (base_address_equal(applicant->addresses->pdata[i], normal)) {
      g_free(normal);
      return TRUE;
    }
  g_ptr_array_add(applicant->addresses, normal);
  return TRUE;
}

/* An ID that is there, else a new one for the addresses. */
static gboolean
find_applicant(Cli *cli, Applicant *applicant, GError **error)
{
  GError *failed = NULL;
  applicant->called = g_strdup(cli_argument(cli, 0));
  applicant->addresses = g_ptr_array_new_with_free_func(g_free);
  applicant->id = signet_id_describe(cli->client, cli_argument(cli, 0), TRUE, &failed);
  g_autofree char *address = base_address_normal(cli_argument(cli, 0));
  if (!applicant->id &&
      (!address || !g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND))) {
    g_propagate_error(error, failed);
    return FALSE;
  }
  g_clear_error(&failed);
  char **own = applicant->id ? applicant->id->addresses : NULL;
  for (int i = 0; own && own[i]; i++)
    if (!add_address(applicant, own[i], error))
      return FALSE;
  for (int i = applicant->id ? 1 : 0; i < cli_count(cli); i++)
    if (!add_address(applicant, cli_argument(cli, i), error))
      return FALSE;
  if (applicant->addresses->len == 0)
    return base_error_set(error, SIGNET_ERROR_NONE_USABLE,
                          "%s has no mail address to ask a certificate for; add one behind it",
                          applicant->called);
  g_ptr_array_add(applicant->addresses, NULL);
  applicant->subject.addresses = (const char *const *)applicant->addresses->pdata;
  applicant->subject.name = cli_text(cli, "name");
  if (!applicant->subject.name && applicant->id && applicant->id->name && *applicant->id->name)
    applicant->subject.name = applicant->id->name;
  return cli_issue_check(&applicant->subject, error);
}

/* ---- the three ways ---- */

/* Whatever failed: the key is there and stays, and the same command goes on with it. */
static gboolean
but_key_stays(Cli *cli, const CliCmp *cmp, const Applicant *applicant, GError **error)
{
  if (!error || !*error)
    return FALSE;
  if (applicant->made && !cmp->stored)
    g_prefix_error(error,
                   "the key of %s was made and stays on its token, but: ", applicant->called);
  const char *reference = cli_text(cli, "ref");
  /* A token that is locked or gone has its own advice. */
  gboolean of_token = (*error)->domain == SIGNET_ERROR &&
                      (*error)->code >= SIGNET_ERROR_PIN_REQUIRED &&
                      (*error)->code <= SIGNET_ERROR_TOKEN_DOWN;
  if (!cmp->stored && !of_token)
    base_error_suggest(error, "signet", "id", "enroll", applicant->called, "--cmp", cmp->server.url,
                       reference ? "--ref" : NULL, reference, NULL);
  return FALSE;
}

static gboolean
report(Cli *cli, const CliCmp *cmp, const Applicant *applicant, GError **error)
{
  static const char *const kinds[] = { "ir", "cr", "kur", "rr" };
  cli_cmp_say(cli, cmp);
  json_t *object = cli_cmp_json(cmp);
  json_object_set_new(object, "request", json_string(kinds[cmp->kind]));
  json_object_set_new(object, "key", cli_json_text(applicant->key));
  json_object_set_new(object, "new_key", json_boolean(applicant->made));
  return cli_json(cli, object, error);
}

static gboolean
ask_certificate(Cli *cli, CliCmp *cmp, GError **error)
{
  g_auto(Applicant) applicant = { 0 };
  if (!find_applicant(cli, &applicant, error) || !settle_key(cli, &applicant, error))
    return FALSE;
  EnrollRequest request = { .subject = applicant.subject };
  request.subject.key = applicant.key;
  request.subject.public_key = applicant.public_key;
  if (!cli_cmp_run(cli, cmp, &request, NULL, NULL, error))
    return but_key_stays(cli, cmp, &applicant, error);
  return report(cli, cmp, &applicant, error);
}

static gboolean
update_key(Cli *cli, CliCmp *cmp, GError **error)
{
  g_auto(Applicant) applicant = { 0 };
  const SignetKey *old = NULL;
  if (!find_applicant(cli, &applicant, error))
    return FALSE;
  const SignetCertificate *certificate =
      applicant.id ? cli_issue_current(applicant.id, cli_text(cli, "certificate"), &old, error)
                   : NULL;
  if (!applicant.id)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND, "%s has no certificate to update",
                          applicant.called);
  if (!certificate || !cli_issue_again(applicant.id, certificate, &applicant.subject, error))
    return FALSE;
  const SignetKey *waiting = cli_issue_waiting_key(applicant.id);
  gboolean ready = !cli_flag(cli, "new-key") ? use_key(&applicant, old, error)
                   : waiting                 ? use_key(&applicant, waiting, error)
                                             : make_key(cli, &applicant, error);
  if (!ready)
    return FALSE;
  EnrollRequest request = { .subject = applicant.subject, .old = certificate->der };
  request.subject.key = applicant.key;
  request.subject.public_key = applicant.public_key;
  if (!cli_cmp_run(cli, cmp, &request, old->key, certificate->der, error))
    return but_key_stays(cli, cmp, &applicant, error);
  return report(cli, cmp, &applicant, error);
}

static gboolean
may_revoke(Cli *cli, const SignetId *id, const SignetCertificate *certificate, GError **error)
{
  g_autofree char *name = cli_safe(id->id);
  g_autofree char *until = cli_day(certificate->not_after);
  g_autofree char *question =
      g_strdup_printf("Have the CA revoke the certificate %.16s… of %s (until %s), for good?",
                      certificate->fingerprint, name, until);
  if (cli->yes)
    return TRUE;
  if (!cli_terminal_available(cli))
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "the certificate of %s is not revoked without a yes (--yes)", name);
  return cli_terminal_confirm(cli, question) ||
         base_error_set(error, SIGNET_ERROR_CANCELLED, "%s stays as it is", name);
}

static gboolean
ask_revocation(Cli *cli, CliCmp *cmp, GError **error)
{
  const SignetKey *key = NULL;
  const char *reason = cli_text(cli, "revoke");
  g_autoptr(SignetId) id = signet_id_describe(cli->client, cli_argument(cli, 0), TRUE, error);
  /* A lost card's certificate is revoked with the secret, or by another ID. */
  gboolean own_key = !cmp->secret && !cmp->signer;
  const char *which = cli_text(cli, "certificate");
  const SignetCertificate *certificate = !id       ? NULL
                                         : own_key ? cli_issue_current(id, which, &key, error)
                                                   : cli_issue_find(id, which, &key, error);
  if (!certificate || !may_revoke(cli, id, certificate, error))
    return FALSE;
  EnrollRequest request = { .old = certificate->der, .reason = -1 };
  for (gsize i = 0; i < G_N_ELEMENTS(reasons); i++)
    if (g_strcmp0(reasons[i], reason) == 0)
      request.reason = (int)i;
  if (!cli_cmp_run(cli, cmp, &request, key->key, certificate->der, error))
    return FALSE;
  g_autofree char *name = cli_safe(id->id);
  cli_say(
      cli,
      "%s: the CA has revoked the certificate %.16s….\n"
      "Key and certificate stay, to read old mail. Next: signet id enroll %s --new-key --cmp URL",
      name, certificate->fingerprint, name);
  return cli_json(cli,
                  json_pack("{s:o, s:s, s:o, s:b, s:o}", "id", cli_json_text(id->id), "request",
                            "rr", "fingerprint", cli_json_text(certificate->fingerprint), "revoked",
                            TRUE, "reason", cli_json_text(reason)),
                  error);
}

static EnrollKind
kind_of(Cli *cli, gboolean update)
{
  const char *request = cli_text(cli, "request");
  if (cli_text(cli, "revoke"))
    return ENROLL_REVOCATION;
  if (update)
    return ENROLL_KEY_UPDATE;
  if (request)
    return strcmp(request, "cr") == 0 ? ENROLL_CERTIFICATION : ENROLL_INITIAL;
  return cli_text(cli, "signer") ? ENROLL_CERTIFICATION : ENROLL_INITIAL;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(CliCmp) cmp = { 0 };
  gboolean update = cli_flag(cli, "key-update") || cli_flag(cli, "renew");
  EnrollKind kind = kind_of(cli, update);
  if (cli_text(cli, "revoke") && update)
    return base_error_set(error, SIGNET_ERROR_USAGE, "either --revoke or --key-update, not both");
  if (cli_flag(cli, "new-key") && cli_flag(cli, "same-key"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "either --new-key or --same-key, not both");
  gboolean own_certificate = kind == ENROLL_KEY_UPDATE || kind == ENROLL_REVOCATION;
  if (!cli_cmp_prepare(cli, &cmp, kind, own_certificate, error))
    return FALSE;
  if (kind == ENROLL_REVOCATION)
    return ask_revocation(cli, &cmp, error);
  return update ? update_key(cli, &cmp, error) : ask_certificate(cli, &cmp, error);
}

static const CliOption options[] = {
  CLI_CMP_OPTIONS,
  { "signer", 0, CLI_TEXT, "ID", "without a secret: an ID that the CA knows asks" },
  { "request", 0, CLI_CHOICE, "ir|cr", "of a newcomer, or of one that the CA knows" },
  { "key-update", 0, CLI_FLAG, NULL, "another certificate in place of the present one" },
  { "renew", 0, CLI_FLAG, NULL, "the same" },
  { "revoke", 0, CLI_CHOICE, "key-compromise|superseded|cessation|affiliation|unspecified",
    "have the certificate revoked" },
  { "certificate", 0, CLI_TEXT, "FPR", "which one to update or revoke; else the newest" },
  { "name", 0, CLI_TEXT, "CN", "the person's name" },
  { "key", 'k', CLI_CHOICE, "rsa:2048|rsa:3072|rsa:4096|ec:p256|ec:p384|ed25519",
    "the kind of a new key" },
  { "new-key", 0, CLI_FLAG, NULL, "a new key, though the ID has one" },
  { "same-key", 0, CLI_FLAG, NULL, "the ID's key, though it has a certificate" },
  { "no-backup", 0, CLI_FLAG, NULL, "losing the token loses the mail: I know" },
  { 0 },
};

const CliVerb cli_id_enroll = {
  .group = "id",
  .name = "enroll",
  .arguments = "ID|ADDRESS…",
  .min_arguments = 1,
  .max_arguments = -1,
  .help = "get a certificate from a CA by CMP, for a key on a token",
  .more =
      "A key is made where the ID has none that waits for its certificate. When the exchange breaks off the key stays, and the same command goes on with it.\n"
      "The CA's answers are believed when its secret or its certificate protects them. The secret is one line on --passphrase-fd, or asked for.\n"
      "--pin-fd N: one line, the token's PIN.",
  .example = "signet id enroll alice@example.org --cmp http://ca.example/pkix/ --ref 4711",
  .options = options,
  .run = run,
};
