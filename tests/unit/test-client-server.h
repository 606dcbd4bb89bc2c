/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A Varlink server for tests of libsignet: real sockets, and every fault that a real
 * daemon must never show. One thread per connection runs the test's function. */

#include "wire/json.h"
#include "wire/line.h"

#include <glib.h>

typedef struct TestServer TestServer;

typedef struct {
  TestServer *server;
  int fd;
  int number; /* of the connection, from 0 */
  WireLines lines;
} TestPeer;

typedef void (*TestServe)(TestPeer *peer, gpointer data);

TestServer *test_server_new(TestServe serve, gpointer data);
void test_server_free(TestServer *server); /* waits for the threads: free the client first */
const char *test_server_path(const TestServer *server);
int test_server_connections(const TestServer *server);

/* The next call; NULL at the end of the connection. */
json_t *test_peer_read(TestPeer *peer);
/* Reads the next call, which must be `method`; returns its parameters (new reference). */
json_t *test_peer_expect(TestPeer *peer, const char *method);
void test_peer_say(TestPeer *peer, const char *text); /* with its NUL */
void test_peer_say_raw(TestPeer *peer, gconstpointer bytes, gsize length);
void test_peer_say_fd(TestPeer *peer, const char *text, int fd); /* and closes fd */
void test_peer_hello(TestPeer *peer);                            /* expects and answers Hello */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TestServer, test_server_free)
