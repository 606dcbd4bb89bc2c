/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "keyfile/keyfile.h"
#include "transfer/places.h"
#include "transfer/transfer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNIFF_SIZE 4096
#define SMALLEST 64 /* no key and no certificate is shorter */
#define PROGRESS_EVERY 64
#define WHOSE_MAX 3

typedef struct {
  TransferFound *found;
  TransferProgress progress;
  gpointer user_data;
  guint n_entries;
  dev_t device;
} Scan;

typedef struct {
  char *name;
  unsigned char type;
} Entry;

/* Caches, other people's code, mail, and what holds keys of another sort. */
static const char *const skipped_folders[] = {
  ".cache", ".git", ".hg",   ".svn",    "node_modules", "__pycache__", ".npm",  ".cargo", ".ssh",
  "Trash",  "Mail", ".mail", "Maildir", "ImapMail",     "cache",       "Cache", "cache2", NULL,
};

static void
free_place(gpointer data)
{
  transfer_place_free(data);
}

void
transfer_place_free(TransferPlace *place)
{
  if (!place)
    return;
  g_free(place->path);
  g_free(place->about);
  g_free(place);
}

void
transfer_found_free(TransferFound *found)
{
  if (!found)
    return;
  g_ptr_array_unref(found->places);
  g_free(found);
}

/* ---- files ---- */

/* The first bytes are those of a DER SEQUENCE that is as long as the file, or of one of indefinite length
 * (older programs' PKCS #12). */
static gboolean
looks_like_der(const guint8 *bytes, gsize length, goffset size)
{
  if (length < SMALLEST || bytes[0] != 0x30)
    return FALSE;
  if (bytes[1] == 0x80)
    return bytes[2] == 0x02 || bytes[2] == 0x06 || bytes[2] == 0x30;
  guint n = bytes[1] & 0x7fu;
  if (bytes[1] < 0x81 || n > 4)
    return FALSE;
  goffset inner = 0;
  for (guint i = 0; i < n; i++)
    inner = inner << 8 | bytes[2 + i];
  goffset outer = inner + 2 + n;
  /* Some files end with a line feed, or hold several certificates in a row. */
  return outer <= size && (bytes[2 + n] == 0x30 || bytes[2 + n] == 0x02 || bytes[2 + n] == 0x06);
}

static gboolean
looks_like_pem(const guint8 *bytes, gsize length)
{
  static const char *const labels[] = { "CERTIFICATE",
                                        "TRUSTED CERTIFICATE",
                                        "X509 CERTIFICATE",
                                        "PRIVATE KEY",
                                        "ENCRYPTED PRIVATE KEY",
                                        "RSA PRIVATE KEY",
                                        "EC PRIVATE KEY",
                                        "EC PARAMETERS",
                                        "PKCS7",
                                        "PKCS12",
                                        "CMS",
                                        NULL };
  static const char begin[] = "-----BEGIN ";
  const guint8 *at = memmem(bytes, length, begin, sizeof begin - 1);
  if (!at || (at != bytes && at[-1] != '\n'))
    return FALSE;
  const char *label = (const char *)at + sizeof begin - 1;
  gsize left = length - (gsize)((const guint8 *)label - bytes);
  for (int i = 0; labels[i]; i++) {
    gsize n = strlen(labels[i]);
    if (left >= n + 5 && memcmp(label, labels[i], n) == 0 && memcmp(label + n, "-----", 5) == 0)
      return TRUE;
  }
  return FALSE;
}

/* Whose certificates these are; NULL: no person's. */
static char *
whose(const GPtrArray *certificates)
{
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  for (guint i = 0; i < certificates->len && all->len < WHOSE_MAX; i++) {
    const BaseCert *certificate = g_ptr_array_index(certificates, i);
    const char *address = certificate->addresses[0];
    if (address && (certificate->use & (BASE_USE_SIGN | BASE_USE_ENCRYPT)) &&
        !g_ptr_array_find_with_equal_func(all, address, g_str_equal, NULL))
      g_ptr_array_add(all, (gpointer)(guintptr)address);
  }
  if (!all->len)
    return NULL;
  g_ptr_array_add(all, NULL);
  return g_strjoinv(", ", (char **)all->pdata);
}

static void
add_place(Scan *scan, TransferPlace *place)
{
  if (scan->found->places->len < TRANSFER_SCAN_PLACES) {
    g_ptr_array_add(scan->found->places, place);
    return;
  }
  scan->found->cut = TRUE;
  transfer_place_free(place);
}

/* Keys always; certificates where they are a person's: they may be those that a key here lacks. */
static void
look_at(Scan *scan, const char *path, GBytes *bytes)
{
  g_autoptr(KeyfileSight) sight = keyfile_look(bytes);
  if (!sight->format)
    return;
  g_autofree char *about = whose(sight->certificates);
  if (!sight->has_keys && !about)
    return;
  TransferPlace *place = g_new0(TransferPlace, 1);
  place->kind = TRANSFER_FILE;
  place->path = g_strdup(path);
  place->what = sight->format;
  place->has_keys = sight->has_keys;
  place->encrypted = sight->encrypted;
  place->about = g_steal_pointer(&about);
  add_place(scan, place);
}

static GBytes *
rest_of(int fd, const guint8 *start, gsize length, gsize size)
{
  g_autofree guint8 *bytes = g_malloc(size);
  memcpy(bytes, start, length);
  while (length < size) {
    ssize_t got = pread(fd, bytes + length, size - length, (off_t)length);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    length += (gsize)got;
  }
  return g_bytes_new_take(g_steal_pointer(&bytes), length);
}

static void
look_at_file(Scan *scan, int folder, const char *name, const char *path)
{
  struct stat info;
  guint8 start[SNIFF_SIZE];
  int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) {
    scan->found->n_unreadable += errno != ENOENT && errno != ELOOP;
    return;
  }
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= SMALLEST &&
      info.st_size <= KEYFILE_MAX) {
    ssize_t got = pread(fd, start, sizeof start, 0);
    if (got > 0 &&
        (looks_like_der(start, (gsize)got, info.st_size) || looks_like_pem(start, (gsize)got))) {
      g_autoptr(GBytes) bytes = rest_of(fd, start, (gsize)got, (gsize)info.st_size);
      look_at(scan, path, bytes);
      gsize length;
      gpointer data = (gpointer)(guintptr)g_bytes_get_data(bytes, &length);
      base_wipe(data, length); /* it may be a key in clear */
    }
    base_wipe(start, sizeof start);
  }
  close(fd);
}

/* ---- folders ---- */

static void
entry_clear(gpointer data)
{
  g_free(((Entry *)data)->name);
}

static unsigned char
type_of(int folder, const struct dirent *entry)
{
  struct stat info;
  if (entry->d_type != DT_UNKNOWN)
    return entry->d_type;
  if (fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
    return DT_UNKNOWN;
  return S_ISDIR(info.st_mode) ? DT_DIR : S_ISREG(info.st_mode) ? DT_REG : DT_UNKNOWN;
}

static GArray *
read_folder(Scan *scan, DIR *stream)
{
  GArray *entries = g_array_new(FALSE, FALSE, sizeof(Entry));
  g_array_set_clear_func(entries, entry_clear);
  struct dirent *next;
  while ((next = readdir(stream))) {
    if (g_str_equal(next->d_name, ".") || g_str_equal(next->d_name, ".."))
      continue;
    if (scan->n_entries >= TRANSFER_SCAN_ENTRIES) {
      scan->found->cut = TRUE;
      break;
    }
    scan->n_entries++;
    Entry entry = { NULL, type_of(dirfd(stream), next) };
    if (entry.type != DT_REG && entry.type != DT_DIR)
      continue;
    entry.name = g_strdup(next->d_name);
    g_array_append_val(entries, entry);
  }
  return entries;
}

static gboolean
has(const GArray *entries, const char *name, unsigned char type)
{
  for (guint i = 0; i < entries->len; i++) {
    const Entry *entry = &g_array_index(entries, Entry, i);
    if (entry->type == type && strcmp(entry->name, name) == 0)
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_maildir(const GArray *entries)
{
  return has(entries, "cur", DT_DIR) && has(entries, "new", DT_DIR) && has(entries, "tmp", DT_DIR);
}

/* What another program keeps here; its files are that program's business then. */
static TransferPlace *
program_place(const GArray *entries, const char *path)
{
  if (has(entries, "cert9.db", DT_REG) && has(entries, "key4.db", DT_REG))
    return transfer_place_nss(path);
  if (has(entries, "private-keys-v1.d", DT_DIR))
    return transfer_place_gpgsm(path);
  if (has(entries, "keys", DT_DIR) && has(entries, "certificates", DT_DIR))
    return transfer_place_smime_keys(path);
  return NULL;
}

static gboolean
is_skipped(const char *name, const TransferPlace *place)
{
  if (g_strv_contains(skipped_folders, name) || g_str_equal(name, "private-keys-v1.d"))
    return TRUE;
  return place && place->kind == TRANSFER_SMIME_KEYS &&
         (g_str_equal(name, "keys") || g_str_equal(name, "certificates"));
}

static void scan_folder(Scan *scan, int parent, const char *name, const char *path, guint depth);

static void
scan_entries(Scan *scan, DIR *stream, const GArray *entries, const char *path, guint depth)
{
  TransferPlace *place = program_place(entries, path);
  for (guint i = 0; i < entries->len; i++) {
    const Entry *entry = &g_array_index(entries, Entry, i);
    if (entry->type != DT_REG)
      continue;
    g_autofree char *full = g_build_filename(path, entry->name, NULL);
    look_at_file(scan, dirfd(stream), entry->name, full);
    if (++scan->found->n_files % PROGRESS_EVERY == 0 && scan->progress)
      scan->progress(scan->found->n_files, scan->user_data);
  }
  for (guint i = 0; i < entries->len; i++) {
    const Entry *entry = &g_array_index(entries, Entry, i);
    if (entry->type != DT_DIR || is_skipped(entry->name, place))
      continue;
    g_autofree char *full = g_build_filename(path, entry->name, NULL);
    scan_folder(scan, dirfd(stream), entry->name, full, depth + 1);
  }
  if (place)
    add_place(scan, place);
}

static void
scan_folder(Scan *scan, int parent, const char *name, const char *path, guint depth)
{
  if (depth > TRANSFER_SCAN_DEPTH || scan->n_entries >= TRANSFER_SCAN_ENTRIES) {
    scan->found->cut = TRUE;
    return;
  }
  struct stat info;
  int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (depth ? O_NOFOLLOW : 0);
  int fd = openat(parent, name, flags);
  DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
  if (!stream) {
    scan->found->n_unreadable++;
    if (fd >= 0)
      close(fd);
    return;
  }
  if (fstat(fd, &info) == 0 && (!depth || info.st_dev == scan->device)) {
    scan->device = info.st_dev;
    g_autoptr(GArray) entries = read_folder(scan, stream);
    if (!depth || !is_maildir(entries))
      scan_entries(scan, stream, entries, path, depth);
  }
  closedir(stream);
}

/* ---- all of it ---- */

int
transfer_place_compare(gconstpointer a, gconstpointer b)
{
  const TransferPlace *one = *(const TransferPlace *const *)a;
  const TransferPlace *other = *(const TransferPlace *const *)b;
  if (one->has_keys != other->has_keys)
    return one->has_keys ? -1 : 1;
  return strcmp(one->path, other->path);
}

/* Folders that were named may lie in one another. */
static void
sort_out(GPtrArray *places)
{
  g_ptr_array_sort(places, transfer_place_compare);
  for (guint i = places->len; i > 1; i--) {
    const TransferPlace *one = g_ptr_array_index(places, i - 2);
    const TransferPlace *next = g_ptr_array_index(places, i - 1);
    if (one->kind == next->kind && strcmp(one->path, next->path) == 0)
      g_ptr_array_remove_index(places, i - 1);
  }
}

TransferFound *
transfer_scan(const char *const *folders, TransferProgress progress, gpointer user_data,
              GError **error)
{
  g_autoptr(TransferFound) found = g_new0(TransferFound, 1);
  found->places = g_ptr_array_new_with_free_func(free_place);
  Scan scan = { .found = found, .progress = progress, .user_data = user_data };
  for (int i = 0; folders[i]; i++) {
    if (!g_file_test(folders[i], G_FILE_TEST_IS_DIR)) {
      base_error_set(error, SIGNET_ERROR_NOT_FOUND, "%s is no folder", folders[i]);
      return NULL;
    }
    g_autofree char *path = g_canonicalize_filename(folders[i], NULL);
    scan_folder(&scan, AT_FDCWD, path, path, 0);
  }
  sort_out(found->places);
  return g_steal_pointer(&found);
}

void
transfer_found_add_usual(TransferFound *found)
{
  static const char *const programs[] = { "thunderbird", "evolution", "gpgsm", "smime_keys" };
  for (gsize i = 0; i < G_N_ELEMENTS(programs); i++) {
    g_autoptr(GPtrArray) places = transfer_find(programs[i], NULL, NULL);
    while (places && places->len)
      g_ptr_array_add(found->places, g_ptr_array_steal_index(places, 0));
  }
  sort_out(found->places);
}
