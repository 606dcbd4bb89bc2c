/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/generate.h"
#include "cli/issue.h"
#include "cli/verbs.h"

#include <string.h>

typedef struct {
  GPtrArray *addresses; /* NULL-terminated (element-type char) */
  const char *csr;
  gint64 days; /* of the self-signed certificate; 0: none */
  BaseKeyKind kind;
} Wish;

static void
wish_clear(Wish *wish)
{
  g_clear_pointer(&wish->addresses, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wish, wish_clear)

static gboolean
check_kind(Cli *cli, Wish *wish, GError **error)
{
  int bits;
  const char *kind = cli_text(cli, "key");
  wish->kind = BASE_KEY_RSA;
  return !kind || base_key_kind_parse(kind, &wish->kind, &bits, error);
}

static gboolean
check_certificate(Cli *cli, Wish *wish, GError **error)
{
  wish->csr = cli_text(cli, "csr");
  wish->days = cli_number(cli, "self-signed", 0);
  if (wish->csr && cli_flag(cli, "self-signed"))
    return base_error_set(error, SIGNET_ERROR_USAGE, "either --csr or --self-signed, not both");
  if (cli_flag(cli, "self-signed") && (wish->days < 1 || wish->days > CLI_ISSUE_DAYS_MAX))
    return base_error_set(error, SIGNET_ERROR_USAGE, "--self-signed takes 1 to %d days",
                          CLI_ISSUE_DAYS_MAX);
  return TRUE;
}

static CliSubject
subject_of(const Cli *cli, const Wish *wish)
{
  return (CliSubject){ .name = cli_text(cli, "name"),
                       .addresses = (const char *const *)wish->addresses->pdata,
                       .can_decrypt = wish->kind != BASE_KEY_ED25519 };
}

/* All that can be wrong with the words is said before a key exists. */
static gboolean
read_wish(Cli *cli, Wish *wish, GError **error)
{
  wish->addresses = g_ptr_array_new_with_free_func(g_free);
  for (int i = 0; i < cli_count(cli); i++) {
    char *normal = base_address_normal(cli_argument(cli, i));
    if (!normal) {
      g_autofree char *shown = cli_safe(cli_argument(cli, i));
      return base_error_set(error, SIGNET_ERROR_USAGE, "\"%s\" is no mail address", shown);
    }
    g_ptr_array_add(wish->addresses, normal);
  }
  g_ptr_array_add(wish->addresses, NULL);
  CliSubject subject = subject_of(cli, wish);
  return check_kind(cli, wish, error) && check_certificate(cli, wish, error) &&
         cli_issue_check(&subject, error);
}

static SignetGenerated *
generate(Cli *cli, const Wish *wish, GError **error)
{
  SignetGenerate request = {
    .addresses = (const char *const *)wish->addresses->pdata,
    .name = cli_text(cli, "name"),
    .token = cli_text(cli, "token"),
    .kind = cli_text(cli, "key"),
    .can = wish->kind == BASE_KEY_ED25519 ? SIGNET_CAN_SIGN : 0,
    .no_backup = cli_flag(cli, "no-backup"),
  };
  return cli_generate(cli, &request, error);
}

/* The key is there and stays: the person is to know, whatever comes after fails. */
static gboolean
but_key_is_made(const SignetGenerated *made, GError **error)
{
  if (error && *error) {
    g_prefix_error(error, "the key of %s was made and is on token \"%s\", but: ", made->id,
                   made->token);
    base_error_suggest(error, "signet", "id", "request", made->id, NULL);
  }
  return FALSE;
}

static gboolean
self_sign(Cli *cli, const CliSubject *subject, gint64 days, char **ret_fingerprint, GError **error)
{
  g_autoptr(GBytes) der = cli_issue_certificate(cli->client, subject, days, error);
  g_autoptr(BaseCert) certificate = der ? base_cert_new(der, error) : NULL;
  if (!certificate ||
      !signet_id_store_certificate(cli->client, der, FALSE, NULL, NULL, NULL, NULL, error))
    return FALSE;
  *ret_fingerprint = g_strdup(certificate->fingerprint);
  return TRUE;
}

static gboolean
write_request(Cli *cli, const CliSubject *subject, const char *path, GError **error)
{
  g_autoptr(GBytes) der = cli_issue_request(cli->client, subject, error);
  g_autoptr(GBytes) pem = der ? cli_issue_request_pem(der) : NULL;
  return pem && cli_write_file(path, pem, error);
}

static gboolean
report(Cli *cli, const Wish *wish, const SignetGenerated *made, const char *fingerprint,
       GError **error)
{
  g_autofree char *id = cli_safe(made->id);
  g_autofree char *token = cli_safe(made->token);
  cli_say(cli, "%s: a new %s key on token \"%s\".", id, made->kind, token);
  if (fingerprint)
    cli_say(cli,
            "Its self-signed certificate, good for %" G_GINT64_FORMAT
            " days: SHA-256 %.16s…\nNext: signet sign < mail.eml",
            wish->days, fingerprint);
  else if (wish->csr)
    cli_say(
        cli,
        "The request for a certificate is in %s. What the CA sends back: signet id install FILE",
        wish->csr);
  else
    cli_say(cli, "It has no certificate yet. Next: signet id request %s -o request.csr", id);
  return cli_json(cli,
                  json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "id", cli_json_text(made->id),
                            "key", cli_json_text(made->key), "kind", cli_json_text(made->kind),
                            "token", cli_json_text(made->token), "fingerprint",
                            cli_json_text(fingerprint), "csr", cli_json_text(wish->csr),
                            "extractable", made->extractable),
                  error);
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(Wish) wish = { 0 };
  if (!read_wish(cli, &wish, error) || !cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetGenerated) made = generate(cli, &wish, error);
  if (!made)
    return FALSE;
  CliSubject subject = subject_of(cli, &wish);
  subject.key = made->key;
  subject.public_key = made->public_key;
  subject.can_decrypt = !g_str_has_prefix(made->kind, "ed25519");
  g_autofree char *fingerprint = NULL;
  if (wish.days && !self_sign(cli, &subject, wish.days, &fingerprint, error))
    return but_key_is_made(made, error);
  if (wish.csr && !write_request(cli, &subject, wish.csr, error))
    return but_key_is_made(made, error);
  return report(cli, &wish, made, fingerprint, error);
}

static const CliOption options[] = {
  { "name", 0, CLI_TEXT, "CN", "the person's name" },
  { "key", 'k', CLI_CHOICE, "rsa:2048|rsa:3072|rsa:4096|ec:p256|ec:p384|ed25519",
    "the kind of key; ed25519 only signs" },
  { "self-signed", 0, CLI_NUMBER, "DAYS", "certify it by itself, for so many days" },
  { "csr", 0, CLI_TEXT, "FILE", "write a request for a CA" },
  { "no-backup", 0, CLI_FLAG, NULL, "losing the token loses the mail: I know" },
  { "dual", 0, CLI_LATER, NULL, NULL },
  { "backup", 0, CLI_LATER, NULL, NULL },
  { "touch", 0, CLI_LATER, NULL, NULL },
  { "place", 0, CLI_LATER, NULL, NULL },
  { 0 },
};

const CliVerb cli_id_new = {
  .group = "id",
  .name = "new",
  .arguments = "ADDRESS…",
  .min_arguments = 1,
  .max_arguments = -1,
  .help = "make a key pair on a token, for one person's address",
  .more =
      "With several addresses the ID has them all. Without --self-signed or --csr only the key is made.\n"
      "--pin-fd N: one line, the token's PIN.",
  .example = "signet id new alice@example.org --name \"Alice Example\" --self-signed 365",
  .options = options,
  .run = run,
};
