/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox/place.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

typedef struct {
  char *base;
} World;

static void
set_up(World *world, gconstpointer unused G_GNUC_UNUSED)
{
  world->base = g_strdup("/tmp/sbx-XXXXXX"); /* short enough to be a base */
  g_assert_nonnull(g_mkdtemp(world->base));
  g_setenv("XDG_RUNTIME_DIR", world->base, TRUE);
}

static void
tear_down(World *world, gconstpointer unused G_GNUC_UNUSED)
{
  g_assert_cmpint(g_rmdir(world->base), ==, 0); /* and so each test left nothing there */
  g_free(world->base);
}

static SandboxPlace *
make_place(void)
{
  g_autoptr(GError) error = NULL;
  SandboxPlace *place = sandbox_place_new(&error);
  g_assert_no_error(error);
  return place;
}

static gboolean
exists(const char *path)
{
  return access(path, F_OK) == 0;
}

static void
test_private(World *world, gconstpointer unused G_GNUC_UNUSED)
{
  struct stat info;
  g_autoptr(SandboxPlace) place = make_place();
  g_assert_true(g_str_has_prefix(place->path, world->base));
  g_assert_cmpint(stat(place->path, &info), ==, 0);
  g_assert_cmpint(info.st_mode & 0777, ==, 0700);
  g_assert_true(fcntl(place->lock, F_GETFD) & FD_CLOEXEC);
  g_assert_true(sandbox_place_clear(place->path, FALSE));
  g_assert_false(exists(place->path));
  g_assert_true(sandbox_place_clear(place->path, FALSE)); /* gone is gone */
}

static void
test_owned(World *world G_GNUC_UNUSED, gconstpointer unused G_GNUC_UNUSED)
{
  g_autoptr(SandboxPlace) first = make_place();
  g_autoptr(SandboxPlace) second = make_place();
  sandbox_place_sweep(second->path);
  g_assert_true(exists(first->path));
  close(first->lock);
  first->lock = -1;
  sandbox_place_sweep(second->path);
  g_assert_false(exists(first->path));
  g_assert_true(exists(second->path));
  g_assert_true(sandbox_place_clear(second->path, FALSE));
}

static void
test_kept(World *world G_GNUC_UNUSED, gconstpointer unused G_GNUC_UNUSED)
{
  g_autoptr(SandboxPlace) kept = make_place();
  g_autoptr(SandboxPlace) other = make_place();
  g_assert_true(sandbox_place_clear(kept->path, TRUE));
  close(kept->lock);
  kept->lock = -1;
  sandbox_place_sweep(other->path);
  g_assert_true(exists(kept->path));
  g_assert_true(sandbox_place_clear(kept->path, FALSE));
  g_assert_true(sandbox_place_clear(other->path, FALSE));
}

static void
test_unfinished(World *world, gconstpointer unused G_GNUC_UNUSED)
{
  g_autoptr(SandboxPlace) place = make_place();
  g_autofree char *young = g_build_filename(world->base, "signet-sandbox.Young1", NULL);
  g_autofree char *old = g_build_filename(world->base, "signet-sandbox.older1", NULL);
  g_autofree char *open = g_build_filename(world->base, "signet-sandbox.opened", NULL);
  g_autofree char *link = g_build_filename(world->base, "signet-sandbox.linked", NULL);
  const struct utimbuf long_ago = { 1, 1 };
  g_assert_cmpint(g_mkdir(young, 0700), ==, 0);
  g_assert_cmpint(g_mkdir(old, 0700), ==, 0);
  g_assert_cmpint(g_mkdir(open, 0700), ==, 0);
  g_assert_cmpint(chmod(open, 0755), ==, 0);
  g_assert_cmpint(symlink(old, link), ==, 0);
  g_assert_cmpint(utime(old, &long_ago), ==, 0);
  g_assert_cmpint(utime(open, &long_ago), ==, 0);
  sandbox_place_sweep(place->path);
  g_assert_true(exists(young)); /* may be one that is being made */
  g_assert_false(exists(old));
  g_assert_true(exists(open)); /* never one of ours */
  g_assert_cmpint(g_unlink(link), ==, 0);
  g_assert_cmpint(g_rmdir(young), ==, 0);
  g_assert_cmpint(g_rmdir(open), ==, 0);
  g_assert_true(sandbox_place_clear(place->path, FALSE));
}

/* Folders that a person, or a tool of theirs, named so. */
static void
test_somebodys(World *world, gconstpointer unused G_GNUC_UNUSED)
{
  static const char *const names[] = { "notes", "abcdef", "abcdef.bak", "abcde", "" };
  const struct utimbuf long_ago = { 1, 1 };
  g_autoptr(SandboxPlace) place = make_place();
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *name = g_strconcat("signet-sandbox.", names[i], NULL);
    g_autofree char *folder = g_build_filename(world->base, name, NULL);
    g_autofree char *file = g_build_filename(folder, "precious", NULL);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    g_assert_cmpint(utime(folder, &long_ago), ==, 0);
    sandbox_place_sweep(place->path);
    g_assert_true(exists(file));
    g_assert_cmpint(g_unlink(file), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
  }
  g_autofree char *going = g_build_filename(world->base, "signet-sandbox.abcdef~", NULL);
  g_autofree char *rest = g_build_filename(going, "home", NULL);
  g_assert_cmpint(g_mkdir(going, 0700), ==, 0);
  g_assert_cmpint(g_mkdir(rest, 0700), ==, 0);
  g_assert_cmpint(utime(going, &long_ago), ==, 0);
  sandbox_place_sweep(place->path);
  g_assert_false(exists(going)); /* what a removal that broke off left */
  g_assert_true(sandbox_place_clear(place->path, FALSE));
}

/* In a user namespace, or as root: else there is nothing to mount with. */
static void
test_mounted(World *world, gconstpointer unused G_GNUC_UNUSED)
{
  g_autoptr(SandboxPlace) place = make_place();
  g_autofree char *outside = g_build_filename(world->base, "share", NULL);
  g_autofree char *file = g_build_filename(outside, "precious", NULL);
  g_autofree char *inside = sandbox_place_path(place, "run");
  g_autofree char *left = g_strconcat(place->path, "~", NULL);
  int status = 0;
  g_assert_cmpint(g_mkdir(outside, 0700), ==, 0);
  g_assert_cmpint(g_mkdir(inside, 0700), ==, 0);
  g_assert_true(g_file_set_contents(file, "x", 1, NULL));
  pid_t child = fork();
  if (child == 0) {
    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(outside, inside, NULL, MS_BIND, NULL) != 0)
      _exit(77);
    _exit(sandbox_place_clear(place->path, FALSE) ? 1 : 0);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(exists(file));
  g_assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    g_test_skip("nothing can be mounted here");
    g_assert_true(sandbox_place_clear(place->path, FALSE));
  } else {
    g_assert_cmpint(WEXITSTATUS(status), ==, 0); /* not all of it is gone, and it says so */
    g_assert_true(sandbox_place_clear(left, FALSE));
  }
  g_assert_cmpint(g_unlink(file), ==, 0);
  g_assert_cmpint(g_rmdir(outside), ==, 0);
}

static void
test_stubborn(World *world, gconstpointer unused G_GNUC_UNUSED)
{
  g_autoptr(SandboxPlace) place = make_place();
  g_autofree char *outside = g_build_filename(world->base, "precious", NULL);
  g_autofree char *inside = sandbox_place_path(place, "home/a/b");
  g_autofree char *closed = sandbox_place_path(place, "home/a");
  g_autofree char *file = sandbox_place_path(place, "home/a/b/file");
  g_autofree char *link = sandbox_place_path(place, "home/link");
  g_assert_true(g_file_set_contents(outside, "x", 1, NULL));
  g_assert_cmpint(g_mkdir_with_parents(inside, 0700), ==, 0);
  g_assert_true(g_file_set_contents(file, "x", 1, NULL));
  g_assert_cmpint(symlink(world->base, link), ==, 0);
  g_assert_cmpint(chmod(inside, 0), ==, 0);
  g_assert_cmpint(chmod(closed, 0500), ==, 0);
  g_assert_true(sandbox_place_clear(place->path, FALSE));
  g_assert_false(exists(place->path));
  g_assert_true(exists(outside));
  g_assert_cmpint(g_unlink(outside), ==, 0);
}

/* Listens in the folder until it is told to end; takes no notice of that when `stubborn`. */
static pid_t
fake_daemon(const SandboxPlace *place, gboolean stubborn)
{
  int ready[2];
  char byte;
  g_autofree char *folder = sandbox_place_path(place, "run/signet");
  g_autofree char *path = sandbox_place_path(place, "run/signet/socket");
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
  g_strlcpy(address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint(pipe(ready), ==, 0);
  pid_t pid = fork();
  if (pid == 0) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (stubborn)
      signal(SIGTERM, SIG_IGN);
    if (stubborn)
      signal(SIGHUP, SIG_IGN);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 5) != 0)
      _exit(1);
    close(ready[0]);
    close(ready[1]);
    for (;;)
      pause();
  }
  close(ready[1]);
  g_assert_cmpint(read(ready[0], &byte, 1), ==, 0);
  close(ready[0]);
  return pid;
}

static void
test_daemon(World *world G_GNUC_UNUSED, gconstpointer stubborn)
{
  int status = 0;
  g_autoptr(SandboxPlace) place = make_place();
  pid_t pid = fake_daemon(place, stubborn != NULL);
  g_assert_true(sandbox_place_clear(place->path, FALSE));
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  g_assert_true(WIFSIGNALED(status));
  g_assert_cmpint(WTERMSIG(status), ==, stubborn ? SIGKILL : SIGTERM);
  g_assert_false(exists(place->path));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define ADD(path, data, func) \
  g_test_add("/sandbox/place/" path, World, data, set_up, func, tear_down)
  ADD("new-is-private-and-clears", NULL, test_private);
  ADD("owned-stays-and-unowned-is-swept", NULL, test_owned);
  ADD("kept-is-never-swept", NULL, test_kept);
  ADD("somebodys-is-never-swept", NULL, test_somebodys);
  ADD("mounted-inside-stays", NULL, test_mounted);
  ADD("half-made-is-swept-when-old", NULL, test_unfinished);
  ADD("closed-folders-go-and-links-are-not-followed", NULL, test_stubborn);
  ADD("daemon-is-told-to-end", NULL, test_daemon);
  ADD("daemon-that-does-not-is-killed", GINT_TO_POINTER(1), test_daemon);
  return g_test_run();
}
