/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "cms/cms.h"

#include <string.h>

#define PEM_LINE 64
#define SEQUENCE_TAG 0x30

typedef struct {
  const char *name;
  const char *at;
  const char *end;
  int line;
} Reader;

static gboolean
bad(const Reader *reader, const char *what, GError **error)
{
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s, line %d: %s", reader->name,
                        reader->line, what);
}

static gboolean
is_cms_label(const char *label, gsize rest)
{
  /* The last two are gpgsm's armour. */
  static const char *const names[] = { "CMS", "PKCS7", "PKCS #7", "SIGNED MESSAGE",
                                       "ENCRYPTED MESSAGE" };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (rest > strlen(names[i]) && memcmp(label, names[i], strlen(names[i])) == 0)
      return TRUE;
  return FALSE;
}

/* The bounds of the text between the lines BEGIN and END; what stands before BEGIN is skipped. */
static gboolean
find_pem(Reader *reader, gboolean *ret_pem, GError **error)
{
  static const char begin[] = "-----BEGIN ";
  static const char finish[] = "-----END ";
  const char *found = memmem(reader->at, (gsize)(reader->end - reader->at), begin, strlen(begin));
  *ret_pem = found != NULL;
  if (!found)
    return TRUE;
  for (const char *c = reader->at; c < found; c++)
    reader->line += *c == '\n';
  const char *label = found + strlen(begin);
  gsize rest = (gsize)(reader->end - label);
  if (!is_cms_label(label, rest))
    return bad(reader, "not a CMS message: the PEM text holds something else", error);
  const char *start = memchr(label, '\n', rest);
  const char *stop = memmem(label, rest, finish, strlen(finish));
  if (!start || !stop || stop < start)
    return bad(reader, "the PEM text has no END line", error);
  reader->line++;
  reader->at = start + 1;
  reader->end = stop;
  return TRUE;
}

static gboolean
is_base64(char c)
{
  return g_ascii_isalnum(c) || c == '+' || c == '/';
}

/* Lines of any length; anything that is no base64 is named with its line. */
static gboolean
check_base64(Reader *reader, gsize *ret_digits, GError **error)
{
  gsize digits = 0;
  gsize padding = 0;
  for (const char *c = reader->at; c < reader->end; c++) {
    if (*c == '\n')
      reader->line++;
    else if (*c == '=')
      padding++;
    else if (is_base64(*c) && !padding)
      digits++;
    else if (!g_ascii_isspace(*c))
      return bad(reader, is_base64(*c) ? "base64 goes on after its end" : "not base64", error);
  }
  if (padding > 2 || (digits + padding) % 4 || digits == 0)
    return bad(reader, digits ? "base64 is cut short" : "there is no message", error);
  *ret_digits = digits;
  return TRUE;
}

static GBytes *
decode(Reader *reader, gsize digits, GError **error)
{
  gint state = 0;
  guint save = 0;
  guint8 *out = g_try_malloc(digits / 4 * 3 + 3);
  if (!out) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s: no memory for it", reader->name);
    return NULL;
  }
  gsize length =
      g_base64_decode_step(reader->at, (gsize)(reader->end - reader->at), out, &state, &save);
  return g_bytes_new_take(out, length);
}

/* "0" is a base64 digit too, and so may be the length byte after it: 43 to 122 is DER's only when
 * it is exactly the length. */
static gboolean
is_der(const guint8 *bytes, gsize length)
{
  return length > 1 && bytes[0] == SEQUENCE_TAG &&
         (!is_base64((char)bytes[1]) || length == (gsize)bytes[1] + 2);
}

GBytes *
cms_read(GBytes *bytes, const char *name, GError **error)
{
  gsize length = 0;
  const char *text = g_bytes_get_data(bytes, &length);
  if (length == 0) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s is empty", name);
    return NULL;
  }
  if (is_der((const guint8 *)text, length))
    return g_bytes_ref(bytes);
  Reader reader = { name, text, text + length, 1 };
  gboolean pem = FALSE;
  gsize digits = 0;
  if (!find_pem(&reader, &pem, error))
    return NULL;
  if (!check_base64(&reader, &digits, error)) {
    if (!pem)
      g_prefix_error(error, "neither DER, PEM nor base64 (of a mail, leave --cms away): ");
    return NULL;
  }
  GBytes *der = decode(&reader, digits, error);
  if (der && *(const guint8 *)g_bytes_get_data(der, NULL) != SEQUENCE_TAG) {
    g_bytes_unref(der);
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s: the base64 text holds no CMS message", name);
    return NULL;
  }
  return der;
}

GBytes *
cms_to_pem(GBytes *der)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(der, &length);
  GString *pem = g_string_new("-----BEGIN CMS-----\n");
  for (gsize at = 0; at < length; at += PEM_LINE / 4 * 3) {
    g_autofree char *line = g_base64_encode(bytes + at, MIN(length - at, PEM_LINE / 4 * 3));
    g_string_append(pem, line);
    g_string_append_c(pem, '\n');
  }
  g_string_append(pem, "-----END CMS-----\n");
  return g_string_free_to_bytes(pem);
}
