/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/recipients.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

#define FILE_MAX (4 * 1024 * 1024)

CliRecipients *
cli_recipients_new(void)
{
  CliRecipients *recipients = g_new0(CliRecipients, 1);
  recipients->certificates = g_ptr_array_new_with_free_func((GDestroyNotify)base_cert_free);
  recipients->missing = g_ptr_array_new_with_free_func(g_free);
  recipients->missing_names = g_ptr_array_new_with_free_func(g_free);
  recipients->own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  return recipients;
}

void
cli_recipients_free(CliRecipients *recipients)
{
  if (!recipients)
    return;
  g_ptr_array_unref(recipients->certificates);
  g_ptr_array_unref(recipients->missing);
  g_ptr_array_unref(recipients->missing_names);
  g_hash_table_unref(recipients->own);
  g_free(recipients);
}

static void
add_missing(CliRecipients *recipients, const char *name, const char *reason)
{
  g_ptr_array_add(recipients->missing, g_strdup_printf("%s: %s", name, reason));
  g_ptr_array_add(recipients->missing_names, g_strdup(name));
}

static void
add_certificate(CliRecipients *recipients, BaseCert *certificate)
{
  for (guint i = 0; i < recipients->certificates->len; i++) {
    const BaseCert *there = g_ptr_array_index(recipients->certificates, i);
    if (strcmp(there->fingerprint, certificate->fingerprint) == 0) {
      base_cert_free(certificate);
      return;
    }
  }
  g_ptr_array_add(recipients->certificates, certificate);
}

/* NULL when it can receive; else why not. */
static char *
why_not(const BaseCert *certificate)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  g_autofree char *from = cli_day(certificate->not_before);
  g_autofree char *to = cli_day(certificate->not_after);
  if (certificate->kind == BASE_KEY_ED25519)
    return g_strdup("its Ed25519 key can only sign, not receive");
  if (!(certificate->use & BASE_USE_ENCRYPT))
    return g_strdup("its certificate is not for encryption of mail");
  if (certificate->not_before > now)
    return g_strdup_printf("its certificate is valid only from %s on", from);
  if (certificate->not_after < now)
    return g_strdup_printf("its certificate expired on %s", to);
  return NULL;
}

/* ---- files ---- */

/* Of the certificates in a file (a .p7b has issuers too): the newest person's that can receive. */
static BaseCert *
pick_certificate(const GPtrArray *certificates, char **ret_reason, GError **error)
{
  const BaseCert *best = NULL;
  g_autofree char *reason = NULL;
  for (guint i = 0; i < certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(certificates, i);
    gboolean issuer = certificates->len > 1 && (certificate->use & BASE_USE_CA);
    g_autofree char *obstacle = issuer ? NULL : why_not(certificate);
    if (obstacle && !reason)
      reason = g_steal_pointer(&obstacle);
    else if (!issuer && !obstacle && (!best || certificate->not_before > best->not_before))
      best = certificate;
  }
  if (best)
    return base_cert_new(best->der, error);
  *ret_reason = reason ? g_steal_pointer(&reason) : g_strdup("it has issuers' certificates only");
  return NULL;
}

static gboolean
add_file(CliRecipients *recipients, const char *path, GError **error)
{
  g_autoptr(GBytes) bytes = base_path_read(path, FILE_MAX, error);
  g_autoptr(GPtrArray) certificates = bytes ? base_cert_read_all(bytes, path, error) : NULL;
  if (!certificates)
    return FALSE;
  GError *failed = NULL;
  g_autofree char *reason = NULL;
  BaseCert *picked = pick_certificate(certificates, &reason, &failed);
  if (failed) {
    g_propagate_error(error, failed);
    return FALSE;
  }
  if (picked)
    add_certificate(recipients, picked);
  else
    add_missing(recipients, path, reason);
  return TRUE;
}

/* ---- own IDs ---- */

static char *
reasons_of(const GError *failed)
{
  const SignetErrorDetails *details = signet_error_get_details(failed);
  if (failed->code == SIGNET_ERROR_NOT_FOUND)
    return g_strdup("no certificate known; give its file (contacts come in a later version)");
  if (details && details->candidates && details->candidates[0])
    return g_strjoinv("; ", details->candidates);
  return g_strdup(failed->message);
}

static gboolean
is_missing(const GError *failed)
{
  return g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_NOT_FOUND) ||
         g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE);
}

static gboolean
add_choice(CliRecipients *recipients, const SignetChoice *choice, GError **error)
{
  BaseCert *certificate = base_cert_new(choice->certificate, error);
  if (!certificate)
    return FALSE;
  g_hash_table_add(recipients->own, g_strdup(certificate->fingerprint));
  add_certificate(recipients, certificate);
  return TRUE;
}

gboolean
cli_recipients_is_own(const CliRecipients *recipients, const BaseCert *certificate)
{
  return g_hash_table_contains(recipients->own, certificate->fingerprint);
}

static gboolean
add_own(Cli *cli, CliRecipients *recipients, const char *name, GError **error)
{
  GError *failed = NULL;
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetChoice) choice =
      signet_id_choose(cli->client, SIGNET_USE_ENCRYPT, name, NULL, &failed);
  if (choice)
    return add_choice(recipients, choice, error);
  if (!is_missing(failed)) {
    g_propagate_error(error, failed);
    return FALSE;
  }
  g_autofree char *reason = reasons_of(failed);
  add_missing(recipients, name, reason);
  g_error_free(failed);
  return TRUE;
}

gboolean
cli_recipients_add(Cli *cli, CliRecipients *recipients, const char *to, GError **error)
{
  if (g_file_test(to, G_FILE_TEST_EXISTS))
    return add_file(recipients, to, error);
  /* A path that is not there is a mistake in typing, not a person. */
  if (strchr(to, '/') && !strchr(to, '@'))
    return base_error_set(error, SIGNET_ERROR_IO,
                          "cannot open the certificate %s: there is no such file", to);
  return add_own(cli, recipients, to, error);
}

gboolean
cli_recipients_add_self(Cli *cli, CliRecipients *recipients, const char *from, GError **error)
{
  GError *failed = NULL;
  const char *id = cli_text(cli, "id");
  if (!cli_connect(cli, error))
    return FALSE;
  g_autoptr(SignetChoice) choice =
      signet_id_choose(cli->client, SIGNET_USE_ENCRYPT, id, id ? NULL : from, &failed);
  if (choice)
    return add_choice(recipients, choice, error);
  gboolean skip = g_error_matches(failed, SIGNET_ERROR, SIGNET_ERROR_NONE_USABLE) ||
                  (!id && is_missing(failed));
  if (!skip) {
    g_propagate_error(error, failed);
    return FALSE;
  }
  g_autofree char *reason = reasons_of(failed);
  const char *who = id ? id : from ? from : "yourself";
  if (failed->code == SIGNET_ERROR_NOT_FOUND)
    cli_note(cli, "not sealed to %s, who has no ID here: you will not be able to open this mail",
             who);
  else
    cli_note(cli, "not sealed to %s, who cannot receive: %s", who, reason);
  g_error_free(failed);
  return TRUE;
}

gboolean
cli_recipients_refuse(const CliRecipients *recipients, GError **error)
{
  g_ptr_array_add(recipients->missing_names, NULL);
  g_autofree char *names = cli_join((char *const *)recipients->missing_names->pdata, ", ", "");
  g_ptr_array_remove_index(recipients->missing_names, recipients->missing_names->len - 1);
  base_error_set(error, SIGNET_ERROR_RECIPIENTS_MISSING, "cannot seal to %s; nothing was written",
                 names);
  SignetErrorDetails *details = error ? base_error_details(*error) : NULL;
  if (details) {
    details->candidates = g_new0(char *, recipients->missing->len + 1);
    for (guint i = 0; i < recipients->missing->len; i++)
      details->candidates[i] = g_strdup(g_ptr_array_index(recipients->missing, i));
  }
  return FALSE;
}
