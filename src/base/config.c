/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/config-file.h"
#include "base/error.h"
#include "base/path.h"

#include <stdlib.h>
#include <string.h>

#define CONFIG_FILE "signet.conf"
#define ENFORCED BASE_CONFIG_GROUP_ENFORCED

/* A value that GKeyFile cannot read (no UTF-8, an unknown escape) would look unset later on.
 * A list may have an escaped semicolon, which a plain string may not. */
static gboolean
check_values(GKeyFile *file, const char *path, GError **error)
{
  g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
  for (char **group = groups; *group; group++) {
    g_auto(GStrv) keys = g_key_file_get_keys(file, *group, NULL, NULL);
    for (char **key = keys; key && *key; key++) {
      g_autoptr(GError) no_text = NULL; /* there may be a result all the same */
      g_autoptr(GError) no_list = NULL;
      g_autofree char *text = g_key_file_get_string(file, *group, *key, &no_text);
      g_auto(GStrv) list = g_key_file_get_string_list(file, *group, *key, NULL, &no_list);
      if ((no_text || !text) && (no_list || !list))
        return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                              "%s: %s in [%s] is no text (UTF-8; a backslash is written \\\\)",
                              path, *key, *group);
    }
  }
  return TRUE;
}

static gboolean
load_file(const char *path, GKeyFile **ret_file, GError **error)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autoptr(GError) reason = NULL;

  if (!g_file_test(path, G_FILE_TEST_EXISTS))
    return TRUE;
  if (!g_key_file_load_from_file(file, path, G_KEY_FILE_KEEP_COMMENTS, &reason))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the settings in %s cannot be read: %s",
                          path, reason->message);
  if (!check_values(file, path, error))
    return FALSE;
  *ret_file = g_steal_pointer(&file);
  return TRUE;
}

BaseConfig *
base_config_load_files(const char *system_path, const char *user_path, GError **error)
{
  g_autoptr(BaseConfig) config = g_new0(BaseConfig, 1);
  config->system_path = g_strdup(system_path);
  config->user_path = g_strdup(user_path);
  if (!load_file(system_path, &config->system, error) ||
      !load_file(user_path, &config->user, error))
    return NULL;
  return g_steal_pointer(&config);
}

BaseConfig *
base_config_load(GError **error)
{
  g_autofree char *folder = base_path_config();
  g_autofree char *system_path = g_build_filename(base_path_system_config(), CONFIG_FILE, NULL);
  g_autofree char *user_path = g_build_filename(folder, CONFIG_FILE, NULL);
  return base_config_load_files(system_path, user_path, error);
}

void
base_config_free(BaseConfig *config)
{
  if (!config)
    return;
  g_clear_pointer(&config->system, g_key_file_unref);
  g_clear_pointer(&config->user, g_key_file_unref);
  g_free(config->system_path);
  g_free(config->user_path);
  g_free(config);
}

static gboolean
has(GKeyFile *file, const char *group, const char *key)
{
  return file && g_key_file_has_key(file, group, key, NULL);
}

static gboolean
enforced(BaseConfig *config, const char *group, const char *key)
{
  g_autofree char *name = g_strdup_printf("%s.%s", group, key);
  return has(config->system, ENFORCED, name);
}

/* The file that decides a value, the name it has there, and the file's path. */
typedef struct {
  GKeyFile *file;
  const char *group;
  char *key;
  const char *path;
} Place;

static void
place_clear(Place *place)
{
  g_free(place->key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

static gboolean
find_place(BaseConfig *config, const char *group, const char *key, Place *place)
{
  if (enforced(config, group, key))
    *place = (Place){ config->system, ENFORCED, g_strdup_printf("%s.%s", group, key),
                      config->system_path };
  else if (has(config->user, group, key))
    *place = (Place){ config->user, group, g_strdup(key), config->user_path };
  else if (has(config->system, group, key))
    *place = (Place){ config->system, group, g_strdup(key), config->system_path };
  else
    return FALSE;
  return TRUE;
}

const char *
base_config_text(BaseConfig *config, const char *group, const char *key)
{
  g_auto(Place) place = { 0 };
  if (!find_place(config, group, key, &place))
    return NULL;
  g_autofree char *value = g_key_file_get_string(place.file, place.group, place.key, NULL);
  return value ? g_intern_string(value) : NULL; /* few, and asked for again and again */
}

gboolean
base_config_number(BaseConfig *config, const char *group, const char *key, int fallback, int min,
                   int max, int *ret_number, GError **error)
{
  g_auto(Place) place = { 0 };
  g_autoptr(GError) reason = NULL;

  if (!find_place(config, group, key, &place)) {
    *ret_number = fallback;
    return TRUE;
  }
  int value = g_key_file_get_integer(place.file, place.group, place.key, &reason);
  if (reason || value < min || value > max)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                          "%s: %s in [%s] must be a number from %d to %d", place.path, place.key,
                          place.group, min, max);
  *ret_number = value;
  return TRUE;
}

char **
base_config_list(BaseConfig *config, const char *group, const char *key)
{
  g_auto(Place) place = { 0 };
  char **list = NULL;
  if (find_place(config, group, key, &place))
    list = g_key_file_get_string_list(place.file, place.group, place.key, NULL, NULL);
  return list ? list : g_new0(char *, 1);
}

BaseConfigOrigin
base_config_origin(BaseConfig *config, const char *group, const char *key, const char **ret_path)
{
  g_auto(Place) place = { 0 };
  gboolean found = find_place(config, group, key, &place);
  if (ret_path)
    *ret_path = found ? place.path : NULL;
  if (!found)
    return BASE_CONFIG_DEFAULT;
  if (place.file == config->user)
    return BASE_CONFIG_USER;
  return strcmp(place.group, group) != 0 ? BASE_CONFIG_ENFORCED : BASE_CONFIG_SYSTEM;
}

/* A list's items with one more. */
static void
set_longer(GKeyFile *file, const char *group, const char *key, char **list, const char *value)
{
  g_autoptr(GPtrArray) longer = g_ptr_array_new_with_free_func(g_free);
  for (; *list; list++)
    g_ptr_array_add(longer, g_strdup(*list));
  g_ptr_array_add(longer, g_strdup(value));
  g_key_file_set_string_list(file, group, key, (const char *const *)longer->pdata, longer->len);
}

/* The user's list hides the system's, so it starts as a copy of that. */
gboolean
base_config_add_to_list(const char *group, const char *key, const char *value, GError **error)
{
  g_autofree char *folder = base_path_config();
  g_autoptr(BaseConfig) config = NULL;
  gsize length = 0;

  if (!base_path_make_folder(folder, error) || !(config = base_config_load(error)))
    return FALSE;
  g_auto(GStrv) list = base_config_list(config, group, key);
  if (g_strv_contains((const char *const *)list, value))
    return TRUE;
  if (enforced(config, group, key))
    return base_error_set(error, SIGNET_ERROR_DENIED, "%s fixes %s in [%s]; nothing can be added",
                          config->system_path, key, group);
  if (!config->user)
    config->user = g_key_file_new();
  set_longer(config->user, group, key, list, value);
  g_autofree char *text = g_key_file_to_data(config->user, &length, NULL);
  /* A link to the file (people keep settings in a repository) stays one. */
  g_autofree char *real = realpath(config->user_path, NULL);
  return base_path_write(real ? real : config->user_path, text, length, 0600, error);
}
