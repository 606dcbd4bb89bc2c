/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define P11_KIT_FUTURE_UNSTABLE_API
#include "base/error.h"
#include "daemon/catalogue-internal.h"

#include <p11-kit/uri.h>
#include <string.h>

/* PKCS#11 URIs (RFC 7512) by p11-kit's parser and its rules of what fits. */

struct CatalogueUri {
  P11KitUri *uri;
};

gboolean
daemon_catalogue_is_uri(const char *text)
{
  return g_ascii_strncasecmp(text, P11_KIT_URI_SCHEME ":", P11_KIT_URI_SCHEME_LEN + 1) == 0;
}

CatalogueUri *
daemon_catalogue_uri_new(const char *text, GError **error)
{
  CatalogueUri *uri = g_new0(CatalogueUri, 1);
  uri->uri = p11_kit_uri_new();
  int result = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri->uri);
  if (result == P11_KIT_URI_OK)
    return uri;
  base_error_set(error, SIGNET_ERROR_USAGE, "\"%s\" is no PKCS#11 URI: %s", text,
                 p11_kit_uri_message(result));
  daemon_catalogue_uri_free(uri);
  return NULL;
}

void
daemon_catalogue_uri_free(CatalogueUri *uri)
{
  if (!uri)
    return;
  p11_kit_uri_free(uri->uri);
  g_free(uri);
}

static void
pad(unsigned char *field, gsize size, const char *text)
{
  memset(field, ' ', size);
  memcpy(field, text, MIN(strlen(text), size));
}

static gboolean
fits(CatalogueUri *uri, const char *label, const char *manufacturer, const char *model,
     const char *serial)
{
  CK_TOKEN_INFO info;
  memset(&info, 0, sizeof info);
  pad(info.label, sizeof info.label, label);
  pad(info.manufacturerID, sizeof info.manufacturerID, manufacturer);
  pad(info.model, sizeof info.model, model);
  pad(info.serialNumber, sizeof info.serialNumber, serial);
  return p11_kit_uri_match_token_info(uri->uri, &info) == 1;
}

gboolean
daemon_catalogue_uri_fits_device(CatalogueUri *uri, const DaemonDevice *device)
{
  return fits(uri, device->label, device->manufacturer, device->model, device->serial);
}

gboolean
daemon_catalogue_uri_fits_token(CatalogueUri *uri, const WireToken *token)
{
  return fits(uri, token->label, token->manufacturer, token->model, token->serial);
}

gboolean
daemon_catalogue_uri_has_object(CatalogueUri *uri)
{
  return p11_kit_uri_get_attribute(uri->uri, CKA_LABEL) ||
         p11_kit_uri_get_attribute(uri->uri, CKA_ID);
}

static gboolean
attribute_fits(CatalogueUri *uri, CK_ATTRIBUTE_TYPE type, gconstpointer bytes, gsize length)
{
  const CK_ATTRIBUTE *wanted = p11_kit_uri_get_attribute(uri->uri, type);
  return !wanted || (wanted->ulValueLen == length &&
                     (length == 0 || memcmp(wanted->pValue, bytes, length) == 0));
}

/* The type is not compared: key and certificate of an ID are named alike. */
gboolean
daemon_catalogue_uri_fits_object(CatalogueUri *uri, const char *label, GBytes *id)
{
  gsize length = 0;
  gconstpointer bytes = id ? g_bytes_get_data(id, &length) : NULL;
  return attribute_fits(uri, CKA_LABEL, label, strlen(label)) &&
         attribute_fits(uri, CKA_ID, bytes, length);
}
