/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "base/error.h"
#include "cli/verbs.h"

#include <openssl/pkcs7.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PKCS7, PKCS7_free)

/* (element-type BaseCert): what people need to write to this person and to check
 * their signatures: the certificates in use, without repeats. */
static GPtrArray *
current_certificates(const SignetId *id, GError **error)
{
  static const guint uses[] = { SIGNET_USE_ENCRYPT, SIGNET_USE_SIGN, 0 };
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  for (gsize i = 0; i < G_N_ELEMENTS(uses); i++) {
    const SignetCertificate *certificate = cli_newest_certificate(id, uses[i], NULL);
    if (!certificate || !certificate->der || (uses[i] == 0 && all->len))
      continue;
    const BaseCert *first = all->len ? g_ptr_array_index(all, 0) : NULL;
    if (first && strcmp(first->fingerprint, certificate->fingerprint) == 0)
      continue;
    BaseCert *facts = base_cert_new(certificate->der, error);
    if (!facts)
      return NULL;
    g_ptr_array_add(all, facts);
  }
  if (all->len)
    return g_steal_pointer(&all);
  base_error_set(error, SIGNET_ERROR_NONE_USABLE, "%s has no certificate yet", id->id);
  base_error_suggest(error, "signet", "id", "request", id->id, NULL);
  return NULL;
}

/* Issuers, so that a .p7b is all one needs. None known is fine. */
static void
add_chain(Cli *cli, const char *id, PKCS7 *bag)
{
  g_autoptr(SignetChoice) choice = signet_id_choose(cli->client, SIGNET_USE_SIGN, id, NULL, NULL);
  for (guint i = 0; choice && choice->chain && i < choice->chain->len; i++) {
    g_autoptr(BaseCert) facts = base_cert_new(g_ptr_array_index(choice->chain, i), NULL);
    X509 *x509 = facts ? base_cert_to_x509(facts, NULL) : NULL;
    if (x509)
      PKCS7_add_certificate(bag, x509);
    X509_free(x509);
  }
}

static GBytes *
make_p7b(Cli *cli, const char *id, const GPtrArray *certificates, GError **error)
{
  g_autoptr(PKCS7) bag = PKCS7_new();
  gboolean fine = bag && PKCS7_set_type(bag, NID_pkcs7_signed) == 1 &&
                  PKCS7_content_new(bag, NID_pkcs7_data) == 1;
  for (guint i = 0; fine && i < certificates->len; i++) {
    X509 *x509 = base_cert_to_x509(g_ptr_array_index(certificates, i), error);
    if (!x509)
      return NULL;
    fine = PKCS7_add_certificate(bag, x509) == 1;
    X509_free(x509);
  }
  if (fine)
    add_chain(cli, id, bag);
  /* PKCS7_content_new() leaves an empty OCTET STRING; certs-only has no content (RFC 8551 3.6). */
  if (fine)
    PKCS7_set_detached(bag, 1);
  guint8 *der = NULL;
  int length = fine ? i2d_PKCS7(bag, &der) : -1;
  if (length <= 0) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot make the .p7b");
    return NULL;
  }
  GBytes *bytes = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  return bytes;
}

static GBytes *
make_pem(const GPtrArray *certificates)
{
  GString *all = g_string_new(NULL);
  for (guint i = 0; i < certificates->len; i++) {
    g_autofree char *pem = base_cert_to_pem(g_ptr_array_index(certificates, i));
    g_string_append(all, pem);
  }
  return g_string_free_to_bytes(all);
}

static GBytes *
make_output(Cli *cli, const char *id, const GPtrArray *certificates, GError **error)
{
  if (cli_flag(cli, "p7b"))
    return make_p7b(cli, id, certificates, error);
  if (cli_flag(cli, "der"))
    return g_bytes_ref(((const BaseCert *)g_ptr_array_index(certificates, 0))->der);
  return make_pem(certificates);
}

static gboolean
run(Cli *cli, GError **error)
{
  if (cli_flag(cli, "pem") + cli_flag(cli, "der") + cli_flag(cli, "p7b") > 1)
    return base_error_set(error, SIGNET_ERROR_USAGE, "one of --pem, --der and --p7b");
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetId) id = signet_id_describe(cli->client, cli_argument(cli, 0), TRUE, error);
  g_autoptr(GPtrArray) certificates = id ? current_certificates(id, error) : NULL;
  g_autoptr(GBytes) output = certificates ? make_output(cli, id->id, certificates, error) : NULL;
  if (!output || !cli_write(cli, output, cli_flag(cli, "der") || cli_flag(cli, "p7b"), error))
    return FALSE;
  json_t *fingerprints = json_array();
  for (guint i = 0; i < certificates->len; i++)
    json_array_append_new(
        fingerprints,
        json_string(((const BaseCert *)g_ptr_array_index(certificates, i))->fingerprint));
  return cli_json(
      cli, json_pack("{s:o, s:o}", "id", cli_json_text(id->id), "fingerprints", fingerprints),
      error);
}

static const CliOption options[] = {
  { "output", 'o', CLI_TEXT, "FILE", "write it to FILE" },
  { "pem", 0, CLI_FLAG, NULL, "text, as most programs like it (what is done without an option)" },
  { "der", 0, CLI_FLAG, NULL, "binary, one certificate" },
  { "p7b", 0, CLI_FLAG, NULL, "binary, with the issuers that are known" },
  { "vcard", 0, CLI_LATER, NULL, NULL },
  { "ldif", 0, CLI_LATER, NULL, NULL },
  { "smimea", 0, CLI_LATER, NULL, NULL },
  { 0 },
};

const CliVerb cli_id_cert = {
  .group = "id",
  .name = "cert",
  .arguments = "ID",
  .min_arguments = 1,
  .max_arguments = 1,
  .help = "give away an ID's public part: people need it to write to you",
  .example = "signet id cert alice@example.org -o alice.pem",
  .options = options,
  .message = TRUE,
  .run = run,
};
