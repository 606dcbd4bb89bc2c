/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cli/mail.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_sentences[] = {
  [MIME_PLAIN] = "A mail that is neither signed nor sealed",
  [MIME_SIGNED] = "A signed mail (multipart/signed)",
  [MIME_OPAQUE_SIGNED] = "A signed mail, its text inside the signature",
  [MIME_SEALED] = "A sealed mail",
  [MIME_CERTIFICATES] = "A mail that carries certificates only",
};

static gboolean
looks_like_cms(BaseInput *input, gboolean *ret_cms, GError **error)
{
  static const char pem[] = "-----BEGIN ";
  gsize length = (gsize)MIN(base_input_length(input), (goffset)strlen(pem));
  g_autoptr(BaseSink) memory = base_sink_to_memory(sizeof pem);
  if (!base_input_read(input, 0, (goffset)length, memory, error) ||
      !base_sink_finish(memory, error))
    return FALSE;
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  const guint8 *data = g_bytes_get_data(bytes, NULL);
  *ret_cms =
      length > 0 && (data[0] == 0x30 || (length == strlen(pem) && memcmp(data, pem, length) == 0));
  return TRUE;
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
report_mail(Cli *cli, const MimeOpened *mail, GError **error)
{
  const GPtrArray *layers = mime_opened_layers(mail);
  const MimeLayer *layer = layers->len ? g_ptr_array_index(layers, 0) : NULL;
  MimeKind kind = layer ? layer->kind : MIME_PLAIN;
  const TrustClaim *claim = mime_opened_claim(mail);
  const char *subject = mime_opened_subject(mail);
  if (cli->json)
    return cli_json(cli,
                    json_pack("{s:s, s:o, s:o, s:b, s:o, s:o}", "kind", cli_mail_kind(kind), "from",
                              cli_json_text(claim->from), "subject", cli_json_text(subject),
                              "outside", layer && layer->uncovered->len > 0, "uncovered",
                              json_lines(layer ? layer->uncovered : NULL), "cms",
                              layer ? json_cms(layer->info) : json_null()),
                    error);
  printf("%s\n", kind_sentences[kind]);
  field("From", claim->from);
  field("Subject", subject);
  if (layer)
    print_cms(layer->info);
  for (guint i = 0; layer && i < layer->uncovered->len; i++) {
    g_autofree char *text =
        g_strdup_printf("%s is not %s", (const char *)g_ptr_array_index(layer->uncovered, i),
                        kind == MIME_SEALED ? "sealed" : "covered by the signature");
    field("Careful", text);
  }
  return TRUE;
}

static gboolean
info_mail(Cli *cli, BaseInput *input, GError **error)
{
  g_autoptr(MimeOpened) mail = cli_mail_open(cli, input, MIME_OPEN_LOOK, error);
  return mail && report_mail(cli, mail, error);
}

static gboolean
info_cms(Cli *cli, BaseInput *input, GError **error)
{
  g_autoptr(BaseSink) sink = cms_info_new();
  if (!cli_cms_push(cli, input, sink, error))
    return FALSE;
  g_autoptr(CmsInfo) info = cms_info_result(sink, error);
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
  gboolean cms = cli_flag(cli, "cms");
  g_autoptr(BaseInput) input = cli_input_open(cli, error);
  if (!input || (!cms && !looks_like_cms(input, &cms, error)))
    return FALSE;
  return cms ? info_cms(cli, input, error) : info_mail(cli, input, error);
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
