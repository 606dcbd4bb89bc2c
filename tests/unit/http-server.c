/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http-server.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct HttpServer {
  HttpServe serve;
  gpointer data;
  GThread *thread;
  int fd;
  int port;
  int count;
  int stopping;
};

void
http_say(int fd, const char *text)
{
  (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

void
http_answer(int fd, gconstpointer bytes, gsize length)
{
  g_autofree char *head = g_strdup_printf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
  http_say(fd, head);
  for (gsize at = 0; at < length;) {
    ssize_t done = send(fd, (const guint8 *)bytes + at, length - at, MSG_NOSIGNAL);
    if (done <= 0)
      return;
    at += (gsize)done;
  }
}

static gboolean
is_whole(const GString *question)
{
  const char *end = strstr(question->str, "\r\n\r\n");
  const char *length = strstr(question->str, "Content-Length: ");
  gsize body = length && end && length < end ? strtoul(length + 16, NULL, 10) : 0;
  return end && question->len >= (gsize)(end + 4 - question->str) + body;
}

static gpointer
run(gpointer data)
{
  HttpServer *server = data;
  int fd;
  while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
    g_autoptr(GString) question = g_string_new(NULL);
    char piece[4096];
    ssize_t got;
    g_atomic_int_inc(&server->count);
    while (!is_whole(question) && (got = read(fd, piece, sizeof piece)) > 0)
      g_string_append_len(question, piece, got);
    server->serve(fd, question, server->data);
    close(fd);
  }
  return NULL;
}

HttpServer *
http_server_new(HttpServe serve, gpointer data)
{
  HttpServer *server = g_new0(HttpServer, 1);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
  socklen_t size = sizeof address;
  server->serve = serve;
  server->data = data;
  server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint(bind(server->fd, (struct sockaddr *)&address, size), ==, 0);
  g_assert_cmpint(listen(server->fd, 10), ==, 0);
  g_assert_cmpint(getsockname(server->fd, (struct sockaddr *)&address, &size), ==, 0);
  server->port = ntohs(address.sin_port);
  server->thread = g_thread_new("server", run, server);
  return server;
}

int
http_server_port(const HttpServer *server)
{
  return server->port;
}

char *
http_server_url(const HttpServer *server, const char *name)
{
  return g_strdup_printf("http://127.0.0.1:%d/%s", server->port, name);
}

int
http_server_count(HttpServer *server)
{
  return g_atomic_int_get(&server->count);
}

gboolean
http_server_stopping(HttpServer *server)
{
  return g_atomic_int_get(&server->stopping);
}

void
http_server_free(HttpServer *server)
{
  if (!server)
    return;
  g_atomic_int_set(&server->stopping, 1);
  shutdown(server->fd, SHUT_RDWR);
  g_thread_join(server->thread);
  close(server->fd);
  g_free(server);
}
