/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "daemon/catalogue-internal.h"
#include "wire/limits.h"

#include <string.h>

/* PKCS#11 URIs (RFC 7512 2.3). p11-kit has a parser too, at 0.5 MiB of the broker's
 * resident memory: the library belongs into the hosts. */

#define SCHEME "pkcs11:"

typedef enum { URI_TOKEN, URI_MANUFACTURER, URI_MODEL, URI_SERIAL, URI_OBJECT, URI_ID, URI_N } Part;

struct CatalogueUri {
  GBytes *parts[URI_N]; /* NULL: not said, fits any */
  gboolean foreign;     /* says something that nobody here knows: fits nothing */
};

static const char *const part_names[URI_N] = {
  [URI_TOKEN] = "token",   [URI_MANUFACTURER] = "manufacturer",
  [URI_MODEL] = "model",   [URI_SERIAL] = "serial",
  [URI_OBJECT] = "object", [URI_ID] = "id",
};

/* Of the object's class, the module and the slot: not compared, since key and certificate of an
 * ID are named alike, and one device may be reached by several modules and slots. */
static const char *const ignored_names[] = {
  "type",    "library-manufacturer", "library-description", "library-version",
  "slot-id", "slot-description",     "slot-manufacturer",
};

gboolean
daemon_catalogue_is_uri(const char *text)
{
  return g_ascii_strncasecmp(text, SCHEME, strlen(SCHEME)) == 0;
}

static GBytes *
decode(const char *text, gsize length)
{
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  for (gsize i = 0; i < length; i++) {
    guint8 byte = (guint8)text[i];
    if (byte == '%') {
      int high = i + 2 < length ? g_ascii_xdigit_value(text[i + 1]) : -1;
      int low = high >= 0 ? g_ascii_xdigit_value(text[i + 2]) : -1;
      if (low < 0)
        return NULL;
      byte = (guint8)(high << 4 | low);
      i += 2;
    }
    g_byte_array_append(bytes, &byte, 1);
  }
  return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
}

static gboolean
take_part(CatalogueUri *uri, const char *attribute)
{
  const char *equals = strchr(attribute, '=');
  if (!equals)
    return FALSE;
  gsize length = (gsize)(equals - attribute);
  for (gsize i = 0; i < G_N_ELEMENTS(ignored_names); i++)
    if (strlen(ignored_names[i]) == length && strncmp(attribute, ignored_names[i], length) == 0)
      return TRUE;
  for (int i = 0; i < URI_N; i++) {
    if (strlen(part_names[i]) != length || strncmp(attribute, part_names[i], length) != 0)
      continue;
    GBytes *value = uri->parts[i] ? NULL : decode(equals + 1, strlen(equals + 1));
    if (value)
      uri->parts[i] = value;
    return value != NULL; /* RFC 7512 2.3: none twice */
  }
  uri->foreign = TRUE;
  return TRUE;
}

CatalogueUri *
daemon_catalogue_uri_new(const char *text, GError **error)
{
  g_autoptr(CatalogueUri) uri = g_new0(CatalogueUri, 1);
  /* The query says how to reach a token, not which. */
  g_autofree char *path = g_strndup(text + strlen(SCHEME), strcspn(text + strlen(SCHEME), "?"));
  g_auto(GStrv) attributes = g_strsplit(path, ";", -1);
  gboolean good = strlen(text) <= WIRE_NAME_MAX;
  for (char **at = attributes; good && *at; at++)
    good = !**at || take_part(uri, *at);
  if (good)
    return g_steal_pointer(&uri);
  base_error_set(error, SIGNET_ERROR_USAGE, "\"%.200s\" is no PKCS#11 URI (RFC 7512)", text);
  return NULL;
}

void
daemon_catalogue_uri_free(CatalogueUri *uri)
{
  if (!uri)
    return;
  for (int i = 0; i < URI_N; i++)
    g_clear_pointer(&uri->parts[i], g_bytes_unref);
  g_free(uri);
}

static gboolean
part_fits(const CatalogueUri *uri, Part part, gconstpointer have, gsize have_length)
{
  gsize length;
  if (!uri->parts[part])
    return TRUE;
  const char *wanted = g_bytes_get_data(uri->parts[part], &length);
  /* PKCS#11 pads a token's texts with blanks, and some writers of URIs keep them. */
  while (part < URI_OBJECT && length > 0 && wanted[length - 1] == ' ')
    length--;
  return length == have_length && (length == 0 || memcmp(wanted, have, length) == 0);
}

static gboolean
text_fits(const CatalogueUri *uri, Part part, const char *have)
{
  return part_fits(uri, part, have, strlen(have));
}

gboolean
daemon_catalogue_uri_fits_device(CatalogueUri *uri, const DaemonDevice *device)
{
  return !uri->foreign && text_fits(uri, URI_TOKEN, device->label) &&
         text_fits(uri, URI_MANUFACTURER, device->manufacturer) &&
         text_fits(uri, URI_MODEL, device->model) && text_fits(uri, URI_SERIAL, device->serial);
}

gboolean
daemon_catalogue_uri_fits_token(CatalogueUri *uri, const WireToken *token)
{
  return !uri->foreign && text_fits(uri, URI_TOKEN, token->label) &&
         text_fits(uri, URI_MANUFACTURER, token->manufacturer) &&
         text_fits(uri, URI_MODEL, token->model) && text_fits(uri, URI_SERIAL, token->serial);
}

gboolean
daemon_catalogue_uri_has_object(CatalogueUri *uri)
{
  return uri->parts[URI_OBJECT] || uri->parts[URI_ID];
}

gboolean
daemon_catalogue_uri_fits_object(CatalogueUri *uri, const char *label, GBytes *id)
{
  gsize length = 0;
  gconstpointer bytes = id ? g_bytes_get_data(id, &length) : NULL;
  return text_fits(uri, URI_OBJECT, label) && part_fits(uri, URI_ID, bytes, length);
}
