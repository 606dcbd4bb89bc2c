/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-mime-world.h"

#include "base/error.h"

#include <string.h>

BaseInput *
world_input(const void *bytes, gsize length)
{
  BaseSpool *spool = base_spool_new(TRUE, NULL);
  BaseSink *sink = base_spool_sink(spool);
  g_assert_true(base_sink_write(sink, bytes, length, NULL) && base_sink_finish(sink, NULL));
  return base_input_from_spool(spool);
}

BaseInput *
world_text(const char *text)
{
  return world_input(text, strlen(text));
}

static char *
base64_lines(GBytes *bytes)
{
  g_autofree char *digits = g_base64_encode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
  GString *lines = g_string_new(NULL);
  for (gsize i = 0; i < strlen(digits); i += 76)
    g_string_append_printf(lines, "%.76s\r\n", digits + i);
  return g_string_free(lines, FALSE);
}

static GBytes *
sign(const SoftKey *key, const char *entity, gboolean detached)
{
  g_autoptr(SoftToken) token = soft_token_new();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) content = g_bytes_new(entity, strlen(entity));
  CmsSigner signer = { .key = key->cert->key,
                       .kind = key->cert->kind,
                       .certificate = key->cert->der };
  g_ptr_array_add(token->keys, (SoftKey *)(guintptr)key);
  GBytes *signature = cms_sign_with(&token->vtable, &signer, content, detached, &error);
  g_assert_no_error(error);
  return signature;
}

char *
world_sign(const SoftKey *key, const char *entity)
{
  static guint serial;
  g_autoptr(GBytes) signature = sign(key, entity, TRUE);
  g_autofree char *lines = base64_lines(signature);
  g_autofree char *boundary = g_strdup_printf("b%u", ++serial);
  return g_strdup_printf(
      "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; "
      "boundary=\"%s\"\r\n\r\n--%s\r\n%s\r\n--%s\r\n"
      "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
      "Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--%s--\r\n",
      boundary, boundary, entity, boundary, lines, boundary);
}

static char *
cms_entity(GBytes *cms, const char *type)
{
  g_autofree char *lines = base64_lines(cms);
  return g_strdup_printf("Content-Type: application/pkcs7-mime; smime-type=%s\r\n"
                         "Content-Transfer-Encoding: base64\r\n\r\n%s",
                         type, lines);
}

char *
world_opaque(const SoftKey *key, const char *entity)
{
  g_autoptr(GBytes) cms = sign(key, entity, FALSE);
  return cms_entity(cms, "signed-data");
}

char *
world_seal(const SoftKey *key, const char *entity, const char *cipher)
{
  g_autoptr(GPtrArray) recipients = g_ptr_array_new();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) content = g_bytes_new(entity, strlen(entity));
  g_ptr_array_add(recipients, key->cert);
  g_autoptr(GBytes) cms = cms_encrypt(content, recipients, cipher, &error);
  g_assert_no_error(error);
  return cms_entity(cms, "enveloped-data");
}

char *
world_with(const char *headers, char *entity)
{
  char *mail = g_strconcat(headers, entity, NULL);
  g_free(entity);
  return mail;
}

static gboolean
soft_keys(gpointer data, CmsKeys *ret_keys, GError **error)
{
  const SoftToken *token = data;
  if (!token)
    return base_error_set(error, SIGNET_ERROR_FAILED, "no key was to be asked for");
  *ret_keys = token->vtable;
  return TRUE;
}

MimeOpened *
world_open(BaseInput *input, MimeDepth depth, const SoftKey *key, GError **error)
{
  g_autoptr(SoftToken) token = key ? soft_token_new() : NULL;
  if (key)
    g_ptr_array_add(token->keys, (SoftKey *)(guintptr)key);
  return mime_open_with(input, depth, soft_keys, token, error);
}

MimeLayer *
world_layer(const MimeOpened *opened, guint n)
{
  g_assert_cmpuint(n, <, mime_opened_layers(opened)->len);
  return g_ptr_array_index(mime_opened_layers(opened), n);
}

CmsSignatureState
world_state(const MimeLayer *layer)
{
  g_assert_nonnull(layer->verified);
  g_assert_cmpuint(layer->verified->signatures->len, ==, 1);
  return ((const CmsSignature *)g_ptr_array_index(layer->verified->signatures, 0))->state;
}

static char *
taken(BaseSink *memory)
{
  g_assert_true(base_sink_finish(memory, NULL));
  g_autoptr(GBytes) bytes = base_sink_memory_bytes(memory);
  gsize length = g_bytes_get_size(bytes);
  return length ? g_strndup(g_bytes_get_data(bytes, NULL), length) : g_strdup("");
}

char *
world_mail(MimeOpened *opened)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(16 * 1024 * 1024);
  g_autoptr(GError) error = NULL;
  g_assert_true(mime_opened_write_mail(opened, memory, &error));
  return taken(memory);
}

char *
world_content(MimeOpened *opened)
{
  g_autoptr(BaseSink) memory = base_sink_to_memory(16 * 1024 * 1024);
  g_autoptr(GError) error = NULL;
  g_assert_true(mime_opened_write_content(opened, memory, &error));
  return taken(memory);
}

gboolean
world_notes(const MimeOpened *opened, const char *what)
{
  const GPtrArray *notes = mime_opened_notes(opened);
  for (guint i = 0; i < notes->len; i++)
    if (strstr(g_ptr_array_index(notes, i), what))
      return TRUE;
  return FALSE;
}
