/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/connect.h"

#include "base/error.h"
#include "base/resolve.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS_MS 15000 /* for one of a host's addresses, so that the next has its turn */

struct BaseConnection {
  int fd;
  BIO *bio; /* frees `fd` */
  BaseTls *tls;
  BaseDeadline deadline;
};

void
base_connection_free(BaseConnection *connection)
{
  if (!connection)
    return;
  BIO_free_all(connection->bio);
  base_tls_free(connection->tls);
  g_free(connection);
}

/* ---- reaching it ---- */

/* 0, or errno. */
static int
try_address(const struct addrinfo *address, int milliseconds, int *ret_fd)
{
  int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->ai_protocol);
  if (fd < 0)
    return errno;
  int failed = connect(fd, address->ai_addr, address->ai_addrlen) < 0 ? errno : 0;
  if (failed == EINPROGRESS) {
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    socklen_t size = sizeof failed;
    if (poll(&ready, 1, milliseconds) <= 0)
      failed = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0)
      failed = errno;
  }
  if (failed)
    close(fd);
  else
    *ret_fd = fd;
  return failed;
}

/* Half of the time that is left, where there is another address to try. */
static int
time_for(const struct addrinfo *address, BaseDeadline deadline)
{
  int left = base_deadline_left(deadline);
  if (left < 0)
    return ADDRESS_MS;
  return MIN(address->ai_next ? (left + 1) / 2 : left, ADDRESS_MS);
}

static int
try_all(const struct addrinfo *all, gboolean no_local, BaseDeadline deadline, GError **error)
{
  int fd = -1, failed = 0;
  for (const struct addrinfo *at = all; at && fd < 0 && !base_deadline_passed(deadline);
       at = at->ai_next) {
    if (no_local && base_resolve_is_local(at->ai_addr)) {
      base_error_set(error, SIGNET_ERROR_DENIED,
                     "it is inside this network, where nothing is asked on a stranger's word");
      return -1;
    }
    failed = try_address(at, time_for(at, deadline), &fd);
  }
  if (fd < 0)
    base_error_set(error, !failed || failed == ETIMEDOUT ? SIGNET_ERROR_TIMEOUT : SIGNET_ERROR_IO,
                   "%s", failed ? g_strerror(failed) : "it did not answer in time");
  return fd;
}

BaseConnection *
base_connect(const BaseUrl *to, gboolean no_local, BaseDeadline deadline, GError **error)
{
  struct addrinfo *all = base_resolve(to->host, to->port, deadline, error);
  if (!all)
    return NULL;
  int fd = try_all(all, no_local, deadline, error);
  freeaddrinfo(all);
  if (fd < 0)
    return NULL;
  BIO *bio = BIO_new_socket(fd, BIO_CLOSE);
  if (!bio) {
    close(fd);
    base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no connection");
    return NULL;
  }
  BaseConnection *connection = g_new0(BaseConnection, 1);
  *connection = (BaseConnection){ .fd = fd, .bio = bio, .deadline = deadline };
  return connection;
}

/* ---- using it ---- */

/* After a step that gave `got`: TRUE to do it again. */
static gboolean
wait_for_turn(BaseConnection *connection, const char *what, GError **error)
{
  if (!BIO_should_retry(connection->bio)) {
    int failed = errno;
    unsigned long reason = ERR_peek_last_error();
    if (connection->tls && reason && ERR_GET_LIB(reason) != ERR_LIB_SYS)
      return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no secure connection");
    ERR_clear_error();
    return base_error_set(error, SIGNET_ERROR_IO, "%s: %s", what,
                          failed ? g_strerror(failed) : "it hung up");
  }
  struct pollfd ready = { .fd = connection->fd,
                          .events = BIO_should_write(connection->bio) ? POLLOUT : POLLIN };
  if (base_deadline_passed(connection->deadline) ||
      poll(&ready, 1, base_deadline_left(connection->deadline)) == 0)
    return base_error_set(error, SIGNET_ERROR_TIMEOUT, "it did not answer in time");
  return TRUE;
}

gboolean
base_connection_secure(BaseConnection *connection, BaseTls *tls, GError **error)
{
  ERR_clear_error();
  connection->tls = tls;
  BIO *secure = base_tls_wrap(tls, connection->bio);
  if (!secure)
    return base_error_set_openssl(error, SIGNET_ERROR_FAILED, "no secure connection");
  connection->bio = secure;
  for (;;) {
    errno = 0;
    if (BIO_do_handshake(connection->bio) == 1)
      return TRUE;
    if (!wait_for_turn(connection, "no secure connection", error))
      return FALSE;
  }
}

gboolean
base_connection_write(BaseConnection *connection, gconstpointer bytes, gsize length, GError **error)
{
  const guint8 *at = bytes;
  while (length) {
    errno = 0;
    int done = BIO_write(connection->bio, at, (int)MIN(length, BASE_FLOW_PIECE));
    if (done <= 0 && !wait_for_turn(connection, "the question could not be sent", error))
      return FALSE;
    at += MAX(done, 0);
    length -= (gsize)MAX(done, 0);
  }
  return TRUE;
}

/* A TLS peer that ends without saying so counts as the end: what comes is bounded by its length or
 * proves itself. */
gboolean
base_connection_read(BaseConnection *connection, gpointer buffer, gsize size, gsize *ret_got,
                     GError **error)
{
  for (;;) {
    errno = 0;
    int got = BIO_read(connection->bio, buffer, (int)MIN(size, BASE_FLOW_PIECE));
    gboolean retry = BIO_should_retry(connection->bio);
    /* A server that drips may never let poll() wait. */
    if (got > 0 && base_deadline_passed(connection->deadline))
      return base_error_set(error, SIGNET_ERROR_TIMEOUT, "it did not answer in time");
    if (got > 0 || (got <= 0 && !retry && errno == 0)) {
      ERR_clear_error();
      *ret_got = (gsize)MAX(got, 0);
      return TRUE;
    }
    if (!wait_for_turn(connection, "it hung up", error))
      return FALSE;
  }
}
