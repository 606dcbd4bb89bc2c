/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/profile.h"

#include <signet/error.h>

#include <glib/gstdio.h>
#include <string.h>

static char *scratch;
static char *path;

#define MINIMAL "[profile]\nname=soft\n[module]\nfiles=libsofthsm2.so;\n"

static BaseProfile *
load(const char *text, GError **error)
{
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
  return base_profile_load(path, error);
}

static void
minimal_profile_has_defaults(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseProfile) profile = load(MINIMAL, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(profile->name, ==, "soft");
  g_assert_cmpstr(profile->description, ==, "soft");
  g_assert_cmpstr(profile->files[0], ==, "libsofthsm2.so");
  g_assert_null(profile->package);
  g_assert_null(profile->init);
  g_assert_null(profile->environment[0]);
  g_assert_cmpint(profile->operations, ==, 1);
  g_assert_false(profile->lock_module);
  g_assert_cmpstr(profile->pin_scope, ==, "token");
  g_assert_cmpstr(profile->wrap, ==, "probe");
  g_assert_cmpuint(profile->operation_ms, ==, 30000);
}

static void
full_profile_is_read(void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(BaseProfile) profile =
      load("[profile]\nname=card-1\ndescription=A card\n"
           "[module]\nfiles=/opt/a.so;b.so\npackage=opensc\ninit=x y\nenvironment=A=1;B=;\n"
           "[token]\noperations=8\nsessions=16\nlock=module\npin-scope=tpm\npin-max=3\n"
           "[key]\noaep=sha1;sha256;\nraw-rsa=yes\nwrap=no\n"
           "[deadline]\noperation=1\ngenerate=3600000\nstart=500\n",
           &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_strv_length(profile->files), ==, 2);
  g_assert_cmpstr(profile->environment[0], ==, "A=1");
  g_assert_cmpstr(profile->environment[1], ==, "B=");
  g_assert_cmpstr(profile->init, ==, "x y");
  g_assert_cmpint(profile->operations, ==, 8);
  g_assert_cmpint(profile->sessions, ==, 16);
  g_assert_true(profile->lock_module);
  g_assert_cmpstr(profile->pin_scope, ==, "tpm");
  g_assert_cmpint(profile->pin_max, ==, 3);
  g_assert_cmpuint(g_strv_length(profile->oaep), ==, 2);
  g_assert_true(profile->raw_rsa);
  g_assert_cmpstr(profile->wrap, ==, "no");
  g_assert_cmpuint(profile->operation_ms, ==, 1);
  g_assert_cmpuint(profile->generate_ms, ==, 3600000);
}

static void
bad_value_names_file_and_key(void)
{
  static const struct {
    const char *text;
    const char *named;
  } cases[] = {
    { "[profile]\nname=\n[module]\nfiles=a.so\n", "name in [profile]" },
    { "[profile]\nname=../../etc\n[module]\nfiles=a.so\n", "name in [profile]" },
    { "[module]\nfiles=a.so\n", "name in [profile]" },
    { "[profile]\nname=x\n", "files in [module]" },
    { MINIMAL "environment=NOVALUE\n", "environment in [module]" },
    { MINIMAL "environment==x\n", "environment in [module]" },
    { MINIMAL "init=\\q\n", "init in [module]" },
    { MINIMAL "package=\xff\n", "package in [module]" },
    { MINIMAL "[token]\noperations=0\n", "operations in [token]" },
    { MINIMAL "[token]\noperations=many\n", "operations in [token]" },
    { MINIMAL "[token]\nsessions=257\n", "sessions in [token]" },
    { MINIMAL "[token]\nlock=none\n", "lock in [token]" },
    { MINIMAL "[token]\npin-scope=house\n", "pin-scope in [token]" },
    { MINIMAL "[token]\npin-max=-1\n", "pin-max in [token]" },
    { MINIMAL "[key]\nraw-rsa=true\n", "raw-rsa in [key]" },
    { MINIMAL "[key]\nwrap=maybe\n", "wrap in [key]" },
    { MINIMAL "[deadline]\nstart=0\n", "start in [deadline]" },
    { MINIMAL "[deadline]\noperation=3600001\n", "operation in [deadline]" },
    { "nonsense", "cannot be read" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(load(cases[i].text, &error));
    g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, cases[i].named));
  }
}

static void
missing_file_is_an_error(void)
{
  g_autoptr(GError) error = NULL;
  g_assert_null(base_profile_load("/nonexistent/x.profile", &error));
  g_assert_error(error, SIGNET_ERROR, SIGNET_ERROR_BAD_INPUT);
}

static void
default_profile_is_for_the_module(void)
{
  g_autoptr(BaseProfile) profile = base_profile_default(path);
  g_autofree char *found = NULL;
  g_assert_true(g_file_set_contents(path, "", 0, NULL));
  g_assert_cmpstr(profile->name, ==, "test.profile");
  found = base_profile_find_module(profile);
  g_assert_cmpstr(found, ==, path);
  base_profile_free(NULL);
}

static void
missing_module_is_null(void)
{
  g_autoptr(BaseProfile) relative =
      load("[profile]\nname=x\n[module]\nfiles=no-such-module.so\n", NULL);
  g_autoptr(BaseProfile) absolute = base_profile_default("/nonexistent/module.so");
  g_autoptr(BaseProfile) folder = base_profile_default(scratch);
  g_assert_null(base_profile_find_module(relative));
  g_assert_null(base_profile_find_module(absolute));
  g_assert_null(base_profile_find_module(folder));
}

/* What this source tree ships. */
static void
shipped_profiles_are_sound(void)
{
  g_autofree char *folder = g_build_filename(g_getenv("SIGNET_TEST_SOURCE"), "tokens", NULL);
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name = NULL;
  while (dir && (name = g_dir_read_name(dir)))
    if (g_str_has_suffix(name, ".profile")) {
      g_autofree char *file = g_build_filename(folder, name, NULL);
      g_autoptr(GError) error = NULL;
      g_autoptr(BaseProfile) profile = base_profile_load(file, &error);
      g_assert_no_error(error);
    }
}

static void
load_all_lists_problems(void)
{
  g_auto(GStrv) problems = NULL;
  g_autoptr(GPtrArray) profiles = base_profile_load_all(&problems);
  g_assert_nonnull(profiles);
  g_assert_nonnull(problems);
  g_autoptr(GPtrArray) again = base_profile_load_all(NULL);
  g_assert_cmpuint(again->len, ==, profiles->len);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  scratch = g_dir_make_tmp("signet-profile-XXXXXX", NULL);
  path = g_build_filename(scratch, "test.profile", NULL);
  g_test_add_func("/base/profile/minimal-profile-has-defaults", minimal_profile_has_defaults);
  g_test_add_func("/base/profile/full-profile-is-read", full_profile_is_read);
  g_test_add_func("/base/profile/bad-value-names-file-and-key", bad_value_names_file_and_key);
  g_test_add_func("/base/profile/missing-file-is-an-error", missing_file_is_an_error);
  g_test_add_func("/base/profile/default-profile-is-for-the-module",
                  default_profile_is_for_the_module);
  g_test_add_func("/base/profile/missing-module-is-null", missing_module_is_null);
  g_test_add_func("/base/profile/shipped-profiles-are-sound", shipped_profiles_are_sound);
  g_test_add_func("/base/profile/load-all-lists-problems", load_all_lists_problems);
  int status = g_test_run();
  g_remove(path);
  g_rmdir(scratch);
  g_free(path);
  g_free(scratch);
  return status;
}
