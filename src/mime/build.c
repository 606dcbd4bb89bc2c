/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "mime/header.h"
#include "mime/mime.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define BASE64_LINE 57 /* bytes in, 76 characters out (RFC 2045 6.8) */
#define BOUNDARY_RANDOM 12

typedef struct {
  GString *text;
  const char *eol;
} Writer;

static const char *
eol_of(GBytes *headers)
{
  gsize length = 0;
  const char *bytes = headers ? g_bytes_get_data(headers, &length) : NULL;
  const char *end = length ? memchr(bytes, '\n', length) : NULL;
  return end && end > bytes && end[-1] == '\r' ? "\r\n" : "\n";
}

/* Whether CRLF → LF can be taken back by whoever reads it. */
static gboolean
can_convert(GBytes *bytes)
{
  return mime_is_canonical(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static void
put_raw(Writer *writer, GBytes *bytes)
{
  if (g_bytes_get_size(bytes))
    g_string_append_len(writer->text, g_bytes_get_data(bytes, NULL),
                        (gssize)g_bytes_get_size(bytes));
}

static void
put_line(Writer *writer, const char *line)
{
  g_string_append(writer->text, line);
  g_string_append(writer->text, writer->eol);
}

/* In the writer's line ends; a CR that is no line end stays. */
static void
put_converted(Writer *writer, GBytes *bytes)
{
  gsize length = 0;
  const char *at = g_bytes_get_data(bytes, &length);
  while (length > 0) {
    const char *end = memchr(at, '\n', length);
    gsize line = end ? (gsize)(end - at) : length;
    gsize text = end && line > 0 && at[line - 1] == '\r' ? line - 1 : line;
    g_string_append_len(writer->text, at, (gssize)text);
    if (end)
      g_string_append(writer->text, writer->eol);
    gsize step = end ? line + 1 : line;
    at += step;
    length -= step;
  }
}

static void
put_headers(Writer *writer, GBytes *headers)
{
  if (headers && g_bytes_get_size(headers)) {
    put_converted(writer, headers);
    if (writer->text->str[writer->text->len - 1] != '\n')
      g_string_append(writer->text, writer->eol);
  }
  put_line(writer, "MIME-Version: 1.0");
}

static void
put_base64(Writer *writer, GBytes *bytes)
{
  gsize length = 0;
  const guint8 *at = g_bytes_get_data(bytes, &length);
  guint8 line[BASE64_LINE / 3 * 4 + 1];
  for (gsize i = 0; i < length; i += BASE64_LINE) {
    int n = EVP_EncodeBlock(line, at + i, (int)MIN(length - i, BASE64_LINE));
    g_string_append_len(writer->text, (const char *)line, n);
    g_string_append(writer->text, writer->eol);
  }
}

static char *
make_boundary(GBytes *entity, GError **error)
{
  guint8 random[BOUNDARY_RANDOM];
  for (;;) {
    if (RAND_bytes(random, sizeof random) != 1) {
      base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no random bytes for the mail's boundary");
      return NULL;
    }
    g_autofree char *hex = base_hex(random, sizeof random);
    char *boundary = g_strconcat("signet-", hex, NULL);
    gsize length = g_bytes_get_size(entity);
    if (length == 0 || !memmem(g_bytes_get_data(entity, NULL), length, boundary, strlen(boundary)))
      return boundary;
    g_free(boundary);
  }
}

static const char *
micalg_of(const char *hash)
{
  static const char *const names[][2] = { { "sha256", "sha-256" },
                                          { "sha384", "sha-384" },
                                          { "sha512", "sha-512" } };
  for (gsize i = 0; hash && i < G_N_ELEMENTS(names); i++)
    if (strcmp(names[i][0], hash) == 0)
      return names[i][1];
  return NULL;
}

GBytes *
mime_build_signed(GBytes *headers, GBytes *entity, GBytes *signature, const char *hash,
                  GError **error)
{
  const char *micalg = micalg_of(hash);
  if (!micalg) {
    base_error_set(error, SIGNET_ERROR_USAGE, "a mail cannot be signed with the hash %s",
                   hash ? hash : "(none)");
    return NULL;
  }
  g_autofree char *boundary = make_boundary(entity, error);
  if (!boundary)
    return NULL;
  gsize size = g_bytes_get_size(entity) + 2 * g_bytes_get_size(signature) + 4096;
  Writer writer = { g_string_sized_new(size), can_convert(entity) ? eol_of(headers) : "\r\n" };
  put_headers(&writer, headers);
  g_string_append_printf(writer.text,
                         "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";"
                         "%s micalg=%s; boundary=\"%s\"%s%s--%s%s",
                         writer.eol, micalg, boundary, writer.eol, writer.eol, boundary,
                         writer.eol);
  put_converted(&writer, entity);
  g_string_append_printf(writer.text, "%s--%s%s", writer.eol, boundary, writer.eol);
  put_line(&writer, "Content-Type: application/pkcs7-signature; name=\"smime.p7s\"");
  put_line(&writer, "Content-Transfer-Encoding: base64");
  put_line(&writer, "Content-Disposition: attachment; filename=\"smime.p7s\"");
  put_line(&writer, "Content-Description: S/MIME Cryptographic Signature");
  put_line(&writer, "");
  put_base64(&writer, signature);
  g_string_append_printf(writer.text, "%s--%s--%s", writer.eol, boundary, writer.eol);
  return g_string_free_to_bytes(writer.text);
}

GBytes *
mime_build_cms(GBytes *headers, GBytes *cms, MimeKind kind, gboolean authenticated, GError **error)
{
  const char *type = NULL;
  const char *file = "smime.p7m";
  switch (kind) {
  case MIME_OPAQUE_SIGNED:
    type = "signed-data";
    break;
  case MIME_SEALED:
    type = authenticated ? "authEnveloped-data" : "enveloped-data";
    break;
  case MIME_CERTIFICATES:
    type = "certs-only";
    file = "smime.p7c";
    break;
  case MIME_PLAIN:
  case MIME_SIGNED:
    base_error_set(error, SIGNET_ERROR_USAGE, "such a mail has no single CMS part");
    return NULL;
  }
  Writer writer = { g_string_sized_new(g_bytes_get_size(cms) / 3 * 4 + 4096), eol_of(headers) };
  put_headers(&writer, headers);
  g_string_append_printf(writer.text,
                         "Content-Type: application/pkcs7-mime; smime-type=%s;%s name=\"%s\"%s",
                         type, writer.eol, file, writer.eol);
  put_line(&writer, "Content-Transfer-Encoding: base64");
  g_string_append_printf(writer.text, "Content-Disposition: attachment; filename=\"%s\"%s", file,
                         writer.eol);
  put_line(&writer, "");
  put_base64(&writer, cms);
  return g_string_free_to_bytes(writer.text);
}

GBytes *
mime_build_opened(GBytes *headers, GBytes *entity, GError **error)
{
  gsize length = 0;
  const char *bytes = g_bytes_get_data(entity, &length);
  g_auto(MimeHeader) header = { NULL, 0, FALSE };
  if (!mime_is_entity(entity) || !mime_header_read(bytes, length, &header, NULL)) {
    base_error_set(error, SIGNET_ERROR_CANNOT_DECRYPT,
                   "what was sealed is no mail: the message was altered on the way");
    return NULL;
  }
  Writer writer = { g_string_sized_new(length + 4096), eol_of(headers) };
  put_headers(&writer, headers);
  /* Of the opened entity only what describes it: its own From or Subject beside the outer
   * ones would be a mail with two of each. */
  for (guint i = 0; i < header.fields->len; i++) {
    const MimeField *field = &g_array_index(header.fields, MimeField, i);
    if (!mime_field_is_content(field))
      continue;
    g_autoptr(GBytes) text = g_bytes_new_static(field->start, field->length);
    put_converted(&writer, text);
  }
  if (writer.text->str[writer.text->len - 1] != '\n')
    g_string_append(writer.text, writer.eol);
  put_line(&writer, "");
  g_autoptr(GBytes) body = g_bytes_new_from_bytes(entity, header.body, length - header.body);
  if (can_convert(body))
    put_converted(&writer, body);
  else
    put_raw(&writer, body);
  return g_string_free_to_bytes(writer.text);
}
