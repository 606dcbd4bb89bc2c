/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/place.h"

#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PREFIX "signet-sandbox."
#define RANDOM_LENGTH 6
#define GOING "~" /* it is being removed */
#define LOCK "lock"
#define KEPT "kept"
/* A socket's path has 107 bytes (unix(7)). Ours takes 45 beyond the base; GnuPG's, below the
 * private home, some more. */
#define BASE_MAX 50
#define UNFINISHED_S 60 /* a folder without a lock may be one that is being made */
#define TRIES 10
#define DEPTH_MAX 200

void
sandbox_place_free(SandboxPlace *place)
{
  if (!place)
    return;
  if (place->lock >= 0)
    close(place->lock);
  g_free(place->path);
  g_free(place);
}

char *
sandbox_place_path(const SandboxPlace *place, const char *below)
{
  return g_build_filename(place->path, below, NULL);
}

/* ---- making ---- */

static gboolean
is_usable(const char *base, gboolean must_be_ours)
{
  struct stat info;
  return base && g_path_is_absolute(base) && strlen(base) <= BASE_MAX && stat(base, &info) == 0 &&
         S_ISDIR(info.st_mode) && access(base, W_OK | X_OK) == 0 &&
         (!must_be_ours || info.st_uid == getuid());
}

/* A container has no XDG_RUNTIME_DIR, and after su it is another person's. */
static const char *
choose_base(void)
{
  const char *runtime = g_getenv("XDG_RUNTIME_DIR");
  const char *temporary = g_getenv("TMPDIR");
  if (is_usable(runtime, TRUE))
    return runtime;
  return is_usable(temporary, FALSE) ? temporary : "/tmp";
}

/* Somebody's sweep may take the lock, or the folder, in the moment before it is locked. */
static int
lock_new(const char *folder)
{
  struct stat info;
  g_autofree char *path = g_build_filename(folder, LOCK, NULL);
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &info) == 0 && info.st_nlink == 1)
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

SandboxPlace *
sandbox_place_new(GError **error)
{
  const char *base = choose_base();
  for (int i = 0; i < TRIES; i++) {
    g_autofree char *path = g_build_filename(base, PREFIX "XXXXXX", NULL);
    if (!g_mkdtemp_full(path, 0700))
      break;
    int lock = lock_new(path);
    if (lock >= 0) {
      SandboxPlace *place = g_new0(SandboxPlace, 1);
      place->path = g_steal_pointer(&path);
      place->lock = lock;
      return place;
    }
  }
  base_error_set_errno(error, errno, "cannot make a folder for the sandbox in %s", base);
  return NULL;
}

/* ---- removing ---- */

static gboolean empty_folder(int folder, int depth);

/* What is mounted inside (a desktop's gvfs and document portal below XDG_RUNTIME_DIR, a share) is not
 * the sandbox's. A kernel before 5.6 cannot tell a bind mount of the same file system. */
static int
open_inner(int folder, const char *name)
{
  struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                          .resolve = RESOLVE_NO_XDEV };
  struct stat outer_info, inner_info;
  int inner = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
  if (inner >= 0 || (errno != ENOSYS && errno != EPERM))
    return inner;
  inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (inner < 0 || (fstat(folder, &outer_info) == 0 && fstat(inner, &inner_info) == 0 &&
                    outer_info.st_dev == inner_info.st_dev))
    return inner;
  close(inner);
  errno = EXDEV;
  return -1;
}

/* A test may have left a folder that even its owner cannot write to. */
static gboolean
remove_below(int folder, const char *name, int depth)
{
  if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
    return TRUE;
  int inner = open_inner(folder, name);
  if (inner < 0 && errno == EACCES && fchmodat(folder, name, 0700, 0) == 0)
    inner = open_inner(folder, name);
  if (inner < 0)
    return FALSE;
  gboolean emptied = depth < DEPTH_MAX && empty_folder(inner, depth + 1);
  close(inner);
  return unlinkat(folder, name, AT_REMOVEDIR) == 0 && emptied;
}

static gboolean
empty_folder(int folder, int depth)
{
  gboolean all = TRUE;
  struct stat info;
  if (fstat(folder, &info) == 0 && (info.st_mode & 0700) != 0700)
    fchmod(folder, 0700);
  int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = again >= 0 ? fdopendir(again) : NULL;
  if (!dir) {
    if (again >= 0)
      close(again);
    return FALSE;
  }
  for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      all = remove_below(folder, entry->d_name, depth) && all;
  closedir(dir);
  return all;
}

gboolean
sandbox_empty_folder(int folder)
{
  return empty_folder(folder, 0);
}

static void
mark_kept(int folder)
{
  int fd = openat(folder, KEPT, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0)
    close(fd);
}

gboolean
sandbox_place_clear(const char *path, gboolean keep)
{
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0)
    return errno == ENOENT;
  if (keep)
    mark_kept(folder);
  sandbox_end_daemon(folder);
  if (keep) {
    close(folder);
    return TRUE;
  }
  /* Under another name nobody finds it and starts a daemon in it; one that did just before is
   * found by the open folder. */
  g_autofree char *away = g_strconcat(path, GOING, NULL);
  const char *now = rename(path, away) == 0 ? away : path;
  sandbox_end_daemon(folder);
  gboolean emptied = sandbox_empty_folder(folder);
  if (!emptied) /* what still ran may have written meanwhile */
    emptied = sandbox_empty_folder(folder);
  close(folder);
  return rmdir(now) == 0 && emptied;
}

/* ---- those that nobody owns ---- */

static gboolean
is_old(const struct stat *info)
{
  return g_get_real_time() / G_USEC_PER_SEC - info->st_mtime > UNFINISHED_S;
}

/* As g_mkdtemp() and sandbox_place_clear() name them; others of that prefix are somebody's. */
static gboolean
is_our_name(const char *name)
{
  if (!g_str_has_prefix(name, PREFIX))
    return FALSE;
  const char *random = name + strlen(PREFIX);
  gsize length = 0;
  while (g_ascii_isalnum(random[length]))
    length++;
  return length == RANDOM_LENGTH && (!random[length] || strcmp(random + length, GOING) == 0);
}

static gboolean
is_empty(int folder)
{
  int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = again >= 0 ? fdopendir(again) : NULL;
  gboolean empty = dir != NULL;
  if (!dir && again >= 0)
    close(again);
  for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
    empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
  if (dir)
    closedir(dir);
  return empty;
}

/* Who has the lock may clear the folder; a new sandbox makes its own. Without one it was broken off
 * as it was made, and is empty, or as it was removed. */
static gboolean
take_stale(int folder, const char *name, const struct stat *info, int *ret_lock)
{
  *ret_lock = -1;
  if (faccessat(folder, KEPT, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    return FALSE;
  int lock = openat(folder, LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (lock < 0)
    return errno == ENOENT && is_old(info) && (g_str_has_suffix(name, GOING) || is_empty(folder));
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
    *ret_lock = lock;
    return TRUE;
  }
  close(lock);
  return FALSE;
}

static void
sweep_one(const char *base, const char *name)
{
  struct stat info;
  int lock = -1;
  g_autofree char *path = g_build_filename(base, name, NULL);
  int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (folder < 0)
    return;
  if (fstat(folder, &info) == 0 && info.st_uid == getuid() && (info.st_mode & 0777) == 0700 &&
      take_stale(folder, name, &info, &lock))
    sandbox_place_clear(path, FALSE);
  if (lock >= 0)
    close(lock);
  close(folder);
}

void
sandbox_place_sweep(const char *path)
{
  g_autofree char *base = g_path_get_dirname(path);
  g_autofree char *own = g_path_get_basename(path);
  g_autoptr(GDir) dir = g_dir_open(base, 0, NULL);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir))
    if (is_our_name(name) && strcmp(name, own) != 0)
      g_ptr_array_add(names, g_strdup(name));
  for (guint i = 0; i < names->len; i++)
    sweep_one(base, names->pdata[i]);
}
