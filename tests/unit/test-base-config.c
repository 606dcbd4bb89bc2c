/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/config.h"

#include <signet/error.h>

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *scratch;
static char *system_path;
static char *user_path;

static BaseConfig *
load(const char *system, const char *user, GError **error)
{
  g_remove(system_path);
  g_remove(user_path);
  if (system)
    g_assert_true(g_file_set_contents(system_path, system, -1, NULL));
  if (user)
    g_assert_true(g_file_set_contents(user_path, user, -1, NULL));
  return base_config_load_files(system_path, user_path, error);
}

static int
number(BaseConfig *config, const char *key)
{
  int value = -1;
  g_assert_true(base_config_number(config, "pin", key, 15, 1, 1000, &value, NULL));
  return value;
}

static void
missing_files_give_defaults(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseConfig) config = load(NULL, NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpint(number(config, "idle"), ==, 15);
  g_assert_null(base_config_text(config, "pin", "pinentry"));
  g_auto(GStrv) list = base_config_list(config, "modules", "add");
  g_assert_cmpuint(g_strv_length(list), ==, 0);
  base_config_free(NULL);
}

static void
user_wins_except_over_enforced(void)
{
  g_autoptr(BaseConfig) config = load("[pin]\nidle=20\nhard=30\n"
                                      "[enforced]\npin.hard=60\nmail.hash=sha384\n",
                                      "[pin]\nidle=25\nhard=999\n[mail]\nhash=sha1\n"
                                      "[enforced]\npin.idle=1\n",
                                      NULL);
  g_assert_cmpint(number(config, "idle"), ==, 25);
  g_assert_cmpint(number(config, "hard"), ==, 60);
  g_assert_cmpstr(base_config_text(config, "mail", "hash"), ==, "sha384");
}

static void
system_counts_where_user_is_silent(void)
{
  g_autoptr(BaseConfig) config =
      load("[modules]\nadd=/a.so;/b\\;c.so;\n", "[pin]\nidle=25\n", NULL);
  g_auto(GStrv) list = base_config_list(config, "modules", "add");
  g_assert_cmpuint(g_strv_length(list), ==, 2);
  g_assert_cmpstr(list[1], ==, "/b;c.so");
}

static void
bad_number_names_file_and_key(void)
{
  static const char *const values[] = { "fifteen", "0", "1001", "-3", "15x", "99999999999", "" };
  for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
    g_autofree char *text = g_strdup_printf("[pin]\nidle=%s\n", values[i]);
    g_autoptr(BaseConfig) config = load(NULL, text, NULL);
    g_autoptr(GError) error = NULL;
    int value = 7;
    g_assert_false(base_config_number(config, "pin", "idle", 15, 1, 1000, &value, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    g_assert_nonnull(strstr(error->message, user_path));
    g_assert_nonnull(strstr(error->message, "idle in [pin]"));
    g_assert_cmpint(value, ==, 7);
  }
}

static void
enforced_bad_number_names_the_system_file(void)
{
  g_autoptr(BaseConfig) config = load("[enforced]\npin.idle=never\n", NULL, NULL);
  g_autoptr(GError) error = NULL;
  int value = 0;
  g_assert_false(base_config_number(config, "pin", "idle", 15, 1, 1000, &value, &error));
  g_assert_nonnull(strstr(error->message, system_path));
}

static void
origin_names_the_file(void)
{
  const char *path = NULL;
  g_autoptr(BaseConfig) config = load("[pin]\nidle=20\nhard=30\n[enforced]\nmail.hash=sha384\n",
                                      "[pin]\nidle=25\n[mail]\nhash=sha256\n", NULL);
  g_assert_cmpint(base_config_origin(config, "pin", "idle", &path), ==, BASE_CONFIG_USER);
  g_assert_cmpstr(path, ==, user_path);
  g_assert_cmpint(base_config_origin(config, "pin", "hard", &path), ==, BASE_CONFIG_SYSTEM);
  g_assert_cmpstr(path, ==, system_path);
  g_assert_cmpint(base_config_origin(config, "mail", "hash", &path), ==, BASE_CONFIG_ENFORCED);
  g_assert_cmpstr(path, ==, system_path);
  g_assert_cmpint(base_config_origin(config, "mail", "cipher", &path), ==, BASE_CONFIG_DEFAULT);
  g_assert_null(path);
}

static void
assert_unknown(const BaseUnknown *unknown, const char *group, const char *key, const char *path,
               int line)
{
  g_assert_cmpstr(unknown->group, ==, group);
  g_assert_cmpstr(unknown->key, ==, key);
  g_assert_cmpstr(unknown->path, ==, path);
  g_assert_cmpint(unknown->line, ==, line);
}

static void
unknown_lines_are_named(void)
{
  g_autoptr(BaseConfig) config =
      load("# x=1\n[pin]\nidle = 20\n\n[enforced]\npin.hard=60\npin.hrad=60\n",
           "[pin]\n idel=25\n[enforced]\npin.idle=1\n[mial]\nhash=sha384\n", NULL);
  g_autoptr(GPtrArray) all = base_config_unknown(config);
  g_assert_cmpuint(all->len, ==, 4);
  assert_unknown(all->pdata[0], "enforced", "pin.hrad", system_path, 7);
  assert_unknown(all->pdata[1], "pin", "idel", user_path, 2);
  assert_unknown(all->pdata[2], "enforced", "pin.idle", user_path, 4); /* only /etc enforces */
  assert_unknown(all->pdata[3], "mial", "hash", user_path, 6);
}

static gboolean
all_settings_fit(const char *text)
{
  g_autoptr(BaseConfig) config = load(NULL, text, NULL);
  g_assert_nonnull(config);
  for (const BaseSetting *setting = base_settings; setting->group; setting++) {
    g_autoptr(GError) error = NULL;
    g_assert_cmpuint(strlen(setting->help), >, 0);
    g_assert_nonnull(setting->fallback);
    if (!base_setting_check(config, setting, &error)) {
      g_assert_nonnull(strstr(error->message, user_path));
      g_assert_nonnull(strstr(error->message, setting->key));
      return FALSE;
    }
  }
  return TRUE;
}

static void
settings_know_what_fits(void)
{
  g_assert_true(all_settings_fit("[pin]\nidle=5\nhard=10\n[mail]\nhash=sha512\n"
                                 "[trust]\nmail-roots=off\n[modules]\nadd=/a.so;/b.so;\n"));
  g_assert_false(all_settings_fit("[pin]\nidle=never\n"));
  g_assert_false(all_settings_fit("[mail]\nhash=md5\n"));
  g_assert_false(all_settings_fit("[mail]\nhash=\n"));
}

static void
malformed_file_is_refused(void)
{
  static const char *const texts[] = { "no group\n", "[pin]\nnonsense\n", "[pin\nidle=1\n",
                                       "[pin]\npinentry=/x\\q\n", "[pin]\npinentry=\xff\n" };
  for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(load(NULL, texts[i], &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    g_assert_nonnull(strstr(error->message, user_path));
  }
}

static void
added_item_keeps_comments_and_link(void)
{
  g_autofree char *real = g_build_filename(scratch, "dotfile", NULL);
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  g_remove(user_path);
  g_assert_true(g_file_set_contents(real, "# mine\n[modules]\n# first\nadd=/a.so;\n", -1, NULL));
  g_assert_cmpint(symlink(real, user_path), ==, 0);

  g_assert_true(base_config_add_to_list("modules", "add", "/b;c.so", &error));
  g_assert_true(base_config_add_to_list("modules", "add", "/b;c.so", &error)); /* once */
  g_assert_no_error(error);
  g_assert_true(g_file_test(user_path, G_FILE_TEST_IS_SYMLINK));
  g_assert_true(g_file_get_contents(real, &text, NULL, NULL));
  g_assert_nonnull(strstr(text, "# mine"));
  g_assert_nonnull(strstr(text, "# first"));
  g_autoptr(BaseConfig) config = base_config_load(NULL);
  g_auto(GStrv) list = base_config_list(config, "modules", "add");
  g_assert_cmpuint(g_strv_length(list), ==, 2);
  g_assert_cmpstr(list[0], ==, "/a.so");
  g_assert_cmpstr(list[1], ==, "/b;c.so");
  g_remove(user_path);
  g_remove(real);
}

static void
added_item_makes_the_file(void)
{
  struct stat info;
  g_remove(user_path);
  g_assert_true(base_config_add_to_list("modules", "add", "/x.so", NULL));
  g_assert_cmpint(stat(user_path, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
}

static void
malformed_file_is_not_overwritten(void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;
  g_assert_true(g_file_set_contents(user_path, "precious nonsense", -1, NULL));
  g_assert_false(base_config_add_to_list("modules", "add", "/x.so", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
  g_assert_true(g_file_get_contents(user_path, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "precious nonsense");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  scratch = g_dir_make_tmp("signet-config-XXXXXX", NULL);
  g_setenv("XDG_CONFIG_HOME", scratch, TRUE);
  g_autofree char *folder = g_build_filename(scratch, "signet", NULL);
  g_mkdir(folder, 0700);
  system_path = g_build_filename(scratch, "system.conf", NULL);
  user_path = g_build_filename(folder, "signet.conf", NULL);
  g_test_add_func("/base/config/missing-files-give-defaults", missing_files_give_defaults);
  g_test_add_func("/base/config/user-wins-except-over-enforced", user_wins_except_over_enforced);
  g_test_add_func("/base/config/system-counts-where-user-is-silent",
                  system_counts_where_user_is_silent);
  g_test_add_func("/base/config/bad-number-names-file-and-key", bad_number_names_file_and_key);
  g_test_add_func("/base/config/enforced-bad-number-names-the-system-file",
                  enforced_bad_number_names_the_system_file);
  g_test_add_func("/base/config/origin-names-the-file", origin_names_the_file);
  g_test_add_func("/base/config/unknown-lines-are-named", unknown_lines_are_named);
  g_test_add_func("/base/settings/settings-know-what-fits", settings_know_what_fits);
  g_test_add_func("/base/config/malformed-file-is-refused", malformed_file_is_refused);
  g_test_add_func("/base/config/added-item-keeps-comments-and-link",
                  added_item_keeps_comments_and_link);
  g_test_add_func("/base/config/added-item-makes-the-file", added_item_makes_the_file);
  g_test_add_func("/base/config/malformed-file-is-not-overwritten",
                  malformed_file_is_not_overwritten);
  int status = g_test_run();
  g_remove(user_path);
  g_remove(system_path);
  g_rmdir(folder);
  g_rmdir(scratch);
  g_free(system_path);
  g_free(user_path);
  g_free(scratch);
  return status;
}
