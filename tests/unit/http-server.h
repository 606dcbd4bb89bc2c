/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A server on a port of its own, in a thread, one connection at a time. */

#include <glib.h>

typedef struct HttpServer HttpServer;

/* The question was read to its end; what is left open is closed by the server. */
typedef void (*HttpServe)(int fd, const GString *question, gpointer data);

HttpServer *http_server_new(HttpServe serve, gpointer data);
int http_server_port(const HttpServer *server);
/* http://127.0.0.1:PORT/name */
char *http_server_url(const HttpServer *server, const char *name);
int http_server_count(HttpServer *server); /* of connections so far */
gboolean http_server_stopping(HttpServer *server);
void http_server_free(HttpServer *server);

void http_say(int fd, const char *text);
/* 200 with a length. */
void http_answer(int fd, gconstpointer bytes, gsize length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpServer, http_server_free)
