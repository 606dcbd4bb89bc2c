/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/draft.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_TRIES 100

struct BaseDraft {
  char *path;
  char *temporary; /* its name now; NULL: none */
  int fd;
};

/* -1 where the file system, or a system without /proc, cannot give it a name later. */
static int
open_nameless(const char *path)
{
  g_autofree char *folder = g_path_get_dirname(path);
  int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1;
  g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
  if (access(link, F_OK) == 0)
    return fd;
  close(fd);
  return -1;
}

BaseDraft *
base_draft_new(const char *path, GError **error)
{
  g_autofree char *temporary = NULL;
  int fd = open_nameless(path);
  if (fd < 0) {
    temporary = g_strdup_printf("%s.XXXXXX", path);
    fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0600);
  }
  if (fd < 0) {
    base_error_set_errno(error, errno, "cannot write %s", path);
    return NULL;
  }
  BaseDraft *draft = g_new0(BaseDraft, 1);
  draft->path = g_strdup(path);
  draft->temporary = g_steal_pointer(&temporary);
  draft->fd = fd;
  return draft;
}

int
base_draft_fd(const BaseDraft *draft)
{
  return draft->fd;
}

/* linkat() cannot replace a file, rename() can: the file gets a temporary name for that moment. */
static gboolean
give_name(BaseDraft *draft)
{
  g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", draft->fd);
  for (guint i = 0; i < NAME_TRIES && !draft->temporary; i++) {
    g_autofree char *name = g_strdup_printf("%s.%06x", draft->path, g_random_int() & 0xffffff);
    if (linkat(AT_FDCWD, link, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0)
      draft->temporary = g_steal_pointer(&name);
    else if (errno != EEXIST)
      return FALSE;
  }
  return draft->temporary != NULL;
}

static gboolean
close_fd(BaseDraft *draft)
{
  int fd = draft->fd;
  draft->fd = -1;
  return close(fd) == 0;
}

/* The rename itself is only durable once its folder is on disk. */
static void
sync_folder(const char *path)
{
  g_autofree char *folder = g_path_get_dirname(path);
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return;
  fsync(fd);
  close(fd);
}

gboolean
base_draft_commit(BaseDraft *draft, mode_t mode, GError **error)
{
  if (fchmod(draft->fd, mode) != 0 || fsync(draft->fd) != 0 ||
      (!draft->temporary && !give_name(draft)) || !close_fd(draft) ||
      rename(draft->temporary, draft->path) != 0)
    return base_error_set_errno(error, errno, "cannot write %s", draft->path);
  g_clear_pointer(&draft->temporary, g_free);
  sync_folder(draft->path);
  return TRUE;
}

void
base_draft_free(BaseDraft *draft)
{
  if (!draft)
    return;
  if (draft->temporary)
    unlink(draft->temporary);
  if (draft->fd >= 0)
    close(draft->fd);
  g_free(draft->temporary);
  g_free(draft->path);
  g_free(draft);
}

int
base_draft_nameless(char **ret_called, GError **error)
{
  const char *chosen = g_getenv("TMPDIR");
  const char *folder = chosen && g_path_is_absolute(chosen) ? chosen : "/tmp";
  /* O_EXCL: nobody gives it a name, not even through /proc (open(2)). */
  int fd = open(folder, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    g_autofree char *name = g_build_filename(folder, "signet-XXXXXX", NULL);
    fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
      unlink(name);
  }
  if (fd < 0)
    base_error_set_errno(error, errno, "cannot make a temporary file in %s ($TMPDIR)", folder);
  else
    *ret_called = g_strdup_printf("a temporary file in %s ($TMPDIR)", folder);
  return fd;
}
