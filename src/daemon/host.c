/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host's requests: sent when it is ready, answered in any order, each with a deadline. */
#include "daemon/host.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/hostlife.h"
#include "daemon/token.h"
#include "wire/limits.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The host's own watchdog ends it at the deadline; the broker only where that failed. */
#define GRACE_MS 500
#define QUEUE_MAX (16 * 1024 * 1024)
/* Also how much of a long list of certificates, at a fifth of a millisecond each, is taken in
 * before other clients have their turn. */
#define READ_AT_ONCE (32 * 1024)

typedef struct {
  guint32 serial;
  WireHostKind kind;
  guint deadline_ms;
  gint64 deadline;
  DaemonToken *token; /* (nullable) own reference */
  WirePacker body;
  int pass_fd;
  DaemonPart part;
  DaemonAnswer answer;
  gpointer user_data;
} Request;

/* Set while the answers of a host that ended are handed out. */
static const GError *lost_error;

gboolean
daemon_host_lost(const GError *error)
{
  return error && error == lost_error;
}

static void
request_free(gpointer data)
{
  Request *request = data;
  if (request->pass_fd >= 0)
    close(request->pass_fd);
  g_clear_pointer(&request->token, daemon_token_unref);
  wire_packer_clear(&request->body);
  g_free(request);
}

static gboolean
changes_folder(WireHostKind kind)
{
  return kind == WIRE_HOST_INIT_TOKEN || kind == WIRE_HOST_ERASE;
}

/* Hands out the answer and frees the request, which must be in no list any more. */
static void
request_end(DaemonHost *host, Request *request, WireReader *body, const GError *error)
{
  if (changes_folder(request->kind)) {
    host->own_changes--;
    daemon_host_watch_drain(host);
  }
  if (request->answer)
    request->answer(request->user_data, body, error);
  request_free(request);
  if (host->restart_wanted)
    daemon_quiet_check(host->daemon);
}

guint
daemon_host_number(DaemonHost *host)
{
  return host->number;
}

const char *
daemon_host_name(DaemonHost *host)
{
  return host->spec.name;
}

const char *
daemon_host_module(DaemonHost *host)
{
  return host->spec.module;
}

const BaseProfile *
daemon_host_profile(DaemonHost *host)
{
  return host->spec.profile;
}

gboolean
daemon_host_busy(DaemonHost *host)
{
  return g_hash_table_size(host->requests) > 0 || !g_queue_is_empty(&host->waiting);
}

static gboolean deadline_check(gpointer user_data);

/* One timer per host, for the earliest deadline; it is only ever moved forward, so that a
 * signature costs no timer of its own. */
static void
deadline_note(DaemonHost *host, gint64 deadline)
{
  if (host->deadline_timer && host->deadline_at <= deadline)
    return;
  gint64 left = (deadline - g_get_monotonic_time()) / 1000 + 1;
  host->deadline_at = deadline;
  daemon_timer_set(&host->deadline_timer, (guint)CLAMP(left, 1, G_MAXINT), deadline_check, host);
}

static void
request_timeout(DaemonHost *host, Request *request)
{
  g_autoptr(GError) error = NULL;
  base_error_set(&error, SIGNET_ERROR_TIMEOUT, "%s did not answer within %u ms%s%s",
                 host->spec.name, request->deadline_ms, request->token ? ", token " : "",
                 request->token ? daemon_token_label(request->token) : "");
  daemon_count(host->daemon, "timeouts", 1);
  request_end(host, request, NULL, error);
}

/* Requests that still wait for the host only fail; one that was sent says that it hangs. */
static gboolean
fail_overdue_waiting(DaemonHost *host, gint64 now, gint64 *ret_next)
{
  for (GList *at = host->waiting.head; at; at = at->next) {
    Request *request = at->data;
    if (request->deadline <= now) {
      g_queue_delete_link(&host->waiting, at);
      request_timeout(host, request);
      return TRUE; /* the list may be another now */
    }
    *ret_next = MIN(*ret_next, request->deadline);
  }
  return FALSE;
}

static Request *
find_overdue(DaemonHost *host, gint64 now, gint64 *ret_next)
{
  GHashTableIter iter;
  gpointer value = NULL;
  g_hash_table_iter_init(&iter, host->requests);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    Request *request = value;
    gint64 end = request->deadline + GRACE_MS * 1000;
    if (end <= now)
      return request;
    *ret_next = MIN(*ret_next, end);
  }
  return NULL;
}

static gboolean
deadline_check(gpointer user_data)
{
  DaemonHost *host = user_data;
  gint64 now = g_get_monotonic_time();
  gint64 next = G_MAXINT64;
  gboolean hangs = FALSE;
  Request *request = NULL;

  host->deadline_timer = 0;
  while (fail_overdue_waiting(host, now, &next))
    ;
  while ((request = find_overdue(host, now, &next))) {
    hangs = TRUE;
    base_log("%s: %s hangs: the host is ended", host->spec.name,
             wire_host_kind_name(request->kind));
    g_hash_table_steal(host->requests, GUINT_TO_POINTER(request->serial));
    request_timeout(host, request);
  }
  if (hangs)
    daemon_host_restart(host, FALSE, "it did not answer in time");
  else if (next != G_MAXINT64)
    deadline_note(host, next);
  return G_SOURCE_REMOVE;
}

static void
request_send(DaemonHost *host, Request *request)
{
  WirePacker body = { 0 };
  guint8 header[WIRE_HEADER_SIZE];
  if (request->token) {
    wire_pack_u32(&body, daemon_token_record(request->token)->slot);
    wire_pack_u32(&body, daemon_token_record(request->token)->generation);
  }
  wire_pack_raw(&body, request->body.bytes, request->body.length);
  wire_packer_clear(&request->body);
  do
    host->next_serial++;
  while (host->next_serial == 0 ||
         g_hash_table_contains(host->requests, GUINT_TO_POINTER(host->next_serial)));
  request->serial = host->next_serial;

  /* What it waited for the host to start is off its time. */
  gint64 left = (request->deadline - g_get_monotonic_time()) / 1000;
  WireHeader fields = { .length = (guint32)body.length,
                        .serial = request->serial,
                        .kind = (guint16)request->kind,
                        .deadline = (guint32)MAX(left, 1) };
  wire_header_pack(&fields, header);
  daemon_queue_add_frame(&host->out, header, sizeof header, body.bytes, body.length,
                         request->pass_fd);
  request->pass_fd = -1;
  wire_packer_clear(&body);
  g_hash_table_insert(host->requests, GUINT_TO_POINTER(request->serial), request);
  deadline_note(host, request->deadline + GRACE_MS * 1000);
}

static void
host_write(DaemonHost *host)
{
  if (host->fd < 0)
    return;
  /* A host that is gone is noticed by reading: never from inside a request. */
  daemon_queue_write(&host->out, host->fd);
  daemon_io_want(host->io, host->out.bytes > 0 ? G_IO_IN | G_IO_OUT : G_IO_IN);
}

void
daemon_host_fail_waiting(DaemonHost *host, const GError *error)
{
  GQueue waiting = host->waiting;
  g_queue_init(&host->waiting);
  Request *request = NULL;
  while ((request = g_queue_pop_head(&waiting)))
    request_end(host, request, NULL, error);
}

/* The token of a request that waited can be gone by the time the host is ready. */
static void
send_or_fail(DaemonHost *host, Request *request)
{
  g_autoptr(GError) error = NULL;
  if (request->token && !daemon_token_present(request->token)) {
    base_error_set(&error, SIGNET_ERROR_TOKEN_GONE, "the token \"%s\" was removed",
                   daemon_token_label(request->token));
    base_error_details(error)->token = g_strdup(daemon_token_label(request->token));
    request_end(host, request, NULL, error);
  } else {
    request_send(host, request);
  }
}

void
daemon_host_send_waiting(DaemonHost *host)
{
  guint n = g_queue_get_length(&host->waiting);
  for (guint i = 0; i < n && host->state == DAEMON_HOST_READY; i++) {
    Request *request = g_queue_pop_head(&host->waiting);
    if (!request)
      break;
    send_or_fail(host, request);
  }
  host_write(host);
}

static gboolean
waiting_check(gpointer user_data)
{
  DaemonHost *host = user_data;
  host->waiting_idle = 0;
  if (host->state == DAEMON_HOST_DOWN) {
    g_autoptr(GError) error = NULL;
    base_error_set(&error, SIGNET_ERROR_TOKEN_DOWN, "%s is down: %s", host->spec.name,
                   host->problem ? host->problem : "it cannot start");
    daemon_host_fail_waiting(host, error);
  } else if (host->state == DAEMON_HOST_READY) {
    daemon_host_send_waiting(host);
  }
  return G_SOURCE_REMOVE;
}

static gboolean
is_early(WireHostKind kind)
{
  return kind == WIRE_HOST_HELLO || kind == WIRE_HOST_TOKENS;
}

void
daemon_host_ask(DaemonHost *host, const DaemonAsk *ask, WirePacker *body)
{
  Request *request = g_new0(Request, 1);
  request->kind = ask->kind;
  request->deadline_ms = ask->deadline_ms;
  request->deadline = g_get_monotonic_time() + (gint64)ask->deadline_ms * 1000;
  request->token = ask->token ? daemon_token_ref(ask->token) : NULL;
  request->pass_fd = ask->pass_fd;
  request->part = ask->part;
  request->answer = ask->answer;
  request->user_data = ask->user_data;
  if (body) {
    request->body = *body;
    memset(body, 0, sizeof *body);
  }
  if (changes_folder(ask->kind))
    host->own_changes++;
  gboolean now = host->fd >= 0 && (is_early(ask->kind) || host->state == DAEMON_HOST_READY) &&
                 host->out.bytes < QUEUE_MAX &&
                 (!request->token || daemon_token_present(request->token));
  if (now) {
    request_send(host, request);
    host_write(host);
    return;
  }
  g_queue_push_tail(&host->waiting, request);
  deadline_note(host, request->deadline);
  if (!host->waiting_idle)
    host->waiting_idle = g_idle_add(waiting_check, host);
}

void
daemon_host_request(DaemonHost *host, WireHostKind kind, guint deadline_ms, WirePacker *body,
                    DaemonAnswer answer, gpointer user_data)
{
  const DaemonAsk ask = { .kind = kind,
                          .deadline_ms =
                              deadline_ms ? deadline_ms : host->spec.profile->operation_ms,
                          .pass_fd = -1,
                          .answer = answer,
                          .user_data = user_data };
  daemon_host_ask(host, &ask, body);
}

void
daemon_host_lose_requests(DaemonHost *host, const char *reason)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GList) lost = g_hash_table_get_values(host->requests);
  g_hash_table_steal_all(host->requests);
  base_error_set(&error, SIGNET_ERROR_TOKEN_GONE, "the host of %s ended during the request: %s",
                 host->spec.name, reason);
  for (GList *at = lost; at; at = at->next) {
    lost_error = error; /* each time: an answer may end in another host's death */
    request_end(host, at->data, NULL, error);
  }
  lost_error = NULL;
}

static gboolean
handle_answer(DaemonHost *host, const WireHeader *header, const guint8 *body)
{
  gpointer key = GUINT_TO_POINTER(header->serial);
  Request *request = g_hash_table_lookup(host->requests, key);
  WireReader reader;
  if (!request)
    return FALSE;
  wire_reader_start(&reader, body, header->length);
  if (header->kind == WIRE_MORE)
    return request->part && request->part(request->user_data, &reader);
  if (header->kind != WIRE_OK && header->kind != WIRE_ERROR)
    return FALSE;
  g_hash_table_steal(host->requests, key);
  if (header->kind == WIRE_OK) {
    request_end(host, request, &reader, NULL);
    return TRUE;
  }
  g_autoptr(GError) error = NULL;
  wire_error_unpack(body, header->length, &error);
  request_end(host, request, NULL, error);
  return TRUE;
}

/* Handles the frames that are whole. FALSE: garbage. */
static gboolean
handle_frames(DaemonHost *host)
{
  gsize at = 0;
  gboolean good = TRUE;
  int fd = host->fd;
  while (good && host->fd == fd && host->in_length - at >= WIRE_HEADER_SIZE) {
    WireHeader header;
    if (!wire_header_unpack(host->in + at, &header, NULL))
      return FALSE;
    gsize whole = WIRE_HEADER_SIZE + (gsize)header.length;
    if (host->in_length - at < whole)
      break;
    const guint8 *body = host->in + at + WIRE_HEADER_SIZE;
    if (header.serial == 0) {
      WireReader reader;
      wire_reader_start(&reader, body, header.length);
      daemon_host_notice(host, header.kind, &reader);
    } else {
      good = handle_answer(host, &header, body);
    }
    at += whole;
  }
  if (host->fd != fd)
    return TRUE; /* it was ended by what it answered */
  memmove(host->in, host->in + at, host->in_length - at);
  base_wipe(host->in + host->in_length - at, at);
  host->in_length -= at;
  return good;
}

static void
in_room(DaemonHost *host)
{
  if (host->in_size - host->in_length >= READ_AT_ONCE)
    return;
  gsize size = host->in_length + READ_AT_ONCE;
  guint8 *bytes = g_malloc(size);
  if (host->in_length)
    memcpy(bytes, host->in, host->in_length);
  base_wipe(host->in, host->in_length);
  g_free(host->in);
  host->in = bytes;
  host->in_size = size;
}

void
daemon_host_io(int fd, GIOCondition condition, gpointer user_data)
{
  DaemonHost *host = user_data;
  if (condition & G_IO_OUT)
    host_write(host);
  if (!(condition & (G_IO_IN | G_IO_HUP | G_IO_ERR)))
    return;
  in_room(host);
  ssize_t got = recv(fd, host->in + host->in_length, READ_AT_ONCE, MSG_DONTWAIT);
  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return;
  if (got <= 0) {
    daemon_host_died(host, "it ended by itself");
    return;
  }
  host->in_length += (gsize)got;
  if (!handle_frames(host)) {
    base_log("%s: the host sent garbage", host->spec.name);
    daemon_host_restart(host, FALSE, "it sent garbage");
  }
}
