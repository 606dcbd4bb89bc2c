/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host's process: spawned, greeted, killed, started anew, given up for a while. */
#include "daemon/hostlife.h"

#include "base/error.h"
#include "base/log.h"
#include "daemon/catalogue.h"
#include "daemon/channels.h"
#include "daemon/token.h"
#include "wire/limits.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define BREAKER_DEATHS 5
#define BREAKER_WINDOW_US (60 * G_USEC_PER_SEC)
#define BACKOFF_FIRST_MS 30000
#define BACKOFF_MAX_MS (15 * 60 * 1000)
#define RESPAWN_MS 50 /* times the deaths so far */
#define SETTLE_EXTRA_MS 5000

void
daemon_host_spec_clear(DaemonHostSpec *spec)
{
  g_clear_pointer(&spec->name, g_free);
  g_clear_pointer(&spec->module, g_free);
  g_clear_pointer(&spec->profile, base_profile_free);
  g_clear_pointer(&spec->environment, g_strfreev);
  g_clear_pointer(&spec->folder, g_free);
}

static gboolean
start_now(gpointer user_data)
{
  DaemonHost *host = user_data;
  host->start_timer = 0;
  daemon_host_spawn(host);
  return G_SOURCE_REMOVE;
}

DaemonHost *
daemon_host_new(Daemon *daemon, DaemonHostSpec *spec)
{
  DaemonHost *host = g_new0(DaemonHost, 1);
  host->daemon = daemon;
  host->number = daemon->hosts->len;
  host->spec = *spec;
  memset(spec, 0, sizeof *spec);
  host->state = DAEMON_HOST_WAITING;
  host->fd = -1;
  host->watch = -1;
  host->backoff_ms = BACKOFF_FIRST_MS;
  host->requests = g_hash_table_new(NULL, NULL);
  host->deaths = g_array_new(FALSE, FALSE, sizeof(gint64));
  daemon_queue_init(&host->out);
  g_queue_init(&host->waiting);
  g_queue_init(&host->list_waiters);
  host->settle_until =
      g_get_monotonic_time() + (gint64)(host->spec.profile->start_ms + SETTLE_EXTRA_MS) * 1000;
  g_ptr_array_add(daemon->hosts, host);
  daemon_host_watch(host);
  daemon_timer_set(&host->start_timer, host->spec.start_after, start_now, host);
  return host;
}

static void
end_process(DaemonHost *host)
{
  if (host->pid) {
    kill(host->pid, SIGKILL);
    daemon_spawn_reap(host->pid, host->planned ? NULL : host->spec.name);
  }
  host->pid = 0;
  daemon_io_remove(&host->io);
  if (host->fd >= 0)
    close(host->fd);
  host->fd = -1;
  daemon_queue_clear(&host->out);
  base_wipe(host->in, host->in_size);
  g_clear_pointer(&host->in, g_free);
  host->in_length = host->in_size = 0;
}

void
daemon_host_free(DaemonHost *host)
{
  g_autoptr(GError) error = NULL;
  base_error_set(&error, SIGNET_ERROR_TOKEN_GONE, "signetd ends");
  host->planned = TRUE;
  end_process(host);
  daemon_timer_clear(&host->start_timer);
  daemon_timer_clear(&host->list_timer);
  daemon_timer_clear(&host->waiting_idle);
  daemon_host_unwatch(host);
  daemon_host_lose_requests(host, "signetd ends");
  daemon_tokens_list_lost(host);
  daemon_host_fail_waiting(host, error);
  daemon_timer_clear(&host->deadline_timer);
  daemon_timer_clear(&host->waiting_idle);
  g_hash_table_destroy(host->requests);
  g_array_free(host->deaths, TRUE);
  daemon_host_spec_clear(&host->spec);
  g_free(host->problem);
  g_free(host->description);
  g_free(host->manufacturer);
  g_free(host->version);
  g_free(host);
}

void
daemon_host_settled_now(DaemonHost *host)
{
  host->settled = TRUE;
  daemon_settle_check(host->daemon);
}

static void
give_up(DaemonHost *host, const char *problem)
{
  g_autoptr(GError) error = NULL;
  g_free(host->problem);
  host->problem = g_strdup(problem);
  host->state = DAEMON_HOST_DOWN;
  base_log("%s is down: %s; tried again in %u s", host->spec.name, problem,
           host->backoff_ms / 1000);
  daemon_timer_set(&host->start_timer, host->backoff_ms, start_now, host);
  host->backoff_ms = MIN(host->backoff_ms * 2, BACKOFF_MAX_MS);
  g_array_set_size(host->deaths, 0);
  daemon_tokens_host_down(host);
  daemon_tokens_list_lost(host);
  base_error_set(&error, SIGNET_ERROR_TOKEN_DOWN, "%s is down: %s", host->spec.name, problem);
  daemon_host_fail_waiting(host, error);
  daemon_host_settled_now(host);
}

static guint
deaths_lately(DaemonHost *host)
{
  gint64 now = g_get_monotonic_time();
  while (host->deaths->len > 0 && g_array_index(host->deaths, gint64, 0) < now - BREAKER_WINDOW_US)
    g_array_remove_index(host->deaths, 0);
  return host->deaths->len;
}

void
daemon_host_died(DaemonHost *host, const char *reason)
{
  gint64 now = g_get_monotonic_time();
  gboolean planned = host->planned;
  gboolean greeted = host->said_hello;

  if (host->fd < 0)
    return;
  if (!planned) {
    base_log("%s: the host ended: %s", host->spec.name, reason);
    daemon_count(host->daemon, "hosts lost", 1);
    g_array_append_val(host->deaths, now);
  }
  end_process(host);
  host->planned = FALSE;
  host->said_hello = FALSE;
  host->listing = FALSE;
  host->list_again = FALSE;
  host->list_failures = 0;
  daemon_timer_clear(&host->list_timer);
  host->state = DAEMON_HOST_WAITING;
  daemon_channels_host_died(host);
  daemon_tokens_host_died(host);
  guint deaths = deaths_lately(host);
  if (deaths >= BREAKER_DEATHS) {
    g_autofree char *problem =
        g_strdup_printf(greeted ? "its module crashed or hung %u times in a minute"
                                : "its module could not be started %u times in a minute",
                        deaths);
    give_up(host, problem);
  } else {
    daemon_timer_set(&host->start_timer, planned ? 0 : RESPAWN_MS * deaths, start_now, host);
  }
  daemon_tokens_list_lost(host);
  daemon_host_lose_requests(host, reason); /* last: they may be asked again */
}

void
daemon_host_restart(DaemonHost *host, gboolean planned, const char *reason)
{
  host->planned = planned;
  host->restart_wanted = FALSE;
  daemon_host_died(host, reason);
}

static void
hello_answer(gpointer user_data, WireReader *body, const GError *error)
{
  DaemonHost *host = user_data;
  if (daemon_host_lost(error) || (error && host->fd < 0))
    return; /* its death says the rest */
  g_autofree char *description = NULL;
  g_autofree char *manufacturer = NULL;
  g_autofree char *version = NULL;
  if (!error) {
    guint32 protocol = wire_read_u32(body);
    description = wire_read_text(body, WIRE_NAME_MAX);
    manufacturer = wire_read_text(body, WIRE_NAME_MAX);
    version = wire_read_text(body, WIRE_NAME_MAX);
    g_free(wire_read_text(body, WIRE_NAME_MAX));
    if (!body->failed && protocol == WIRE_PROTOCOL) {
      host->said_hello = TRUE;
      g_clear_pointer(&host->problem, g_free);
      g_free(host->description);
      g_free(host->manufacturer);
      g_free(host->version);
      host->description = g_steal_pointer(&description);
      host->manufacturer = g_steal_pointer(&manufacturer);
      host->version = g_steal_pointer(&version);
      daemon_tokens_list(host);
      return;
    }
  }
  g_autofree char *problem =
      g_strdup(error ? error->message : "signet-token is of another version than signetd");
  /* A module that cannot be loaded stays so: no need to see it five times. */
  host->planned = TRUE;
  end_process(host);
  host->planned = FALSE;
  give_up(host, problem);
}

void
daemon_host_spawn(DaemonHost *host)
{
  g_autoptr(GError) error = NULL;
  WirePacker body = { 0 };
  if (host->fd >= 0 || host->daemon->stopping)
    return;
  if (!daemon_spawn_host(&host->spec, &host->pid, &host->fd, &error)) {
    give_up(host, error->message);
    return;
  }
  host->state = DAEMON_HOST_STARTING;
  host->restart_wanted = FALSE; /* it sees the folder as it is now */
  host->io = daemon_io_add(host->fd, G_IO_IN, daemon_host_io, host);
  wire_pack_u32(&body, WIRE_PROTOCOL);
  wire_pack_bytes(&body, host->daemon->rejection_secret, sizeof host->daemon->rejection_secret);
  daemon_host_request(host, WIRE_HOST_HELLO, host->spec.profile->start_ms, &body, hello_answer,
                      host);
}

void
daemon_host_ready(DaemonHost *host)
{
  if (host->fd < 0)
    return;
  if (host->state != DAEMON_HOST_READY) {
    host->state = DAEMON_HOST_READY;
    if (host->deaths->len == 0)
      host->backoff_ms = BACKOFF_FIRST_MS;
  }
  daemon_host_send_waiting(host);
}

gboolean
daemon_hosts_settled(Daemon *daemon)
{
  gint64 now = g_get_monotonic_time();
  for (guint i = 0; i < daemon->hosts->len; i++) {
    const DaemonHost *host = daemon->hosts->pdata[i];
    if (!host->settled && now < host->settle_until)
      return FALSE;
  }
  return TRUE;
}

json_t *
daemon_hosts_warnings(Daemon *daemon)
{
  json_t *warnings = json_array();
  for (guint i = 0; i < daemon->hosts->len; i++) {
    const DaemonHost *host = daemon->hosts->pdata[i];
    if (host->state != DAEMON_HOST_DOWN)
      continue;
    g_autofree char *text =
        g_strdup_printf("%s is down: %s", host->spec.name, host->problem ? host->problem : "?");
    json_array_append_new(warnings, json_string(text));
  }
  for (guint i = 0; i < daemon->problems->len; i++) {
    g_autofree char *valid = g_utf8_make_valid(daemon->problems->pdata[i], -1);
    json_array_append_new(warnings, json_string(valid));
  }
  return warnings;
}

void
daemon_host_notice(DaemonHost *host, guint16 kind, WireReader *body)
{
  guint32 first = kind == WIRE_HOST_CHANGED ? 0 : wire_read_u32(body);
  switch (kind) {
  case WIRE_HOST_CHANGED:
    if (host->said_hello)
      daemon_tokens_list(host);
    break;
  case WIRE_HOST_LOGGED_OUT:
    daemon_tokens_logged_out(host, first, wire_read_u32(body));
    break;
  case WIRE_HOST_USED:
    daemon_channel_used(host, first, wire_read_u32(body));
    break;
  case WIRE_HOST_CHANNEL_CLOSED:
    daemon_channel_closed(host, first);
    break;
  default:
    break; /* a newer host may know more */
  }
}
