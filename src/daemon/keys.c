/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Key: operations with private keys. */
#include "base/error.h"
#include "daemon/broker.h"
#include "daemon/catalogue.h"
#include "daemon/channels.h"
#include "daemon/pins.h"
#include "daemon/token.h"
#include "wire/limits.h"

#include <string.h>

#define KEY_NAME_LENGTH 64
#define MECHANISM_NAME_MAX 32

/* A key that is not where it was: its host's tokens are listed again, as often, before it is asked
 * once more. The third failure in a row is what makes a quiet host be started anew (tokenload.c). */
#define LOOKS_MAX 3
#define LOOK_AGAIN_MS 50

/* One operation on its way: found, logged in where need be, asked, and asked again once if
 * the host died underneath, once if the host misses the key, and never with a PIN in it. */
typedef struct {
  DaemonCall *call;
  char key[KEY_NAME_LENGTH + 1];
  guint32 needs; /* WireKeyFlags */
  WirePacker operation;
  BaseSecret *pin;
  const char *result;
  guint32 channel_mask; /* not 0: open a channel */
  char *kind;
  gboolean always_authenticate;
  gboolean repeated;
  guint looks;
  guint look_timer;
  DaemonToken *token;
} KeyCall;

static void key_call_start(KeyCall *self);

static void
key_call_free(KeyCall *self)
{
  daemon_timer_clear(&self->look_timer);
  wire_packer_clear(&self->operation);
  base_secret_free(self->pin);
  g_free(self->kind);
  daemon_token_unref(self->token);
  g_free(self);
}

static void
key_call_fail(KeyCall *self, const GError *error)
{
  daemon_call_fail(self->call, error);
  key_call_free(self);
}

static void
reply_result(KeyCall *self, WireReader *body)
{
  g_autoptr(GError) error = NULL;
  gsize length = 0;
  const guint8 *bytes = wire_read_bytes(body, WIRE_FRAME_MAX, &length);
  if (!wire_reader_done(body, "the answer of the token's host", &error)) {
    key_call_fail(self, error);
    return;
  }
  json_t *reply = json_object();
  wire_json_set_base64(reply, self->result, bytes, length);
  daemon_token_used(self->token);
  daemon_call_reply(self->call, reply);
  key_call_free(self);
}

static gboolean
may_repeat(KeyCall *self, const GError *error)
{
  if (self->repeated || self->pin || daemon_call_gone(self->call))
    return FALSE;
  if (daemon_host_lost(error))
    return TRUE;
  /* Logged out behind our back: the cached PIN, once. */
  if (error->code != SIGNET_ERROR_PIN_REQUIRED || self->always_authenticate)
    return FALSE;
  self->token->logged_in = FALSE;
  return self->token->pin != NULL;
}

/* The catalogue says that the key is there and the host does not find it, or not the token: the
 * token may be on its way out, on its way back, or both (SoftHSM keeps what it read of a token whose
 * folder was moved, and answers nonsense for good). */
static gboolean
is_in_doubt(const KeyCall *self, const GError *error)
{
  gboolean missing =
      error->code == SIGNET_ERROR_NOT_FOUND || error->code == SIGNET_ERROR_TOKEN_GONE;
  return missing && !self->looks && !self->pin && !daemon_host_lost(error) &&
         !daemon_call_gone(self->call);
}

static void look(KeyCall *self);

static gboolean
look_or_start(gpointer user_data)
{
  KeyCall *self = user_data;
  self->look_timer = 0;
  if (self->looks < LOOKS_MAX && self->token->host->state == DAEMON_HOST_READY)
    look(self);
  else
    key_call_start(self); /* waits where the host is being started anew */
  return G_SOURCE_REMOVE;
}

/* From a list of waiters, or from inside the host's end: what follows comes later. */
static void
looked(gpointer user_data, const GError *error)
{
  KeyCall *self = user_data;
  if (!error)
    self->looks = LOOKS_MAX;
  daemon_timer_set(&self->look_timer, error ? LOOK_AGAIN_MS : 0, look_or_start, self);
}

static void
look(KeyCall *self)
{
  self->looks++;
  daemon_tokens_list_then(self->token->host, looked, self);
}

/* TRUE: it is asked again. */
static gboolean
again(KeyCall *self, const GError *error)
{
  if (is_in_doubt(self, error)) {
    daemon_count(daemon_call_daemon(self->call), "keys looked for", 1);
    look(self);
    return TRUE;
  }
  if (!may_repeat(self, error))
    return FALSE;
  self->repeated = TRUE;
  daemon_count(daemon_call_daemon(self->call), "operations repeated", 1);
  key_call_start(self);
  return TRUE;
}

static void
operate_answer(gpointer user_data, WireReader *body, const GError *error)
{
  KeyCall *self = user_data;
  g_autoptr(GError) told = NULL;
  if (self->pin)
    daemon_login_book(self->token, self->token->identity, self->pin, error, &told);
  if (!error)
    reply_result(self, body);
  else if (!again(self, error))
    key_call_fail(self, told ? told : error);
}

static void
channel_answer(gpointer user_data, const GError *error)
{
  KeyCall *self = user_data;
  if (!error)
    key_call_free(self);
  else if (!again(self, error))
    key_call_fail(self, error);
}

static void
open_key_channel(KeyCall *self)
{
  const DaemonChannelAsk ask = { .call = self->call,
                                 .token = self->token,
                                 .key = self->key,
                                 .mask = self->channel_mask,
                                 .kind = self->kind,
                                 .done = channel_answer,
                                 .user_data = self };
  daemon_channel_open(&ask);
}

static void
operate(KeyCall *self)
{
  WirePacker body = { 0 };
  DaemonToken *token = self->token;
  if (self->channel_mask) {
    open_key_channel(self);
    return;
  }
  wire_pack_text(&body, self->key);
  wire_pack_bytes(&body, self->pin ? base_secret_bytes(self->pin) : NULL,
                  self->pin ? base_secret_length(self->pin) : 0);
  wire_pack_raw(&body, self->operation.bytes, self->operation.length);
  if (self->pin)
    daemon_pins_attempt(token->daemon->pins, token->identity);
  daemon_count(token->daemon, "operations", 1);
  daemon_token_request(token, WIRE_HOST_OPERATE, 0, &body, operate_answer, self);
}

static void
logged_in(gpointer user_data, const GError *error)
{
  KeyCall *self = user_data;
  if (error)
    key_call_fail(self, error);
  else
    operate(self);
}

/* A key that wants its PIN at each use (CKA_ALWAYS_AUTHENTICATE). */
static gboolean
check_context_pin(KeyCall *self, GError **error)
{
  gboolean pad = (self->token->record->flags & WIRE_TOKEN_PROTECTED_PATH) != 0;
  if (!self->always_authenticate) {
    g_clear_pointer(&self->pin, base_secret_free);
    return TRUE;
  }
  if (self->pin)
    return daemon_login_check_pin(self->token, self->token->identity, self->pin, FALSE, error);
  if (pad)
    return TRUE;
  base_error_set(error, SIGNET_ERROR_PIN_REQUIRED, "this key of \"%s\" wants the PIN at each use",
                 daemon_token_label(self->token));
  if (error && *error) {
    base_error_details(*error)->token = g_strdup(daemon_token_label(self->token));
    base_error_details(*error)->tries_left = daemon_token_tries_left(self->token);
  }
  return FALSE;
}

static gboolean
find_place(KeyCall *self, GError **error)
{
  Daemon *daemon = daemon_call_daemon(self->call);
  DaemonKey *key = daemon_catalogue_key(daemon->catalogue, self->key);
  if (!key)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND, "no key %.16s… is known", self->key);
  DaemonLocation *place = daemon_catalogue_locate(daemon->catalogue, key, self->needs, error);
  if (!place)
    return FALSE;
  DaemonToken *token = daemon_token_at(daemon, place->view->host, place->view->token->slot);
  if (!token)
    return base_error_set(error, SIGNET_ERROR_TOKEN_GONE, "the token of this key was removed");
  daemon_token_unref(self->token);
  self->token = daemon_token_ref(token);
  self->always_authenticate = (place->flags & WIRE_KEY_ALWAYS_AUTH) != 0;
  g_free(self->kind);
  self->kind = g_strdup(key->kind);
  if (self->channel_mask && self->always_authenticate)
    return base_error_set(error, SIGNET_ERROR_NO_CHANNEL,
                          "this key wants the PIN at each use: it gets no channel");
  return check_context_pin(self, error);
}

static void
key_call_start(KeyCall *self)
{
  g_autoptr(GError) error = NULL;
  if (!find_place(self, &error)) {
    key_call_fail(self, error);
    return;
  }
  DaemonToken *token = self->token;
  if (token->opened && daemon_expiry_passed(token))
    daemon_login_lock(token, NULL, NULL);
  if (daemon_token_wants_login(token) || token->away)
    daemon_token_login(token, logged_in, self);
  else
    operate(self);
}

static gboolean
read_key(KeyCall *self, GError **error)
{
  const char *key = NULL;
  if (!wire_json_get_text(daemon_call_parameters(self->call), "key", FALSE, KEY_NAME_LENGTH, &key,
                          error))
    return FALSE;
  if (strlen(key) != KEY_NAME_LENGTH || strspn(key, "0123456789abcdef") != KEY_NAME_LENGTH)
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "`key` must be 64 lower-case hex digits");
  memcpy(self->key, key, sizeof self->key);
  return wire_json_get_secret(daemon_call_parameters(self->call), "pin", TRUE, &self->pin, error);
}

static gboolean
read_hash(const json_t *parameters, const char *name, WireHash *ret_hash, GError **error)
{
  const char *text = NULL;
  if (!wire_json_get_text(parameters, name, TRUE, MECHANISM_NAME_MAX, &text, error))
    return FALSE;
  *ret_hash = text ? wire_hash_from_name(text) : WIRE_HASH_NONE;
  if (text && *ret_hash == WIRE_HASH_NONE)
    return base_error_set(error, SIGNET_ERROR_USAGE, "`%s` names no hash known here: %s", name,
                          text);
  return TRUE;
}

static gboolean
read_mechanism(const json_t *parameters, WireOperation *operation, GError **error)
{
  const char *name = NULL;
  gint64 salt = 0;
  if (!wire_json_get_text(parameters, "mechanism", FALSE, MECHANISM_NAME_MAX, &name, error) ||
      !read_hash(parameters, "hash", &operation->hash, error) ||
      !read_hash(parameters, "mgf_hash", &operation->mgf_hash, error))
    return FALSE;
  if (!wire_mechanism_from_name(name, &operation->mechanism))
    return base_error_set(error, SIGNET_ERROR_USAGE, "`mechanism` is none known here: %s", name);
  if (operation->mechanism == WIRE_RSA_OAEP && operation->hash == WIRE_HASH_NONE)
    operation->hash = WIRE_SHA1; /* RFC 8017 A.2.1: the default */
  if ((operation->mechanism == WIRE_RSA_OAEP || operation->mechanism == WIRE_RSA_PSS) &&
      operation->mgf_hash == WIRE_HASH_NONE)
    operation->mgf_hash = operation->hash;
  if (!wire_json_get_int(parameters, "salt_length", (gint64)wire_hash_length(operation->hash), 0,
                         WIRE_CIPHERTEXT_MAX, &salt, error))
    return FALSE;
  operation->salt = operation->mechanism == WIRE_RSA_PSS ? (guint32)salt : 0;
  return TRUE;
}

static gboolean
pack_operation(KeyCall *self, WireOperation *operation, GBytes *data, GError **error)
{
  operation->data = g_bytes_get_data(data, &operation->data_length);
  if (!wire_operation_check(operation, error))
    return FALSE;
  wire_operation_pack(operation, &self->operation);
  return TRUE;
}

static gboolean
read_sign(KeyCall *self, GError **error)
{
  const json_t *parameters = daemon_call_parameters(self->call);
  WireOperation operation = { .verb = WIRE_SIGN };
  g_autoptr(GBytes) data = NULL;
  self->needs = WIRE_KEY_SIGN;
  self->result = "signature";
  return read_key(self, error) && read_mechanism(parameters, &operation, error) &&
         wire_json_get_base64(parameters, "data", FALSE, WIRE_SIGN_DATA_MAX, &data, error) &&
         pack_operation(self, &operation, data, error);
}

static gboolean
read_decrypt(KeyCall *self, GError **error)
{
  const json_t *parameters = daemon_call_parameters(self->call);
  WireOperation operation = { .verb = WIRE_DECRYPT };
  g_autoptr(GBytes) data = NULL;
  g_autoptr(GBytes) label = NULL;
  gint64 wanted = 0;
  self->needs = WIRE_KEY_DECRYPT;
  self->result = "data";
  if (!read_key(self, error) || !read_mechanism(parameters, &operation, error) ||
      !wire_json_get_int(parameters, "length", 0, 0, WIRE_CIPHERTEXT_MAX, &wanted, error) ||
      !wire_json_get_base64(parameters, "label", TRUE, WIRE_LABEL_MAX, &label, error) ||
      !wire_json_get_base64(parameters, "data", FALSE, WIRE_CIPHERTEXT_MAX, &data, error))
    return FALSE;
  operation.wanted = (guint32)wanted;
  if (label)
    operation.label = g_bytes_get_data(label, &operation.label_length);
  return pack_operation(self, &operation, data, error);
}

static gboolean
read_derive(KeyCall *self, GError **error)
{
  WireOperation operation = { .verb = WIRE_DERIVE, .mechanism = WIRE_ECDH };
  g_autoptr(GBytes) peer = NULL;
  self->needs = WIRE_KEY_DERIVE;
  self->result = "secret";
  return read_key(self, error) &&
         wire_json_get_base64(daemon_call_parameters(self->call), "peer", FALSE, WIRE_POINT_MAX,
                              &peer, error) &&
         pack_operation(self, &operation, peer, error);
}

static gboolean
read_channel(KeyCall *self, GError **error)
{
  static const struct {
    const char *name;
    WireVerb verb;
    WireKeyFlags needs;
  } verbs[] = { { "sign", WIRE_SIGN, WIRE_KEY_SIGN },
                { "decrypt", WIRE_DECRYPT, WIRE_KEY_DECRYPT },
                { "derive", WIRE_DERIVE, WIRE_KEY_DERIVE } };
  g_auto(GStrv) names = NULL;
  if (!read_key(self, error) ||
      !wire_json_get_strv(daemon_call_parameters(self->call), "operations", FALSE,
                          G_N_ELEMENTS(verbs), &names, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
    if (!g_strv_contains((const char *const *)names, verbs[i].name))
      continue;
    self->channel_mask |= 1u << verbs[i].verb;
    self->needs |= verbs[i].needs;
  }
  if (!self->channel_mask)
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "`operations` must name some of sign, decrypt, derive");
  return TRUE;
}

static void
begin(DaemonCall *call, gboolean (*read)(KeyCall *self, GError **error))
{
  g_autoptr(GError) error = NULL;
  KeyCall *self = g_new0(KeyCall, 1);
  self->call = call;
  if (!read(self, &error))
    key_call_fail(self, error);
  else
    key_call_start(self);
}

static void
sign(DaemonCall *call)
{
  begin(call, read_sign);
}

static void
decrypt(DaemonCall *call)
{
  begin(call, read_decrypt);
}

static void
derive(DaemonCall *call)
{
  begin(call, read_derive);
}

static void
open_channel(DaemonCall *call)
{
  begin(call, read_channel);
}

const DaemonMethod daemon_key_methods[] = {
  { "org.signet.Key.Sign", sign, DAEMON_METHOD_SETTLED },
  { "org.signet.Key.Decrypt", decrypt, DAEMON_METHOD_SETTLED },
  { "org.signet.Key.Derive", derive, DAEMON_METHOD_SETTLED },
  { "org.signet.Key.OpenChannel", open_channel, DAEMON_METHOD_SETTLED },
  { NULL, NULL, 0 },
};
