/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* BER, as it comes: bytes in pieces go in, elements come out as events. Definite and indefinite
 * lengths, constructed strings, any nesting up to a bound; linear time, constant memory (X.690 8.1).
 *
 *   begin   a tag and its length (-1: indefinite); a constructed one's members follow
 *   bytes   a piece of a primitive element's content
 *   end     of the element that began last and has not ended
 *
 * A callback that returns FALSE (with an error) ends the reading. */

#include <glib.h>

#define CMS_BER_DEPTH_MAX 40
#define CMS_BER_ELEMENTS_MAX 4000000 /* 10,000 recipients have 200,000 */

typedef struct {
  guint32 tag;      /* number */
  guint8 tag_class; /* 0 universal, 1 application, 2 context, 3 private */
  gboolean constructed;
  gint64 length;     /* -1: indefinite */
  guint depth;       /* 0: outermost */
  guint8 header[16]; /* identifier and length octets as they stood */
  guint header_length;
} CmsBerElement;

#define CMS_BER_UNIVERSAL 0
#define CMS_BER_CONTEXT 2
gboolean cms_ber_is(const CmsBerElement *element, guint8 tag_class, guint32 tag,
                    gboolean constructed);

typedef struct {
  gboolean (*begin)(gpointer data, const CmsBerElement *element, GError **error);
  gboolean (*bytes)(gpointer data, const guint8 *bytes, gsize length, GError **error);
  gboolean (*end)(gpointer data, const CmsBerElement *element, GError **error);
} CmsBerEvents;

typedef struct CmsBer CmsBer;

CmsBer *cms_ber_new(const CmsBerEvents *events, gpointer data);
void cms_ber_free(CmsBer *ber);
gboolean cms_ber_push(CmsBer *ber, const guint8 *bytes, gsize length, GError **error);
/* BAD_INPUT when an element is incomplete, or none came. Bytes after the outermost element are BAD_INPUT,
 * but for zeros and line ends, which some programs add. */
gboolean cms_ber_done(CmsBer *ber, GError **error);

/* Writing: the octets of an identifier and a length (-1: indefinite); returns how many, at most 16. */
guint cms_ber_header(guint8 out[16], guint8 tag_class, gboolean constructed, guint32 tag,
                     gint64 length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CmsBer, cms_ber_free)
