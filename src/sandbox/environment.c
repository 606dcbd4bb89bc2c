/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/path.h"
#include "base/profile.h"
#include "sandbox/fill.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define SOFTHSM_MODULE "libsofthsm2"

static const char *const folders[] = {
  "run",
  "run/signet",
  "home",
  "home/.gnupg",
  "home/.cache",
  "home/.config",
  "home/.config/signet",
  "home/.config/signet/trust.d",
  "home/.local",
  "home/.local/state",
  "home/.local/share",
  "home/.local/share/signet",
  "home/.local/share/signet/softhsm",
  SANDBOX_TOKENS,
  SANDBOX_PULLED,
  "ids",
  "contacts",
};

static const char *const places[][2] = {
  { "SIGNET_SANDBOX_DIR", "" },
  { "SIGNET_SANDBOX_CA", "ca.pem" },
  { "HOME", "home" },
  { "GNUPGHOME", "home/.gnupg" },
  { "XDG_CACHE_HOME", "home/.cache" },
  { "XDG_CONFIG_HOME", "home/.config" },
  { "XDG_STATE_HOME", "home/.local/state" },
  { "XDG_DATA_HOME", "home/.local/share" },
  { "XDG_RUNTIME_DIR", "run" },
  { "SIGNET_SOCKET", SANDBOX_SOCKET },
  /* The same SoftHSM that signetd hosts, for programs that load the module themselves. */
  { "SOFTHSM2_CONF", "home/.local/share/signet/softhsm/softhsm2.conf" },
};

static gboolean
write_file(const SandboxPlace *place, const char *below, const char *text, GError **error)
{
  g_autofree char *path = sandbox_place_path(place, below);
  if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL))
    return base_error_set_errno(error, errno, "cannot write %s", path);
  return TRUE;
}

static gboolean
make_folders(const SandboxPlace *place, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
    g_autofree char *path = sandbox_place_path(place, folders[i]);
    if (mkdir(path, 0700) != 0)
      return base_error_set_errno(error, errno, "cannot make %s", path);
  }
  return TRUE;
}

static gboolean
is_softhsm(const BaseProfile *profile)
{
  for (char **file = profile->files; file && *file; file++) {
    g_autofree char *name = g_path_get_basename(*file);
    if (g_str_has_prefix(name, SOFTHSM_MODULE))
      return TRUE;
  }
  return FALSE;
}

/* No card of the person's is touched, and no PIN is forgotten in the middle of a long test. */
static gboolean
write_settings(const SandboxPlace *place, char **ret_module, GError **error)
{
  g_auto(GStrv) problems = NULL;
  g_autoptr(GPtrArray) profiles = base_profile_load_all(&problems);
  g_autoptr(GString) text = g_string_new("# Written by signet sandbox.\n[pin]\nidle=10080\n"
                                         "hard=10080\n\n[modules]\nadd=\noff=");
  g_autofree char *module = NULL;
  for (guint i = 0; i < profiles->len; i++) {
    const BaseProfile *profile = profiles->pdata[i];
    if (!is_softhsm(profile))
      g_string_append_printf(text, "%s;", profile->name);
    else if (!module)
      module = base_profile_find_module(profile);
  }
  g_string_append_c(text, '\n');
  if (!module)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                          "a sandbox needs SoftHSM; install the package softhsm2");
  if (!write_file(place, "home/.config/signet/signet.conf", text->str, error))
    return FALSE;
  *ret_module = g_steal_pointer(&module);
  return TRUE;
}

/* As signetd would write it: with it there, the token's host starts along with the daemon. */
static gboolean
write_softhsm(const SandboxPlace *place, GError **error)
{
  g_autofree char *tokens = sandbox_place_path(place, SANDBOX_TOKENS);
  g_autofree char *text = g_strdup_printf("directories.tokendir = %s\n"
                                          "objectstore.backend = file\n"
                                          "log.level = ERROR\n"
                                          "slots.removable = false\n",
                                          tokens);
  return write_file(place, "home/.local/share/signet/softhsm/softhsm2.conf", text, error);
}

/* Ours first; where it is found first anyhow, the person's order of folders stays. */
static gboolean
set_path(GError **error)
{
  g_autofree char *program = base_path_program("signet", error);
  if (!program)
    return FALSE;
  g_autofree char *found = g_find_program_in_path("signet");
  if (g_strcmp0(found, program) == 0)
    return TRUE;
  g_autofree char *folder = g_path_get_dirname(program);
  const char *path = g_getenv("PATH");
  g_autofree char *longer = g_strconcat(folder, ":", path ? path : "/usr/bin:/bin", NULL);
  g_setenv("PATH", longer, TRUE);
  return TRUE;
}

gboolean
sandbox_environment_make(const SandboxPlace *place, const char *pin, GError **error)
{
  g_autofree char *module = NULL;
  if (!make_folders(place, error) || !write_settings(place, &module, error) ||
      !write_softhsm(place, error) || !set_path(error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
    g_autofree char *path =
        *places[i][1] ? sandbox_place_path(place, places[i][1]) : g_strdup(place->path);
    g_setenv(places[i][0], path, TRUE);
  }
  g_setenv("SIGNET_SANDBOX_MODULE", module, TRUE);
  g_setenv("SIGNET_SANDBOX_PIN", pin, TRUE);
  return TRUE;
}
