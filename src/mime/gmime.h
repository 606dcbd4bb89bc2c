/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* GMime, loaded when a mail is first read: it and GObject, GIO and charset tables behind it cost
 * every process 1.6 ms at start, and signing needs none of them. */

#include <gmime/gmime.h>

typedef struct {
  __typeof__(&g_mime_init) init;
  __typeof__(&g_mime_content_type_parse) content_type_parse;
  __typeof__(&g_mime_content_type_get_media_type) media_type;
  __typeof__(&g_mime_content_type_get_media_subtype) media_subtype;
  __typeof__(&g_mime_content_type_get_parameter) parameter;
  __typeof__(&g_mime_content_encoding_from_string) encoding_from_string;
  __typeof__(&g_mime_encoding_init_decode) encoding_init_decode;
  __typeof__(&g_mime_encoding_outlen) encoding_outlen;
  __typeof__(&g_mime_encoding_flush) encoding_flush;
  __typeof__(&g_mime_utils_header_decode_text) header_decode_text;
  void (*object_unref)(gpointer object);
} MimeGmime;

/* NULL with UNSUPPORTED when it is not installed. */
const MimeGmime *mime_gmime(GError **error);
