/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is to be said about the signatures of one message: to a person, and in JSON. */

#include "cli/cli.h"
#include "cms/cms.h"
#include "trust/verdict.h"

/* Of one SignedData. Of a signature that is good it is kept what its maker can read
 * (contacts/seen.h). Fails where trust.d or the settings cannot be read. */
TrustReport *cli_verdict_new(const CmsVerified *verified, const TrustClaim *claim, GError **error);
/* To standard output (1) or error (2). */
void cli_verdict_print(const TrustReport *report, int fd);
/* Members "verdict", "message", "from", "sender", "outside", "uncovered", "signatures" into `object`. */
void cli_verdict_json(const TrustReport *report, json_t *object);
/* {"state": not-revoked|revoked|unknown, …}, null for NULL. */
json_t *cli_json_revocation(const TrustRevocation *revocation);
/* "no, says …", "on 2026-11-24 (keyCompromise), says …", "not checked (…)". */
char *cli_revocation_text(const TrustRevocation *revocation);
