/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Settings: /etc/signet/signet.conf, then the user's signet.conf, which wins
 * except over what [enforced] in /etc sets ("group.key=value" lines there).
 * What settings there are: base_settings.
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

/* Where a value is from. */
typedef enum {
  BASE_CONFIG_DEFAULT,
  BASE_CONFIG_SYSTEM,
  BASE_CONFIG_USER,
  BASE_CONFIG_ENFORCED
} BaseConfigOrigin;

/* *ret_path (optional): the file; NULL for DEFAULT. */
BaseConfigOrigin base_config_origin(BaseConfig *config, const char *group, const char *key,
                                    const char **ret_path);

/* Adds to a list in the user's own file, which is rewritten atomically with comments kept.
 * DENIED where /etc enforces the list. */
gboolean base_config_add_to_list(const char *group, const char *key, const char *value,
                                 GError **error);

/* ---- what settings there are: settings.c ---- */

typedef enum {
  BASE_SETTING_TEXT,
  BASE_SETTING_LIST,
  BASE_SETTING_NUMBER,
  BASE_SETTING_CHOICE
} BaseSettingKind;

typedef struct {
  const char *group;
  const char *key;
  BaseSettingKind kind;
  const char *fallback; /* what counts where it is unset, in words where it is no value */
  const char *choices;  /* CHOICE: "a|b|c" */
  int min, max;         /* NUMBER */
  const char *help;     /* one line */
} BaseSetting;

extern const BaseSetting base_settings[]; /* ends with a NULL group */

/* BAD_INPUT where the value is not what its setting takes. */
gboolean base_setting_check(BaseConfig *config, const BaseSetting *setting, GError **error);

typedef struct {
  char *group;
  char *key;
  const char *path; /* the config's */
  int line;         /* from 1 */
} BaseUnknown;

/* Lines of the two files that name no setting, in their order: (element-type BaseUnknown),
 * freed with its items, which live no longer than the config. */
GPtrArray *base_config_unknown(BaseConfig *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BaseConfig, base_config_free)
