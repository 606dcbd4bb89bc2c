/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Addresses of servers: http://host[:port]/path?query, https, and ldap. */

#include <glib.h>

#define BASE_URL_MAX 2048

typedef struct {
  const char *scheme; /* "http", "https", "ldap"; static */
  gboolean tls;
  char *host; /* an IPv6 address without its brackets */
  char *port;
  int port_number;
  char *path; /* with the query, from "/" on; "/" where there is none */
} BaseUrl;

/* FALSE: no such address, or one with a user, a fragment, or what does not belong into one. */
gboolean base_url_parse(const char *text, BaseUrl *ret_url);
/* "[http://]host:port", nothing else. */
gboolean base_url_parse_proxy(const char *text, BaseUrl *ret_url);
void base_url_clear(BaseUrl *url);
/* "host", "host:8080", "[::1]:8080": as the Host field has it. */
char *base_url_authority(const BaseUrl *url);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BaseUrl, base_url_clear)
