/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/files.h"

#include "base/path.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "crls"
#define PEM_MAX (4 * 1024 * 1024) /* held in memory; larger ones are DER */

static void
add_path(GPtrArray *files, const char *path)
{
  struct stat info;
  const char *name;
  if (!g_path_is_absolute(path) || stat(path, &info) != 0 || files->len >= TRUST_CRL_FILES_MAX)
    return;
  if (S_ISREG(info.st_mode))
    g_ptr_array_add(files, g_strdup(path));
  GDir *dir = S_ISDIR(info.st_mode) ? g_dir_open(path, 0, NULL) : NULL;
  while (dir && (name = g_dir_read_name(dir)) && files->len < TRUST_CRL_FILES_MAX) {
    g_autofree char *file = g_build_filename(path, name, NULL);
    if (*name != '.' && g_file_test(file, G_FILE_TEST_IS_REGULAR))
      g_ptr_array_add(files, g_steal_pointer(&file));
  }
  if (dir)
    g_dir_close(dir);
}

GPtrArray *
trust_crl_files(const TrustNetwork *network)
{
  GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *own = base_path_config();
  g_autofree char *user = g_build_filename(own, FOLDER, NULL);
  g_autofree char *system = g_build_filename(base_path_system_config(), FOLDER, NULL);
  add_path(files, user);
  add_path(files, system);
  for (char **path = network->crl_files; path && *path; path++)
    add_path(files, *path);
  return files;
}

static GBytes *
read_pem(int fd, const char *path)
{
  g_autoptr(GBytes) text = base_path_read_fd(fd, path, PEM_MAX, NULL);
  gsize size;
  gconstpointer bytes = text ? g_bytes_get_data(text, &size) : NULL;
  BIO *bio = bytes ? BIO_new_mem_buf(bytes, (int)size) : NULL;
  char *name = NULL;
  guint8 *der = NULL;
  long length = 0;
  GBytes *found = NULL;
  if (bio && PEM_bytes_read_bio(&der, &length, &name, PEM_STRING_X509_CRL, bio, NULL, NULL) == 1)
    found = g_bytes_new(der, (gsize)length);
  OPENSSL_free(der);
  OPENSSL_free(name);
  BIO_free(bio);
  ERR_clear_error();
  return found;
}

TrustCrlFile *
trust_crl_file_open(const char *path)
{
  struct stat info;
  char first = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return NULL;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || pread(fd, &first, 1, 0) != 1) {
    close(fd);
    return NULL;
  }
  TrustCrlFile *file = g_new0(TrustCrlFile, 1);
  file->source = (TrustCrlSource){ .fd = fd, .length = info.st_size };
  if (first == 0x30)
    return file;
  file->bytes = read_pem(fd, path);
  close(fd);
  gsize length = 0;
  file->source.fd = -1;
  file->source.bytes = file->bytes ? g_bytes_get_data(file->bytes, &length) : (const guint8 *)"";
  file->source.length = (goffset)length;
  return file;
}

void
trust_crl_file_close(TrustCrlFile *file)
{
  if (file->source.fd >= 0)
    close(file->source.fd);
  g_clear_pointer(&file->bytes, g_bytes_unref);
}
