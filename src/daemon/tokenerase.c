/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Token.Erase: everything on a token, because the person typed its serial number.
 *
 * A card, or another program's SoftHSM, is erased by C_InitToken with its SO PIN. Nobody knows the SO
 * PIN of a soft token that signet made itself: there the user's PIN is checked, and its folder goes. */
#include "base/error.h"
#include "base/log.h"
#include "daemon/catalogue.h"
#include "daemon/events.h"
#include "daemon/hostlife.h"
#include "daemon/modules.h"
#include "daemon/pins.h"
#include "daemon/tokens.h"
#include "wire/limits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUIET_EVERY_MS 50
#define QUIET_TRIES 100

typedef struct {
  DaemonCall *call;
  Daemon *daemon;
  DaemonToken *token;
  DaemonHost *host;
  BaseSecret *so_pin;
  BaseSecret *pin;
  char *so_identity;
  GPtrArray *keys;    /* char: names */
  GPtrArray *removed; /* char: lines */
  guint tries;
  guint timer;
} Erase;

static void
erase_free(Erase *self)
{
  daemon_timer_clear(&self->timer);
  base_secret_free(self->so_pin);
  base_secret_free(self->pin);
  g_clear_pointer(&self->token, daemon_token_unref);
  g_free(self->so_identity);
  g_ptr_array_unref(self->keys);
  g_ptr_array_unref(self->removed);
  g_free(self);
}

static void
fail(Erase *self, const GError *error)
{
  daemon_call_fail(self->call, error);
  erase_free(self);
}

/* ---- what dies ---- */

static void
collect(Erase *self, const DaemonDevice *device)
{
  DaemonCatalogue *catalogue = self->daemon->catalogue;
  g_autoptr(GPtrArray) keys = daemon_catalogue_device_keys(catalogue, device);
  g_autoptr(GPtrArray) certs = daemon_catalogue_device_certs(catalogue, device);
  for (guint i = 0; i < keys->len; i++) {
    const DaemonKey *key = keys->pdata[i];
    g_autofree char *line = daemon_catalogue_key_line(key);
    g_ptr_array_add(self->keys, g_strdup(key->name));
    g_ptr_array_add(
        self->removed,
        g_strconcat(line, daemon_catalogue_only_on(key, device) ? ", the only copy" : "", NULL));
  }
  for (guint i = 0; i < certs->len; i++) {
    const DaemonCert *cert = certs->pdata[i];
    g_ptr_array_add(self->removed,
                    g_strdup_printf("certificate %.16s… of %s", cert->fingerprint, cert->subject));
  }
}

static void
forget_keys(Erase *self, const DaemonDevice *device)
{
  for (guint i = 0; i < self->keys->len; i++)
    daemon_catalogue_forget_key(self->daemon->catalogue, self->keys->pdata[i], device);
}

static void
reply(Erase *self)
{
  json_t *object = json_object();
  g_ptr_array_add(self->removed, NULL);
  wire_json_set_strv(object, "removed", (char **)self->removed->pdata);
  daemon_catalogue_changed(self->daemon);
  daemon_call_reply(self->call, object);
  erase_free(self);
}

/* ---- by C_InitToken ---- */

/* It is erased, whether the host can tell so or not; a list of its objects that was begun before
 * may have brought them all back meanwhile. */
static void
refreshed(gpointer user_data, const GError *error G_GNUC_UNUSED)
{
  Erase *self = user_data;
  const DaemonDevice *device = daemon_token_device(self->token);
  if (device)
    forget_keys(self, device);
  reply(self);
}

static void
listed(gpointer user_data, const GError *error)
{
  Erase *self = user_data;
  DaemonToken *now = daemon_token_at(self->daemon, self->host->number, self->token->record->slot);
  if (error || !now) {
    reply(self);
    return;
  }
  daemon_token_unref(self->token);
  self->token = daemon_token_ref(now);
  daemon_token_refresh(now, refreshed, self);
}

static void
erased(gpointer user_data, WireReader *body, const GError *error)
{
  Erase *self = user_data;
  DaemonToken *token = self->token;
  g_autoptr(GError) told = NULL;
  daemon_login_book(token, self->so_identity, self->so_pin, error, &told);
  if (told) {
    if (token->present)
      daemon_tokens_list(token->host); /* its flags, and what may be left of it */
    fail(self, told);
    return;
  }
  base_log("the token \"%s\" was erased: %u objects", daemon_token_label(token),
           wire_read_u32(body));
  DaemonDevice *device = daemon_token_device(token);
  daemon_pins_was_right(self->daemon->pins, token->identity);
  if (device) {
    forget_keys(self, device);
    daemon_catalogue_set_lost(self->daemon->catalogue, device, FALSE);
  }
  daemon_tokens_list_then(token->host, listed, self);
}

static void
ask_erase(Erase *self)
{
  WirePacker rest = { 0 };
  DaemonToken *token = self->token;
  wire_pack_bytes(&rest, base_secret_bytes(self->so_pin), base_secret_length(self->so_pin));
  daemon_pins_attempt(self->daemon->pins, self->so_identity);
  daemon_token_request(token, WIRE_HOST_ERASE, token->host->spec.profile->generate_ms, &rest,
                       erased, self);
}

/* ---- a folder of signet's own SoftHSM ---- */

/* SoftHSM keeps files only in it. What else lies there must not save a key from going. */
static gboolean
remove_flat_folder(const char *path, GError **error)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name = NULL;
  gboolean all = TRUE;
  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *file = g_build_filename(path, name, NULL);
    if (unlink(file) != 0 && all)
      all = base_error_set_errno(error, errno, "the token is gone, but cannot remove %s", file);
  }
  return all && (rmdir(path) == 0 || base_error_set_errno(error, errno, "cannot remove %s", path));
}

/* Moved out of SoftHSM's sight in one step first: there is no half a token. */
static gboolean
remove_folder(DaemonHost *host, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename(host->spec.folder, name, NULL);
  g_autofree char *above = g_path_get_dirname(host->spec.folder);
  g_autofree char *hidden = g_strconcat(".erased-", name, NULL);
  g_autofree char *away = g_build_filename(above, hidden, NULL);
  if (rename(path, away) != 0)
    return base_error_set_errno(error, errno, "cannot remove %s", path);
  return remove_flat_folder(away, error);
}

static void
soft_listed(gpointer user_data, const GError *error G_GNUC_UNUSED)
{
  Erase *self = user_data;
  const WireToken *record = self->token->record;
  DaemonDevice *device =
      daemon_catalogue_find_device(self->daemon->catalogue, record->serial, NULL);
  if (device && !device->views->len)
    daemon_catalogue_forget_device(self->daemon->catalogue, device);
  reply(self);
}

static void
erase_folder(Erase *self)
{
  g_autoptr(GError) error = NULL;
  DaemonHost *host = self->host;
  const char *label = daemon_token_label(self->token);
  const char *serial = self->token->record->serial;
  g_autofree char *name = daemon_softhsm_token_folder(host->spec.folder, serial);
  if (!name) {
    base_error_set(&error, SIGNET_ERROR_FAILED,
                   "there is not one folder of a soft token with the serial number %s", serial);
    fail(self, error);
    return;
  }
  daemon_host_restart(host, TRUE, "a token is erased");
  host->own_changes++;
  gboolean gone = remove_folder(host, name, &error);
  host->own_changes--;
  daemon_host_watch_drain(host);
  if (!gone) {
    fail(self, error);
    return;
  }
  base_log("the soft token \"%s\" was erased", label);
  daemon_pins_was_right(self->daemon->pins, self->token->identity);
  daemon_tokens_listed_then(host, soft_listed, self);
}

/* Its host is ended, so what else it does there is waited for, for a while. */
static gboolean
erase_when_quiet(gpointer user_data)
{
  Erase *self = user_data;
  self->timer = 0;
  if (daemon_host_busy(self->host) && ++self->tries < QUIET_TRIES)
    daemon_timer_set(&self->timer, QUIET_EVERY_MS, erase_when_quiet, self);
  else
    erase_folder(self);
  return G_SOURCE_REMOVE;
}

static void
pin_checked(gpointer user_data, gboolean already, const GError *error)
{
  Erase *self = user_data;
  g_autoptr(GError) unchecked = NULL;
  if (!error && already) /* unlocked by somebody else in between: this PIN was not looked at */
    base_error_set(&unchecked, SIGNET_ERROR_REFUSED,
                   "the token \"%s\" was unlocked meanwhile, so the PIN was not checked; try again",
                   daemon_token_label(self->token));
  if (error || unchecked)
    fail(self, error ? error : unchecked);
  else
    daemon_timer_set(&self->timer, 0, erase_when_quiet, self);
}

static void
so_checked(gpointer user_data, WireReader *body G_GNUC_UNUSED, const GError *error)
{
  Erase *self = user_data;
  g_autoptr(GError) told = NULL;
  daemon_login_book(self->token, self->so_identity, self->so_pin, error, &told);
  if (told)
    fail(self, told);
  else
    daemon_timer_set(&self->timer, 0, erase_when_quiet, self);
}

static void
check_so_pin(Erase *self)
{
  WirePacker rest = { 0 };
  wire_pack_u8(&rest, 1);
  wire_pack_bytes(&rest, base_secret_bytes(self->so_pin), base_secret_length(self->so_pin));
  daemon_pins_attempt(self->daemon->pins, self->so_identity);
  daemon_token_request(self->token, WIRE_HOST_LOGIN, 0, &rest, so_checked, self);
}

/* The SO cannot log in while the user is (PKCS#11 v2.40 5.6.2), and a PIN is only checked on a token
 * that is locked. */
static void
locked(gpointer user_data, const GError *error)
{
  Erase *self = user_data;
  if (error)
    fail(self, error);
  else if (!daemon_token_soft(self->token))
    ask_erase(self);
  else if (self->so_pin)
    check_so_pin(self);
  else
    daemon_login_try(self->token, g_steal_pointer(&self->pin), FALSE, pin_checked, self);
}

/* ---- the call ---- */

static gboolean
check_pins(Erase *self, GError **error)
{
  DaemonToken *token = self->token;
  const char *label = daemon_token_label(token);
  gboolean soft = daemon_token_soft(token);
  self->so_identity = daemon_login_so_identity(token);
  if (!self->so_pin && !soft)
    return base_error_set(error, SIGNET_ERROR_USAGE, "the SO PIN of \"%s\" is needed to erase it",
                          label);
  if (!self->so_pin && !self->pin)
    return base_error_set(error, SIGNET_ERROR_USAGE, "the PIN of \"%s\" is needed to erase it",
                          label);
  if (self->so_pin && (token->record->flags & WIRE_TOKEN_SO_LOCKED))
    return base_error_set(error, SIGNET_ERROR_PIN_BLOCKED, "the SO PIN of \"%s\" is blocked",
                          label);
  return self->so_pin ? daemon_login_check_pin(token, self->so_identity, self->so_pin, FALSE, error)
                      : daemon_login_check_pin(token, token->identity, self->pin, FALSE, error);
}

/* Of a token that has none, the label. */
static gboolean
check_serial(const DaemonToken *token, const char *serial, GError **error)
{
  const WireToken *record = token->record;
  g_autofree char *typed = g_strstrip(g_strdup(serial));
  g_autofree char *is = g_strstrip(g_strdup(*record->serial ? record->serial : record->label));
  if (*is && strcmp(typed, is) == 0)
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_REFUSED,
                        "\"%.100s\" is not the serial number of \"%s\": nothing was erased", typed,
                        record->label);
}

static gboolean
read_erase(Erase *self, GError **error)
{
  const json_t *parameters = daemon_call_parameters(self->call);
  const char *name = NULL;
  const char *serial = NULL;
  if (!wire_json_get_text(parameters, "token", FALSE, WIRE_NAME_MAX, &name, error) ||
      !wire_json_get_text(parameters, "serial", FALSE, WIRE_NAME_MAX, &serial, error) ||
      !wire_json_get_secret(parameters, "so_pin", TRUE, &self->so_pin, error) ||
      !wire_json_get_secret(parameters, "pin", TRUE, &self->pin, error))
    return FALSE;
  self->token = daemon_token_find_any(self->daemon, name, error);
  if (!self->token)
    return FALSE;
  self->host = self->token->host;
  if (!(self->token->record->flags & WIRE_TOKEN_INITIALIZED))
    return base_error_set(error, SIGNET_ERROR_REFUSED, "the token in %s is blank already",
                          self->token->record->slot_description);
  return check_serial(self->token, serial, error) && check_pins(self, error);
}

void
daemon_token_erase(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  Erase *self = g_new0(Erase, 1);
  self->call = call;
  self->daemon = daemon_call_daemon(call);
  self->keys = g_ptr_array_new_with_free_func(g_free);
  self->removed = g_ptr_array_new_with_free_func(g_free);
  if (!read_erase(self, &error)) {
    fail(self, error);
    return;
  }
  const DaemonDevice *device = daemon_token_device(self->token);
  if (device)
    collect(self, device);
  daemon_login_lock(self->token, locked, self);
}
