/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SoftHSM's two configurations: the person's own, and signet's. */
#include "base/error.h"
#include "base/path.h"
#include "daemon/modules.h"

#include <string.h>
#include <unistd.h>

#define CONFIG_MAX (64 * 1024)
#define UUID_DIGITS 32
#define SERIAL_DIGITS 16

gboolean
daemon_softhsm_is(const char *module_path)
{
  g_autofree char *name = g_path_get_basename(module_path);
  return g_str_has_prefix(name, "libsofthsm2");
}

/* As SoftHSM itself looks (SoftHSM 2.6.1, SimpleConfigLoader). */
char *
daemon_softhsm_own_config(void)
{
  const char *named = g_getenv("SOFTHSM2_CONF");
  if (named && *named)
    return g_strdup(named);
  g_autofree char *own =
      g_build_filename(g_get_user_config_dir(), "softhsm2", "softhsm2.conf", NULL);
  const char *places[] = { own, "/etc/softhsm/softhsm2.conf", "/etc/softhsm2.conf" };
  for (gsize i = 0; i < G_N_ELEMENTS(places); i++)
    if (access(places[i], R_OK) == 0)
      return g_strdup(places[i]);
  return NULL;
}

char *
daemon_softhsm_embedded_config(void)
{
  g_autofree char *data = base_path_data();
  return g_build_filename(data, "softhsm", "softhsm2.conf", NULL);
}

char *
daemon_softhsm_folder(const char *config_path)
{
  g_autoptr(GBytes) bytes = base_path_read(config_path, CONFIG_MAX, NULL);
  if (!bytes)
    return NULL;
  gsize length = 0;
  const char *data = g_bytes_get_data(bytes, &length);
  g_autofree char *text = g_strndup(data ? data : "", length);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++) {
    g_auto(GStrv) parts = g_strsplit(*line, "=", 2);
    if (parts[0] && parts[1] && strcmp(g_strstrip(parts[0]), "directories.tokendir") == 0)
      return g_strdup(g_strstrip(parts[1]));
  }
  return NULL;
}

/* SoftHSM 2.6.1 names a token's folder by a UUID; its serial number is the last 16 digits of that. */
static gboolean
is_folder_of(const char *name, const char *serial)
{
  char digits[UUID_DIGITS + 1] = "";
  gsize n = 0;
  for (const char *at = name; *at; at++) {
    if (*at == '-')
      continue;
    if (!g_ascii_isxdigit(*at) || n >= UUID_DIGITS)
      return FALSE;
    digits[n++] = *at;
  }
  return n == UUID_DIGITS && strlen(serial) == SERIAL_DIGITS &&
         g_ascii_strcasecmp(digits + UUID_DIGITS - SERIAL_DIGITS, serial) == 0;
}

char *
daemon_softhsm_token_folder(const char *tokens, const char *serial)
{
  g_autoptr(GDir) dir = tokens ? g_dir_open(tokens, 0, NULL) : NULL;
  g_autofree char *found = NULL;
  const char *name = NULL;
  while (dir && (name = g_dir_read_name(dir))) {
    if (!is_folder_of(name, serial))
      continue;
    if (found)
      return NULL; /* which of the two is not known */
    found = g_strdup(name);
  }
  return g_steal_pointer(&found);
}

gboolean
daemon_softhsm_make(GError **error)
{
  g_autofree char *config = daemon_softhsm_embedded_config();
  g_autofree char *folder = g_path_get_dirname(config);
  g_autofree char *tokens = g_build_filename(folder, "tokens", NULL);
  if (!base_path_make_folder(tokens, error))
    return FALSE;
  if (g_file_test(config, G_FILE_TEST_EXISTS))
    return TRUE;
  g_autofree char *text = g_strdup_printf("# Written by signetd: signet's own SoftHSM tokens.\n"
                                          "directories.tokendir = %s\n"
                                          "objectstore.backend = file\n"
                                          "log.level = ERROR\n"
                                          "slots.removable = false\n",
                                          tokens);
  return base_path_write(config, text, strlen(text), 0600, error);
}
