/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/mail.h"

#include "base/error.h"
#include "cli/verdict.h"
#include "cms/armor.h"

#include <stdio.h>
#include <string.h>

static SignetClient *
connect_client(gpointer data, GError **error)
{
  Cli *cli = data;
  return cli_connect(cli, error) ? cli->client : NULL;
}

MimeOpened *
cli_mail_open(Cli *cli, BaseInput *input, MimeDepth depth, GError **error)
{
  return mime_open(input, depth, connect_client, cli, error);
}

const char *
cli_mail_kind(MimeKind kind)
{
  static const char *const names[] = {
    [MIME_PLAIN] = "plain",
    [MIME_SIGNED] = "signed",
    [MIME_OPAQUE_SIGNED] = "opaque-signed",
    [MIME_SEALED] = "sealed",
    [MIME_CERTIFICATES] = "certificates",
  };
  return names[kind];
}

gboolean
cli_cms_push(Cli *cli, BaseInput *input, BaseSink *to, GError **error)
{
  goffset length = base_input_length(input);
  g_autoptr(BaseSink) armor = cms_armor_new(cli_input_name(cli), length, to);
  return base_input_read(input, 0, length, armor, error) && base_sink_finish(armor, error);
}

/* ---- verdicts ---- */

static TrustReport *
report_of(const MimeLayer *layer, const TrustClaim *claim, GError **error)
{
  if (layer->verified)
    return cli_verdict_new(layer->verified, claim, error);
  g_autofree char *sentence =
      g_strdup_printf("The signature inside cannot be read: %s.", layer->problem);
  return trust_report_unsigned(sentence, TRUST_UNKNOWN);
}

TrustReport *
cli_mail_verdict(const MimeOpened *opened, GError **error)
{
  const MimeLayer *layer = mime_opened_signed(opened);
  return layer ? report_of(layer, mime_opened_claim(opened), error) : NULL;
}

/* Another signature of the same mail: who signed it around the one that counts. */
static gboolean
is_outer_signature(const MimeOpened *opened, const MimeLayer *layer)
{
  return layer != mime_opened_signed(opened) && layer->verified &&
         (layer->kind == MIME_SIGNED || layer->kind == MIME_OPAQUE_SIGNED);
}

/* ---- for a person ---- */

static void
print_line(int fd, const char *name, const char *value)
{
  g_autofree char *safe = cli_safe(value);
  fprintf(fd == 1 ? stdout : stderr, "  %-13s%s\n", name, safe);
}

/* (nullable) where a good signature asks a signed receipt to go; nobody sends one but the person. */
static char *const *
receipt_to(const MimeOpened *opened)
{
  const MimeLayer *layer = mime_opened_signed(opened);
  for (guint i = 0; layer && layer->verified && i < layer->verified->signatures->len; i++) {
    const CmsSignature *signature = g_ptr_array_index(layer->verified->signatures, i);
    if (signature->receipt)
      return signature->receipt->to;
  }
  return NULL;
}

static void
print_receipt(const MimeOpened *opened, int fd)
{
  char *const *to = receipt_to(opened);
  if (!to)
    return;
  g_autofree char *whom = cli_join(to, ", ", "nobody by address");
  g_autofree char *line = g_strdup_printf("asked for, to %s: signet receipt make", whom);
  print_line(fd, "Receipt", line);
}

gboolean
cli_mail_print(const MimeOpened *opened, const char *said, int fd, GError **error)
{
  const GPtrArray *layers = mime_opened_layers(opened);
  const GPtrArray *notes = mime_opened_notes(opened);
  for (guint i = 0; i < notes->len; i++)
    if (!said || !strstr(said, g_ptr_array_index(notes, i)))
      print_line(fd, "Careful", g_ptr_array_index(notes, i));
  print_receipt(opened, fd);
  for (guint i = 0; i < layers->len; i++) {
    const MimeLayer *layer = g_ptr_array_index(layers, i);
    if (!is_outer_signature(opened, layer))
      continue;
    g_autoptr(TrustReport) report = report_of(layer, mime_opened_claim(opened), error);
    if (!report)
      return FALSE;
    print_line(fd, "Around it", report->sentence);
  }
  return TRUE;
}

/* ---- JSON ---- */

static json_t *
json_phrases(const GPtrArray *phrases)
{
  json_t *array = json_array();
  for (guint i = 0; i < phrases->len; i++)
    json_array_append_new(array, cli_json_text(g_ptr_array_index(phrases, i)));
  return array;
}

static json_t *
json_layer(const MimeLayer *layer)
{
  json_t *object =
      json_pack("{s:s, s:o, s:o}", "kind", cli_mail_kind(layer->kind), "problem",
                cli_json_text(layer->problem), "uncovered", json_phrases(layer->uncovered));
  const CmsUnsealed *unsealed = layer->unsealed;
  if (unsealed) {
    json_object_set_new(object, "cipher", cli_json_text(unsealed->cipher));
    json_object_set_new(object, "authenticated", json_boolean(unsealed->authenticated));
    json_object_set_new(object, "key", cli_json_text(unsealed->key));
    json_object_set_new(object, "id", cli_json_text(unsealed->id));
  }
  return object;
}

static gboolean
json_layers(const MimeOpened *opened, json_t *array, GError **error)
{
  const GPtrArray *layers = mime_opened_layers(opened);
  for (guint i = 0; i < layers->len; i++) {
    const MimeLayer *layer = g_ptr_array_index(layers, i);
    json_t *object = json_layer(layer);
    json_array_append_new(array, object);
    if (!is_outer_signature(opened, layer))
      continue;
    g_autoptr(TrustReport) report = report_of(layer, mime_opened_claim(opened), error);
    if (!report)
      return FALSE;
    cli_verdict_json(report, object);
    json_object_set_new(object, "uncovered", json_phrases(layer->uncovered));
  }
  return TRUE;
}

static json_t *
json_protected(const MimeOpened *opened)
{
  const GPtrArray *fields = mime_opened_protected(opened);
  json_t *array = json_array();
  for (guint i = 0; i < fields->len; i++) {
    const MimeProtected *field = g_ptr_array_index(fields, i);
    json_array_append_new(array,
                          json_pack("{s:o, s:o, s:o, s:b}", "name", cli_json_text(field->name),
                                    "inside", cli_json_text(field->inside), "outside",
                                    cli_json_text(field->outside), "expected", field->expected));
  }
  return array;
}

gboolean
cli_mail_json(const MimeOpened *opened, json_t *object, GError **error)
{
  json_t *layers = json_array();
  json_object_set_new(object, "layers", layers);
  json_object_set_new(object, "subject", cli_json_text(mime_opened_subject(opened)));
  json_object_set_new(object, "protected", json_protected(opened));
  json_object_set_new(object, "notes", json_phrases(mime_opened_notes(opened)));
  char *const *to = receipt_to(opened);
  json_object_set_new(object, "receipt_to", to ? cli_json_strv(to) : json_null());
  return json_layers(opened, layers, error);
}
