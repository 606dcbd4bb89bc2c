/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/armor.h"

#include "base/error.h"

#include <string.h>

#define SEQUENCE_TAG 0x30
#define BEFORE_MAX (64 * 1024) /* of text before the PEM's first line */

static const char begin_mark[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";

typedef enum {
  PLACE_UNKNOWN,
  PLACE_DER,
  PLACE_LABEL, /* in the line BEGIN */
  PLACE_BODY,
  PLACE_END, /* in the line END, as far as its name */
  PLACE_BEHIND
} Place;

typedef struct {
  BaseSink sink;
  char *name;
  goffset length;
  BaseSink *out;
  BaseSink *decoder; /* (nullable) */
  gboolean pem;
  Place place;
  GByteArray *before; /* UNKNOWN: all so far; LABEL, END: the line */
} Armor;

static gboolean
bad(const Armor *armor, const char *what, GError **error)
{
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s: %s", armor->name, what);
}

/* ---- what comes out must begin like CMS ---- */

typedef struct {
  BaseSink sink;
  BaseSink *out;
  const Armor *armor;
  gboolean begun;
} First;

static gboolean
first_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  First *first = (First *)sink;
  if (!first->begun && *(const guint8 *)bytes != SEQUENCE_TAG)
    return bad(first->armor, "the base64 text holds no CMS message", error);
  first->begun = TRUE;
  return base_sink_write(first->out, bytes, length, error);
}

static gboolean
first_finish(BaseSink *sink, GError **error)
{
  First *first = (First *)sink;
  return first->begun ? base_sink_finish(first->out, error)
                      : bad(first->armor, "there is no message", error);
}

static void
first_free(BaseSink *sink)
{
  g_free(sink);
}

static BaseSink *
first_new(const Armor *armor)
{
  static const BaseSinkClass klass = { first_write, first_finish, first_free };
  First *first = g_new0(First, 1);
  first->sink.klass = &klass;
  first->out = armor->out;
  first->armor = armor;
  return &first->sink;
}

/* ---- which form ---- */

static gboolean
is_base64(guint8 c)
{
  return g_ascii_isalnum(c) || c == '+' || c == '/';
}

/* "0" is a base64 digit too, and so may be the length byte after it: 43 to 122 is DER's only when
 * it is exactly the length. */
static gboolean
is_der(const Armor *armor)
{
  const guint8 *bytes = armor->before->data;
  return armor->before->len > 1 && bytes[0] == SEQUENCE_TAG &&
         (!is_base64(bytes[1]) || armor->length == (goffset)bytes[1] + 2);
}

static gboolean
is_cms_label(const char *label)
{
  /* The last two are gpgsm's armour. */
  static const char *const names[] = { "CMS", "PKCS7", "PKCS #7", "SIGNED MESSAGE",
                                       "ENCRYPTED MESSAGE" };
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (g_str_has_prefix(label, names[i]))
      return TRUE;
  return FALSE;
}

/* The decoder's errors name the line of the base64, not of the file, until it was told of those before. */
static gboolean
decode(Armor *armor, const guint8 *bytes, gsize length, GError **error)
{
  if (base_sink_write(armor->decoder, bytes, length, error))
    return TRUE;
  if (error && *error && g_str_has_prefix((*error)->message, "line "))
    g_prefix_error(error, "%s%s, ",
                   armor->pem ? "" : "neither DER, PEM nor base64 (of a mail, leave --cms away): ",
                   armor->name);
  return FALSE;
}

static gboolean
begin_decoder(Armor *armor, gsize lines, GError **error)
{
  armor->decoder = base_sink_base64_decode(first_new(armor));
  for (gsize i = 0; i < lines; i++)
    if (!base_sink_write(armor->decoder, "\n", 1, error))
      return FALSE;
  return TRUE;
}

static gsize
count_lines(const guint8 *bytes, gsize length)
{
  gsize lines = 0;
  for (gsize i = 0; i < length; i++)
    lines += bytes[i] == '\n' ? 1 : 0;
  return lines;
}

static gboolean armor_take(Armor *armor, const guint8 *bytes, gsize length, GError **error);

/* Goes on with what was held, from `at`, as the form says. */
static gboolean
settle(Armor *armor, Place place, gsize at, GError **error)
{
  g_autoptr(GByteArray) held = g_steal_pointer(&armor->before);
  armor->before = g_byte_array_new();
  armor->place = place;
  armor->pem = place == PLACE_LABEL;
  if (place != PLACE_DER && !begin_decoder(armor, count_lines(held->data, at), error))
    return FALSE;
  return armor_take(armor, held->data + at, held->len - at, error);
}

/* `last`: no more will come. */
static gboolean
recognise(Armor *armor, gboolean last, GError **error)
{
  const GByteArray *held = armor->before;
  if (held->len < 2 && !last)
    return TRUE;
  if (is_der(armor))
    return settle(armor, PLACE_DER, 0, error);
  const guint8 *found =
      held->len ? memmem(held->data, held->len, begin_mark, strlen(begin_mark)) : NULL;
  if (found)
    return settle(armor, PLACE_LABEL, (gsize)(found - held->data) + strlen(begin_mark), error);
  return (!last && held->len < BEFORE_MAX) || settle(armor, PLACE_BODY, 0, error);
}

/* ---- PEM ---- */

static const guint8 *
take_label(Armor *armor, const guint8 *at, const guint8 *end, gboolean *good, GError **error)
{
  const guint8 *newline = memchr(at, '\n', (gsize)(end - at));
  const guint8 *stop = newline ? newline : end;
  g_byte_array_append(armor->before, at, (guint)MIN((gsize)(stop - at), 100));
  if (!newline)
    return end;
  g_byte_array_append(armor->before, (const guint8 *)"", 1);
  if (is_cms_label((const char *)armor->before->data))
    *good = decode(armor, (const guint8 *)"\n", 1, error);
  else
    *good = bad(armor, "not a CMS message: the PEM text holds something else", error);
  g_byte_array_set_size(armor->before, 0);
  armor->place = PLACE_BODY;
  return newline + 1;
}

static const guint8 *
take_body(Armor *armor, const guint8 *at, const guint8 *end, gboolean *good, GError **error)
{
  const guint8 *dash = armor->pem ? memchr(at, '-', (gsize)(end - at)) : NULL;
  const guint8 *stop = dash ? dash : end;
  *good = decode(armor, at, (gsize)(stop - at), error);
  if (dash)
    armor->place = PLACE_END;
  return stop;
}

static const guint8 *
take_end(Armor *armor, const guint8 *at, gboolean *good, GError **error)
{
  gsize have = armor->before->len;
  if (*at != (guint8)end_mark[have]) {
    *good = decode(armor, (const guint8 *)"-", 1, error); /* says where */
    return at + 1;
  }
  g_byte_array_append(armor->before, at, 1);
  if (have + 1 == strlen(end_mark))
    armor->place = PLACE_BEHIND;
  return at + 1;
}

static gboolean
take_pem(Armor *armor, const guint8 *at, gsize length, GError **error)
{
  const guint8 *end = at + length;
  gboolean good = TRUE;
  while (good && at < end && armor->place != PLACE_BEHIND) {
    if (armor->place == PLACE_LABEL)
      at = take_label(armor, at, end, &good, error);
    else if (armor->place == PLACE_BODY)
      at = take_body(armor, at, end, &good, error);
    else
      at = take_end(armor, at, &good, error);
  }
  return good;
}

static gboolean
armor_take(Armor *armor, const guint8 *bytes, gsize length, GError **error)
{
  if (armor->place == PLACE_DER)
    return base_sink_write(armor->out, bytes, length, error);
  if (armor->place != PLACE_UNKNOWN)
    return take_pem(armor, bytes, length, error);
  g_byte_array_append(armor->before, bytes, (guint)length);
  return recognise(armor, FALSE, error);
}

/* ---- the stage ---- */

static gboolean
armor_write(BaseSink *sink, gconstpointer bytes, gsize length, GError **error)
{
  return armor_take((Armor *)sink, bytes, length, error);
}

static gboolean
armor_finish(BaseSink *sink, GError **error)
{
  Armor *armor = (Armor *)sink;
  if (armor->place == PLACE_UNKNOWN && armor->before->len == 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s is empty", armor->name);
  if (armor->place == PLACE_UNKNOWN && !recognise(armor, TRUE, error))
    return FALSE;
  if (armor->place == PLACE_DER)
    return base_sink_finish(armor->out, error);
  if (armor->pem && armor->place != PLACE_BEHIND)
    return bad(armor, "the PEM text has no END line", error);
  if (base_sink_finish(armor->decoder, error))
    return TRUE;
  if (error && *error && g_str_has_prefix((*error)->message, "line "))
    g_prefix_error(error, "%s, ", armor->name);
  return FALSE;
}

static void
armor_free(BaseSink *sink)
{
  Armor *armor = (Armor *)sink;
  base_sink_free(armor->decoder);
  g_byte_array_unref(armor->before);
  g_free(armor->name);
  g_free(armor);
}

BaseSink *
cms_armor_new(const char *name, goffset length, BaseSink *out)
{
  static const BaseSinkClass klass = { armor_write, armor_finish, armor_free };
  Armor *armor = g_new0(Armor, 1);
  armor->sink.klass = &klass;
  armor->name = g_strdup(name);
  armor->length = length;
  armor->out = out;
  armor->before = g_byte_array_new();
  return &armor->sink;
}
