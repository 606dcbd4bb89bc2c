/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "keyfile/keyfile.h"
#include "transfer/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_SIZE 4096
#define SHRED_BLOCK 65536

static void
wipe_array(gpointer data)
{
  GByteArray *bytes = data;
  base_wipe(bytes->data, bytes->len);
  g_byte_array_unref(bytes);
}

/* Grown by copying and wiping, not by realloc(), which leaves what it moved away from as it is. */
static GByteArray *
grown(GByteArray *bytes)
{
  GByteArray *larger = g_byte_array_sized_new(bytes->len * 2);
  g_byte_array_append(larger, bytes->data, bytes->len);
  wipe_array(bytes);
  return larger;
}

static GByteArray *
read_all(int fd, const char *name, GError **error)
{
  GByteArray *bytes = g_byte_array_sized_new(FIRST_SIZE);
  guint size = FIRST_SIZE;
  for (;;) {
    if (bytes->len == size) {
      bytes = grown(bytes);
      size *= 2;
    }
    guint length = bytes->len;
    g_byte_array_set_size(bytes, size); /* there is room: nothing moves */
    ssize_t got = read(fd, bytes->data + length, size - length);
    int saved = errno;
    g_byte_array_set_size(bytes, length + (guint)MAX(got, 0));
    if (got == 0)
      return bytes;
    if (got < 0 && saved == EINTR)
      continue;
    if (got < 0)
      base_error_set_errno(error, saved, "cannot read %s", name);
    else if (bytes->len > KEYFILE_MAX)
      base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s: more than %d MiB, the limit of a key file",
                     name, KEYFILE_MAX / (1024 * 1024));
    else
      continue;
    wipe_array(bytes);
    return NULL;
  }
}

TransferSource *
transfer_source_bytes(const char *name, GByteArray *bytes)
{
  TransferSource *source = g_new0(TransferSource, 1);
  source->name = g_strdup(name);
  source->bytes = g_bytes_new_with_free_func(bytes->data, bytes->len, wipe_array, bytes);
  return source;
}

static gboolean
open_file(const char *path, int *ret_fd, struct stat *info, GError **error)
{
  /* A pipe that nobody writes must not hang it. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0)
    return base_error_set_errno(error, errno, "cannot read %s", path);
  if (fstat(fd, info) != 0 || S_ISDIR(info->st_mode)) {
    close(fd);
    base_error_set(error, SIGNET_ERROR_USAGE,
                   "%s is a folder; look for IDs in it with --scan, or name a file", path);
    base_error_suggest(error, "signet", "import", "--scan", path, NULL);
    return FALSE;
  }
  if (!S_ISREG(info->st_mode))
    fcntl(fd, F_SETFL, 0);
  *ret_fd = fd;
  return TRUE;
}

TransferSource *
transfer_source_file(const char *path, GError **error)
{
  gboolean is_stdin = strcmp(path, "-") == 0;
  const char *name = is_stdin ? "standard input" : path;
  struct stat info = { 0 };
  int fd = STDIN_FILENO;
  if (!is_stdin && !open_file(path, &fd, &info, error))
    return NULL;
  GByteArray *bytes = read_all(fd, name, error);
  if (!is_stdin)
    close(fd);
  if (!bytes)
    return NULL;
  TransferSource *source = transfer_source_bytes(name, bytes);
  if (!is_stdin) {
    source->path = g_strdup(path);
    source->device = info.st_dev;
    source->inode = info.st_ino;
  }
  return source;
}

TransferSource *
transfer_source_nss(const char *folder)
{
  TransferSource *source = g_new0(TransferSource, 1);
  source->name = g_strdup(folder);
  source->folder = g_strdup(folder);
  return source;
}

void
transfer_source_free(TransferSource *source)
{
  if (!source)
    return;
  g_free(source->name);
  g_free(source->path);
  g_free(source->folder);
  g_clear_pointer(&source->bytes, g_bytes_unref);
  g_clear_pointer(&source->certificates, g_ptr_array_unref);
  base_secret_free(source->passphrase);
  g_free(source);
}

/* ---- shredding ---- */

static gboolean
check_ours(const TransferSource *source, const struct stat *info, GError **error)
{
  const char *path = source->path;
  if (!S_ISREG(info->st_mode) || info->st_dev != source->device || info->st_ino != source->inode)
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "%s is not the file any more that was imported; it is left alone", path);
  if (info->st_nlink != 1)
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "%s has %lu more names (hard links); it is left alone", path,
                          (unsigned long)info->st_nlink - 1);
  if (info->st_uid != geteuid())
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "%s belongs to somebody else; it is left alone", path);
  return TRUE;
}

/* A program may have written something else into it, by the same name, since it was read. */
static gboolean
check_same(const TransferSource *source, int fd, GError **error)
{
  gsize length = 0;
  const guint8 *bytes = g_bytes_get_data(source->bytes, &length);
  g_autofree guint8 *block = g_malloc(SHRED_BLOCK);
  gsize at = 0;
  ssize_t got = 0;
  while ((got = pread(fd, block, SHRED_BLOCK, (off_t)at)) > 0 || (got < 0 && errno == EINTR)) {
    if (got < 0)
      continue;
    if ((gsize)got > length - at || memcmp(block, bytes + at, (gsize)got) != 0)
      break;
    at += (gsize)got;
  }
  base_wipe(block, SHRED_BLOCK);
  return (got == 0 && at == length) ||
         base_error_set(error, SIGNET_ERROR_REFUSED,
                        "%s was changed since it was imported; it is left alone", source->path);
}

static gboolean
is_still_named(const TransferSource *source)
{
  struct stat info;
  return lstat(source->path, &info) == 0 && info.st_dev == source->device &&
         info.st_ino == source->inode;
}

static gboolean
overwrite(int fd, const char *path, off_t length, GError **error)
{
  g_autofree guint8 *noise = g_malloc(SHRED_BLOCK);
  for (off_t at = 0; at < length;) {
    gsize part = (gsize)MIN((off_t)SHRED_BLOCK, length - at);
    if (RAND_bytes(noise, (int)part) != 1)
      return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "cannot overwrite %s", path);
    ssize_t done = pwrite(fd, noise, part, at);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return base_error_set_errno(error, errno, "cannot overwrite %s", path);
    at += done;
  }
  if (fsync(fd) != 0)
    return base_error_set_errno(error, errno, "cannot overwrite %s", path);
  return TRUE;
}

static gboolean
shred_open(const TransferSource *source, int fd, GError **error)
{
  struct stat info;
  if (fstat(fd, &info) != 0)
    return base_error_set_errno(error, errno, "cannot look at %s", source->path);
  if (!check_ours(source, &info, error) || !check_same(source, fd, error) ||
      !overwrite(fd, source->path, info.st_size, error))
    return FALSE;
  if (!is_still_named(source))
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "%s was overwritten; another file has its name now, and stays",
                          source->path);
  if (ftruncate(fd, 0) != 0 || fsync(fd) != 0 || unlink(source->path) != 0)
    return base_error_set_errno(error, errno, "%s was overwritten, but cannot be removed",
                                source->path);
  return TRUE;
}

gboolean
transfer_shred(const TransferSource *source, GError **error)
{
  if (!source->path)
    return base_error_set(error, SIGNET_ERROR_USAGE, "%s is no file that could be removed",
                          source->name);
  int fd = open(source->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 && errno == ELOOP)
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "%s is a link; what it points to is left alone", source->path);
  if (fd < 0)
    return base_error_set_errno(error, errno, "cannot write %s", source->path);
  gboolean shredded = shred_open(source, fd, error);
  close(fd);
  return shredded;
}
