/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A test program's own folder, and bytes to compare: what the tests of flow, its stages and spools share. */

#include <glib.h>

extern char *scratch;

void scratch_make(const char *name); /* "signet-NAME-…" */
void scratch_remove(void);
char *in_scratch(const char *name);
guint count_files(const char *folder);

void same(gconstpointer bytes, gsize length, gconstpointer expected, gsize size);
void bytes_are(GBytes *bytes, gconstpointer expected, gsize length);
void fill(guint8 *bytes, gsize length); /* random, of the test's seed */
