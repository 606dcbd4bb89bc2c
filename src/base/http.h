/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One question to a server by HTTP/1.1 (RFC 9112) and its answer, within a deadline and a size.
 *
 * No credentials, no cookies, no proxy from the environment. Programs that use it ignore SIGPIPE.
 * OpenSSL's client counts in seconds, takes a proxy from the environment, asks a port that refuses again
 * and again until its time is over, and keeps the whole answer in memory. */

#include "base/deadline.h"
#include "base/flow.h"

typedef struct {
  const char *url;
  const char *proxy;     /* (nullable): [http://]host:port */
  const char *tls_roots; /* (nullable): a PEM file; NULL: the system's */
  const char *type;      /* (nullable): of `body`, which is posted; NULL: a GET */
  GBytes *body;          /* (nullable) */
  const char *expect;    /* (nullable): the answer has this type, else BAD_INPUT */
  goffset max;           /* of the answer */
  BaseDeadline deadline; /* for all of it, names and redirections too */
  int redirections;      /* so many are followed */
  gboolean
      no_local; /* DENIED: the server is at an address that base_resolve_is_local(); through a proxy only
                          * where the address itself stands in the URL */
} BaseHttp;

/* Why not, as half a sentence that does not repeat the URL:
 * USAGE       the URL or the proxy is none
 * IO          not reached: the name is unknown, the connection refused or cut
 * TIMEOUT     the deadline is over
 * FAILED      TLS, or the proxy refuses
 * DENIED      no_local
 * NOT_FOUND   any status but 200: "status 404 (Not Found)"
 * BAD_INPUT   no HTTP, a body that is cut off, another type
 * TOO_LARGE   over `max`
 * The body is pushed into `to` as it comes, without finish(). */
gboolean base_http(const BaseHttp *http, BaseSink *to, GError **error);
/* Into memory. */
GBytes *base_http_bytes(const BaseHttp *http, GError **error);
