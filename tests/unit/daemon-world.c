/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon-world.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 30000

const char world_key[] = "5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3";

char *
world_path(World *world, const char *name)
{
  return g_build_filename(world->folder, name, NULL);
}

/* Programs find each other beside themselves, so a copy in the test's folder finds the fake. */
static void
copy_program(World *world, const char *from_folder, const char *from, const char *to)
{
  g_autofree char *source = g_build_filename(from_folder, from, NULL);
  g_autofree char *target = world_path(world, to);
  g_autofree char *contents = NULL;
  gsize length = 0;
  g_assert_true(g_file_get_contents(source, &contents, &length, NULL));
  g_assert_true(g_file_set_contents(target, contents, (gssize)length, NULL));
  g_assert_cmpint(chmod(target, 0700), ==, 0);
}

void
world_write(World *world, const char *name, const char *text)
{
  g_autofree char *path = world_path(world, name);
  g_autofree char *folder = g_path_get_dirname(path);
  g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
set_environment(World *world, const char *variable, const char *name)
{
  g_autofree char *path = world_path(world, name);
  world->environment = g_environ_setenv(world->environment, variable, path, TRUE);
}

World *
world_new(const char *fake_profile)
{
  const char *build = g_getenv("SIGNET_TEST_BUILD");
  World *world = g_new0(World, 1);
  g_assert_nonnull(build);
  world->folder = g_dir_make_tmp("signetd-XXXXXX", NULL);
  world->environment = g_get_environ();
  set_environment(world, "HOME", "home");
  set_environment(world, "XDG_DATA_HOME", "data");
  set_environment(world, "XDG_STATE_HOME", "state");
  set_environment(world, "XDG_CONFIG_HOME", "config");
  set_environment(world, "XDG_RUNTIME_DIR", "run");
  set_environment(world, "SIGNET_SOCKET", "socket");
  set_environment(world, "SOFTHSM2_CONF", "none.conf");
  set_environment(world, "SIGNET_FAKE_FOLDER", "fake");
  copy_program(world, build, "signetd", "signetd");
  world->program = world_path(world, "signetd");
  world->socket = world_path(world, "socket");
  world_write(world, "share/tokens/README", "");
  world_write(world, "fake/README", "");
  if (fake_profile) {
    g_autofree char *module = world_path(world, "fake/module.so");
    g_autofree char *text =
        g_strdup_printf("[profile]\nname=fake\n[module]\nfiles=%s;\n%s", module, fake_profile);
    g_autofree char *tests = g_build_filename(build, "tests", NULL);
    world_write(world, "fake/module.so", "");
    world_write(world, "share/tokens/fake.profile", text);
    copy_program(world, tests, "daemon-fake-host", "signet-token");
  }
  return world;
}

static pid_t
spawn(World *world, const char *option)
{
  /* What a test that aborts leaves behind must neither live on nor hold its output open. */
  char words[][16] = { "setpriv", "--pdeathsig", "KILL" };
  g_autofree char *word = g_strdup(option);
  g_autofree char *log = world_path(world, "log");
  char *argv[] = { words[0], words[1], words[2], world->program, word, NULL };
  posix_spawn_file_actions_t actions;
  pid_t pid = 0;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND,
                                   0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  g_assert_cmpint(posix_spawnp(&pid, argv[0], &actions, NULL, argv, world->environment), ==, 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

static int
try_connect(World *world)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpuint(strlen(world->socket), <, sizeof address.sun_path);
  strcpy(address.sun_path, world->socket);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  close(fd);
  return -1;
}

void
world_start(World *world)
{
  world->pid = spawn(world, "--foreground");
  for (int i = 0; i < PATIENCE_MS / 10; i++) {
    int fd = try_connect(world);
    if (fd >= 0) {
      close(fd);
      return;
    }
    g_usleep(10000);
  }
  g_error("signetd does not start");
}

World *
world_started(const char *fake_profile)
{
  World *world = world_new(fake_profile);
  world_start(world);
  return world;
}

void
world_kill(World *world, int signal)
{
  int status = 0;
  kill(world->pid, signal);
  g_assert_cmpint(waitpid(world->pid, &status, 0), ==, world->pid);
  g_autofree char *log = world_path(world, "log");
  g_autofree char *text = NULL;
  if (status != 0 && signal == SIGTERM && g_file_get_contents(log, &text, NULL, NULL))
    g_printerr("%s", text);
  if (signal == SIGTERM) { /* with sanitizers, a leak or worse shows here */
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
  }
  world->pid = 0;
}

static void
remove_tree(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name = NULL;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *child = g_build_filename(path, name, NULL);
    if (g_file_test(child, G_FILE_TEST_IS_DIR) && !g_file_test(child, G_FILE_TEST_IS_SYMLINK))
      remove_tree(child);
    else
      g_unlink(child);
  }
  g_rmdir(path);
}

void
world_free(World *world)
{
  if (world->pid)
    world_kill(world, SIGTERM);
  remove_tree(world->folder);
  g_free(world->folder);
  g_free(world->socket);
  g_free(world->program);
  g_strfreev(world->environment);
  g_free(world);
}

int
world_run(World *world, const char *option)
{
  int status = 0;
  pid_t pid = spawn(world, option);
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  g_assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

void
world_behave(World *world, const char *kind, const char *action)
{
  g_autofree char *name = g_strconcat("fake/do-", kind, NULL);
  world_write(world, name, action ? action : "");
}

guint
world_asked(World *world, const char *kind)
{
  g_autofree char *name = g_strconcat("fake/asked-", kind, NULL);
  g_autofree char *path = world_path(world, name);
  GStatBuf info;
  return g_stat(path, &info) == 0 ? (guint)info.st_size : 0;
}

Client *
client_new(World *world)
{
  Client *client = g_new0(Client, 1);
  client->fd = try_connect(world);
  client->passed = -1;
  client->in = g_byte_array_new();
  g_assert_cmpint(client->fd, >=, 0);
  return client;
}

void
client_free(Client *client)
{
  close(client->fd);
  if (client->passed >= 0)
    close(client->passed);
  g_byte_array_unref(client->in);
  g_free(client);
}

void
client_send_raw(Client *client, const void *bytes, gsize length)
{
  const char *at = bytes;
  while (length > 0) {
    ssize_t sent = send(client->fd, at, length, MSG_NOSIGNAL);
    if (sent < 0 &&
        (errno == EPIPE || errno == ECONNRESET)) /* dropped, perhaps with bytes unread */
      return;
    g_assert_cmpint(sent, >, 0);
    at += sent;
    length -= (gsize)sent;
  }
}

void
client_send(Client *client, const char *method, json_t *parameters, gboolean more)
{
  g_autoptr(TestJson) message = json_object();
  json_object_set_new(message, "method", json_string(method));
  if (parameters)
    json_object_set_new(message, "parameters", parameters);
  if (more)
    json_object_set_new(message, "more", json_true());
  char *text = json_dumps(message, JSON_COMPACT);
  client_send_raw(client, text, strlen(text) + 1);
  free(text);
}

static ssize_t
receive_some(Client *client)
{
  char buffer[65536];
  char space[CMSG_SPACE(sizeof(int))];
  struct iovec part = { buffer, sizeof buffer };
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space
  };
  struct pollfd poll_fd = { client->fd, POLLIN, 0 };
  if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
    g_error("signetd does not answer");
  ssize_t got = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC);
  struct cmsghdr *control = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (control && control->cmsg_type == SCM_RIGHTS)
    memcpy(&client->passed, CMSG_DATA(control), sizeof client->passed);
  if (got > 0)
    g_byte_array_append(client->in, (const guint8 *)buffer, (guint)got);
  return got;
}

json_t *
client_receive(Client *client)
{
  for (;;) {
    const guint8 *end = client->in->len ? memchr(client->in->data, 0, client->in->len) : NULL;
    if (end) {
      json_t *message = json_loads((const char *)client->in->data, 0, NULL);
      g_assert_nonnull(message);
      g_byte_array_remove_range(client->in, 0, (guint)(end - client->in->data) + 1);
      return message;
    }
    if (receive_some(client) <= 0)
      return NULL;
  }
}

json_t *
client_call(Client *client, const char *method, json_t *parameters)
{
  client_send(client, method, parameters, FALSE);
  json_t *reply = client_receive(client);
  g_assert_nonnull(reply);
  return reply;
}

char *
client_error(Client *client, const char *method, json_t *parameters)
{
  g_autoptr(TestJson) reply = client_call(client, method, parameters);
  const char *error = json_string_value(json_object_get(reply, "error"));
  return error ? g_strdup(strrchr(error, '.') + 1) : NULL;
}

void
client_unlock(Client *client)
{
  g_autofree char *error = client_error(client, "org.signet.Token.Unlock",
                                        json_pack("{s:s,s:s}", "token", "fake", "pin", "1234"));
  g_assert_null(error);
}

gboolean
client_ended(Client *client, int milliseconds)
{
  struct pollfd poll_fd = { client->fd, POLLIN, 0 };
  char byte = 0;
  return poll(&poll_fd, 1, milliseconds) == 1 && recv(client->fd, &byte, 1, MSG_PEEK) <= 0;
}
