/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What servers said, kept in $XDG_CACHE_HOME/signet/trust until somebody needs the room: CRLs, answers of OCSP,
 * certificates of issuers, and which servers did not answer. A file is named by the hash of what was asked. Nothing is
 * believed for being here. */

#include "base/draft.h"

#define TRUST_SHELF_MAX ((goffset)128 * 1024 * 1024)
#define TRUST_SHELF_FILES_MAX 4000
#define TRUST_SHELF_SILENT_S (10 * 60)

/* `kind`: "crl", "ocsp", "certs". */
char *trust_shelf_path(const char *kind, const char *asked);
/* Seconds since it was written; -1: not there. */
gint64 trust_shelf_age(const char *path);
/* NULL: not there, or larger. */
GBytes *trust_shelf_read(const char *path, gsize max);
/* To be filled and committed; other files go where there is no room. NULL: cannot be written. */
BaseDraft *trust_shelf_draft(const char *path);
void trust_shelf_write(const char *path, GBytes *bytes);

/* Who did not answer is left alone for TRUST_SHELF_SILENT_S, so that a person without a network does not wait with
 * every mail. `whom`: a URL, or a host. */
void trust_shelf_note_silent(const char *whom, const char *why);
/* (nullable) why. */
char *trust_shelf_silent(const char *whom);
