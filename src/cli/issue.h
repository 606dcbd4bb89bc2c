/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Certificates and requests made for a key on a token and signed by it. */

#include "base/cert.h"
#include "enroll/subject.h"

#include <signet/client.h>

#define CLI_ISSUE_DAYS_MAX (100 * 366)

typedef EnrollSubject CliSubject;

/* Each checked before a key is made: a certificate can hold them. */
gboolean cli_issue_check(const CliSubject *subject, GError **error);

/* DER. Both verify with the public key, or it is an error. */
GBytes *cli_issue_certificate(SignetClient *client, const CliSubject *subject, gint64 days,
                              GError **error);
GBytes *cli_issue_request(SignetClient *client, const CliSubject *subject, GError **error);
GBytes *cli_issue_request_pem(GBytes *der);

/* Of the keys that are here and can sign: one that waits for its certificate; NULL when none does. */
const SignetKey *cli_issue_waiting_key(const SignetId *id);
/* That one, else the first of the others. */
const SignetKey *cli_issue_key(const SignetId *id, GError **error);
GBytes *cli_issue_public_key(const SignetKey *key, GError **error);
/* `fingerprint`: a prefix; NULL: the newest that signs, else the newest. */
const SignetCertificate *cli_issue_find(const SignetId *id, const char *fingerprint,
                                        const SignetKey **ret_key, GError **error);
/* That, for a renewal: its key must be here and able to sign. */
const SignetCertificate *cli_issue_current(const SignetId *id, const char *fingerprint,
                                           const SignetKey **ret_key, GError **error);
/* The same name and addresses again; what it points to is the id's and the certificate's. `ret_subject`
 * keeps the name's DER. */
gboolean cli_issue_again(const SignetId *id, const SignetCertificate *certificate,
                         CliSubject *ret_subject, GError **error);
