/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Settings: /etc/signet/signet.conf, then the user's signet.conf, which wins
 * except over what [enforced] in /etc sets ("group.key=value" lines there).
 *
 *   [modules]  add=PATH;PATH;        modules besides those that profiles name
 *              off=NAME;             profiles not to load
 *   [pin]      idle=MINUTES (15)     forget a PIN unused for so long
 *              hard=MINUTES (480)    and after so long in any case
 *              pinentry=PATH         the program that asks (else `pinentry`)
 *   [mail]     hash=sha256           cipher=aes-256-cbc
 */

#include <glib.h>

typedef struct BaseConfig BaseConfig;

/* A missing file is fine; a malformed one is BAD_INPUT naming the file and the line or key. */
BaseConfig *base_config_load(GError **error);
BaseConfig *base_config_load_files(const char *system_path, const char *user_path, GError **error);
void base_config_free(BaseConfig *config);

/* NULL where unset. The text lives as long as the process. */
const char *base_config_text(BaseConfig *config, const char *group, const char *key);

/* `fallback` where unset. A number out of [min, max] or not a number is BAD_INPUT naming the
 * file and the key. */
gboolean base_config_number(BaseConfig *config, const char *group, const char *key, int fallback,
                            int min, int max, int *ret_number, GError **error);

/* Never NULL. */
char **base_config_list(BaseConfig *config, const char *group, const char *key);

/* Adds to a list in the user's own file, which is rewritten atomically with comments kept.
 * DENIED where /etc enforces the list. */
gboolean base_config_add_to_list(const char *group, const char *key, const char *value,
                                 GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseConfig, base_config_free)
