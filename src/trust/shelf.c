/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/shelf.h"

#include "base/path.h"
#include "base/text.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "trust"
#define SILENT "silent"
#define WHY_MAX 300

static char *
folder(void)
{
  g_autofree char *cache = base_path_cache();
  return g_build_filename(cache, FOLDER, NULL);
}

char *
trust_shelf_path(const char *kind, const char *asked)
{
  g_autofree char *in = folder();
  g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, asked, -1);
  g_autofree char *name = g_strdup_printf("%s.%s", hash, kind);
  return g_build_filename(in, name, NULL);
}

gint64
trust_shelf_age(const char *path)
{
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
    return -1;
  /* A clock that was set back must not keep it for ever. */
  gint64 age = (gint64)time(NULL) - info.st_mtime;
  return age < 0 ? G_MAXINT64 : age;
}

GBytes *
trust_shelf_read(const char *path, gsize max)
{
  return trust_shelf_age(path) < 0 ? NULL : base_path_read(path, max, NULL);
}

/* ---- room ---- */

typedef struct {
  char *path;
  goffset size;
  gint64 used;
} Item;

static void
item_free(gpointer data)
{
  g_free(((Item *)data)->path);
  g_free(data);
}

static int
oldest_first(gconstpointer a, gconstpointer b)
{
  const Item *one = *(const Item *const *)a, *other = *(const Item *const *)b;
  return (one->used > other->used) - (one->used < other->used);
}

static GPtrArray *
list(const char *in, goffset *ret_total)
{
  GPtrArray *items = g_ptr_array_new_with_free_func(item_free);
  GDir *dir = g_dir_open(in, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name(dir))) {
    struct stat info;
    g_autofree char *path = g_build_filename(in, name, NULL);
    if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode))
      continue;
    Item *item = g_new0(Item, 1);
    *item = (Item){ g_steal_pointer(&path), info.st_size, info.st_mtime };
    *ret_total += info.st_size;
    g_ptr_array_add(items, item);
  }
  if (dir)
    g_dir_close(dir);
  return items;
}

/* To three quarters, so that it is not done with every file. What somebody has open stays readable to them. */
static void
make_room(const char *in)
{
  goffset total = 0;
  g_autoptr(GPtrArray) items = list(in, &total);
  if (total <= TRUST_SHELF_MAX && items->len <= TRUST_SHELF_FILES_MAX)
    return;
  guint left = items->len;
  g_ptr_array_sort(items, oldest_first);
  for (guint i = 0;
       i < items->len && (total > TRUST_SHELF_MAX / 4 * 3 || left > TRUST_SHELF_FILES_MAX / 4 * 3);
       i++, left--) {
    const Item *item = g_ptr_array_index(items, i);
    unlink(item->path);
    total -= item->size;
  }
}

BaseDraft *
trust_shelf_draft(const char *path)
{
  g_autofree char *in = folder();
  if (!base_path_make_folder(in, NULL))
    return NULL;
  make_room(in);
  return base_draft_new(path, NULL);
}

void
trust_shelf_write(const char *path, GBytes *bytes)
{
  gsize length;
  gconstpointer data = g_bytes_get_data(bytes, &length);
  g_autoptr(BaseDraft) draft = trust_shelf_draft(path);
  if (draft && base_path_write_fd(base_draft_fd(draft), path, data, length, NULL))
    base_draft_commit(draft, 0600, NULL);
}

/* ---- who is silent ---- */

void
trust_shelf_note_silent(const char *whom, const char *why)
{
  g_autofree char *path = trust_shelf_path(SILENT, whom);
  g_autoptr(GBytes) bytes = g_bytes_new(why, MIN(strlen(why), WHY_MAX));
  trust_shelf_write(path, bytes);
}

char *
trust_shelf_silent(const char *whom)
{
  g_autofree char *path = trust_shelf_path(SILENT, whom);
  gint64 age = trust_shelf_age(path);
  g_autoptr(GBytes) bytes =
      age >= 0 && age < TRUST_SHELF_SILENT_S ? trust_shelf_read(path, WHY_MAX) : NULL;
  if (!bytes)
    return NULL;
  gsize length;
  const char *text = g_bytes_get_data(bytes, &length);
  g_autofree char *copy = g_strndup(length ? text : "", length);
  return base_text_shown(copy, -1);
}
