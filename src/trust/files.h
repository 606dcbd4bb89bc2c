/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* CRLs that a person or the machine's keeper put into a folder, and those on the shelf. */

#include "trust/crl.h"
#include "trust/fetch.h"

#define TRUST_CRL_FILES_MAX 1000

/* Of $XDG_CONFIG_HOME/signet/crls, /etc/signet/crls and the setting crl-files: (element-type char). */
GPtrArray *trust_crl_files(const TrustNetwork *network);

typedef struct {
  TrustCrlSource source;
  GBytes *bytes; /* (nullable) */
} TrustCrlFile;

/* DER, or PEM up to a size. NULL: not to be read. */
TrustCrlFile *trust_crl_file_open(const char *path);
/* But for the struct itself. */
void trust_crl_file_close(TrustCrlFile *file);
