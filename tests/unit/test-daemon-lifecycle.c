/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One daemon per socket, whatever happens. */
#include "daemon-world.h"
#include "wire/limits.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
running_pid(World *world)
{
  g_autoptr(Client) client = client_new(world);
  g_autoptr(TestJson) reply = client_call(client, "org.signet.Daemon.Status", NULL);
  return (int)json_integer_value(json_object_get(json_object_get(reply, "parameters"), "pid"));
}

static void
stop(World *world)
{
  g_autoptr(Client) client = client_new(world);
  g_autofree char *error = client_error(client, "org.signet.Daemon.Stop", NULL);
  g_assert_null(error);
  g_assert_true(client_ended(client, 10000));
}

static void
test_second(void)
{
  g_autoptr(World) world = world_new(NULL);
  world_start(world);
  g_assert_cmpint(world_run(world, "--detach"), ==, 0);
  g_assert_cmpint(world_run(world, "--foreground"), ==, 0);
  g_assert_cmpint(running_pid(world), ==, world->pid);
}

static void
test_stale(void)
{
  g_autoptr(World) world = world_new(NULL);
  GStatBuf info;
  world_start(world);
  world_kill(world, SIGKILL);
  g_assert_true(g_file_test(world->socket, G_FILE_TEST_EXISTS));
  world_start(world);
  g_assert_cmpint(running_pid(world), ==, world->pid);
  g_assert_cmpint(g_stat(world->socket, &info), ==, 0);
  g_assert_cmpuint(info.st_mode & 0777, ==, 0600);
}

static void
test_in_the_way(void)
{
  g_autoptr(World) world = world_new(NULL);
  g_assert_true(g_file_set_contents(world->socket, "precious", -1, NULL));
  g_assert_cmpint(world_run(world, "--detach"), ==, 1);
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(world->socket, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "precious");
}

static void
test_detach(void)
{
  g_autoptr(World) world = world_new(NULL);
  g_assert_cmpint(world_run(world, "--detach"), ==, 0);
  int pid = running_pid(world);
  for (int fd = 0; fd < 3; fd++) {
    g_autofree char *path = g_strdup_printf("/proc/%d/fd/%d", pid, fd);
    g_autofree char *target = g_file_read_link(path, NULL);
    if (target) /* not told to us: signetd is not dumpable */
      g_assert_cmpstr(target, ==, "/dev/null");
  }
  g_assert_cmpint(getsid(pid), ==, pid);
  stop(world);
  for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
    g_usleep(10000);
  g_assert_cmpint(kill(pid, 0), !=, 0);
  g_assert_false(g_file_test(world->socket, G_FILE_TEST_EXISTS));
}

static void
test_options(void)
{
  g_autoptr(World) world = world_new(NULL);
  g_assert_cmpint(world_run(world, "--version"), ==, 0);
  g_assert_cmpint(world_run(world, "--nonsense"), ==, 2);
}

static void
test_bad_config(void)
{
  g_autoptr(World) world = world_new(NULL);
  world_write(world, "config/signet/signet.conf", "[pin]\nidle=soon\n");
  g_assert_cmpint(world_run(world, "--detach"), ==, 1);
  g_assert_cmpint(world_run(world, "--foreground"), ==, 1);
  world_write(world, "config/signet/signet.conf", "[pin\n");
  g_assert_cmpint(world_run(world, "--detach"), ==, 1);
}

static void
test_secret(void)
{
  g_autoptr(World) world = world_new(NULL);
  g_autofree char *path = world_path(world, "state/signet/rejection-secret");
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  gsize length = 0;
  world_start(world);
  world_kill(world, SIGTERM);
  g_assert_true(g_file_get_contents(path, &first, &length, NULL));
  g_assert_cmpuint(length, ==, 32);
  world_start(world);
  world_kill(world, SIGTERM);
  g_assert_true(g_file_get_contents(path, &second, &length, NULL));
  g_assert_cmpint(memcmp(first, second, 32), ==, 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/daemon/lifecycle/second-leaves-the-first", test_second);
  g_test_add_func("/daemon/lifecycle/stale-socket-is-replaced", test_stale);
  g_test_add_func("/daemon/lifecycle/file-in-the-way-is-kept", test_in_the_way);
  g_test_add_func("/daemon/lifecycle/detached-keeps-nothing-and-stops", test_detach);
  g_test_add_func("/daemon/lifecycle/options-have-their-status", test_options);
  g_test_add_func("/daemon/lifecycle/bad-settings-are-told", test_bad_config);
  g_test_add_func("/daemon/lifecycle/rejection-secret-stays", test_secret);
  return g_test_run();
}
