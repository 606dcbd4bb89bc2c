/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Secrets: PINs, passphrases, unwrapped keys, session keys.
 *
 * The bytes live on OpenSSL's secure heap (locked, not dumped) where the
 * program called base_secret_start(), else on the ordinary heap, and are wiped
 * on free either way. Always NUL-terminated after `length`, so a PIN can be
 * passed on as text. Never put one in a log, a GString, argv or environment. */

#include <glib.h>

typedef struct BaseSecret BaseSecret;

/* Programs only (never libsignet in somebody's process): makes the secure heap
 * of 256 KiB, turns core dumps and ptrace by others off. Call first in main(). */
void base_secret_start(void);

/* Zeroed; at most 64 KiB, NULL beyond. */
BaseSecret *base_secret_new(gsize length);
BaseSecret *base_secret_new_from(gconstpointer bytes, gsize length);
BaseSecret *base_secret_copy(const BaseSecret *secret);
void base_secret_free(BaseSecret *secret);

guint8 *base_secret_bytes(BaseSecret *secret);
const char *base_secret_text(const BaseSecret *secret);
gsize base_secret_length(const BaseSecret *secret);
/* Wipes what is cut off. */
void base_secret_truncate(BaseSecret *secret, gsize length);
/* In constant time for equal lengths. NULL equals nothing. */
gboolean base_secret_equal(const BaseSecret *a, const BaseSecret *b);

/* Wipes and frees a NUL-terminated string or a buffer of ordinary memory. */
void base_wipe_string(char *string);
void base_wipe(gpointer bytes, gsize length);

/* Reads one line (without its newline) from fd, byte by byte, so that the next
 * secret on the same descriptor stays unread. At most 1,024 bytes. `what` names
 * it in errors ("the PIN"). End of file before any byte is PIN_REQUIRED, a NUL byte BAD_INPUT. */
BaseSecret *base_secret_read_line(int fd, const char *what, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseSecret, base_secret_free)
