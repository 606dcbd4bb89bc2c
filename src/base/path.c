/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/path.h"

#include "base/draft.h"
#include "base/error.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_CHUNK (64 * 1024)
#define READ_MAX ((gsize)1 << 30) /* a GByteArray counts in 32 bits */

/* GLib takes any HOME and XDG_… as they are; a relative or empty one (the XDG base directory
 * specification: to be ignored) would put tokens and settings wherever a program was started.
 * The account's own folder is used then. GLib caches what it read at first use. */
static char *
own_folder(const char *xdg, const char *below_home)
{
  if (g_path_is_absolute(xdg))
    return g_build_filename(xdg, "signet", NULL);
  const struct passwd *account = getpwuid(getuid());
  const char *home = account && g_path_is_absolute(account->pw_dir) ? account->pw_dir : "/";
  return g_build_filename(home, below_home, "signet", NULL);
}

char *
base_path_data(void)
{
  return own_folder(g_get_user_data_dir(), ".local/share");
}

char *
base_path_state(void)
{
  return own_folder(g_get_user_state_dir(), ".local/state");
}

char *
base_path_config(void)
{
  return own_folder(g_get_user_config_dir(), ".config");
}

char *
base_path_cache(void)
{
  return own_folder(g_get_user_cache_dir(), ".cache");
}

const char *
base_path_system_config(void)
{
  return SIGNET_SYSCONFDIR;
}

/* Of the library's file where this code is in libsignet: what stands beside a mail program, or in
 * the folder it was started from, is not ours to run. */
static char *
folder_of_this_code(void)
{
  Dl_info info = { NULL, NULL, NULL, NULL };
  char path[4096];
  /* A function's address is no object pointer in ISO C. */
  if (dladdr((const void *)(guintptr)base_path_data, &info) != 0 && info.dli_fname) {
    g_autofree char *name = g_path_get_basename(info.dli_fname);
    if (g_str_has_prefix(name, "libsignet."))
      return realpath(info.dli_fname, path) ? g_path_get_dirname(path) : NULL;
  }
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0)
    return NULL;
  path[length] = '\0';
  return g_path_get_dirname(path);
}

/* (nullable) The prefix we are installed under now; a tree may have been moved since it was built. */
static char *
prefix_of(const char *here)
{
  static const char *const places[] = { "/" SIGNET_LIBEXEC_BELOW, "/" SIGNET_BIN_BELOW,
                                        "/" SIGNET_LIB_BELOW };
  for (gsize i = 0; here && i < G_N_ELEMENTS(places); i++)
    if (g_str_has_suffix(here, places[i]))
      return g_strndup(here, strlen(here) - strlen(places[i]));
  return NULL;
}

static char *
existing(const char *folder, const char *below, const char *name)
{
  g_autofree char *path = folder ? g_build_filename(folder, below, name, NULL) : NULL;
  return path && g_file_test(path, G_FILE_TEST_EXISTS) ? g_steal_pointer(&path) : NULL;
}

char *
base_path_installed(const char *name)
{
  g_autofree char *here = folder_of_this_code();
  g_autofree char *prefix = prefix_of(here);
  char *path = existing(here, "share", name);
  if (!path)
    path = existing(prefix, SIGNET_DATA_BELOW, name);
  return path ? path : g_build_filename(SIGNET_DATADIR, name, NULL);
}

char *
base_path_program(const char *name, GError **error)
{
  g_autofree char *here = folder_of_this_code();
  g_autofree char *prefix = prefix_of(here);
  const struct {
    const char *folder;
    const char *below;
  } places[] = { { here, "" },
                 { prefix, SIGNET_BIN_BELOW },
                 { prefix, SIGNET_LIBEXEC_BELOW },
                 { SIGNET_BINDIR, "" },
                 { SIGNET_LIBEXECDIR, "" } };
  for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
    g_autofree char *path = existing(places[i].folder, places[i].below, name);
    if (path && g_file_test(path, G_FILE_TEST_IS_REGULAR) && access(path, X_OK) == 0)
      return g_steal_pointer(&path);
  }
  base_error_set(error, SIGNET_ERROR_NO_DAEMON,
                 "cannot find the program %s beside this one or in %s", name, SIGNET_BINDIR);
  return NULL;
}

gboolean
base_path_make_folder(const char *path, GError **error)
{
  if (g_mkdir_with_parents(path, 0700) != 0)
    return base_error_set_errno(error, errno, "cannot make the folder %s", path);
  return TRUE;
}

static gboolean
folder_is_ours(const char *path)
{
  struct stat info;
  return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == getuid();
}

/* After su or sudo the variable may still name another person's folder. One that is not there
 * at all is made: it was named for us. */
static gboolean
runtime_is_usable(const char *runtime)
{
  struct stat info;
  return runtime && g_path_is_absolute(runtime) &&
         (stat(runtime, &info) != 0 || info.st_uid == getuid());
}

static char *
socket_folder(void)
{
  const char *runtime = g_getenv("XDG_RUNTIME_DIR");
  if (runtime_is_usable(runtime))
    return g_build_filename(runtime, "signet", NULL);
  g_autofree char *run_user = g_strdup_printf("/run/user/%u", (unsigned)getuid());
  if (folder_is_ours(run_user))
    return g_build_filename(run_user, "signet", NULL);
  g_autofree char *state = base_path_state();
  return g_build_filename(state, "run", NULL);
}

char *
base_path_socket(GError **error)
{
  g_autofree char *path = NULL;
  const char *chosen = g_getenv("SIGNET_SOCKET");

  if (chosen && *chosen) {
    path = g_strdup(chosen);
  } else {
    g_autofree char *folder = socket_folder();
    if (!base_path_make_folder(folder, error))
      return NULL;
    if (!folder_is_ours(folder) || chmod(folder, 0700) != 0) {
      base_error_set(error, SIGNET_ERROR_DENIED, "the socket's folder %s does not belong to you",
                     folder);
      return NULL;
    }
    path = g_build_filename(folder, "socket", NULL);
  }
  if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
    base_error_set(
        error, SIGNET_ERROR_USAGE,
        "the socket's path is %zu bytes, a socket takes at most %zu: %s; set SIGNET_SOCKET to a shorter one",
        strlen(path), sizeof((struct sockaddr_un *)NULL)->sun_path - 1, path);
    return NULL;
  }
  return g_steal_pointer(&path);
}

static gboolean
wait_for(int fd, short what)
{
  struct pollfd ready = { fd, what, 0 };
  return poll(&ready, 1, -1) > 0 || errno == EINTR;
}

static gboolean
write_all(int fd, const guint8 *bytes, gsize length)
{
  while (length) {
    ssize_t done = write(fd, bytes, length);
    if (done < 0 && (errno == EINTR || (errno == EAGAIN && wait_for(fd, POLLOUT))))
      continue;
    if (done < 0)
      return FALSE;
    bytes += done;
    length -= (gsize)done;
  }
  return TRUE;
}

gboolean
base_path_write_fd(int fd, const char *name, gconstpointer bytes, gsize length, GError **error)
{
  if (!write_all(fd, bytes, length))
    return base_error_set_errno(error, errno, "cannot write to %s", name);
  return TRUE;
}

gboolean
base_path_write(const char *path, gconstpointer bytes, gsize length, mode_t mode, GError **error)
{
  g_autoptr(BaseDraft) draft = base_draft_new(path, error);
  return draft && base_path_write_fd(base_draft_fd(draft), path, bytes, length, error) &&
         base_draft_commit(draft, mode, error);
}

ssize_t
base_path_read_some(int fd, gpointer buffer, gsize size)
{
  for (;;) {
    ssize_t got = read(fd, buffer, size);
    if (got >= 0 || (errno != EINTR && (errno != EAGAIN || !wait_for(fd, POLLIN))))
      return got;
  }
}

GBytes *
base_path_read_fd(int fd, const char *name, gsize max, GError **error)
{
  g_autoptr(GByteArray) all = g_byte_array_new();
  for (;;) {
    guint have = all->len;
    g_byte_array_set_size(all, have + READ_CHUNK);
    ssize_t got = base_path_read_some(fd, all->data + have, READ_CHUNK);
    if (got < 0) {
      base_error_set_errno(error, errno, "cannot read %s", name);
      return NULL;
    }
    g_byte_array_set_size(all, have + (guint)got);
    if (got == 0)
      break;
    if (all->len > MIN(max, READ_MAX)) {
      base_error_set(error, SIGNET_ERROR_TOO_LARGE, "%s is larger than %zu bytes", name,
                     MIN(max, READ_MAX));
      return NULL;
    }
  }
  return g_byte_array_free_to_bytes(g_steal_pointer(&all));
}

GBytes *
base_path_read(const char *path, gsize max, GError **error)
{
  if (strcmp(path, "-") == 0)
    return base_path_read_fd(STDIN_FILENO, "standard input", max, error);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    base_error_set_errno(error, errno, "cannot open %s", path);
    return NULL;
  }
  GBytes *bytes = base_path_read_fd(fd, path, max, error);
  close(fd);
  return bytes;
}
