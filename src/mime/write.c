/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/write.h"

#include "base/error.h"
#include "mime/entity.h"
#include "mime/header.h"

#include <openssl/rand.h>
#include <string.h>

#define BASE64_LINE 76     /* RFC 2045 6.8 */
#define BOUNDARY_RANDOM 16 /* bytes: nobody guesses it, so that no content has it */
#define SIGNATURE_ENCODED(n) (2 * (n) + 256)

/* ---- small text ---- */

/* Lines of `headers` in these line ends. */
static void
add_headers(GString *text, GBytes *headers, const char *eol)
{
  gsize length = 0;
  const char *at = headers ? g_bytes_get_data(headers, &length) : NULL;
  while (length > 0) {
    const char *end = memchr(at, '\n', length);
    gsize line = end ? (gsize)(end - at) : length;
    gsize shown = end && line > 0 && at[line - 1] == '\r' ? line - 1 : line;
    g_string_append_len(text, at, (gssize)shown);
    g_string_append(text, eol);
    at += end ? line + 1 : line;
    length -= end ? line + 1 : line;
  }
}

static void
add_line(GString *text, const char *line, const char *eol)
{
  g_string_append(text, line);
  g_string_append(text, eol);
}

static gboolean
push_text(const GString *text, BaseSink *to, GError **error)
{
  return base_sink_write(to, text->str, text->len, error);
}

/* ---- a signed mail ---- */

struct MimeSigned {
  MimeEntity *entity; /* the caller's */
  const char *eol;
  GString *before; /* the entity */
  GString *after;
};

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

static char *
make_boundary(GError **error)
{
  static const char digits[] = "0123456789abcdef";
  guint8 random[BOUNDARY_RANDOM];
  if (RAND_bytes(random, sizeof random) != 1) {
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no random bytes for the mail's boundary");
    return NULL;
  }
  GString *boundary = g_string_new("signet-");
  for (gsize i = 0; i < sizeof random; i++) {
    g_string_append_c(boundary, digits[random[i] >> 4]);
    g_string_append_c(boundary, digits[random[i] & 15]);
  }
  return g_string_free(boundary, FALSE);
}

static gboolean
add_base64(GString *text, GBytes *bytes, const char *eol, GError **error)
{
  gsize length = 0;
  gconstpointer data = g_bytes_get_data(bytes, &length);
  BaseSink *memory = base_sink_to_memory(SIGNATURE_ENCODED(length));
  g_autoptr(BaseSink) encode =
      base_sink_base64_encode(memory, BASE64_LINE, strcmp(eol, "\r\n") == 0);
  if (!base_sink_write(encode, data, length, error) || !base_sink_finish(encode, error))
    return FALSE;
  g_autoptr(GBytes) encoded = base_sink_memory_bytes(memory);
  g_string_append_len(text, g_bytes_get_data(encoded, NULL), (gssize)g_bytes_get_size(encoded));
  return TRUE;
}

static gboolean
add_signature(MimeSigned *mail, GBytes *signature, const char *boundary, GError **error)
{
  static const char *const lines[] = {
    "Content-Type: application/pkcs7-signature; name=\"smime.p7s\"",
    "Content-Transfer-Encoding: base64",
    "Content-Disposition: attachment; filename=\"smime.p7s\"",
    "Content-Description: S/MIME Cryptographic Signature",
    "",
  };
  g_string_append_printf(mail->after, "%s--%s%s", mail->eol, boundary, mail->eol);
  for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
    add_line(mail->after, lines[i], mail->eol);
  if (!add_base64(mail->after, signature, mail->eol, error))
    return FALSE;
  g_string_append_printf(mail->after, "%s--%s--%s", mail->eol, boundary, mail->eol);
  return TRUE;
}

static MimeSigned *
make_signed(MimeEntity *entity, const char *eol)
{
  MimeSigned *mail = g_new0(MimeSigned, 1);
  mail->entity = entity;
  mail->before = g_string_new(NULL);
  mail->after = g_string_new(NULL);
  /* Whoever reads it can turn LF into CRLF only where no CR is content. */
  mail->eol = mime_entity_is_text(entity) ? eol : "\r\n";
  return mail;
}

static gboolean
fill_signed(MimeSigned *mail, GBytes *signature, const char *hash, GError **error)
{
  const char *micalg = micalg_of(hash);
  if (!micalg)
    return base_error_set(error, SIGNET_ERROR_USAGE, "a mail cannot be signed with the hash %s",
                          hash ? hash : "(none)");
  g_autofree char *boundary = make_boundary(error);
  if (!boundary)
    return FALSE;
  g_string_append_printf(mail->before,
                         "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";"
                         "%s micalg=%s; boundary=\"%s\"%s%s--%s%s",
                         mail->eol, micalg, boundary, mail->eol, mail->eol, boundary, mail->eol);
  return add_signature(mail, signature, boundary, error);
}

MimeSigned *
mime_signed_new(MimeEntity *entity, GBytes *signature, const char *hash, GError **error)
{
  g_autoptr(MimeSigned) mail = make_signed(entity, "\r\n");
  return fill_signed(mail, signature, hash, error) ? g_steal_pointer(&mail) : NULL;
}

void
mime_signed_free(MimeSigned *mail)
{
  if (!mail)
    return;
  g_string_free(mail->before, TRUE);
  g_string_free(mail->after, TRUE);
  g_free(mail);
}

gboolean
mime_signed_length(MimeSigned *mail, gint64 *ret_length, GError **error)
{
  gint64 entity;
  if (!mime_entity_length(mail->entity, &entity, error))
    return FALSE;
  *ret_length = (gint64)(mail->before->len + mail->after->len) + entity;
  return TRUE;
}

gboolean
mime_signed_push(MimeSigned *mail, BaseSink *to, GError **error)
{
  gboolean crlf = strcmp(mail->eol, "\r\n") == 0;
  return push_text(mail->before, to, error) &&
         (crlf ? mime_entity_push(mail->entity, to, error)
               : mime_entity_push_newline(mail->entity, to, error)) &&
         push_text(mail->after, to, error);
}

gboolean
mime_write_signed(GBytes *headers, MimeEntity *entity, GBytes *signature, const char *hash,
                  BaseSink *to, GError **error)
{
  g_autoptr(MimeSigned) mail = make_signed(entity, mime_line_end_of(headers));
  add_headers(mail->before, headers, mail->eol);
  add_line(mail->before, "MIME-Version: 1.0", mail->eol);
  return fill_signed(mail, signature, hash, error) && mime_signed_push(mail, to, error) &&
         base_sink_finish(to, error);
}

/* ---- a mail of one CMS part ---- */

/* What base64 pushes into, which would own the caller's sink. The head waits for the first bytes: until then
 * sealing or signing can still be refused. */
typedef struct {
  BaseSink sink;
  BaseSink *to;
  GString *head; /* NULL: written */
} Part;

static gboolean
part_begin(Part *part, GError **error)
{
  g_autoptr(GString) head = g_steal_pointer(&part->head);
  return !head || push_text(head, part->to, error);
}

static gboolean
part_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  Part *part = (Part *)sink;
  return part_begin(part, error) && base_sink_write(part->to, bytes, length, error);
}

static gboolean
part_finish(BaseSink *sink, GError **error)
{
  Part *part = (Part *)sink;
  return part_begin(part, error) && base_sink_finish(part->to, error);
}

static void
part_free(BaseSink *sink)
{
  Part *part = (Part *)sink;
  if (part->head)
    g_string_free(part->head, TRUE);
  g_free(part);
}

static BaseSink *
part_new(GString *head, BaseSink *to)
{
  static const BaseSinkClass klass = { part_write, part_finish, part_free };
  Part *part = g_new0(Part, 1);
  part->sink.klass = &klass;
  part->head = head;
  part->to = to;
  return &part->sink;
}

static const char *
smime_type(MimeKind kind, gboolean authenticated)
{
  switch (kind) {
  case MIME_OPAQUE_SIGNED:
    return "signed-data";
  case MIME_SEALED:
    return authenticated ? "authEnveloped-data" : "enveloped-data";
  case MIME_CERTIFICATES:
    return "certs-only";
  case MIME_PLAIN:
  case MIME_SIGNED:
    break;
  }
  return NULL;
}

BaseSink *
mime_write_cms_new(GBytes *headers, MimeKind kind, gboolean authenticated, BaseSink *to,
                   GError **error)
{
  const char *type = smime_type(kind, authenticated);
  const char *file = kind == MIME_CERTIFICATES ? "smime.p7c" : "smime.p7m";
  const char *eol = mime_line_end_of(headers);
  if (!type) {
    base_error_set(error, SIGNET_ERROR_USAGE, "such a mail has no single CMS part");
    return NULL;
  }
  GString *head = g_string_new(NULL);
  add_headers(head, headers, eol);
  add_line(head, "MIME-Version: 1.0", eol);
  g_string_append_printf(head,
                         "Content-Type: application/pkcs7-mime; smime-type=%s;%s name=\"%s\"%s",
                         type, eol, file, eol);
  add_line(head, "Content-Transfer-Encoding: base64", eol);
  g_string_append_printf(head, "Content-Disposition: attachment; filename=\"%s\"%s%s", file, eol,
                         eol);
  return base_sink_base64_encode(part_new(head, to), BASE64_LINE, strcmp(eol, "\r\n") == 0);
}
