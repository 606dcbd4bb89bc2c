/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/profile.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

#define SUFFIX ".profile"

/* Where Debian and other systems keep PKCS#11 modules. The multiarch folder is
 * the compiler's own name for this machine. */
static const char *const module_folders[] = {
  "/usr/lib/" SIGNET_MULTIARCH "/pkcs11",
  "/usr/lib/" SIGNET_MULTIARCH,
  "/usr/lib/" SIGNET_MULTIARCH "/softhsm",
  "/usr/lib/pkcs11",
  "/usr/lib64/pkcs11",
  "/usr/lib64",
  "/usr/lib/softhsm",
  "/usr/lib",
  "/usr/local/lib",
  "/usr/local/lib/softhsm",
};

static BaseProfile *
profile_new(const char *name)
{
  BaseProfile *profile = g_new0(BaseProfile, 1);
  profile->name = g_strdup(name);
  profile->operations = 1;
  profile->sessions = 4;
  profile->operation_ms = 30000;
  profile->generate_ms = 180000;
  profile->start_ms = 15000;
  return profile;
}

void
base_profile_free(BaseProfile *profile)
{
  if (!profile)
    return;
  g_free(profile->name);
  g_free(profile->description);
  g_strfreev(profile->files);
  g_free(profile->package);
  g_free(profile->init);
  g_strfreev(profile->environment);
  g_free(profile->pin_scope);
  g_strfreev(profile->oaep);
  g_free(profile->wrap);
  g_free(profile);
}

/* One profile being read: the first bad value makes the whole file bad. */
typedef struct {
  GKeyFile *file;
  const char *path;
  GError *bad;
} Reading;

static char *
read_text(Reading *reading, const char *group, const char *key, const char *fallback)
{
  char *value = g_key_file_get_string(reading->file, group, key, NULL);
  return value ? value : g_strdup(fallback);
}

static char **
read_list(Reading *reading, const char *group, const char *key)
{
  char **list = g_key_file_get_string_list(reading->file, group, key, NULL, NULL);
  return list ? list : g_new0(char *, 1);
}

static int
read_number(Reading *reading, const char *group, const char *key, int fallback, int max)
{
  g_autoptr(GError) reason = NULL;
  if (!g_key_file_has_key(reading->file, group, key, NULL))
    return fallback;
  int value = g_key_file_get_integer(reading->file, group, key, &reason);
  if (!reason && value >= 0 && value <= max)
    return value;
  if (!reading->bad)
    base_error_set(&reading->bad, SIGNET_ERROR_BAD_INPUT,
                   "%s: %s in [%s] must be a number from 0 to %d", reading->path, key, group, max);
  return fallback;
}

static char *
read_word(Reading *reading, const char *group, const char *key, const char *const *allowed)
{
  char *value = read_text(reading, group, key, allowed[0]);
  if (!g_strv_contains(allowed, value) && !reading->bad) {
    g_autofree char *words = g_strjoinv(", ", (char **)(gintptr)allowed);
    base_error_set(&reading->bad, SIGNET_ERROR_BAD_INPUT, "%s: %s in [%s] must be one of %s",
                   reading->path, key, group, words);
  }
  return value;
}

static gboolean
read_yes(Reading *reading, const char *group, const char *key)
{
  static const char *const words[] = { "no", "yes", NULL };
  g_autofree char *value = read_word(reading, group, key, words);
  return strcmp(value, "yes") == 0;
}

static void
read_all(Reading *reading, BaseProfile *profile)
{
  static const char *const locks[] = { "token", "module", NULL };
  static const char *const scopes[] = { "token", "device", "tpm", NULL };
  static const char *const wraps[] = { "probe", "yes", "no", NULL };

  profile->description = read_text(reading, "profile", "description", profile->name);
  profile->files = read_list(reading, "module", "files");
  profile->package = read_text(reading, "module", "package", NULL);
  profile->init = read_text(reading, "module", "init", NULL);
  profile->environment = read_list(reading, "module", "environment");
  profile->operations =
      MAX(1, read_number(reading, "token", "operations", profile->operations, 256));
  profile->sessions = MAX(2, read_number(reading, "token", "sessions", profile->sessions, 256));
  g_autofree char *lock = read_word(reading, "token", "lock", locks);
  profile->lock_module = strcmp(lock, "module") == 0;
  profile->pin_scope = read_word(reading, "token", "pin-scope", scopes);
  profile->pin_max = read_number(reading, "token", "pin-max", 0, 255);
  profile->oaep = read_list(reading, "key", "oaep");
  profile->raw_rsa = read_yes(reading, "key", "raw-rsa");
  profile->wrap = read_word(reading, "key", "wrap", wraps);
  profile->operation_ms = (guint)MAX(
      1, read_number(reading, "deadline", "operation", (int)profile->operation_ms, 3600000));
  profile->generate_ms = (guint)MAX(
      1, read_number(reading, "deadline", "generate", (int)profile->generate_ms, 3600000));
  profile->start_ms =
      (guint)MAX(1, read_number(reading, "deadline", "start", (int)profile->start_ms, 3600000));
}

BaseProfile *
base_profile_load(const char *path, GError **error)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autoptr(GError) reason = NULL;

  if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &reason)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the profile %s cannot be read: %s", path,
                   reason->message);
    return NULL;
  }
  g_autofree char *name = g_key_file_get_string(file, "profile", "name", NULL);
  if (!name || !*name || !g_key_file_has_key(file, "module", "files", NULL)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the profile %s lacks %s", path,
                   name && *name ? "`files` in [module]" : "`name` in [profile]");
    return NULL;
  }
  g_autoptr(BaseProfile) profile = profile_new(name);
  Reading reading = { file, path, NULL };
  read_all(&reading, profile);
  if (reading.bad) {
    g_propagate_error(error, reading.bad);
    return NULL;
  }
  return g_steal_pointer(&profile);
}

BaseProfile *
base_profile_default(const char *module_path)
{
  g_autofree char *name = g_path_get_basename(module_path);
  const char *files[] = { module_path, NULL };
  BaseProfile *profile = profile_new(name);
  profile->description = g_strdup(module_path);
  profile->files = g_strdupv((char **)(gintptr)files);
  profile->environment = g_new0(char *, 1);
  profile->pin_scope = g_strdup("token");
  profile->oaep = g_strsplit("sha1", ";", -1);
  profile->wrap = g_strdup("probe");
  return profile;
}

static void
add_profile(GPtrArray *profiles, BaseProfile *profile)
{
  for (guint i = 0; i < profiles->len; i++) {
    BaseProfile *other = profiles->pdata[i];
    if (strcmp(other->name, profile->name) == 0) {
      profiles->pdata[i] = profile;
      base_profile_free(other);
      return;
    }
  }
  g_ptr_array_add(profiles, profile);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
load_folder(const char *folder, GPtrArray *profiles, GPtrArray *problems)
{
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  const char *name = NULL;

  while (dir && (name = g_dir_read_name(dir)))
    if (g_str_has_suffix(name, SUFFIX))
      g_ptr_array_add(names, g_build_filename(folder, name, NULL));
  g_ptr_array_sort(names, compare_names); /* the same order on every file system */
  for (guint i = 0; i < names->len; i++) {
    g_autoptr(GError) error = NULL;
    BaseProfile *profile = base_profile_load(names->pdata[i], &error);
    if (profile)
      add_profile(profiles, profile);
    else
      g_ptr_array_add(problems, g_strdup(error->message));
  }
}

GPtrArray *
base_profile_load_all(char ***ret_problems)
{
  GPtrArray *profiles = g_ptr_array_new_with_free_func((GDestroyNotify)base_profile_free);
  g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *installed = base_path_installed("tokens");
  g_autofree char *own = g_build_filename(base_path_system_config(), "tokens.d", NULL);

  load_folder(installed, profiles, problems);
  load_folder(own, profiles, problems);
  if (ret_problems) {
    g_ptr_array_add(problems, NULL);
    g_ptr_array_set_free_func(problems, NULL);
    *ret_problems = (char **)g_ptr_array_free(g_steal_pointer(&problems), FALSE);
  }
  return profiles;
}

char *
base_profile_find_module(const BaseProfile *profile)
{
  for (char **file = profile->files; *file; file++) {
    if (g_path_is_absolute(*file)) {
      if (g_file_test(*file, G_FILE_TEST_IS_REGULAR))
        return g_strdup(*file);
      continue;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(module_folders); i++) {
      g_autofree char *path = g_build_filename(module_folders[i], *file, NULL);
      if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return g_steal_pointer(&path);
    }
  }
  return NULL;
}
