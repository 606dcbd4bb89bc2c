/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Asking the servers that certificates name: the settings of [trust] for it, the deadline, and who did not
 * answer a moment ago. */

#include "base/deadline.h"
#include "base/flow.h"
#include "trust/revocation.h"

typedef struct {
  TrustRevocationPolicy policy;
  char *proxy; /* (nullable) */
  char **crl_files;
  int milliseconds;
  gboolean local_urls;
  gboolean fetch_issuers;
  BaseDeadline deadline; /* from when it was loaded */
} TrustNetwork;

gboolean trust_network_load(TrustNetwork *ret_network, GError **error);
void trust_network_clear(TrustNetwork *network);

typedef struct {
  const char *url;
  const char *type; /* (nullable) of `body`, which is posted */
  GBytes *body;     /* (nullable) */
  goffset max;
  gboolean stranger; /* the URL is in a certificate that nothing vouches for */
  int share;         /* percent of the time that is left; 0: all */
} TrustFetch;

/* FALSE: *ret_why, half a sentence, transfer full. Without finish(). */
gboolean trust_fetch(const TrustNetwork *network, const TrustFetch *fetch, BaseSink *to,
                     char **ret_why);
/* What came is of no use: not asked for again for a while. */
void trust_fetch_note_useless(const TrustFetch *fetch, const char *why);
GBytes *trust_fetch_bytes(const TrustNetwork *network, const TrustFetch *fetch, char **ret_why);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TrustNetwork, trust_network_clear)
