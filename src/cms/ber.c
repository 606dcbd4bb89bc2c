/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cms/ber.h"

#include "base/error.h"

#include <string.h>

/* An element with at least so many bytes of its own is not counted: it costs its sender as much as us,
 * and a streamed message has one for every 1,000 bytes of content, whatever its size. */
#define WEIGHTY 256

#define TAG_OCTETS_MAX 4 /* of a tag number above 30 */
#define LENGTH_OCTETS_MAX 8

typedef struct {
  CmsBerElement element;
  guint64 end; /* offset; indefinite: where the innermost definite one around it ends */
} Frame;

struct CmsBer {
  const CmsBerEvents *events;
  gpointer data;
  Frame open[CMS_BER_DEPTH_MAX];
  guint depth;
  guint8 header[16]; /* of the next element, as far as it came */
  guint header_length;
  guint64 offset;
  guint elements;
  gboolean whole;
  gboolean failed;
};

CmsBer *
cms_ber_new(const CmsBerEvents *events, gpointer data)
{
  CmsBer *ber = g_new0(CmsBer, 1);
  ber->events = events;
  ber->data = data;
  return ber;
}

void
cms_ber_free(CmsBer *ber)
{
  g_free(ber);
}

static gboolean
malformed(const CmsBer *ber, const char *what, GError **error)
{
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                        "not a CMS message, or damaged: %s at byte %" G_GUINT64_FORMAT, what,
                        ber->offset);
}

/* ---- headers ---- */

typedef enum { HEADER_MORE, HEADER_WHOLE, HEADER_BAD } HeaderState;

static HeaderState
read_tag(const CmsBer *ber, CmsBerElement *element, guint *at)
{
  const guint8 *header = ber->header;
  element->tag_class = header[0] >> 6;
  element->constructed = (header[0] & 0x20) != 0;
  element->tag = header[0] & 0x1f;
  *at = 1;
  if (element->tag < 0x1f)
    return HEADER_WHOLE;
  element->tag = 0;
  for (guint8 octet = 0x80; octet & 0x80;) {
    if (*at == ber->header_length)
      return HEADER_MORE;
    octet = header[(*at)++];
    /* X.690 8.1.2.4.2: no leading zeros */
    if ((*at == 2 && octet == 0x80) || *at > 1 + TAG_OCTETS_MAX)
      return HEADER_BAD;
    element->tag = element->tag << 7 | (octet & 0x7f);
  }
  return HEADER_WHOLE;
}

static HeaderState
read_length(const CmsBer *ber, CmsBerElement *element, guint at)
{
  if (at == ber->header_length)
    return HEADER_MORE;
  guint8 octet = ber->header[at++];
  if (octet < 0x80) {
    element->length = octet;
    return HEADER_WHOLE;
  }
  if (octet == 0x80) { /* X.690 8.1.3.2: of a constructed one only */
    element->length = -1;
    return element->constructed ? HEADER_WHOLE : HEADER_BAD;
  }
  guint octets = octet & 0x7f;
  guint64 length = 0;
  if (octets > LENGTH_OCTETS_MAX)
    return HEADER_BAD;
  if (ber->header_length - at < octets)
    return HEADER_MORE;
  for (guint i = 0; i < octets; i++)
    length = length << 8 | ber->header[at + i];
  element->length = (gint64)length;
  return length > G_MAXINT64 ? HEADER_BAD : HEADER_WHOLE;
}

static HeaderState
read_header(const CmsBer *ber, CmsBerElement *element)
{
  guint at = 0;
  HeaderState state = read_tag(ber, element, &at);
  return state == HEADER_WHOLE ? read_length(ber, element, at) : state;
}

/* ---- elements ---- */

static guint64
limit_of(const CmsBer *ber)
{
  return ber->depth ? ber->open[ber->depth - 1].end : G_MAXINT64;
}

static gboolean
leave(CmsBer *ber, GError **error)
{
  Frame *frame = &ber->open[ber->depth - 1];
  if (!ber->events->end(ber->data, &frame->element, error))
    return FALSE;
  ber->depth--;
  ber->whole = ber->depth == 0;
  return TRUE;
}

/* Those whose length is used up. */
static gboolean
leave_complete(CmsBer *ber, GError **error)
{
  while (ber->depth > 0) {
    const Frame *frame = &ber->open[ber->depth - 1];
    if (frame->element.length < 0 || ber->offset < frame->end)
      break;
    if (!leave(ber, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
count(CmsBer *ber, const CmsBerElement *element, GError **error)
{
  if (!element->constructed && element->length >= WEIGHTY)
    return TRUE;
  return ++ber->elements <= CMS_BER_ELEMENTS_MAX ||
         base_error_set(error, SIGNET_ERROR_TOO_LARGE, "the message has more than %d parts",
                        CMS_BER_ELEMENTS_MAX);
}

static gboolean
enter(CmsBer *ber, CmsBerElement *element, GError **error)
{
  guint64 limit = limit_of(ber);
  if (element->length >= 0 && (guint64)element->length > limit - ber->offset)
    return malformed(ber, "an element that is longer than what holds it", error);
  if (ber->depth == CMS_BER_DEPTH_MAX)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "the message is nested more than %d levels deep", CMS_BER_DEPTH_MAX);
  if (!count(ber, element, error))
    return FALSE;
  element->depth = ber->depth;
  element->header_length = ber->header_length;
  memcpy(element->header, ber->header, ber->header_length);
  Frame *frame = &ber->open[ber->depth];
  frame->element = *element;
  frame->end = element->length < 0 ? limit : ber->offset + (guint64)element->length;
  if (!ber->events->begin(ber->data, &frame->element, error))
    return FALSE;
  ber->depth++;
  return TRUE;
}

/* X.690 8.1.5: two zero octets end an element of indefinite length. */
static gboolean
end_of_contents(CmsBer *ber, GError **error)
{
  if (ber->header[0] != 0 || ber->header_length != 2 || ber->header[1] != 0 || ber->depth == 0 ||
      ber->open[ber->depth - 1].element.length >= 0)
    return malformed(ber, "an end mark where none belongs", error);
  return leave(ber, error);
}

static gboolean
take_header(CmsBer *ber, guint8 octet, GError **error)
{
  CmsBerElement element = { 0 };
  if (ber->offset >= limit_of(ber))
    return malformed(ber, "an element that is cut short", error);
  ber->header[ber->header_length++] = octet;
  ber->offset++;
  HeaderState state = read_header(ber, &element);
  if (state == HEADER_MORE)
    return TRUE;
  if (state == HEADER_BAD)
    return malformed(ber, "no ASN.1 element", error);
  gboolean mark = element.tag_class == 0 && element.tag == 0;
  gboolean good = mark ? end_of_contents(ber, error) : enter(ber, &element, error);
  ber->header_length = 0;
  return good && leave_complete(ber, error);
}

static gboolean
take_bytes(CmsBer *ber, const guint8 *bytes, gsize length, GError **error)
{
  ber->offset += length;
  return ber->events->bytes(ber->data, bytes, length, error) && leave_complete(ber, error);
}

static gboolean
take_rest(CmsBer *ber, const guint8 *bytes, gsize length, GError **error)
{
  for (gsize i = 0; i < length; i++, ber->offset++)
    if (bytes[i] != 0 && bytes[i] != '\r' && bytes[i] != '\n')
      return malformed(ber, "bytes after the end of the message", error);
  return TRUE;
}

static gboolean
push(CmsBer *ber, const guint8 *bytes, gsize length, GError **error)
{
  const guint8 *end = bytes + length;
  while (bytes < end) {
    if (ber->whole)
      return take_rest(ber, bytes, (gsize)(end - bytes), error);
    if (ber->depth > 0 && !ber->open[ber->depth - 1].element.constructed) {
      guint64 left = ber->open[ber->depth - 1].end - ber->offset;
      gsize take = (gsize)MIN(left, (guint64)(end - bytes));
      if (!take_bytes(ber, bytes, take, error))
        return FALSE;
      bytes += take;
    } else if (!take_header(ber, *bytes++, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
cms_ber_push(CmsBer *ber, const guint8 *bytes, gsize length, GError **error)
{
  g_assert(!ber->failed);
  ber->failed = !push(ber, bytes, length, error);
  return !ber->failed;
}

gboolean
cms_ber_done(CmsBer *ber, GError **error)
{
  if (ber->whole)
    return TRUE;
  if (ber->offset == 0)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the message is empty");
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                        "the message is cut short after %" G_GUINT64_FORMAT " bytes", ber->offset);
}

/* ---- writing ---- */

static guint
put_tag(guint8 *out, guint8 first, guint32 tag)
{
  guint n = 0;
  if (tag < 0x1f) {
    out[n++] = first | (guint8)tag;
    return n;
  }
  g_assert(tag < 1u << 7 * TAG_OCTETS_MAX);
  out[n++] = first | 0x1f;
  for (int shift = 7 * (TAG_OCTETS_MAX - 1); shift >= 0; shift -= 7)
    if (tag >> shift || shift == 0)
      out[n++] = (guint8)((tag >> shift & 0x7f) | (shift ? 0x80 : 0));
  return n;
}

guint
cms_ber_header(guint8 out[16], guint8 tag_class, gboolean constructed, guint32 tag, gint64 length)
{
  guint n = put_tag(out, (guint8)(tag_class << 6 | (constructed ? 0x20 : 0)), tag);
  if (length < 0) {
    out[n++] = 0x80;
    return n;
  }
  if (length < 0x80) {
    out[n++] = (guint8)length;
    return n;
  }
  guint octets = 0;
  while (octets < LENGTH_OCTETS_MAX && length >> 8 * octets)
    octets++;
  out[n++] = (guint8)(0x80 | octets);
  for (guint i = octets; i-- > 0;)
    out[n++] = (guint8)(length >> 8 * i);
  return n;
}

gboolean
cms_ber_is(const CmsBerElement *element, guint8 tag_class, guint32 tag, gboolean constructed)
{
  return element->tag_class == tag_class && element->tag == tag &&
         !element->constructed == !constructed;
}
