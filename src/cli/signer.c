/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/signer.h"

#include "base/config.h"
#include "base/error.h"
#include "cli/expiry.h"

#include <string.h>

gboolean
cli_mail_setting(Cli *cli, const char *option, char **ret_value, GError **error)
{
  const char *given = cli_text(cli, option);
  if (given) {
    *ret_value = g_strdup(given);
    return TRUE;
  }
  g_autoptr(BaseConfig) config = base_config_load(error);
  if (!config)
    return FALSE;
  *ret_value = g_strdup(base_config_text(config, "mail", option));
  return TRUE;
}

static gboolean
is_rsa(const CliSigner *signer)
{
  return signer->kind == BASE_KEY_RSA;
}

static const char *
fitting_hash(BaseKeyKind kind)
{
  if (kind == BASE_KEY_ED25519 || kind == BASE_KEY_EC_P521)
    return "sha512";
  return kind == BASE_KEY_EC_P384 ? "sha384" : "sha256";
}

static gboolean
settle_hash(Cli *cli, CliSigner *signer, GError **error)
{
  g_autofree char *wanted = NULL;
  const char *given = cli_text(cli, "hash");
  /* RFC 8419 3: Ed25519 in CMS is with SHA-512, whatever the settings say. */
  if (signer->kind == BASE_KEY_ED25519) {
    if (given && strcmp(given, "sha512") != 0)
      return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                            "an Ed25519 key signs mail with sha512 only, not %s", given);
    signer->hash = g_strdup("sha512");
    return TRUE;
  }
  if (!cli_mail_setting(cli, "hash", &wanted, error))
    return FALSE;
  if (wanted && strcmp(wanted, "sha256") != 0 && strcmp(wanted, "sha384") != 0 &&
      strcmp(wanted, "sha512") != 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the setting hash=%s in [mail] is not sha256, sha384 or sha512", wanted);
  signer->hash = g_strdup(wanted ? wanted : fitting_hash(signer->kind));
  return TRUE;
}

static gboolean
check_pss(Cli *cli, CliSigner *signer, GError **error)
{
  signer->pss = cli_flag(cli, "pss");
  if (signer->pss && !is_rsa(signer))
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "--pss is for RSA keys; the key of %s is %s", signer->choice->id,
                          signer->choice->kind);
  return TRUE;
}

static gboolean
check_token(Cli *cli, const CliSigner *signer, GError **error)
{
  const char *wanted = cli_text(cli, "token");
  if (!wanted)
    return TRUE;
  g_autoptr(SignetToken) token = signet_token_describe(cli->client, wanted, NULL, NULL, error);
  if (!token)
    return FALSE;
  if (g_strcmp0(token->label, signer->choice->token) != 0)
    return base_error_set(error, SIGNET_ERROR_NONE_USABLE,
                          "the key of %s is on token \"%s\", not on \"%s\"", signer->choice->id,
                          signer->choice->token, token->label);
  return TRUE;
}

/* Signed by an ID that has not the mail's own address: readers will see a mismatch. */
static void
warn_of_mismatch(Cli *cli, const CliSigner *signer, const BaseCert *certificate, const char *from)
{
  for (int i = 0; from && certificate && certificate->addresses[i]; i++)
    if (base_address_equal(certificate->addresses[i], from))
      return;
  if (from && certificate)
    cli_note(
        cli,
        "the mail is from %s, which the certificate of %s does not have: readers will be warned",
        from, signer->choice->id);
}

static void
warn_of_expiry(Cli *cli, CliSigner *signer, const BaseCert *certificate)
{
  signer->ends = certificate->not_after;
  if (!cli_expires_soon(signer->ends))
    return;
  signer->warning = cli_expiry_sentence(signer->choice->id, signer->ends);
  cli_note(cli, "%s", signer->warning);
}

/* With one key for signing and one for opening, who answers must be told of the other. None that can
 * receive is fine: then nothing is said. */
static void
find_encryption_certificate(Cli *cli, CliSigner *signer)
{
  g_autoptr(SignetChoice) choice =
      signet_id_choose(cli->client, SIGNET_USE_ENCRYPT, signer->choice->id, NULL, NULL);
  if (choice && choice->certificate &&
      !g_bytes_equal(choice->certificate, signer->choice->certificate))
    signer->encryption_certificate = g_bytes_ref(choice->certificate);
}

static gboolean
check_receipt_addresses(char *const *addresses, GError **error)
{
  for (; *addresses; addresses++) {
    g_autofree char *normal = base_address_normal(*addresses);
    if (!normal)
      return base_error_set(error, SIGNET_ERROR_USAGE,
                            "--request-receipt takes mail addresses, not \"%s\"", *addresses);
  }
  return TRUE;
}

/* To those named; else to who sends. */
static gboolean
settle_receipts(Cli *cli, CliSigner *signer, const BaseCert *certificate, const char *from,
                GError **error)
{
  const char *wanted = cli_text(cli, "request-receipt");
  if (!wanted)
    return TRUE;
  const char *sender = from ? from : certificate ? certificate->addresses[0] : NULL;
  if (*wanted)
    signer->receipts_to = g_strsplit(wanted, ",", 64);
  else if (sender)
    signer->receipts_to = g_strsplit(sender, "\n", 1);
  else
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "to whom shall the receipt go? --request-receipt=ADDRESS");
  return check_receipt_addresses(signer->receipts_to, error);
}

CliSigner *
cli_signer_new(Cli *cli, const char *from, GError **error)
{
  const char *id = cli_text(cli, "id");
  int bits;
  if (!cli_connect(cli, error))
    return NULL;
  g_autoptr(CliSigner) signer = g_new0(CliSigner, 1);
  signer->choice = signet_id_choose(cli->client, SIGNET_USE_SIGN, id, id ? NULL : from, error);
  if (!signer->choice || !base_key_kind_parse(signer->choice->kind, &signer->kind, &bits, error) ||
      !check_pss(cli, signer, error) || !settle_hash(cli, signer, error) ||
      !check_token(cli, signer, error))
    return NULL;
  g_autoptr(BaseCert) certificate = base_cert_new(signer->choice->certificate, NULL);
  if (!settle_receipts(cli, signer, certificate, from, error))
    return NULL;
  find_encryption_certificate(cli, signer);
  if (id)
    warn_of_mismatch(cli, signer, certificate, from);
  if (certificate)
    warn_of_expiry(cli, signer, certificate);
  return g_steal_pointer(&signer);
}

void
cli_signer_free(CliSigner *signer)
{
  if (!signer)
    return;
  signet_choice_free(signer->choice);
  g_free(signer->hash);
  g_clear_pointer(&signer->encryption_certificate, g_bytes_unref);
  g_strfreev(signer->receipts_to);
  g_free(signer->warning);
  g_free(signer);
}

CmsSigner
cli_signer_cms(const CliSigner *signer)
{
  return (CmsSigner){
    .key = signer->choice->key,
    .kind = signer->kind,
    .certificate = signer->choice->certificate,
    .chain = signer->choice->chain,
    .hash = signer->hash,
    .pss = signer->pss,
    .encryption_certificate = signer->encryption_certificate,
    .receipts_to = (const char *const *)signer->receipts_to,
  };
}

BaseSink *
cli_signer_sink(Cli *cli, const CliSigner *signer, gboolean detached, gint64 length, BaseSink *out,
                GError **error)
{
  CmsSigner with = cli_signer_cms(signer);
  cli_status(cli, "sign %s", signer->choice->id);
  return cms_sign_new(cli->client, &with, detached, length, out, error);
}
