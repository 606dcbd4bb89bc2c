/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/config.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

#define CONFIG_FILE "signet.conf"
#define ENFORCED "enforced"

struct BaseConfig {
  GKeyFile *system; /* (nullable) */
  GKeyFile *user;   /* (nullable) */
  char *system_path;
  char *user_path;
};

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
  *ret_file = g_steal_pointer(&file);
  return TRUE;
}

BaseConfig *
base_config_load(GError **error)
{
  g_autoptr(BaseConfig) config = g_new0(BaseConfig, 1);
  g_autofree char *folder = base_path_config();

  config->system_path = g_build_filename(base_path_system_config(), CONFIG_FILE, NULL);
  config->user_path = g_build_filename(folder, CONFIG_FILE, NULL);
  if (!load_file(config->system_path, &config->system, error) ||
      !load_file(config->user_path, &config->user, error))
    return NULL;
  return g_steal_pointer(&config);
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

gboolean
base_config_add_to_list(const char *group, const char *key, const char *value, GError **error)
{
  g_autofree char *folder = base_path_config();
  g_autofree char *path = g_build_filename(folder, CONFIG_FILE, NULL);
  g_autoptr(GKeyFile) file = NULL;
  gsize length = 0;

  if (!base_path_make_folder(folder, error) || !load_file(path, &file, error))
    return FALSE;
  if (!file)
    file = g_key_file_new();
  g_auto(GStrv) list = g_key_file_get_string_list(file, group, key, NULL, NULL);
  if (list && g_strv_contains((const char *const *)list, value))
    return TRUE;
  g_autoptr(GPtrArray) longer = g_ptr_array_new();
  for (char **item = list; item && *item; item++)
    g_ptr_array_add(longer, *item);
  g_autofree char *copy = g_strdup(value);
  g_ptr_array_add(longer, copy);
  g_key_file_set_string_list(file, group, key, (const char *const *)longer->pdata, longer->len);
  g_autofree char *text = g_key_file_to_data(file, &length, NULL);
  return base_path_write(path, text, length, 0600, error);
}
