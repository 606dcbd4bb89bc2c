/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "contacts/seen.h"

#include "base/error.h"
#include "base/path.h"
#include "cms/capability.h"
#include "cms/cms.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* One line each: fingerprint of the certificate, when (seconds since 1970), ciphers with commas.
 * Who was seen last stands last; the first go when there are too many. */

#define LINES_MAX 10000
#define FILE_MAX (4 * 1024 * 1024)
#define CIPHERS_MAX 16
#define FINGERPRINT_LENGTH 64
#define SAME_S (24 * 3600) /* the same said again within this is not worth a write */
#define LOCK_TRIES 50
#define LOCK_WAIT_US 20000

static char *
file_path(void)
{
  g_autofree char *state = base_path_state();
  return g_build_filename(state, "seen-ciphers", NULL);
}

/* ---- lines ---- */

static gboolean
is_fingerprint(const char *text)
{
  return strlen(text) == FINGERPRINT_LENGTH &&
         strspn(text, "0123456789abcdef") == FINGERPRINT_LENGTH;
}

/* (nullable) those that signet knows: of a damaged line, or one of a later signet */
static char **
known_ciphers(const char *const *names)
{
  g_autoptr(GPtrArray) known = g_ptr_array_new_with_free_func(g_free);
  for (gsize i = 0; names[i] && known->len < CIPHERS_MAX; i++)
    if (cms_cipher_check(names[i], NULL))
      g_ptr_array_add(known, g_strdup(names[i]));
  if (known->len == 0)
    return NULL;
  g_ptr_array_add(known, NULL);
  return (char **)g_ptr_array_steal(known, NULL);
}

/* NULL: damaged, or another's */
static char **
read_line(const char *line, const char *fingerprint, gint64 *ret_when)
{
  guint64 when = 0;
  if (fingerprint && !g_str_has_prefix(line, fingerprint))
    return NULL;
  g_auto(GStrv) words = g_strsplit(line, " ", 4);
  if (g_strv_length(words) != 3 || !is_fingerprint(words[0]) ||
      !g_ascii_string_to_unsigned(words[1], 10, 0, G_MAXINT64, &when, NULL))
    return NULL;
  if (ret_when)
    *ret_when = (gint64)when;
  g_auto(GStrv) names = g_strsplit(words[2], ",", CIPHERS_MAX + 1);
  return known_ciphers((const char *const *)names);
}

static char **
read_lines(const char *path)
{
  g_autoptr(GBytes) bytes =
      g_file_test(path, G_FILE_TEST_IS_REGULAR) ? base_path_read(path, FILE_MAX, NULL) : NULL;
  gsize length = 0;
  const char *text = bytes ? g_bytes_get_data(bytes, &length) : NULL;
  g_autofree char *whole = g_strndup(text ? text : "", length);
  return g_strsplit(whole, "\n", -1);
}

/* ---- noting ---- */

/* Two programs at once: the second reads what the first wrote. Who waits long goes without. */
static int
lock_file(const char *path)
{
  g_autofree char *name = g_strconcat(path, ".lock", NULL);
  int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
      return fd;
    g_usleep(LOCK_WAIT_US);
  }
  if (fd >= 0)
    close(fd);
  return -1;
}

/* All lines but this certificate's and damaged ones, at most `most`, the last. */
static GString *
others_of(char **lines, const char *fingerprint, guint most)
{
  g_autoptr(GPtrArray) kept = g_ptr_array_new();
  for (char **line = lines; *line; line++) {
    g_auto(GStrv) ciphers = read_line(*line, NULL, NULL);
    if (ciphers && !g_str_has_prefix(*line, fingerprint))
      g_ptr_array_add(kept, *line);
  }
  GString *text = g_string_new(NULL);
  for (guint i = kept->len > most ? kept->len - most : 0; i < kept->len; i++)
    g_string_append_printf(text, "%s\n", (const char *)g_ptr_array_index(kept, i));
  return text;
}

/* An old mail, sent again by whoever has it, must not bring back what its signer could read then. */
static gboolean
is_settled(char **lines, const char *fingerprint, char **ciphers, gint64 when)
{
  for (char **line = lines; *line; line++) {
    gint64 before = 0;
    g_auto(GStrv) kept = read_line(*line, fingerprint, &before);
    if (kept)
      return when < before ||
             (when - before < SAME_S &&
              g_strv_equal((const char *const *)kept, (const char *const *)ciphers));
  }
  return FALSE;
}

static void
note(const char *path, const char *fingerprint, char **ciphers, gint64 when)
{
  g_auto(GStrv) lines = read_lines(path);
  if (is_settled(lines, fingerprint, ciphers, when))
    return;
  g_autofree char *joined = g_strjoinv(",", ciphers);
  g_autoptr(GString) text = others_of(lines, fingerprint, LINES_MAX - 1);
  g_string_append_printf(text, "%s %" G_GINT64_FORMAT " %s\n", fingerprint, when, joined);
  (void)base_path_write(path, text->str, text->len, 0600, NULL);
}

void
contacts_seen_note(const BaseCert *certificate, const char *const *ciphers, gint64 when)
{
  g_auto(GStrv) known = ciphers ? known_ciphers(ciphers) : NULL;
  g_autofree char *path = file_path();
  g_autofree char *folder = g_path_get_dirname(path);
  if (!known || !base_path_make_folder(folder, NULL))
    return;
  int lock = lock_file(path);
  if (lock < 0)
    return;
  /* A clock that is ahead must not shut out what its owner says later. */
  note(path, certificate->fingerprint, known, CLAMP(when, 0, g_get_real_time() / G_USEC_PER_SEC));
  close(lock);
}

/* ---- asking ---- */

char **
contacts_seen_ciphers(const BaseCert *certificate)
{
  g_autofree char *path = file_path();
  g_auto(GStrv) lines = read_lines(path);
  for (char **line = lines; *line; line++) {
    char **ciphers = read_line(*line, certificate->fingerprint, NULL);
    if (ciphers)
      return ciphers;
  }
  return cms_capability_of_certificate(certificate);
}
