/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where things are (XDG), and writing files so that no half file ever stands. */

#include <glib.h>
#include <sys/types.h>

/* $XDG_DATA_HOME/signet, $XDG_STATE_HOME/signet, $XDG_CONFIG_HOME/signet; not created. Always
 * absolute: where the environment has no use, below the account's own folder. */
char *base_path_data(void);
char *base_path_state(void);
char *base_path_config(void);
/* $XDG_CACHE_HOME/signet: what may be thrown away. */
char *base_path_cache(void);

/* /etc/signet (as built), and the data that is installed or lies in the source tree
 * (SIGNET_DATADIR from the build; the build folder's own beside the program first). */
const char *base_path_system_config(void);
char *base_path_installed(const char *name);

/* Path of the socket: $SIGNET_SOCKET, else $XDG_RUNTIME_DIR/signet/socket (unless that folder
 * belongs to somebody else), else /run/user/UID/signet/socket when that is ours, else
 * STATE/run/socket. Its folder is made, 0700, and checked to be ours. A path too long for a
 * socket is an error. */
char *base_path_socket(GError **error);

/* A program of ours: beside this code (its program, or libsignet's file), else in the tree it is
 * installed in, else in BINDIR, else in LIBEXECDIR. */
char *base_path_program(const char *name, GError **error);

/* Makes `path` and its parents, 0700; fine when there. */
gboolean base_path_make_folder(const char *path, GError **error);

/* Writes a temporary beside `path`, fsyncs, renames. On failure nothing is left behind. */
gboolean base_path_write(const char *path, gconstpointer bytes, gsize length, mode_t mode,
                         GError **error);

/* All of it; waits where somebody made the descriptor non-blocking. `name` is for messages. */
gboolean base_path_write_fd(int fd, const char *name, gconstpointer bytes, gsize length,
                            GError **error);

/* Reads a whole file or, for "-", standard input; at most `max` bytes (and 1 GiB), else
 * TOO_LARGE. */
GBytes *base_path_read(const char *path, gsize max, GError **error);
GBytes *base_path_read_fd(int fd, const char *name, gsize max, GError **error);
/* Like read(2), of what is there; waits where somebody made the descriptor non-blocking. */
ssize_t base_path_read_some(int fd, gpointer buffer, gsize size);
