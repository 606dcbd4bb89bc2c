/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/config-file.h"
#include "base/error.h"

#include <string.h>

#define MINUTES_MAX (7 * 24 * 60)
#define DEADLINE_MAX (60 * 1000)

const BaseSetting base_settings[] = {
  { "mail", "hash", BASE_SETTING_CHOICE, "what fits the key", "sha256|sha384|sha512", 0, 0,
    "the hash that mail is signed with" },
  { "mail", "cipher", BASE_SETTING_TEXT, "aes-256-cbc", NULL, 0, 0,
    "the cipher that mail is sealed with" },
  { "modules", "add", BASE_SETTING_LIST, "none", NULL, 0, 0,
    "PKCS#11 modules besides those that profiles name: PATH;PATH;" },
  { "modules", "off", BASE_SETTING_LIST, "none", NULL, 0, 0, "profiles not to load: NAME;NAME;" },
  { "pin", "idle", BASE_SETTING_NUMBER, "15", NULL, 1, MINUTES_MAX,
    "minutes after which an unused PIN is forgotten" },
  { "pin", "hard", BASE_SETTING_NUMBER, "480", NULL, 1, MINUTES_MAX,
    "minutes after which a PIN is forgotten in any case" },
  { "pin", "pinentry", BASE_SETTING_TEXT, "pinentry", NULL, 0, 0,
    "the program that asks for PINs" },
  { "trust", "crl-files", BASE_SETTING_LIST, "none", NULL, 0, 0,
    "CRLs besides those in the settings' folders crls: FILE;FOLDER;" },
  { "trust", "deadline", BASE_SETTING_NUMBER, "3000", NULL, 100, DEADLINE_MAX,
    "milliseconds to ask whether a signer was revoked, or for issuers" },
  { "trust", "http-proxy", BASE_SETTING_TEXT, "none", NULL, 0, 0,
    "the proxy to ask by: HOST:PORT; the environment's is never used" },
  { "trust", "issuers", BASE_SETTING_CHOICE, "cached", "cached|fetch", 0, 0,
    "fetch: missing ones, from where a mail says: its sender may notice" },
  { "trust", "local-urls", BASE_SETTING_CHOICE, "no", "no|yes", 0, 0,
    "yes: issuers are fetched from addresses inside this network, too" },
  { "trust", "mail-roots", BASE_SETTING_TEXT, "NSS's, where it is installed", NULL, 0, 0,
    "the PKCS#11 module whose roots are trusted for mail: PATH, or off" },
  { "trust", "revocation", BASE_SETTING_CHOICE, "soft", "soft|hard|off", 0, 0,
    "was a signer's certificate revoked: ask; no answer is bad; do not ask" },
  { 0 },
};

static gboolean
is_choice(const char *value, const char *choices)
{
  g_auto(GStrv) all = g_strsplit(choices, "|", -1);
  return g_strv_contains((const char *const *)all, value);
}

gboolean
base_setting_check(BaseConfig *config, const BaseSetting *setting, GError **error)
{
  const char *path = NULL;
  int number;
  if (base_config_origin(config, setting->group, setting->key, &path) == BASE_CONFIG_DEFAULT)
    return TRUE;
  if (setting->kind == BASE_SETTING_NUMBER)
    return base_config_number(config, setting->group, setting->key, 0, setting->min, setting->max,
                              &number, error);
  const char *value = base_config_text(config, setting->group, setting->key);
  if (setting->kind == BASE_SETTING_CHOICE && (!value || !is_choice(value, setting->choices)))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "%s: %s in [%s] must be one of %s", path,
                          setting->key, setting->group, setting->choices);
  return TRUE;
}

/* ---- lines that mean nothing ---- */

static gboolean
is_known(const char *group, const char *key, gboolean system)
{
  gboolean enforced = system && strcmp(group, BASE_CONFIG_GROUP_ENFORCED) == 0;
  for (const BaseSetting *setting = base_settings; setting->group; setting++) {
    g_autofree char *dotted = g_strdup_printf("%s.%s", setting->group, setting->key);
    if (enforced ? strcmp(dotted, key) == 0
                 : strcmp(setting->group, group) == 0 && strcmp(setting->key, key) == 0)
      return TRUE;
  }
  return FALSE;
}

static void
unknown_free(gpointer data)
{
  BaseUnknown *unknown = data;
  g_free(unknown->group);
  g_free(unknown->key);
  g_free(unknown);
}

/* GKeyFile keeps no line numbers. The file was parsed once, so a line is a comment, a group, or a key and its value. */
static void
scan_file(const char *path, gboolean system, GPtrArray *all)
{
  g_autofree char *text = NULL;
  g_autofree char *group = g_strdup("");
  if (!g_file_get_contents(path, &text, NULL, NULL))
    return;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (int i = 0; lines[i]; i++) {
    char *line = g_strstrip(lines[i]);
    char *end = *line == '[' ? strrchr(line, ']') : strchr(line, '=');
    if (*line == '#' || !end)
      continue;
    *end = '\0';
    if (*line == '[') {
      g_free(group);
      group = g_strdup(line + 1);
    } else if (!is_known(group, g_strchomp(line), system)) {
      BaseUnknown *unknown = g_new0(BaseUnknown, 1);
      *unknown = (BaseUnknown){ g_strdup(group), g_strdup(line), path, i + 1 };
      g_ptr_array_add(all, unknown);
    }
  }
}

GPtrArray *
base_config_unknown(BaseConfig *config)
{
  GPtrArray *all = g_ptr_array_new_with_free_func(unknown_free);
  if (config->system)
    scan_file(config->system_path, TRUE, all);
  if (config->user)
    scan_file(config->user_path, FALSE, all);
  return all;
}
