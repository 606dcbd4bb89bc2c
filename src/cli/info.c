/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/mail.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
  [MIME_PLAIN] = "plain",
  [MIME_SIGNED] = "signed",
  [MIME_OPAQUE_SIGNED] = "opaque-signed",
  [MIME_SEALED] = "sealed",
  [MIME_CERTIFICATES] = "certificates",
};

static const char *const kind_sentences[] = {
  [MIME_PLAIN] = "A mail that is neither signed nor sealed",
  [MIME_SIGNED] = "A signed mail (multipart/signed)",
  [MIME_OPAQUE_SIGNED] = "A signed mail, its text inside the signature",
  [MIME_SEALED] = "A sealed mail",
  [MIME_CERTIFICATES] = "A mail that carries certificates only",
};

static gboolean
looks_like_cms(GBytes *bytes)
{
  static const char pem[] = "-----BEGIN ";
  gsize length;
  const guint8 *data = g_bytes_get_data(bytes, &length);
  return length > 0 &&
         (data[0] == 0x30 || (length >= sizeof pem - 1 && memcmp(data, pem, sizeof pem - 1) == 0));
}

static void
field(const char *name, const char *value)
{
  g_autofree char *safe = cli_safe(value);
  if (*safe)
    printf("  %-13s%s\n", name, safe);
}

static void
print_lines(const char *name, const GPtrArray *lines)
{
  for (guint i = 0; lines && i < lines->len; i++)
    field(i ? "" : name, g_ptr_array_index(lines, i));
}

static void
print_cms(const CmsInfo *info)
{
  field("CMS", info->type_name);
  field("Cipher", info->cipher);
  print_lines("For", info->recipients);
  print_lines("Signed by", info->signers);
  for (guint i = 0; i < info->certificates->len; i++)
    field(i ? "" : "Certificates",
          ((const BaseCert *)g_ptr_array_index(info->certificates, i))->subject);
  if (info->detached)
    field("Content", "not inside");
  else {
    g_autofree char *size = g_format_size(info->content_length);
    field("Content", size);
  }
}

static json_t *
json_lines(const GPtrArray *lines)
{
  json_t *array = json_array();
  for (guint i = 0; lines && i < lines->len; i++)
    json_array_append_new(array, cli_json_text(g_ptr_array_index(lines, i)));
  return array;
}

static json_t *
json_cms(const CmsInfo *info)
{
  json_t *certificates = json_array();
  for (guint i = 0; i < info->certificates->len; i++) {
    const BaseCert *certificate = g_ptr_array_index(info->certificates, i);
    json_array_append_new(
        certificates, json_pack("{s:o, s:o, s:o}", "subject", cli_json_text(certificate->subject),
                                "fingerprint", cli_json_text(certificate->fingerprint), "addresses",
                                cli_json_strv(certificate->addresses)));
  }
  return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:I}", "type", cli_json_text(info->type_name),
                   "cipher", cli_json_text(info->cipher), "recipients",
                   json_lines(info->recipients), "signers", json_lines(info->signers),
                   "certificates", certificates, "detached", info->detached, "content_length",
                   (json_int_t)info->content_length);
}

static gboolean
report_mail(Cli *cli, const MimeMessage *mail, const CmsInfo *info, GError **error)
{
  if (cli->json)
    return cli_json(cli,
                    json_pack("{s:s, s:o, s:o, s:b, s:o}", "kind", kind_names[mail->kind], "from",
                              cli_json_text(mail->from), "subject", cli_json_text(mail->subject),
                              "outside", mail->outside, "cms", info ? json_cms(info) : json_null()),
                    error);
  printf("%s\n", kind_sentences[mail->kind]);
  field("From", mail->from);
  field("Subject", mail->subject);
  if (info)
    print_cms(info);
  if (mail->outside)
    field("Careful", "there is more in this mail than the signature covers");
  return TRUE;
}

static gboolean
info_mail(Cli *cli, GBytes *message, GError **error)
{
  g_autoptr(CliMail) mail = cli_mail_read(message, error);
  g_autoptr(CmsInfo) info = NULL;
  if (!mail)
    return FALSE;
  GBytes *cms = mail->kind == MIME_SIGNED  ? mail->signature
                : mail->kind == MIME_PLAIN ? NULL
                                           : mail->content;
  if (cms && !(info = cms_info(cms, error)))
    return FALSE;
  return report_mail(cli, mail, info, error);
}

static gboolean
info_cms(Cli *cli, GBytes *bytes, GError **error)
{
  g_autoptr(GBytes) der = cms_read(bytes, cli_input_name(cli), error);
  g_autoptr(CmsInfo) info = der ? cms_info(der, error) : NULL;
  if (!info)
    return FALSE;
  if (cli->json)
    return cli_json(cli, json_pack("{s:s, s:o}", "kind", "cms", "cms", json_cms(info)), error);
  printf("A CMS file\n");
  print_cms(info);
  return TRUE;
}

static gboolean
run(Cli *cli, GError **error)
{
  g_autoptr(GBytes) message = cli_read_message(cli, error);
  if (!message)
    return FALSE;
  if (cli_flag(cli, "cms") || looks_like_cms(message))
    return info_cms(cli, message, error);
  return info_mail(cli, message, error);
}

static const CliOption options[] = {
  { "input", 'i', CLI_TEXT, "FILE", "read FILE" },
  { "cms", 0, CLI_CHOICE, "der|pem", "a CMS file, not mail" },
  { 0 },
};

const CliVerb cli_info = {
  .name = "info",
  .arguments = "[FILE]",
  .max_arguments = 1,
  .help = "say what a message or CMS file is, without any key",
  .example = "signet info sealed.eml",
  .options = options,
  .run = run,
};
