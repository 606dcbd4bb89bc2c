/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Id.SetAddresses and SetPolicy: what a person says of an ID. */
#include "base/error.h"
#include "daemon/events.h"
#include "daemon/ids.h"
#include "wire/limits.h"

#include <string.h>

/* ---- addresses ---- */

static gboolean
check_addresses(DaemonCatalogue *catalogue, const DaemonId *id, char *const *addresses,
                GError **error)
{
  for (char *const *at = addresses; at && *at; at++) {
    g_autofree char *normal = base_address_normal(*at);
    if (!normal)
      return base_error_set(error, SIGNET_ERROR_USAGE, "\"%.100s\" is no mail address", *at);
    const DaemonId *other = daemon_catalogue_find_address(catalogue, normal);
    if (!other || other == id)
      continue;
    base_error_set(error, SIGNET_ERROR_REFUSED, "%s is the address of another ID, %s", normal,
                   other->id);
    base_error_suggest(error, "signet", "id", "show", other->id, NULL);
    return FALSE;
  }
  return TRUE;
}

/* All keys of the ID get them: one whose certificate goes must not drop out of it. */
static char *
tie_addresses(DaemonCatalogue *catalogue, const DaemonId *id, char *const *addresses,
              const char *name)
{
  static char *const none[] = { NULL };
  g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < id->keys->len; i++)
    g_ptr_array_add(keys, g_strdup(((DaemonKey *)g_ptr_array_index(id->keys, i))->name));
  for (guint i = 0; i < keys->len; i++)
    daemon_catalogue_name_key(catalogue, keys->pdata[i],
                              (const char *const *)(addresses ? addresses : none), name);
  const DaemonKey *key = daemon_catalogue_key(catalogue, keys->pdata[0]);
  return g_strdup(key && key->id ? key->id->id : "");
}

void
daemon_id_set_addresses(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  g_auto(GStrv) addresses = NULL;
  Daemon *daemon = daemon_call_daemon(call);
  DaemonCatalogue *catalogue = daemon_catalogue(daemon);
  const char *text = NULL;
  const char *name = NULL;
  const DaemonId *id = NULL;
  if (!daemon_id_text(call, "id", FALSE, &text, &error) ||
      !daemon_id_text(call, "name", TRUE, &name, &error) ||
      !wire_json_get_strv(daemon_call_parameters(call), "addresses", FALSE,
                          DAEMON_CATALOGUE_ADDRESSES_MAX, &addresses, &error) ||
      !(id = daemon_catalogue_find_id(catalogue, text, NULL, &error)) ||
      !check_addresses(catalogue, id, addresses, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  g_autofree char *now = tie_addresses(catalogue, id, addresses, name);
  json_t *reply = json_object();
  wire_json_set_text(reply, "id", now);
  daemon_catalogue_changed(daemon);
  daemon_call_reply(call, reply);
}

/* ---- policy ---- */

typedef struct {
  DaemonToken *token;
  char *key;
  char *line;
} Seal;

/* All logins come first, so that a missing PIN leaves everything as it was. */
typedef struct {
  DaemonCall *call;
  Daemon *daemon;
  GPtrArray *seals;  /* Seal */
  GPtrArray *tokens; /* DaemonToken: each once */
  guint at;          /* into the tokens, then the seals, then the tokens again */
  GPtrArray *sealed; /* lines */
  GPtrArray *failed;
} Policy;

static void
seal_free(gpointer data)
{
  Seal *seal = data;
  daemon_token_unref(seal->token);
  g_free(seal->key);
  g_free(seal->line);
  g_free(seal);
}

static void
policy_free(Policy *self)
{
  g_ptr_array_unref(self->seals);
  g_ptr_array_unref(self->tokens);
  g_ptr_array_unref(self->sealed);
  g_ptr_array_unref(self->failed);
  g_free(self);
}

static void
policy_fail(Policy *self, const GError *error)
{
  daemon_call_fail(self->call, error);
  policy_free(self);
}

static void
plan_location(Policy *self, const DaemonKey *key, const DaemonLocation *location)
{
  g_autofree char *what = daemon_catalogue_key_line(key);
  DaemonToken *token = daemon_id_token_of_view(self->daemon, location->view);
  char *line = g_strdup_printf("%s on \"%s\"", what, location->view->token->label);
  if (!token) {
    g_ptr_array_add(self->failed, g_strdup_printf("%s: the token went away", line));
    g_free(line);
    return;
  }
  Seal *seal = g_new0(Seal, 1);
  *seal = (Seal){ token, g_strdup(key->name), line };
  g_ptr_array_add(self->seals, seal);
  if (!g_ptr_array_find(self->tokens, token, NULL))
    g_ptr_array_add(self->tokens, daemon_token_ref(token));
}

static gboolean
is_first_on_device(const DaemonKey *key, const DaemonLocation *location)
{
  for (guint i = 0; i < key->locations->len; i++) {
    const DaemonLocation *other = g_ptr_array_index(key->locations, i);
    if (other->view->device == location->view->device)
      return other == location;
  }
  return FALSE;
}

static gboolean
is_here(const DaemonKey *key, const DaemonDevice *device)
{
  for (guint i = 0; i < key->locations->len; i++)
    if (((DaemonLocation *)g_ptr_array_index(key->locations, i))->view->device == device)
      return TRUE;
  return FALSE;
}

static void
plan_key(Policy *self, const DaemonKey *key)
{
  g_autofree char *what = daemon_catalogue_key_line(key);
  for (guint i = 0; i < key->locations->len; i++) {
    const DaemonLocation *location = g_ptr_array_index(key->locations, i);
    if (is_first_on_device(key, location))
      plan_location(self, key, location);
  }
  for (guint i = 0; i < key->seen->len; i++) {
    const DaemonSeen *seen = g_ptr_array_index(key->seen, i);
    if (!seen->gone && !seen->device->lost && !is_here(key, seen->device))
      g_ptr_array_add(
          self->failed,
          g_strdup_printf("%s on \"%s\": the token is not here; insert it and try again", what,
                          seen->device->label));
  }
}

static void next_step(Policy *self);

/* A token that cannot be logged in to for another reason than a missing PIN holds up no other. */
static void
give_up_token(Policy *self, const DaemonToken *token, const GError *error)
{
  for (guint i = self->seals->len; i-- > 0;) {
    Seal *seal = g_ptr_array_index(self->seals, i);
    if (seal->token != token)
      continue;
    g_ptr_array_add(self->failed, g_strdup_printf("%s: %s", seal->line, error->message));
    g_ptr_array_remove_index(self->seals, i);
  }
}

static void
logged_in(gpointer user_data, const GError *error)
{
  Policy *self = user_data;
  if (error && error->code == SIGNET_ERROR_PIN_REQUIRED) {
    policy_fail(self, error);
    return;
  }
  if (error)
    give_up_token(self, g_ptr_array_index(self->tokens, self->at), error);
  self->at++;
  next_step(self);
}

static void
key_sealed(gpointer user_data, WireReader *body, const GError *error)
{
  Policy *self = user_data;
  Seal *seal = g_ptr_array_index(self->seals, self->at - self->tokens->len);
  g_autoptr(GError) bad = NULL;
  gboolean changed = !error && wire_read_u8(body) != 0;
  if (!error)
    wire_reader_done(body, "the answer of the token's host", &bad);
  if (error || bad)
    g_ptr_array_add(self->failed,
                    g_strdup_printf("%s: %s", seal->line, (error ? error : bad)->message));
  else if (changed)
    g_ptr_array_add(self->sealed, g_steal_pointer(&seal->line));
  self->at++;
  next_step(self);
}

static void
refreshed(gpointer user_data, const GError *error G_GNUC_UNUSED)
{
  Policy *self = user_data;
  self->at++;
  next_step(self);
}

static void
policy_reply(Policy *self)
{
  json_t *reply = json_object();
  g_ptr_array_add(self->sealed, NULL);
  g_ptr_array_add(self->failed, NULL);
  wire_json_set_strv(reply, "sealed", (char **)self->sealed->pdata);
  wire_json_set_strv(reply, "failed", (char **)self->failed->pdata);
  daemon_catalogue_changed(self->daemon);
  daemon_call_reply(self->call, reply);
  policy_free(self);
}

static void
next_step(Policy *self)
{
  guint tokens = self->tokens->len;
  guint seals = self->seals->len;
  if (self->at < tokens) {
    daemon_token_login(g_ptr_array_index(self->tokens, self->at), logged_in, self);
  } else if (self->at < tokens + seals) {
    const Seal *seal = g_ptr_array_index(self->seals, self->at - tokens);
    WirePacker rest = { 0 };
    wire_pack_text(&rest, seal->key);
    daemon_token_request(seal->token, WIRE_HOST_SEAL_KEY, 0, &rest, key_sealed, self);
  } else if (self->at < 2 * tokens + seals) {
    daemon_token_refresh(g_ptr_array_index(self->tokens, self->at - tokens - seals), refreshed,
                         self);
  } else {
    policy_reply(self);
  }
}

static gboolean
plan_policy(Policy *self, GError **error)
{
  const char *name = NULL;
  gboolean never_export = FALSE;
  const DaemonId *id = NULL;
  if (!daemon_id_text(self->call, "id", FALSE, &name, error) ||
      !wire_json_get_bool(daemon_call_parameters(self->call), "never_export", FALSE, &never_export,
                          error) ||
      !(id = daemon_catalogue_find_id(daemon_catalogue(self->daemon), name, NULL, error)))
    return FALSE;
  if (!never_export)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "a key that may not leave its token can never be allowed to again; "
                          "`never_export` must be true");
  for (guint i = 0; i < id->keys->len; i++)
    plan_key(self, g_ptr_array_index(id->keys, i));
  return TRUE;
}

void
daemon_id_set_policy(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  Policy *self = g_new0(Policy, 1);
  self->call = call;
  self->daemon = daemon_call_daemon(call);
  self->seals = g_ptr_array_new_with_free_func(seal_free);
  self->tokens = g_ptr_array_new_with_free_func((GDestroyNotify)daemon_token_unref);
  self->sealed = g_ptr_array_new_with_free_func(g_free);
  self->failed = g_ptr_array_new_with_free_func(g_free);
  if (plan_policy(self, &error))
    next_step(self);
  else
    policy_fail(self, error);
}
