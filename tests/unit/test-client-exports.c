/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* libsignet.so shows the functions of the public headers and nothing else, and can be
 * loaded and let go by a program that does not know of it (a plug-in). */

#include <dlfcn.h>
#include <glib.h>
#include <string.h>

static void
collect(GHashTable *names, const char *file, const char *pattern)
{
  g_autofree char *path = g_build_filename(g_getenv("SIGNET_TEST_SOURCE"), file, NULL);
  g_autofree char *text = NULL;
  g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
  g_autoptr(GMatchInfo) match = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  for (g_regex_match(regex, text, 0, &match); g_match_info_matches(match);
       g_match_info_next(match, NULL))
    g_hash_table_add(names, g_match_info_fetch(match, 1));
}

static GHashTable *
declared(void)
{
  GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  collect(names, "include/signet/client.h", "\\b(signet_[a-z0-9_]+) ?\\([^)]");
  collect(names, "include/signet/key.h", "\\b(signet_[a-z0-9_]+) ?\\([^)]");
  collect(names, "include/signet/transfer.h", "\\b(signet_[a-z0-9_]+) ?\\([^)]");
  collect(names, "include/signet/error.h", "\\b(signet_[a-z0-9_]+) ?\\([^)]");
  return names;
}

static void *
load(void)
{
  g_autofree char *path = g_build_filename(g_getenv("SIGNET_TEST_BUILD"), "libsignet.so.0", NULL);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    g_error("%s", dlerror());
  return library;
}

static void
test_map_names_what_headers_declare(void)
{
  g_autoptr(GHashTable) headers = declared();
  g_autoptr(GHashTable) map = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer name = NULL;
  collect(map, "src/client/libsignet.map", "(signet_[a-z0-9_]+);");
  g_assert_cmpuint(g_hash_table_size(map), >, 40);
  for (g_hash_table_iter_init(&iter, headers); g_hash_table_iter_next(&iter, &name, NULL);)
    if (!g_hash_table_contains(map, name))
      g_error("%s is declared and not exported", (char *)name);
  g_assert_cmpuint(g_hash_table_size(map), ==, g_hash_table_size(headers));
}

static void
test_library_has_what_map_names(void)
{
  g_autoptr(GHashTable) map = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer name = NULL;
  void *library = load();
  collect(map, "src/client/libsignet.map", "(signet_[a-z0-9_]+);");
  for (g_hash_table_iter_init(&iter, map); g_hash_table_iter_next(&iter, &name, NULL);)
    if (!dlsym(library, name))
      g_error("%s is missing", (char *)name);
  static const char *const hidden[] = { "client_call", "base_error_set", "wire_json_start" };
  for (gsize i = 0; i < G_N_ELEMENTS(hidden); i++)
    g_assert_null(dlsym(library, hidden[i]));
  dlclose(library);
}

/* GLib keeps our quark's name and our error domain's functions: the code must stay. */
static void
test_unloaded_library_stays(void)
{
  for (int i = 0; i < 3; i++) {
    void *library = load();
    GQuark (*quark)(void) = NULL;
    *(void **)&quark = dlsym(library, "signet_error_quark");
    GQuark domain = quark();
    dlclose(library);
    g_assert_nonnull(g_quark_to_string(domain));
    g_autoptr(GError) error = g_error_new_literal(domain, 0, "made after the library was let go");
    g_autoptr(GError) copy = g_error_copy(error);
    g_assert_nonnull(copy);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/client/exports/map-names-what-headers-declare",
                  test_map_names_what_headers_declare);
  g_test_add_func("/client/exports/library-has-what-map-names", test_library_has_what_map_names);
  g_test_add_func("/client/exports/unloaded-library-stays", test_unloaded_library_stays);
  return g_test_run();
}
