/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mime/gmime.h"

#include "base/error.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libgmime-3.0.so.0"

static const struct {
  const char *name;
  size_t offset;
} symbol_table[] = {
  { "g_mime_init", offsetof(MimeGmime, init) },
  { "g_mime_content_type_parse", offsetof(MimeGmime, content_type_parse) },
  { "g_mime_content_type_get_media_type", offsetof(MimeGmime, media_type) },
  { "g_mime_content_type_get_media_subtype", offsetof(MimeGmime, media_subtype) },
  { "g_mime_content_type_get_parameter", offsetof(MimeGmime, parameter) },
  { "g_mime_content_encoding_from_string", offsetof(MimeGmime, encoding_from_string) },
  { "g_mime_encoding_init_decode", offsetof(MimeGmime, encoding_init_decode) },
  { "g_mime_encoding_outlen", offsetof(MimeGmime, encoding_outlen) },
  { "g_mime_encoding_flush", offsetof(MimeGmime, encoding_flush) },
  { "g_mime_utils_header_decode_text", offsetof(MimeGmime, header_decode_text) },
  { "g_object_unref", offsetof(MimeGmime, object_unref) },
};

static gboolean
load(MimeGmime *gmime)
{
  /* Never unloaded: GObject's types point into it. */
  void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS(symbol_table); i++) {
    void *symbol = dlsym(library, symbol_table[i].name);
    if (!symbol)
      return FALSE;
    memcpy((char *)gmime + symbol_table[i].offset, &symbol, sizeof symbol);
  }
  gmime->init();
  return TRUE;
}

const MimeGmime *
mime_gmime(GError **error)
{
  static gsize once = 0;
  static gboolean loaded = FALSE;
  static MimeGmime gmime;
  if (g_once_init_enter(&once)) {
    loaded = load(&gmime);
    g_once_init_leave(&once, 1);
  }
  if (!loaded)
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "cannot read mail: the library %s is missing (Debian: libgmime-3.0-0)", LIBRARY);
  return loaded ? &gmime : NULL;
}
