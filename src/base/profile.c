/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/profile.h"

#include "base/error.h"
#include "base/path.h"

#include <string.h>

#define SUFFIX ".profile"
#define NAME_LETTERS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-"
#define DEADLINE_MAX_MS 3600000

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

static void G_GNUC_PRINTF(4, 5)
    spoil(Reading *reading, const char *group, const char *key, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *why = g_strdup_vprintf(format, args);
  va_end(args);
  if (!reading->bad)
    base_error_set(&reading->bad, SIGNET_ERROR_BAD_INPUT, "%s: %s in [%s] %s", reading->path, key,
                   group, why);
}

static gboolean
has(Reading *reading, const char *group, const char *key)
{
  return g_key_file_has_key(reading->file, group, key, NULL);
}

static char *
read_text(Reading *reading, const char *group, const char *key, const char *fallback)
{
  if (!has(reading, group, key))
    return g_strdup(fallback);
  g_autoptr(GError) reason = NULL; /* can come along with a value */
  g_autofree char *value = g_key_file_get_string(reading->file, group, key, &reason);
  if (value && !reason)
    return g_steal_pointer(&value);
  spoil(reading, group, key, "is no text");
  return g_strdup(fallback);
}

static char **
read_list(Reading *reading, const char *group, const char *key)
{
  g_autoptr(GError) reason = NULL;
  char **list = g_key_file_get_string_list(reading->file, group, key, NULL, &reason);
  if (reason && has(reading, group, key))
    spoil(reading, group, key, "is no list of texts");
  return list ? list : g_new0(char *, 1);
}

static char **
read_environment(Reading *reading)
{
  char **list = read_list(reading, "module", "environment");
  for (char **item = list; *item; item++)
    if (**item == '=' || !strchr(*item, '='))
      spoil(reading, "module", "environment", "must be a list of NAME=VALUE");
  return list;
}

typedef struct {
  int min;
  int max;
} Range;

static int
read_number(Reading *reading, const char *group, const char *key, int fallback, Range range)
{
  g_autoptr(GError) reason = NULL;
  if (!has(reading, group, key))
    return fallback;
  int value = g_key_file_get_integer(reading->file, group, key, &reason);
  if (!reason && value >= range.min && value <= range.max)
    return value;
  spoil(reading, group, key, "must be a number from %d to %d", range.min, range.max);
  return fallback;
}

static guint
read_deadline(Reading *reading, const char *key, guint fallback)
{
  const Range range = { 1, DEADLINE_MAX_MS };
  return (guint)read_number(reading, "deadline", key, (int)fallback, range);
}

static char *
read_word(Reading *reading, const char *group, const char *key, const char *const *allowed)
{
  char *value = read_text(reading, group, key, allowed[0]);
  if (!g_strv_contains(allowed, value)) {
    g_autofree char *words = g_strjoinv(", ", (char **)(gintptr)allowed);
    spoil(reading, group, key, "must be one of %s", words);
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
  profile->environment = read_environment(reading);
  profile->operations =
      read_number(reading, "token", "operations", profile->operations, (Range){ 1, 256 });
  profile->sessions =
      read_number(reading, "token", "sessions", profile->sessions, (Range){ 2, 256 });
  g_autofree char *lock = read_word(reading, "token", "lock", locks);
  profile->lock_module = strcmp(lock, "module") == 0;
  profile->pin_scope = read_word(reading, "token", "pin-scope", scopes);
  profile->pin_max = read_number(reading, "token", "pin-max", 0, (Range){ 0, 255 });
  profile->oaep = read_list(reading, "key", "oaep");
  profile->raw_rsa = read_yes(reading, "key", "raw-rsa");
  profile->wrap = read_word(reading, "key", "wrap", wraps);
  profile->operation_ms = read_deadline(reading, "operation", profile->operation_ms);
  profile->generate_ms = read_deadline(reading, "generate", profile->generate_ms);
  profile->start_ms = read_deadline(reading, "start", profile->start_ms);
}

/* It becomes part of messages, logs and of files' names. */
static gboolean
is_name(const char *text)
{
  return text && g_ascii_isalnum(*text) && !text[strspn(text, NAME_LETTERS)];
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
  if (!is_name(name)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                   "%s: name in [profile] must be there, of letters, digits, ., _ and -", path);
    return NULL;
  }
  if (!g_key_file_has_key(file, "module", "files", NULL)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s: files in [module] is missing", path);
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
