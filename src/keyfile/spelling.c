/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile/spelling.h"

#include <string.h>

static void
spelling_free(gpointer data)
{
  KeyfileSpelling *spelling = data;
  base_secret_free(spelling->text);
  base_secret_free(spelling->wide);
  g_free(spelling);
}

/* Takes both. One that could not be made (too long, not UTF-8) is no spelling. */
static void
add(GPtrArray *spellings, BaseSecret *text, BaseSecret *wide)
{
  KeyfileSpelling *spelling = g_new0(KeyfileSpelling, 1);
  spelling->text = text;
  spelling->wide = wide;
  if (text && wide)
    g_ptr_array_add(spellings, spelling);
  else
    spelling_free(spelling);
}

static guint8 *
put16(guint8 *at, guint32 unit)
{
  *at++ = (guint8)(unit >> 8);
  *at++ = (guint8)unit;
  return at;
}

/* RFC 7292 B.1: BMPString, big-endian, with a terminating zero character. What lies beyond the
 * BMP goes as surrogates, as everybody writes it. NULL when it is not UTF-8. */
static BaseSecret *
widen_utf8(BaseSecret *text)
{
  const char *from = base_secret_text(text);
  gsize length = base_secret_length(text);
  if (!g_utf8_validate(from, (gssize)length, NULL))
    return NULL;
  /* No character of UTF-8 is longer in UTF-16 than twice its bytes. */
  BaseSecret *wide = base_secret_new(2 * length + 2);
  if (!wide)
    return NULL;
  guint8 *to = base_secret_bytes(wide);
  for (const char *at = from; at < from + length; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    if (c >= 0x10000) {
      to = put16(to, 0xd800 + ((c - 0x10000) >> 10));
      c = 0xdc00 + ((c - 0x10000) & 0x3ff);
    }
    to = put16(to, c);
  }
  to = put16(to, 0);
  base_secret_truncate(wide, (gsize)(to - base_secret_bytes(wide)));
  return wide;
}

/* Each byte a character: OpenSSL before 1.1.0, whatever the terminal's encoding was. */
static BaseSecret *
widen_bytes(BaseSecret *text)
{
  gsize length = base_secret_length(text);
  BaseSecret *wide = base_secret_new(2 * length + 2);
  for (gsize i = 0; wide && i < length; i++)
    base_secret_bytes(wide)[2 * i + 1] = base_secret_bytes(text)[i];
  return wide;
}

/* NULL when there are other characters in it. */
static BaseSecret *
latin1(BaseSecret *text)
{
  const char *from = base_secret_text(text);
  gsize length = base_secret_length(text);
  g_autoptr(BaseSecret) narrow = base_secret_new(length);
  gsize n = 0;
  if (!narrow || !g_utf8_validate(from, (gssize)length, NULL))
    return NULL;
  for (const char *at = from; at < from + length; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    if (c > 0xff)
      return NULL;
    base_secret_bytes(narrow)[n++] = (guint8)c;
  }
  base_secret_truncate(narrow, n);
  return g_steal_pointer(&narrow);
}

static gboolean
is_ascii(BaseSecret *text)
{
  const guint8 *bytes = base_secret_bytes(text);
  for (gsize i = 0; i < base_secret_length(text); i++)
    if (bytes[i] > 0x7f)
      return FALSE;
  return TRUE;
}

GPtrArray *
keyfile_spellings_new(BaseSecret *passphrase)
{
  GPtrArray *spellings = g_ptr_array_new_with_free_func(spelling_free);
  g_autoptr(BaseSecret) none = base_secret_new(0);
  BaseSecret *text = passphrase ? passphrase : none;

  add(spellings, base_secret_copy(text), widen_utf8(text));
  if (!is_ascii(text)) {
    add(spellings, base_secret_copy(text), widen_bytes(text));
    add(spellings, latin1(text), widen_utf8(text));
  }
  /* No passphrase is not the empty one to PKCS #12: not even the two zero bytes. */
  if (base_secret_length(text) == 0)
    add(spellings, base_secret_copy(text), base_secret_new(0));
  /* NSS before 3.31 gave the BMPString to PBKDF2, too. */
  add(spellings, widen_utf8(text), widen_utf8(text));
  return spellings;
}

gboolean
keyfile_spelling_was_tried(const GPtrArray *spellings, guint index, gboolean wide)
{
  const KeyfileSpelling *this = spellings->pdata[index];
  for (guint i = 0; i < index; i++) {
    const KeyfileSpelling *before = spellings->pdata[i];
    if (wide ? base_secret_equal(before->wide, this->wide)
             : base_secret_equal(before->text, this->text))
      return TRUE;
  }
  return FALSE;
}

void
keyfile_spelling_prefer(GPtrArray *spellings, guint index)
{
  g_ptr_array_insert(spellings, 0, g_ptr_array_steal_index(spellings, index));
}
