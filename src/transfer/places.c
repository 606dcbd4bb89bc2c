/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/places.h"

#include "base/error.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROFILES_MAX 100
#define BLOBS_MAX 100000
#define KEYBOX_HEAD 5
#define KEYBOX_X509 3
#define CONFIG_MAX (1024 * 1024)

static TransferPlace *
place_new(TransferPlaceKind kind, const char *path, const char *what, const char *from)
{
  TransferPlace *place = g_new0(TransferPlace, 1);
  place->kind = kind;
  place->path = g_strdup(path);
  place->what = what;
  place->from = from;
  place->has_keys = TRUE;
  return place;
}

TransferPlace *
transfer_place_nss(const char *path)
{
  static const struct {
    const char *part;
    const char *what;
    const char *from;
  } known[] = {
    { "thunderbird", "Thunderbird profile", "thunderbird" },
    { "Thunderbird", "Thunderbird profile", "thunderbird" },
    { ".icedove", "Thunderbird profile", "thunderbird" },
    { "evolution", "Evolution's certificates", "evolution" },
    { ".pki/nssdb", "shared NSS database", "evolution" },
    { ".mozilla", "Firefox profile", "thunderbird" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
    if (strstr(path, known[i].part))
      return place_new(TRANSFER_NSS, path, known[i].what, known[i].from);
  return place_new(TRANSFER_NSS, path, "NSS database", "thunderbird");
}

/* GnuPG's kbx/keybox-blob.c: each blob starts with its length (4 bytes, high first) and its type. */
static gboolean
has_x509(const char *keybox)
{
  int fd = open(keybox, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0)
    return FALSE;
  gboolean found = FALSE;
  off_t at = 0;
  guint8 head[KEYBOX_HEAD];
  for (int i = 0; i < BLOBS_MAX && !found; i++) {
    if (pread(fd, head, sizeof head, at) != (ssize_t)sizeof head)
      break;
    guint32 length =
        (guint32)head[0] << 24 | (guint32)head[1] << 16 | (guint32)head[2] << 8 | head[3];
    found = head[4] == KEYBOX_X509;
    if (length < KEYBOX_HEAD)
      break;
    at += (off_t)length;
  }
  close(fd);
  return found;
}

TransferPlace *
transfer_place_gpgsm(const char *path)
{
  g_autofree char *keybox = g_build_filename(path, "pubring.kbx", NULL);
  g_autofree char *database = g_build_filename(path, "public-keys.d", "pubring.db", NULL);
  /* GnuPG 2.4 may keep both sorts of certificates in a database, which does not tell from outside. */
  return has_x509(keybox) || g_file_test(database, G_FILE_TEST_EXISTS)
             ? place_new(TRANSFER_GPGSM, path, "gpgsm's keys", "gpgsm")
             : NULL;
}

TransferPlace *
transfer_place_smime_keys(const char *path)
{
  g_autofree char *index = g_build_filename(path, "keys", ".index", NULL);
  return g_file_test(index, G_FILE_TEST_IS_REGULAR)
             ? place_new(TRANSFER_SMIME_KEYS, path, "keys of mutt's smime_keys", "smime_keys")
             : NULL;
}

/* ---- where they usually are ---- */

static gboolean
is_nss(const char *folder)
{
  g_autofree char *certificates = g_build_filename(folder, "cert9.db", NULL);
  g_autofree char *keys = g_build_filename(folder, "key4.db", NULL);
  return g_file_test(certificates, G_FILE_TEST_IS_REGULAR) &&
         g_file_test(keys, G_FILE_TEST_IS_REGULAR);
}

static void
add_nss(GPtrArray *places, const char *folder)
{
  if (is_nss(folder))
    g_ptr_array_add(places, transfer_place_nss(folder));
  g_autoptr(GDir) inside = g_dir_open(folder, 0, NULL);
  const char *name;
  while (inside && (name = g_dir_read_name(inside)) && places->len < PROFILES_MAX) {
    g_autofree char *profile = g_build_filename(folder, name, NULL);
    if (is_nss(profile))
      g_ptr_array_add(places, transfer_place_nss(profile));
  }
}

static void
add_thunderbird(GPtrArray *places)
{
  static const char *const folders[] = {
    ".thunderbird",
    ".icedove",
    "snap/thunderbird/common/.thunderbird",
    ".var/app/org.mozilla.Thunderbird/.thunderbird",
    ".var/app/org.mozilla.thunderbird/.thunderbird",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
    g_autofree char *folder = g_build_filename(g_get_home_dir(), folders[i], NULL);
    add_nss(places, folder);
  }
}

static void
add_evolution(GPtrArray *places)
{
  static const char *const folders[] = { ".pki/nssdb",
                                         ".var/app/org.gnome.Evolution/data/evolution" };
  g_autofree char *own = g_build_filename(g_get_user_data_dir(), "evolution", NULL);
  if (is_nss(own))
    g_ptr_array_add(places, transfer_place_nss(own));
  for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
    g_autofree char *folder = g_build_filename(g_get_home_dir(), folders[i], NULL);
    if (is_nss(folder))
      g_ptr_array_add(places, transfer_place_nss(folder));
  }
}

static char *
gpgsm_home(void)
{
  const char *home = g_getenv("GNUPGHOME");
  return home && *home ? g_strdup(home) : g_build_filename(g_get_home_dir(), ".gnupg", NULL);
}

static void
add_gpgsm(GPtrArray *places, const char *folder)
{
  g_autofree char *keys = g_build_filename(folder, "private-keys-v1.d", NULL);
  TransferPlace *place =
      g_file_test(keys, G_FILE_TEST_IS_DIR) ? transfer_place_gpgsm(folder) : NULL;
  if (place)
    g_ptr_array_add(places, place);
}

/* `set smime_keys = "~/.smime/keys"` in a muttrc; the folder above is meant. */
static char *
smime_keys_of(const char *muttrc)
{
  g_autoptr(GBytes) bytes = base_path_read(muttrc, CONFIG_MAX, NULL);
  gsize length = 0;
  const char *data = bytes ? g_bytes_get_data(bytes, &length) : NULL;
  g_autofree char *text = g_strndup(data ? data : "", length);
  g_autoptr(GRegex) setting =
      g_regex_new("^\\s*set\\s+smime_keys\\s*=\\s*[\"']?(~/)?([^\"'\\s]+)/keys/?[\"']?\\s*$",
                  G_REGEX_MULTILINE | G_REGEX_RAW, 0, NULL);
  g_autoptr(GMatchInfo) match = NULL;
  if (!g_regex_match(setting, text, 0, &match))
    return NULL;
  g_autofree char *tilde = g_match_info_fetch(match, 1);
  g_autofree char *path = g_match_info_fetch(match, 2);
  return *tilde ? g_build_filename(g_get_home_dir(), path, NULL) : g_steal_pointer(&path);
}

static void
add_smime_keys(GPtrArray *places, const char *folder)
{
  TransferPlace *place = transfer_place_smime_keys(folder);
  for (guint i = 0; place && i < places->len; i++)
    if (strcmp(((TransferPlace *)g_ptr_array_index(places, i))->path, place->path) == 0)
      g_clear_pointer(&place, transfer_place_free);
  if (place)
    g_ptr_array_add(places, place);
}

static void
add_mutt(GPtrArray *places)
{
  static const char *const settings[] = { ".muttrc", ".mutt/muttrc", ".config/mutt/muttrc",
                                          ".neomuttrc", ".config/neomutt/neomuttrc" };
  g_autofree char *usual = g_build_filename(g_get_home_dir(), ".smime", NULL);
  add_smime_keys(places, usual);
  for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
    g_autofree char *muttrc = g_build_filename(g_get_home_dir(), settings[i], NULL);
    g_autofree char *folder = smime_keys_of(muttrc);
    if (folder)
      add_smime_keys(places, folder);
  }
}

static void
free_place(gpointer data)
{
  transfer_place_free(data);
}

static void
add_named(GPtrArray *places, const char *from, const char *path)
{
  if (g_str_equal(from, "gpgsm"))
    add_gpgsm(places, path);
  else if (g_str_equal(from, "smime_keys"))
    add_smime_keys(places, path);
  else
    add_nss(places, path);
}

static void
add_usual(GPtrArray *places, const char *from)
{
  g_autofree char *home = gpgsm_home();
  if (g_str_equal(from, "gpgsm"))
    add_gpgsm(places, home);
  else if (g_str_equal(from, "smime_keys"))
    add_mutt(places);
  else if (g_str_equal(from, "evolution"))
    add_evolution(places);
  else
    add_thunderbird(places);
}

GPtrArray *
transfer_find(const char *from, const char *path, GError **error)
{
  static const char *const where[][2] = {
    { "thunderbird", "~/.thunderbird, its snap or its flatpak" },
    { "evolution", "~/.local/share/evolution or ~/.pki/nssdb" },
    { "gpgsm", "GNUPGHOME or ~/.gnupg" },
    { "smime_keys", "~/.smime or where muttrc sets smime_keys" },
  };
  g_autoptr(GPtrArray) places = g_ptr_array_new_with_free_func(free_place);
  g_autofree char *full = path ? g_canonicalize_filename(path, NULL) : NULL;
  if (full)
    add_named(places, from, full);
  else
    add_usual(places, from);
  if (places->len) {
    g_ptr_array_sort(places, transfer_place_compare);
    return g_steal_pointer(&places);
  }
  const char *usual = path;
  for (gsize i = 0; !usual && i < G_N_ELEMENTS(where); i++)
    usual = g_str_equal(where[i][0], from) ? where[i][1] : NULL;
  base_error_set(error, SIGNET_ERROR_NOT_FOUND, "no keys of %s in %s", from,
                 usual ? usual : "its usual folders");
  base_error_suggest(error, "signet", "import", "--scan", NULL);
  return NULL;
}
