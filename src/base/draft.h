/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A file that takes its place only when it is whole. Until then it has no name where the file
 * system can do that (O_TMPFILE), so that nothing is left behind even by a killed program; else a
 * temporary one beside its place. */

#include <glib.h>
#include <sys/types.h>

typedef struct BaseDraft BaseDraft;

/* For `path`, which need not be there; readable by its owner only while it is written. */
BaseDraft *base_draft_new(const char *path, GError **error);
int base_draft_fd(const BaseDraft *draft);
/* On disk, with that mode, under its name. */
gboolean base_draft_commit(BaseDraft *draft, mode_t mode, GError **error);
/* Without commit nothing is left. */
void base_draft_free(BaseDraft *draft);

/* A file to read and write that never has a name, below $TMPDIR or /tmp; -1 on error. What to
 * call it in messages: "a temporary file in /tmp". */
int base_draft_nameless(char **ret_called, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseDraft, base_draft_free)
