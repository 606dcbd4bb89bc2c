/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/url.h"

#include <string.h>

#define HOST_MAX 253
#define PORT_MAX 65535

static const struct {
  const char *name;
  gboolean tls;
  int port;
} schemes[] = { { "http", FALSE, 80 }, { "https", TRUE, 443 }, { "ldap", FALSE, 389 } };

void
base_url_clear(BaseUrl *url)
{
  g_free(url->host);
  g_free(url->port);
  g_free(url->path);
}

/* *ret_rest: behind "://". */
static gboolean
read_scheme(const char *text, BaseUrl *url, const char **ret_rest)
{
  const char *end = strstr(text, "://");
  for (gsize i = 0; end && i < G_N_ELEMENTS(schemes); i++) {
    gsize length = strlen(schemes[i].name);
    if ((gsize)(end - text) != length || g_ascii_strncasecmp(text, schemes[i].name, length) != 0)
      continue;
    url->scheme = schemes[i].name;
    url->tls = schemes[i].tls;
    url->port_number = schemes[i].port;
    *ret_rest = end + strlen("://");
    return TRUE;
  }
  return FALSE;
}

static gboolean
is_host(const char *host, gboolean bracketed)
{
  gsize length = strlen(host);
  if (bracketed)
    return strchr(host, ':') && g_hostname_is_ip_address(host);
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum(host[i]) && !strchr("-._", host[i]))
      return FALSE;
  return length > 0 && length <= HOST_MAX && host[0] != '.' && host[0] != '-';
}

static gboolean
read_port(const char *text, gsize length, int *ret_number)
{
  int number = 0;
  for (gsize i = 0; i < length; i++) {
    if (!g_ascii_isdigit(text[i]) || (number = number * 10 + (text[i] - '0')) > PORT_MAX)
      return FALSE;
  }
  if (number > 0)
    *ret_number = number;
  return length == 0 || number > 0;
}

static gboolean
read_authority(const char *text, gsize length, BaseUrl *url)
{
  const char *shut = *text == '[' ? memchr(text, ']', length) : NULL;
  const char *colon =
      memchr(shut ? shut : text, ':', length - (gsize)((shut ? shut : text) - text));
  gsize host_end = colon ? (gsize)(colon - text) : length;
  if (shut && (gsize)(shut + 1 - text) != host_end)
    return FALSE;
  url->host = shut ? g_strndup(text + 1, host_end - 2) : g_strndup(text, host_end);
  if (!is_host(url->host, shut != NULL) ||
      (colon && !read_port(colon + 1, length - host_end - 1, &url->port_number)))
    return FALSE;
  url->port = g_strdup_printf("%d", url->port_number);
  return TRUE;
}

static gboolean
is_printable(const char *text)
{
  gsize length = 0;
  for (; text[length]; length++)
    if (text[length] <= ' ' || text[length] > '~' || strchr("\"<>\\^`{|}", text[length]))
      return FALSE;
  return length <= BASE_URL_MAX;
}

gboolean
base_url_parse(const char *text, BaseUrl *ret_url)
{
  g_auto(BaseUrl) url = { 0 };
  const char *rest;
  if (!is_printable(text) || strchr(text, '#') || !read_scheme(text, &url, &rest))
    return FALSE;
  gsize length = strcspn(rest, "/?");
  if (!read_authority(rest, length, &url))
    return FALSE;
  url.path = rest[length] == '/' ? g_strdup(rest + length) : g_strconcat("/", rest + length, NULL);
  *ret_url = url;
  url = (BaseUrl){ 0 };
  return TRUE;
}

gboolean
base_url_parse_proxy(const char *text, BaseUrl *ret_url)
{
  g_autofree char *whole =
      strstr(text, "://") ? g_strdup(text) : g_strconcat("http://", text, NULL);
  g_auto(BaseUrl) url = { 0 };
  if (!base_url_parse(whole, &url) || strcmp(url.scheme, "http") != 0 || strcmp(url.path, "/") != 0)
    return FALSE;
  *ret_url = url;
  url = (BaseUrl){ 0 };
  return TRUE;
}

char *
base_url_authority(const BaseUrl *url)
{
  gboolean v6 = strchr(url->host, ':') != NULL;
  gboolean usual = FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++)
    usual =
        usual || (strcmp(schemes[i].name, url->scheme) == 0 && schemes[i].port == url->port_number);
  return g_strconcat(v6 ? "[" : "", url->host, v6 ? "]" : "", usual ? "" : ":",
                     usual ? NULL : url->port, NULL);
}
