/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "token/host.h"

#include "base/log.h"

#include <string.h>
#include <unistd.h>

#define POLL_EVERY_US 500000
#define SEND_MS 30000
#define SHORT_BODY (8 * 1024) /* bodies with a PIN are short, and live in secret memory */
#define GENERAL_WORKERS 4
#define WORKERS_MAX 16

void
token_host_send(TokenHost *host, guint16 kind, guint32 serial, gconstpointer body, gsize length)
{
  WireHeader header = { (guint32)length, serial, kind, 0 };
  g_autoptr(GError) error = NULL;

  g_mutex_lock(&host->send_lock);
  if (!wire_channel_send(&host->channel, &header, body, base_deadline_in(SEND_MS), &error))
    _exit(TOKEN_EXIT_BROKER_GONE); /* nobody is there to serve */
  g_mutex_unlock(&host->send_lock);
}

void
token_host_send_error(TokenHost *host, guint32 serial, const GError *error)
{
  gsize length = 0;
  g_autoptr(GBytes) body = wire_error_pack(error);
  gconstpointer bytes = g_bytes_get_data(body, &length);
  token_host_send(host, WIRE_ERROR, serial, bytes, length);
}

/* ---- what the engine tells ---- */

static void
on_changed(gpointer data)
{
  token_host_send(data, WIRE_HOST_CHANGED, 0, NULL, 0);
}

static void
on_logged_out(Token *token, gpointer data)
{
  TokenHost *host = data;
  g_auto(WirePacker) packer = { 0 };

  token_channels_close(host->channels, token);
  wire_pack_u32(&packer, token->number);
  wire_pack_u32(&packer, token->generation);
  token_host_send(host, WIRE_HOST_LOGGED_OUT, 0, packer.bytes, packer.length);
}

static void
on_gone(Token *token, gpointer data)
{
  token_channels_close(((TokenHost *)data)->channels, token);
}

const TokenEvents token_host_events = { on_changed, on_logged_out, on_gone };

static gpointer
run_poll(gpointer data)
{
  TokenHost *host = data;
  TokenWatch *watch = token_watch_new();
  gboolean complained = FALSE;

  for (;;) {
    g_autoptr(GError) error = NULL;
    g_usleep(POLL_EVERY_US);
    if (!atomic_load(&host->ready))
      continue;
    token_watch_arm_patient(watch, base_deadline_in(WIRE_OPERATION_MS));
    gboolean ok = token_slots_poll(host->module, &error);
    token_watch_disarm(watch);
    if (!ok && !complained)
      base_log("%s", error->message);
    complained = !ok;
  }
  return NULL;
}

/* ---- requests ---- */

static void
job_free(TokenJob *job)
{
  base_secret_free(job->secret);
  if (job->bytes) {
    base_wipe(job->bytes, job->header.length);
    g_free(job->bytes);
  }
  if (job->fd >= 0)
    close(job->fd);
  token_unref(job->token);
  g_free(job);
}

static void
work(gpointer data, gpointer user_data)
{
  TokenJob *job = data;
  g_autoptr(GError) error = NULL;

  (void)user_data;
  if (base_deadline_passed(job->deadline)) {
    base_error_set(&error, SIGNET_ERROR_TIMEOUT, "the token was busy for too long");
    token_host_send_error(job->host, job->header.serial, error);
  } else {
    TokenWatch *watch = token_watch_new();
    token_watch_arm(watch, job->deadline);
    token_request_do(job);
    token_watch_disarm(watch);
    token_watch_free(watch);
  }
  job_free(job);
}

/* Only the main thread comes here. One worker more than sessions, so that a login does not
 * wait behind operations. */
static GThreadPool *
workers_of(Token *token)
{
  if (!token->workers)
    token->workers =
        g_thread_pool_new(work, NULL, (gint)MIN(token->limit + 1, WORKERS_MAX), FALSE, NULL);
  return token->workers;
}

static gconstpointer
job_body(TokenJob *job)
{
  return job->secret ? base_secret_bytes(job->secret) : job->bytes;
}

static gboolean
find_token(TokenJob *job, GError **error)
{
  WireReader reader;
  wire_reader_start(&reader, job_body(job), job->header.length);
  guint32 slot = wire_read_u32(&reader);
  guint32 generation = wire_read_u32(&reader);
  if (reader.failed)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "the request names no token");
  job->token = token_slots_find(job->host->module, slot, generation, error);
  return job->token != NULL;
}

static gboolean
dispatch(TokenJob *job, GError **error)
{
  TokenHost *host = job->host;
  gboolean about_token = FALSE;
  gboolean needs_module = FALSE;

  if (!token_request_known(job->header.kind, &about_token, &needs_module))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "no request has the number %u",
                          job->header.kind);
  if (needs_module && !atomic_load(&host->ready))
    return base_error_set(error, SIGNET_ERROR_USAGE, "the module is not loaded yet");
  if (about_token && !find_token(job, error))
    return FALSE;
  g_thread_pool_push(about_token ? workers_of(job->token) : host->general, job, NULL);
  return TRUE;
}

static TokenJob *
job_new(TokenHost *host, int fd)
{
  TokenJob *job = g_new0(TokenJob, 1);
  guint milliseconds = host->channel.header.deadline;

  job->host = host;
  job->header = host->channel.header;
  job->fd = fd;
  if (!milliseconds)
    milliseconds = token_request_deadline(host, job->header.kind);
  job->deadline = base_deadline_in(MIN(milliseconds, 2 * WIRE_GENERATE_MS));
  if (job->header.length <= SHORT_BODY)
    job->secret = base_secret_new_from(host->channel.bytes, job->header.length);
  else
    job->bytes = g_memdup2(host->channel.bytes, job->header.length);
  base_wipe(host->channel.bytes, job->header.length);
  return job;
}

void
token_host_run(TokenHost *host, int fd)
{
  g_autoptr(GError) error = NULL;

  wire_channel_start(&host->channel, fd);
  g_mutex_init(&host->send_lock);
  host->general = g_thread_pool_new(work, NULL, GENERAL_WORKERS, FALSE, NULL);
  host->channels = token_channels_new(host);
  token_watchdog_start();
  g_thread_unref(g_thread_new("poll", run_poll, host));
  for (;;) {
    int passed = -1;
    if (!wire_channel_receive(&host->channel, &passed, BASE_DEADLINE_NEVER, &error)) {
      if (!g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_TOKEN_GONE))
        base_log("the broker's channel: %s", error->message);
      _exit(TOKEN_EXIT_BROKER_GONE);
    }
    g_autoptr(GError) refused = NULL;
    TokenJob *job = job_new(host, passed);
    if (!dispatch(job, &refused)) {
      token_host_send_error(host, job->header.serial, refused);
      job_free(job);
    }
  }
}
