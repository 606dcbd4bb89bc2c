/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-client-server.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct TestServer {
  char *folder;
  char *path;
  int fd;
  int stop[2];
  int connections; /* atomic */
  TestServe serve;
  gpointer data;
  GThread *thread;
  GPtrArray *workers;
};

static gpointer
work(gpointer data)
{
  TestPeer *peer = data;
  peer->server->serve(peer, peer->server->data);
  close(peer->fd);
  wire_lines_clear(&peer->lines);
  g_free(peer);
  return NULL;
}

static gpointer
accept_all(gpointer data)
{
  TestServer *server = data;
  for (;;) {
    struct pollfd ready[] = { { server->fd, POLLIN, 0 }, { server->stop[0], POLLIN, 0 } };
    if (poll(ready, 2, -1) < 0)
      continue;
    if (ready[1].revents)
      return NULL;
    TestPeer *peer = g_new0(TestPeer, 1);
    peer->server = server;
    peer->fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
    g_assert_cmpint(peer->fd, >=, 0);
    peer->number = g_atomic_int_add(&server->connections, 1);
    g_ptr_array_add(server->workers, g_thread_new("peer", work, peer));
  }
}

TestServer *
test_server_new(TestServe serve, gpointer data)
{
  TestServer *server = g_new0(TestServer, 1);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  wire_json_start();
  server->folder = g_dir_make_tmp("signet-client-XXXXXX", NULL);
  server->path = g_build_filename(server->folder, "socket", NULL);
  g_strlcpy(address.sun_path, server->path, sizeof address.sun_path);
  server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint(bind(server->fd, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(server->fd, 16), ==, 0);
  g_assert_cmpint(pipe2(server->stop, O_CLOEXEC), ==, 0);
  server->serve = serve;
  server->data = data;
  server->workers = g_ptr_array_new();
  server->thread = g_thread_new("server", accept_all, server);
  return server;
}

void
test_server_free(TestServer *server)
{
  if (!server)
    return;
  g_assert_cmpint(write(server->stop[1], "x", 1), ==, 1);
  g_thread_join(server->thread);
  for (guint i = 0; i < server->workers->len; i++)
    g_thread_join(g_ptr_array_index(server->workers, i));
  g_ptr_array_unref(server->workers);
  close(server->fd);
  close(server->stop[0]);
  close(server->stop[1]);
  unlink(server->path);
  rmdir(server->folder);
  g_free(server->path);
  g_free(server->folder);
  g_free(server);
}

const char *
test_server_path(const TestServer *server)
{
  return server->path;
}

int
test_server_connections(const TestServer *server)
{
  return g_atomic_int_get(&server->connections);
}

json_t *
test_peer_read(TestPeer *peer)
{
  for (;;) {
    json_t *message = NULL;
    g_assert_true(wire_lines_take(&peer->lines, &message, NULL));
    if (message)
      return message;
    char *room = wire_lines_room(&peer->lines, 65536);
    ssize_t got = recv(peer->fd, room, 65536, 0);
    if (got <= 0)
      return NULL;
    wire_lines_filled(&peer->lines, (gsize)got);
  }
}

json_t *
test_peer_expect(TestPeer *peer, const char *method)
{
  g_autoptr(WireJson) message = test_peer_read(peer);
  g_assert_nonnull(message);
  g_assert_cmpstr(json_string_value(json_object_get(message, "method")), ==, method);
  json_t *parameters = json_object_get(message, "parameters");
  return parameters ? json_incref(parameters) : json_object();
}

void
test_peer_say_raw(TestPeer *peer, gconstpointer bytes, gsize length)
{
  while (length) {
    ssize_t sent = send(peer->fd, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0)
      return;
    bytes = (const char *)bytes + sent;
    length -= (gsize)sent;
  }
}

void
test_peer_say(TestPeer *peer, const char *text)
{
  test_peer_say_raw(peer, text, strlen(text) + 1);
}

void
test_peer_say_fd(TestPeer *peer, const char *text, int fd)
{
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = { 0 };
  struct iovec vector = { (char *)(gintptr)text, strlen(text) + 1 };
  struct msghdr message = {
    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
  };
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(part), &fd, sizeof fd);
  g_assert_cmpint(sendmsg(peer->fd, &message, MSG_NOSIGNAL), >, 0);
  close(fd);
}

void
test_peer_hello(TestPeer *peer)
{
  g_autoptr(WireJson) parameters = test_peer_expect(peer, "org.signet.Daemon.Hello");
  g_assert_cmpint(json_integer_value(json_object_get(parameters, "protocol")), ==, 1);
  test_peer_say(peer, "{\"parameters\":{\"protocol\":1,\"version\":\"0.1.0\"}}");
}
