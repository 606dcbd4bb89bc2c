/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/receipt.h"
#include "cli/signer.h"
#include "cli/verbs.h"
#include "cli/verdict.h"

#include <string.h>

#define BASE64_LINE 76

/* ---- whose ---- */

/* Of the one it was sealed to: an address. */
static const char *
sealed_to(const CliReceiptMessage *message)
{
  const GPtrArray *layers = message->opened ? mime_opened_layers(message->opened) : NULL;
  for (guint i = 0; layers && i < layers->len; i++) {
    const MimeLayer *layer = g_ptr_array_index(layers, i);
    if (layer->unsealed && layer->unsealed->id && strchr(layer->unsealed->id, '@'))
      return layer->unsealed->id;
  }
  return NULL;
}

/* --id; else who was asked by address; else whom it was sealed to; else the default ID. */
static CliSigner *
choose_signer(Cli *cli, const CliReceiptMessage *message, const CmsReceiptAsked *asked,
              GError **error)
{
  for (char **from = asked->from; from && *from && !cli_text(cli, "id"); from++) {
    CliSigner *signer = cli_signer_new(cli, *from, NULL);
    if (signer)
      return signer;
  }
  return cli_signer_new(cli, sealed_to(message), error);
}

static gboolean
has_address(const BaseCert *certificate, const char *address)
{
  for (guint i = 0; certificate->addresses[i]; i++)
    if (base_address_equal(certificate->addresses[i], address))
      return TRUE;
  return FALSE;
}

static gboolean
check_asked(const CmsReceiptAsked *asked, const BaseCert *own, GError **error)
{
  gboolean found = asked->all;
  for (guint i = 0; !found && own->addresses[i]; i++)
    found = cms_receipt_asks(asked, own->addresses[i]);
  if (found)
    return TRUE;
  g_autofree char *who = cli_join(asked->from, ", ", "nobody");
  return base_error_set(error, SIGNET_ERROR_REFUSED,
                        "the mail asks %s for a receipt, and not %s; nothing was written", who,
                        own->subject);
}

/* Somebody else than the sender may be named: the person should know whom they tell. */
static void
warn_of_stranger(Cli *cli, const CmsReceiptAsked *asked, const TrustReport *report)
{
  const TrustSigner *signer = g_ptr_array_index(report->signers, 0);
  for (char **to = asked->to; *to; to++)
    if (signer->certificate && !has_address(signer->certificate, *to))
      cli_note(cli, "the sender wants the receipt to go to %s", *to);
}

/* ---- the mail around it ---- */

/* RFC 5322 3.3, whatever the language of the person */
static char *
date_text(void)
{
  static const char *const days[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
  static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
  g_autoptr(GDateTime) now = g_date_time_new_now_local();
  g_autofree char *zone = g_date_time_format(now, "%z");
  return g_strdup_printf("%s, %d %s %d %02d:%02d:%02d %s",
                         days[g_date_time_get_day_of_week(now) - 1],
                         g_date_time_get_day_of_month(now), months[g_date_time_get_month(now) - 1],
                         g_date_time_get_year(now), g_date_time_get_hour(now),
                         g_date_time_get_minute(now), g_date_time_get_second(now), zone);
}

/* The original's Subject is left out: it may have been sealed. */
static char *
headers_of(const CmsReceiptAsked *asked, const BaseCert *own)
{
  g_autofree char *to = g_strjoinv(",\n ", asked->to);
  g_autofree char *date = date_text();
  g_autofree char *from =
      own->addresses[0] ? g_strdup_printf("From: %s\n", own->addresses[0]) : g_strdup("");
  return g_strdup_printf("%sTo: %s\nDate: %s\nSubject: Signed receipt\nMIME-Version: 1.0\n"
                         "Content-Type: application/pkcs7-mime; smime-type=signed-receipt;\n"
                         " name=\"smime.p7m\"\n"
                         "Content-Transfer-Encoding: base64\n"
                         "Content-Disposition: attachment; filename=\"smime.p7m\"\n\n",
                         from, to, date);
}

/* ---- writing ---- */

static BaseSink *
open_output(Cli *cli, const CmsReceiptAsked *asked, const BaseCert *own, GError **error)
{
  const char *form = cli_text(cli, "cms");
  gboolean binary = g_strcmp0(form, "der") == 0;
  g_autoptr(BaseSink) output = cli_output_new(cli, binary, FALSE, error);
  if (!output || binary)
    return g_steal_pointer(&output);
  if (form)
    return cli_output_pem(g_steal_pointer(&output));
  g_autofree char *headers = headers_of(asked, own);
  if (!base_sink_write(output, headers, strlen(headers), error))
    return NULL;
  return base_sink_base64_encode(g_steal_pointer(&output), BASE64_LINE, FALSE);
}

static GBytes *
make(Cli *cli, const CliSigner *signer, const CmsReceiptAsked *asked, GError **error)
{
  CmsSigner with = cli_signer_cms(signer);
  with.receipts_to = NULL; /* no receipt for a receipt */
  cli_status(cli, "sign %s", signer->choice->id);
  return cms_receipt_make(cli->client, &with, asked, error);
}

static gboolean
write_receipt(Cli *cli, const CliReceiptMessage *message, const CmsReceiptAsked *asked,
              GError **error)
{
  g_autoptr(CliSigner) signer = choose_signer(cli, message, asked, error);
  g_autoptr(BaseCert) own = signer ? base_cert_new(signer->choice->certificate, error) : NULL;
  if (!own || !check_asked(asked, own, error))
    return FALSE;
  warn_of_stranger(cli, asked, message->report);
  g_autoptr(GBytes) receipt = make(cli, signer, asked, error);
  g_autoptr(BaseSink) output = receipt ? open_output(cli, asked, own, error) : NULL;
  if (!output ||
      !base_sink_write(output, g_bytes_get_data(receipt, NULL), g_bytes_get_size(receipt), error) ||
      !base_sink_finish(output, error))
    return FALSE;
  json_t *object =
      json_pack("{s:o, s:o, s:o, s:o}", "id", cli_json_text(signer->choice->id), "fingerprint",
                cli_json_text(signer->choice->fingerprint), "to", cli_json_strv(asked->to),
                "output", cli_json_text(cli_text(cli, "output")));
  cli_verdict_json(message->report, object);
  return cli_json(cli, object, error);
}

/* A receipt says that the signature was found good: of another one there is none. */
static gboolean
refuse(Cli *cli, const TrustReport *report, GError **error)
{
  cli->exit_status = 3;
  cli_status(cli, "verdict %s", trust_verdict_name(report->verdict));
  if (cli->json) {
    json_t *object = json_object();
    cli_verdict_json(report, object);
    return cli_json(cli, object, error);
  }
  if (!cli->quiet)
    cli_verdict_print(report, 2);
  cli_note(cli, "no receipt was made: it would say that the signature is good");
  return TRUE;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_auto(CliReceiptMessage) message = { 0 };
  g_autoptr(BaseInput) input = cli_input_open(cli, error);
  if (!input || !cli_receipt_read(cli, input, FALSE, &message, error))
    return FALSE;
  if (!message.report)
    message.report = trust_report_unsigned("Not signed.", TRUST_UNSIGNED);
  if (message.report->verdict != TRUST_GOOD)
    return refuse(cli, message.report, error);
  const CmsReceiptAsked *asked = cli_receipt_asked(&message);
  if (!asked)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s asks for no receipt",
                          cli_input_name(cli));
  if (!*asked->to)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "%s asks for a receipt, but names no address that it could go to",
                          cli_input_name(cli));
  return write_receipt(cli, &message, asked, error);
}

static const CliOption options[] = {
  { "input", 'i', CLI_TEXT, "FILE", "read FILE" },
  { "output", 'o', CLI_TEXT, "FILE", "write to FILE, whole or not at all" },
  { "id", 0, CLI_TEXT, "ID", "sign the receipt as this ID" },
  { "cms", 0, CLI_CHOICE, "der|pem", "a CMS file, not mail, comes in and out" },
  { 0 },
};

const CliVerb cli_receipt_make = {
  .group = "receipt",
  .name = "make",
  .arguments = "[FILE]",
  .max_arguments = 1,
  .help = "answer a mail that asks for a signed receipt",
  .more = "Writes a mail, to be sent to who asked: it proves to them that you had theirs\n"
          "and found its signature good. So that is checked first, and unless it is good\n"
          "there is no receipt (exit status 3). The ID: who was asked by address, else\n"
          "whom the mail was sealed to, else the default one.\n"
          "--pin-fd N: one line, the token's PIN.",
  .example = "signet receipt make mail.eml | sendmail -t",
  .options = options,
  .message = TRUE,
  .run = run,
};
