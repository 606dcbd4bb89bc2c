/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "enroll/transfer.h"

#include "base/error.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/http.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTENT_TYPE "application/pkixcmp"
#define ADDRESS_MS 15000 /* for one of a host's addresses, so that the next has its turn */
#define ANSWER_MAX (256 * 1024)
#define HANDSHAKE_STEP_MS 100

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free_all)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OSSL_HTTP_REQ_CTX, OSSL_HTTP_REQ_CTX_free)

static gboolean
read_proxy(const char *text, EnrollUrl *ret_proxy, GError **error)
{
  g_autofree char *url = strstr(text, "://") ? g_strdup(text) : g_strdup_printf("http://%s", text);
  g_auto(EnrollUrl) proxy = { 0 };
  if (!enroll_url_parse(url, &proxy, NULL) || proxy.tls || strcmp(proxy.path, "/") != 0)
    return base_error_set(error, SIGNET_ERROR_USAGE, "--proxy takes [http://]HOST:PORT");
  *ret_proxy = proxy;
  proxy = (EnrollUrl){ 0 };
  return TRUE;
}

gboolean
enroll_transfer_open(EnrollTransfer *transfer, const EnrollServer *server, GError **error)
{
  transfer->server = server;
  transfer->deadline = base_deadline_in(server->timeout_s * 1000);
  if (!enroll_url_parse(server->url, &transfer->url, error) ||
      (server->proxy && !read_proxy(server->proxy, &transfer->proxy, error)))
    return FALSE;
  if (transfer->url.tls)
    transfer->tls = enroll_tls_new(transfer->url.host, server->tls_roots, error);
  return !transfer->url.tls || transfer->tls;
}

void
enroll_transfer_clear(EnrollTransfer *transfer)
{
  enroll_url_clear(&transfer->url);
  enroll_url_clear(&transfer->proxy);
  enroll_tls_free(transfer->tls);
  g_clear_error(&transfer->failed);
}

/* ---- a connection ---- */

/* 0, or errno. */
static int
try_address(const struct addrinfo *address, BaseDeadline deadline, int *ret_fd)
{
  int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->ai_protocol);
  if (fd < 0)
    return errno;
  int failed = connect(fd, address->ai_addr, address->ai_addrlen) < 0 ? errno : 0;
  if (failed == EINPROGRESS) {
    struct pollfd ready = { .fd = fd, .events = POLLOUT };
    socklen_t size = sizeof failed;
    int left = MIN(base_deadline_left(deadline), ADDRESS_MS);
    if (poll(&ready, 1, left) <= 0)
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

static int
connect_to(const EnrollTransfer *transfer, const EnrollUrl *to, GError **error)
{
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *all = NULL;
  int known = getaddrinfo(to->host, to->port, &hints, &all);
  if (known != 0) {
    base_error_set(error, SIGNET_ERROR_IO, "cannot reach the CA at %s: %s: %s",
                   transfer->server->url, to->host, gai_strerror(known));
    return -1;
  }
  int fd = -1, failed = ETIMEDOUT;
  for (const struct addrinfo *at = all; at && fd < 0 && !base_deadline_passed(transfer->deadline);
       at = at->ai_next)
    failed = try_address(at, transfer->deadline, &fd);
  freeaddrinfo(all);
  if (fd < 0)
    base_error_set(error, failed == ETIMEDOUT ? SIGNET_ERROR_TIMEOUT : SIGNET_ERROR_IO,
                   "cannot reach the CA at %s%s%s: %s", transfer->server->url,
                   to == &transfer->proxy ? " through the proxy " : "",
                   to == &transfer->proxy ? transfer->server->proxy : "", g_strerror(failed));
  return fd;
}

static int
seconds_left(const EnrollTransfer *transfer)
{
  return MAX(base_deadline_left(transfer->deadline) / 1000, 1);
}

static gboolean
shake_hands(const EnrollTransfer *transfer, BIO *bio)
{
  while (BIO_do_handshake(bio) != 1)
    if (!BIO_should_retry(bio) || base_deadline_passed(transfer->deadline) ||
        BIO_wait(bio, time(NULL) + seconds_left(transfer), HANDSHAKE_STEP_MS) <= 0)
      return FALSE;
  return TRUE;
}

static BIO *
open_connection(EnrollTransfer *transfer)
{
  const EnrollUrl *to = transfer->proxy.host ? &transfer->proxy : &transfer->url;
  g_clear_error(&transfer->failed);
  int fd = connect_to(transfer, to, &transfer->failed);
  if (fd < 0)
    return NULL;
  g_autoptr(BIO) bio = BIO_new_socket(fd, BIO_CLOSE);
  if (!bio) {
    close(fd);
    return NULL;
  }
  if (!transfer->tls)
    return g_steal_pointer(&bio);
  if (transfer->proxy.host &&
      OSSL_HTTP_proxy_connect(bio, transfer->url.host, transfer->url.port, NULL, NULL,
                              seconds_left(transfer), NULL, NULL) != 1)
    return NULL;
  BIO *secure = enroll_tls_wrap(transfer->tls, bio);
  if (!secure)
    return NULL;
  g_steal_pointer(&bio);
  bio = secure;
  return shake_hands(transfer, bio) ? g_steal_pointer(&bio) : NULL;
}

/* ---- a message ---- */

static gboolean
fill_request(const EnrollTransfer *transfer, OSSL_HTTP_REQ_CTX *http, const OSSL_CMP_MSG *request)
{
  const EnrollUrl *url = &transfer->url;
  gboolean whole_url = transfer->proxy.host && !transfer->tls; /* RFC 9112 3.2.2 */
  gboolean usual = url->port_number == (url->tls ? 443 : 80);
  const char *open = strchr(url->host, ':') ? "[" : "", *shut = *open ? "]" : "";
  g_autofree char *host = g_strdup_printf("%s%s%s%s%s", open, url->host, shut, usual ? "" : ":",
                                          usual ? "" : url->port);
  g_autofree char *bracketed = g_strdup_printf("%s%s%s", open, url->host, shut);
  return OSSL_HTTP_REQ_CTX_set_request_line(http, 1, whole_url ? bracketed : NULL,
                                            whole_url ? url->port : NULL, url->path) == 1 &&
         OSSL_HTTP_REQ_CTX_add1_header(http, "Host", host) == 1 &&
         OSSL_HTTP_REQ_CTX_set_expected(http, CONTENT_TYPE, 1, seconds_left(transfer), 0) == 1 &&
         OSSL_HTTP_REQ_CTX_set1_req(http, CONTENT_TYPE, ASN1_ITEM_rptr(OSSL_CMP_MSG),
                                    (const ASN1_VALUE *)request) == 1;
}

OSSL_CMP_MSG *
enroll_transfer(OSSL_CMP_CTX *context, const OSSL_CMP_MSG *request)
{
  EnrollTransfer *transfer = OSSL_CMP_CTX_get_transfer_cb_arg(context);
  g_autoptr(BIO) connection = open_connection(transfer);
  g_autoptr(OSSL_HTTP_REQ_CTX) http =
      connection ? OSSL_HTTP_REQ_CTX_new(connection, connection, 0) : NULL;
  if (!http)
    return NULL;
  OSSL_HTTP_REQ_CTX_set_max_response_length(http, ANSWER_MAX);
  BIO *answer = fill_request(transfer, http, request) ? OSSL_HTTP_REQ_CTX_exchange(http) : NULL;
  OSSL_CMP_MSG *message = answer ? d2i_OSSL_CMP_MSG_bio(answer, NULL) : NULL;
  return message;
}
