/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Roots of trust as the `trust` verbs show them. */

#include "cli/cli.h"
#include "trust/trust.h"

/* A person's name for a certificate: common name, else address, else the whole subject. */
const char *cli_root_name(const BaseCert *certificate);
/* "trust.d/3f2a91b4….pem", "NSS, 2026-03-14" */
char *cli_root_origin(const char *origin);
json_t *cli_json_root(const TrustRoot *root);
json_t *cli_json_cert(const BaseCert *certificate);
/* (nullable) the one of `roots` with this fingerprint, the user's own before others. */
const TrustRoot *cli_root_find(const GPtrArray *roots, const char *fingerprint);
/* The lines of `text`, broken between words to fit 80 columns, each with `indent` before it. */
void cli_root_wrap(const Cli *cli, const char *indent, const char *text);
