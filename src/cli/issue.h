/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Certificates and requests made for a key on a token and signed by it. */

#include "base/cert.h"

#include <signet/client.h>

#define CLI_ISSUE_DAYS_MAX (100 * 366)

typedef struct {
  const char *key;              /* its name, 64 hex digits */
  GBytes *public_key;           /* SubjectPublicKeyInfo DER */
  const char *name;             /* (nullable): common name; else the first address */
  const char *const *addresses; /* at least one */
  gboolean can_decrypt;         /* the key may open mail, so its certificate says so */
} CliSubject;

/* Each checked before a key is made: a certificate can hold them. */
gboolean cli_issue_check(const CliSubject *subject, GError **error);

/* DER. Both verify with the public key, or it is an error. */
GBytes *cli_issue_certificate(SignetClient *client, const CliSubject *subject, gint64 days,
                              GError **error);
GBytes *cli_issue_request(SignetClient *client, const CliSubject *subject, GError **error);
GBytes *cli_issue_request_pem(GBytes *der);
