/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/receipt.h"

#include "base/error.h"
#include "cli/mail.h"
#include "cli/verdict.h"

#define CONTENT_MAX (64 * 1024) /* a receipt has some hundred bytes */

static gboolean
read_cms(Cli *cli, BaseInput *input, BaseSink *content, CliReceiptMessage *message, GError **error)
{
  static const TrustClaim nothing = { .mail = FALSE };
  g_autoptr(BaseSink) verifier = cms_verify_new(NULL, content);
  message->verified =
      cli_cms_push(cli, input, verifier, error) ? cms_verify_result(verifier, error) : NULL;
  if (message->verified && message->verified->signatures->len > 0)
    message->report = cli_verdict_new(message->verified, &nothing, error);
  return message->verified && (message->report || message->verified->signatures->len == 0);
}

static gboolean
read_mail(Cli *cli, BaseInput *input, BaseSink *content, CliReceiptMessage *message, GError **error)
{
  g_autoptr(GError) problem = NULL;
  message->opened = cli_mail_open(cli, input, MIME_OPEN_ALL, error);
  if (!message->opened)
    return FALSE;
  const MimeLayer *layer = mime_opened_signed(message->opened);
  message->report = cli_mail_verdict(message->opened, &problem);
  if (problem) {
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
  }
  if (!layer || !layer->verified || !content)
    return TRUE;
  return mime_opened_write_content(message->opened, content, error) &&
         base_sink_finish(content, error);
}

gboolean
cli_receipt_read(Cli *cli, BaseInput *input, gboolean content, CliReceiptMessage *message,
                 GError **error)
{
  g_autoptr(BaseSink) memory = content ? base_sink_to_memory(CONTENT_MAX) : NULL;
  gboolean good = cli_flag(cli, "cms") ? read_cms(cli, input, memory, message, error)
                                       : read_mail(cli, input, memory, message, error);
  if (good && memory && memory->finished)
    message->content = base_sink_memory_bytes(memory);
  return good;
}

void
cli_receipt_clear(CliReceiptMessage *message)
{
  g_clear_pointer(&message->opened, mime_opened_free);
  g_clear_pointer(&message->verified, cms_verified_free);
  g_clear_pointer(&message->content, g_bytes_unref);
  g_clear_pointer(&message->report, trust_report_free);
}

const CmsVerified *
cli_receipt_verified(const CliReceiptMessage *message)
{
  const MimeLayer *layer = message->opened ? mime_opened_signed(message->opened) : NULL;
  return layer ? layer->verified : message->verified;
}

const CmsReceiptAsked *
cli_receipt_asked(const CliReceiptMessage *message)
{
  const CmsVerified *verified = cli_receipt_verified(message);
  for (guint i = 0; verified && i < verified->signatures->len; i++) {
    const CmsSignature *signature = g_ptr_array_index(verified->signatures, i);
    if (signature->receipt)
      return signature->receipt;
  }
  return NULL;
}
