/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cert.h"
#include "base/error.h"
#include "base/log.h"
#include "base/path.h"
#include "daemon/broker.h"
#include "daemon/catalogue.h"
#include "daemon/events.h"
#include "daemon/hostlife.h"
#include "daemon/listen.h"
#include "daemon/modules.h"
#include "daemon/pins.h"
#include "daemon/token.h"
#include "daemon/transfer.h"

#include <openssl/rand.h>
#include <string.h>

#define STOP_GRACE_MS 5000
#define SETTLE_POLL_MS 250

DaemonCatalogue *
daemon_catalogue(Daemon *daemon)
{
  return daemon->catalogue;
}

BaseConfig *
daemon_config(Daemon *daemon)
{
  return daemon->config;
}

void
daemon_count(Daemon *daemon, const char *counter, gint64 add)
{
  gint64 *value = g_hash_table_lookup(daemon->counters, counter);
  if (!value) {
    value = g_new0(gint64, 1);
    g_hash_table_insert(daemon->counters, (gpointer)(gintptr)counter, value);
  }
  *value += add;
}

/* The same after a restart, so that a ciphertext with bad padding opens to the same wrong key
 * (implicit rejection) whenever it is tried. */
static void
load_rejection_secret(Daemon *daemon, const char *state)
{
  g_autofree char *path = g_build_filename(state, "rejection-secret", NULL);
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  g_autoptr(GBytes) bytes = g_file_test(path, G_FILE_TEST_EXISTS)
                                ? base_path_read(path, DAEMON_SECRET_SIZE, &error)
                                : NULL;
  const guint8 *data = bytes ? g_bytes_get_data(bytes, &length) : NULL;
  if (length == DAEMON_SECRET_SIZE) {
    memcpy(daemon->rejection_secret, data, DAEMON_SECRET_SIZE);
    return;
  }
  g_clear_error(&error);
  if (RAND_priv_bytes(daemon->rejection_secret, DAEMON_SECRET_SIZE) != 1)
    g_error("no random bytes");
  if (!base_path_write(path, daemon->rejection_secret, DAEMON_SECRET_SIZE, 0600, &error))
    base_log("%s; another one is used after the next start", error->message);
}

static gboolean
settle_poll(gpointer user_data)
{
  Daemon *daemon = user_data;
  daemon_expiry_check_sleep(daemon);
  if (!g_queue_is_empty(&daemon->settling))
    daemon_settle_check(daemon);
  return G_SOURCE_CONTINUE;
}

Daemon *
daemon_new(GError **error)
{
  g_autoptr(BaseConfig) config = base_config_load(error);
  g_autofree char *state = base_path_state();
  g_autofree char *pins = g_build_filename(state, "pins", NULL);
  g_autoptr(GError) unwritable = NULL;
  if (!config)
    return NULL;
  if (!base_path_make_folder(state, &unwritable))
    base_log("%s", unwritable->message);

  Daemon *daemon = g_new0(Daemon, 1);
  daemon->config = g_steal_pointer(&config);
  daemon->loop = g_main_loop_new(NULL, FALSE);
  daemon->catalogue = daemon_catalogue_new();
  daemon->catalogue_path = g_build_filename(state, "catalogue", NULL);
  daemon->pins = daemon_pins_new(pins);
  daemon->hosts = g_ptr_array_new();
  daemon->modules = daemon_modules_new();
  daemon->problems = g_ptr_array_new_with_free_func(g_free);
  daemon->tokens = g_ptr_array_new_with_free_func((GDestroyNotify)daemon_token_unref);
  daemon->connections = g_ptr_array_new();
  daemon->watchers = g_ptr_array_new();
  daemon->channels = g_ptr_array_new();
  daemon->transfers = daemon_transfers_new();
  daemon->counters = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
  daemon->started = g_get_real_time() / G_USEC_PER_SEC;
  g_queue_init(&daemon->settling);
  if (!daemon_expiry_check_config(daemon, error)) {
    daemon_free(daemon);
    return NULL;
  }
  daemon_expiry_start(daemon);
  load_rejection_secret(daemon, state);
  daemon_catalogue_load(daemon->catalogue, daemon->catalogue_path);
  daemon_modules_start(daemon);
  daemon->settle_timer = g_timeout_add(SETTLE_POLL_MS, settle_poll, daemon);
  return daemon;
}

static gboolean
is_quiet(Daemon *daemon)
{
  for (guint i = 0; i < daemon->connections->len; i++) {
    const DaemonConnection *connection = daemon->connections->pdata[i];
    gboolean watching =
        connection->call && g_ptr_array_find(daemon->watchers, connection->call, NULL);
    if ((connection->call && !watching) || connection->out.bytes > 0)
      return FALSE;
  }
  return TRUE;
}

static gboolean
quiet_idle(gpointer user_data)
{
  Daemon *daemon = user_data;
  daemon->quiet_idle = 0;
  if (daemon->stopping && is_quiet(daemon))
    g_main_loop_quit(daemon->loop);
  for (guint i = 0; i < daemon->hosts->len; i++)
    daemon_host_watch_check(daemon->hosts->pdata[i]);
  return G_SOURCE_REMOVE;
}

static gboolean
wants_quiet(Daemon *daemon)
{
  for (guint i = 0; i < daemon->hosts->len; i++)
    if (((DaemonHost *)daemon->hosts->pdata[i])->restart_wanted)
      return TRUE;
  return daemon->stopping;
}

void
daemon_quiet_check(Daemon *daemon)
{
  if (!daemon->quiet_idle && daemon->loop && wants_quiet(daemon))
    daemon->quiet_idle = g_idle_add(quiet_idle, daemon);
}

static gboolean
stop_now(gpointer user_data)
{
  Daemon *daemon = user_data;
  daemon->stop_timer = 0;
  g_main_loop_quit(daemon->loop);
  return G_SOURCE_REMOVE;
}

void
daemon_stop(Daemon *daemon)
{
  if (daemon->stopping) { /* asked twice: at once */
    g_main_loop_quit(daemon->loop);
    return;
  }
  daemon->stopping = TRUE;
  if (daemon->listener)
    daemon_listener_stop(daemon->listener);
  daemon_timer_set(&daemon->stop_timer, STOP_GRACE_MS, stop_now, daemon);
  daemon_quiet_check(daemon);
}

void
daemon_free(Daemon *daemon)
{
  if (!daemon)
    return;
  daemon->stopping = TRUE;
  for (guint i = 0; i < daemon->tokens->len; i++)
    daemon_token_close(daemon->tokens->pdata[i]);
  while (daemon->connections->len > 0)
    daemon_connection_close(daemon->connections->pdata[0]);
  for (guint i = 0; i < daemon->hosts->len; i++)
    daemon_host_free(daemon->hosts->pdata[i]);
  daemon_transfers_free(daemon);
  daemon_catalogue_save_now(daemon);
  daemon_timer_clear(&daemon->settle_timer);
  daemon_timer_clear(&daemon->expiry_timer);
  daemon_timer_clear(&daemon->quiet_idle);
  daemon_timer_clear(&daemon->stop_timer);
  g_ptr_array_unref(daemon->tokens);
  g_ptr_array_unref(daemon->hosts);
  daemon_modules_free(daemon);
  g_ptr_array_unref(daemon->connections);
  g_ptr_array_unref(daemon->watchers);
  g_ptr_array_unref(daemon->channels);
  daemon_catalogue_free(daemon->catalogue);
  daemon_pins_free(daemon->pins);
  g_hash_table_destroy(daemon->counters);
  base_config_free(daemon->config);
  base_wipe(daemon->rejection_secret, sizeof daemon->rejection_secret);
  g_main_loop_unref(daemon->loop);
  g_free(daemon->catalogue_path);
  g_free(daemon);
}
