/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Id.Generate: a key pair, made on the token. */
#include "base/error.h"
#include "daemon/events.h"
#include "daemon/ids.h"
#include "wire/limits.h"

#include <string.h>

#define DEFAULT_KIND "rsa:2048" /* what every card can make and every mailer reads */

typedef struct {
  DaemonCall *call;
  Daemon *daemon;
  DaemonToken *token;
  char **addresses;
  char *name; /* (nullable) */
  BaseKeyKind kind;
  int bits;
  gboolean sign;
  gboolean decrypt;
  gboolean no_backup;
  guint32 abilities; /* WireAbility */
  WireObject *made;
} Generate;

static void
generate_free(Generate *self)
{
  g_clear_pointer(&self->token, daemon_token_unref);
  g_clear_pointer(&self->made, wire_object_free);
  g_strfreev(self->addresses);
  g_free(self->name);
  g_free(self);
}

static void
fail(Generate *self, const GError *error)
{
  daemon_call_fail(self->call, error);
  generate_free(self);
}

/* ---- what is wanted ---- */

static gboolean
read_addresses(Generate *self, GError **error)
{
  if (!wire_json_get_strv(daemon_call_parameters(self->call), "addresses", FALSE,
                          DAEMON_CATALOGUE_ADDRESSES_MAX, &self->addresses, error))
    return FALSE;
  if (!self->addresses || !self->addresses[0])
    return base_error_set(error, SIGNET_ERROR_USAGE, "an ID needs an address");
  for (char **address = self->addresses; *address; address++) {
    char *normal = base_address_normal(*address);
    if (!normal)
      return base_error_set(error, SIGNET_ERROR_USAGE, "\"%.100s\" is no e-mail address", *address);
    g_free(*address);
    *address = normal;
  }
  return TRUE;
}

static gboolean
read_use(Generate *self, GError **error)
{
  g_auto(GStrv) use = NULL;
  if (!wire_json_get_strv(daemon_call_parameters(self->call), "use", TRUE, 4, &use, error))
    return FALSE;
  gboolean given = use && use[0];
  self->sign = !given;
  self->decrypt = !given && self->kind != BASE_KEY_ED25519;
  for (char **at = use; at && *at; at++) {
    if (strcmp(*at, "sign") == 0)
      self->sign = TRUE;
    else if (strcmp(*at, "decrypt") == 0)
      self->decrypt = TRUE;
    else
      return base_error_set(error, SIGNET_ERROR_USAGE, "`use` must be sign or decrypt");
  }
  if (self->decrypt && self->kind == BASE_KEY_ED25519)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "an Ed25519 key cannot receive sealed mail: take rsa or ec for that");
  return TRUE;
}

static gboolean
read_parameters(Generate *self, GError **error)
{
  const char *name;
  const char *kind;
  if (!read_addresses(self, error) || !daemon_id_text(self->call, "name", TRUE, &name, error) ||
      !daemon_id_text(self->call, "kind", TRUE, &kind, error) ||
      !base_key_kind_parse(kind ? kind : DEFAULT_KIND, &self->kind, &self->bits, error) ||
      !wire_json_get_bool(daemon_call_parameters(self->call), "no_backup", FALSE, &self->no_backup,
                          error))
    return FALSE;
  self->name = g_strdup(name);
  return read_use(self, error);
}

/* ---- where ---- */

static gboolean
is_writable(const DaemonDevice *device)
{
  for (guint i = 0; i < device->views->len && !device->lost; i++) {
    const DaemonView *view = g_ptr_array_index(device->views, i);
    if ((view->token->flags & WIRE_TOKEN_INITIALIZED) &&
        !(view->token->flags & WIRE_TOKEN_READ_ONLY))
      return TRUE;
  }
  return FALSE;
}

static gboolean
set_no_choice(GPtrArray *labels, GError **error)
{
  if (labels->len) {
    base_error_set(error, SIGNET_ERROR_AMBIGUOUS,
                   "%u tokens are here: name the one to make the key on", labels->len);
    g_ptr_array_add(labels, NULL);
    if (error && *error)
      base_error_details(*error)->candidates = g_strdupv((char **)labels->pdata);
    base_error_suggest(error, "signet", "token", "list", NULL);
    return FALSE;
  }
  base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                 "there is no token to make the key on: insert one, or make a soft one");
  base_error_suggest(error, "signet", "token", "init", "--soft", "--label", "mail", NULL);
  return FALSE;
}

/* Two views of one card are one place to write to. */
static gboolean
find_only_device(Generate *self, GError **error)
{
  const GPtrArray *devices = daemon_catalogue_devices(daemon_catalogue(self->daemon));
  g_autoptr(GPtrArray) labels = g_ptr_array_new();
  const DaemonDevice *only = NULL;
  for (guint i = 0; i < devices->len; i++) {
    DaemonDevice *device = g_ptr_array_index(devices, i);
    if (!is_writable(device))
      continue;
    only = device;
    g_ptr_array_add(labels, device->label);
  }
  if (labels->len != 1)
    return set_no_choice(labels, error);
  for (guint i = 0; i < only->views->len && !self->token; i++) {
    const DaemonView *view = g_ptr_array_index(only->views, i);
    if (!(view->token->flags & WIRE_TOKEN_READ_ONLY))
      self->token = daemon_id_token_of_view(self->daemon, view);
  }
  return self->token || base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token was removed");
}

static gboolean
find_token(Generate *self, GError **error)
{
  const char *name;
  if (!daemon_id_text(self->call, "token", TRUE, &name, error))
    return FALSE;
  if (!name)
    return find_only_device(self, error);
  self->token = daemon_token_find(self->daemon, name, error);
  if (!self->token)
    return FALSE;
  guint32 flags = daemon_token_record(self->token)->flags;
  if (!(flags & WIRE_TOKEN_INITIALIZED)) {
    base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                   "the token \"%s\" is blank: initialise it first", name);
    base_error_suggest(error, "signet", "token", "init", "--token", name, NULL);
    return FALSE;
  }
  if (flags & WIRE_TOKEN_READ_ONLY)
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "the token \"%s\" is read-only",
                          daemon_token_label(self->token));
  return TRUE;
}

/* ---- whether ---- */

static guint32
needed_ability(BaseKeyKind kind)
{
  if (kind == BASE_KEY_RSA)
    return WIRE_CAN_RSA;
  return kind == BASE_KEY_ED25519 ? WIRE_CAN_ED25519 : WIRE_CAN_EC;
}

/* Said before the key exists: a key that opens mail and cannot be backed up dies with its token. */
static gboolean
check_abilities(Generate *self, GError **error)
{
  guint32 abilities = self->abilities;
  const char *label = daemon_token_label(self->token);
  g_autofree char *kind = base_key_kind_text(self->kind, self->bits);
  if (!(abilities & needed_ability(self->kind)))
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED, "the token \"%s\" cannot make %s keys",
                          label, kind);
  if (self->decrypt && self->kind != BASE_KEY_RSA && !(abilities & WIRE_CAN_ECDH))
    return base_error_set(error, SIGNET_ERROR_UNSUPPORTED,
                          "the token \"%s\" cannot open mail with %s keys: take rsa, or a key for "
                          "signing only",
                          label, kind);
  if (!self->decrypt || (abilities & WIRE_CAN_WRAP) || self->no_backup)
    return TRUE;
  base_error_set(error, SIGNET_ERROR_REFUSED,
                 "a key made on \"%s\" can never be backed up: losing the token loses the mail "
                 "sealed to it; say that you accept that, or make a key for signing only",
                 label);
  base_error_suggest(error, "signet", "id", "new", self->addresses[0], "--no-backup", NULL);
  return FALSE;
}

static guint32
key_flags(const Generate *self)
{
  guint32 flags = self->sign ? WIRE_KEY_SIGN : 0;
  if (!self->decrypt)
    return flags;
  flags |= self->kind == BASE_KEY_RSA ? WIRE_KEY_DECRYPT : WIRE_KEY_DERIVE;
  return self->abilities & WIRE_CAN_WRAP ? flags | WIRE_KEY_EXTRACTABLE : flags;
}

/* ---- the steps ---- */

static void
reply(Generate *self)
{
  gsize length;
  gconstpointer spki = g_bytes_get_data(self->made->bytes, &length);
  const DaemonKey *key = daemon_catalogue_key(daemon_catalogue(self->daemon), self->made->key);
  g_autofree char *kind = base_key_kind_text(self->kind, self->bits);
  json_t *object = json_object();
  wire_json_set_text(object, "id", key && key->id ? key->id->id : self->addresses[0]);
  wire_json_set_text(object, "key", self->made->key);
  wire_json_set_text(object, "kind", kind);
  wire_json_set_text(object, "token", daemon_token_label(self->token));
  wire_json_set_base64(object, "public_key", spki, length);
  json_object_set_new(object, "extractable",
                      json_boolean(self->made->flags & WIRE_KEY_EXTRACTABLE));
  daemon_catalogue_changed(self->daemon);
  daemon_call_reply(self->call, object);
  generate_free(self);
}

/* The key is there, whatever became of the list. */
static void
refreshed(gpointer user_data, const GError *error)
{
  (void)error;
  reply(user_data);
}

static void
made(gpointer user_data, WireReader *body, const GError *error)
{
  Generate *self = user_data;
  g_autoptr(GError) bad = NULL;
  if (error) {
    fail(self, error);
    return;
  }
  self->made = wire_object_unpack(body);
  gboolean whole = wire_reader_done(body, "the answer of the token's host", &bad);
  if (whole &&
      (!self->made || strlen(self->made->key) != 64 || g_bytes_get_size(self->made->bytes) == 0))
    whole = base_error_set(&bad, SIGNET_ERROR_FAILED,
                           "\"%s\" made a key but does not tell its public key",
                           daemon_token_label(self->token));
  if (!whole) {
    fail(self, bad);
    return;
  }
  daemon_catalogue_name_key(daemon_catalogue(self->daemon), self->made->key,
                            (const char *const *)self->addresses, self->name);
  daemon_token_refresh(self->token, refreshed, self);
}

static void
logged_in(gpointer user_data, const GError *error)
{
  Generate *self = user_data;
  if (error) {
    fail(self, error);
    return;
  }
  g_autofree char *kind = base_key_kind_text(self->kind, self->bits);
  WirePacker rest = { 0 };
  wire_pack_text(&rest, kind);
  wire_pack_text(&rest, self->addresses[0]);
  wire_pack_bytes(&rest, NULL, 0);
  wire_pack_u32(&rest, key_flags(self));
  daemon_token_request(self->token, WIRE_HOST_GENERATE, 0, &rest, made, self);
}

static void
start(Generate *self)
{
  g_autoptr(GError) error = NULL;
  if (check_abilities(self, &error))
    daemon_token_login(self->token, logged_in, self);
  else
    fail(self, error);
}

static void
abilities_told(gpointer user_data, WireReader *body, const GError *error)
{
  Generate *self = user_data;
  g_autoptr(GError) bad = NULL;
  if (error) {
    fail(self, error);
    return;
  }
  guint32 n = wire_read_u32(body);
  for (guint32 i = 0; i < n && !body->failed; i++)
    g_free(wire_read_text(body, WIRE_NAME_MAX));
  self->abilities = wire_read_u32(body);
  if (wire_reader_done(body, "the answer of the token's host", &bad))
    start(self);
  else
    fail(self, bad);
}

void
daemon_id_generate(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  Generate *self = g_new0(Generate, 1);
  self->call = call;
  self->daemon = daemon_call_daemon(call);
  if (!read_parameters(self, &error) || !find_token(self, &error)) {
    fail(self, error);
    return;
  }
  /* A token that has just come in may not have been asked yet. */
  self->abilities = daemon_token_abilities(self->token);
  if (self->abilities)
    start(self);
  else
    daemon_token_request(self->token, WIRE_HOST_ABILITIES, 0, NULL, abilities_told, self);
}
