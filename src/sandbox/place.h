/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The folder: made, found again when nobody owns it, removed with what runs from it. */

#include <glib.h>

typedef struct {
  char *path;
  int lock; /* held by the sandbox and its guard as one open file; free: nobody owns the folder */
} SandboxPlace;

SandboxPlace *sandbox_place_new(GError **error);
void sandbox_place_free(SandboxPlace *place); /* leaves the folder */
char *sandbox_place_path(const SandboxPlace *place, const char *below);

/* Ends the daemon that listens in the folder and its hosts, and removes the folder or (`keep`)
 * marks it as one that stays. FALSE: something of it is still there. */
gboolean sandbox_place_clear(const char *path, gboolean keep);
/* Clears the folders beside `path` that nobody owns. */
void sandbox_place_sweep(const char *path);

/* Of the open folder: the daemon that listens on its socket, and its children. */
void sandbox_end_daemon(int folder);
/* SIGTERM and SIGHUP, and after a while SIGKILL. */
void sandbox_end_process(int pidfd, guint patience_ms);
int sandbox_pidfd(pid_t pid); /* -1: none */

/* Everything below an open folder and, where all went, TRUE. Links are not followed. */
gboolean sandbox_empty_folder(int folder);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SandboxPlace, sandbox_place_free)
