/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.signet.Token.Init: only what is blank is ever initialised. */
#include "base/error.h"
#include "daemon/catalogue.h"
#include "daemon/modules.h"
#include "daemon/tokenjson.h"
#include "daemon/tokens.h"
#include "wire/limits.h"

#include <openssl/rand.h>
#include <string.h>

#define LABEL_MAX 32   /* PKCS#11 v2.40 3.2: CK_TOKEN_INFO.label */
#define SOFT_PIN_MIN 4 /* SoftHSM 2.6.1 */
#define SO_PIN_DIGITS 16
#define ANY_SLOT 0xffffffffu

typedef struct {
  DaemonCall *call;
  DaemonHost *host;
  DaemonToken *token; /* (nullable: any blank slot of the host) */
  const char *label;
  BaseSecret *pin;
  BaseSecret *so_pin;
  gboolean invented;
  gboolean soft;
  guint32 slot; /* where it is now */
} InitCall;

static void
init_call_free(InitCall *self)
{
  base_secret_free(self->pin);
  base_secret_free(self->so_pin);
  daemon_token_unref(self->token);
  g_free(self);
}

static void
init_call_fail(InitCall *self, const GError *error)
{
  daemon_call_fail(self->call, error);
  init_call_free(self);
}

static void
listed(gpointer user_data, const GError *error)
{
  InitCall *self = user_data;
  Daemon *daemon = self->host->daemon;
  g_autoptr(GError) gone = NULL;
  DaemonToken *token = error ? NULL : daemon_token_at(daemon, self->host->number, self->slot);
  if (!token) {
    base_error_set(&gone, SIGNET_ERROR_TOKEN_GONE,
                   "the token \"%s\" was made, but is not seen now%s%s", self->label,
                   error ? ": " : "", error ? error->message : "");
    init_call_fail(self, gone);
    return;
  }
  json_t *reply = json_object();
  json_object_set_new(reply, "token", daemon_token_json(token));
  wire_json_set_text(reply, "so_pin",
                     self->invented && !self->soft ? base_secret_text(self->so_pin) : NULL);
  daemon_call_reply(self->call, reply);
  init_call_free(self);
}

static void
init_answer(gpointer user_data, WireReader *body, const GError *error)
{
  InitCall *self = user_data;
  g_autoptr(GError) bad = NULL;
  if (!error) {
    self->slot = wire_read_u32(body);
    wire_read_u32(body);
    wire_reader_done(body, "the answer of the token's host", &bad);
  }
  if (error || bad)
    init_call_fail(self, error ? error : bad);
  else
    daemon_tokens_list_then(self->host, listed, self);
}

static void
ask_init(InitCall *self)
{
  WirePacker body = { 0 };
  guint deadline = self->host->spec.profile->generate_ms;
  if (!self->token) {
    wire_pack_u32(&body, ANY_SLOT);
    wire_pack_u32(&body, 0);
  }
  wire_pack_text(&body, self->label);
  wire_pack_bytes(&body, base_secret_bytes(self->so_pin), base_secret_length(self->so_pin));
  wire_pack_bytes(&body, base_secret_bytes(self->pin), base_secret_length(self->pin));
  if (self->token)
    daemon_token_request(self->token, WIRE_HOST_INIT_TOKEN, deadline, &body, init_answer, self);
  else
    daemon_host_request(self->host, WIRE_HOST_INIT_TOKEN, deadline, &body, init_answer, self);
}

/* Digits only: many cards take nothing else for an SO PIN. */
static BaseSecret *
invent_so_pin(guint max)
{
  gsize length = max >= 4 && max < SO_PIN_DIGITS ? max : SO_PIN_DIGITS;
  BaseSecret *pin = base_secret_new(length);
  guint8 *digits = base_secret_bytes(pin);
  for (gsize i = 0; i < length;) {
    guint8 byte = 0;
    RAND_priv_bytes(&byte, 1);
    if (byte < 250) /* without it, the low digits would come more often */
      digits[i++] = (guint8)('0' + byte % 10);
  }
  return pin;
}

static gboolean
check_label(Daemon *daemon, const char *label, GError **error)
{
  gsize length = strlen(label);
  const GPtrArray *devices = daemon_catalogue_devices(daemon->catalogue);
  if (length == 0 || length > LABEL_MAX)
    return base_error_set(error, SIGNET_ERROR_USAGE, "a label has 1 to %d bytes", LABEL_MAX);
  for (const char *at = label; *at; at++)
    if (g_ascii_iscntrl(*at))
      return base_error_set(error, SIGNET_ERROR_USAGE, "a label holds no control characters");
  for (guint i = 0; i < devices->len; i++) {
    const DaemonDevice *device = devices->pdata[i];
    if (daemon_catalogue_device_state(device) == DAEMON_DEVICE_PRESENT &&
        g_strcmp0(device->label, label) == 0)
      return base_error_set(error, SIGNET_ERROR_REFUSED,
                            "there is a token \"%s\" already; choose another label", label);
  }
  return TRUE;
}

static gboolean
check_pin(InitCall *self, BaseSecret *pin, const char *what, GError **error)
{
  gsize min = SOFT_PIN_MIN;
  gsize max = WIRE_PIN_MAX;
  gsize length = base_secret_length(pin);
  if (self->token && self->token->record->max_pin > 0) {
    max = MIN(self->token->record->max_pin, WIRE_PIN_MAX);
    min = MAX(self->token->record->min_pin, 1);
  }
  if (length >= min && length <= max && !memchr(base_secret_bytes(pin), 0, length))
    return TRUE;
  return base_error_set(error, SIGNET_ERROR_PIN_REFUSED, "%s must have %u to %u characters", what,
                        (guint)min, (guint)max);
}

static gboolean
is_of_module(const DaemonToken *token, const char *module)
{
  const DaemonHostSpec *spec = &token->host->spec;
  return !module || strcmp(spec->name, module) == 0 || strcmp(spec->profile->name, module) == 0 ||
         strcmp(spec->module, module) == 0;
}

static gboolean
only_blank(InitCall *self, const char *module, GError **error)
{
  Daemon *daemon = daemon_call_daemon(self->call);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  DaemonToken *found = NULL;
  for (guint i = 0; i < daemon->tokens->len; i++) {
    DaemonToken *token = daemon->tokens->pdata[i];
    if ((token->record->flags & WIRE_TOKEN_INITIALIZED) || token->host->spec.embedded ||
        !is_of_module(token, module))
      continue;
    found = token;
    g_ptr_array_add(
        names, g_strdup_printf("%s: %s", token->host->spec.name, token->record->slot_description));
  }
  if (names->len == 1) {
    self->token = daemon_token_ref(found);
    return TRUE;
  }
  if (!found)
    return base_error_set(error, SIGNET_ERROR_NOT_FOUND,
                          "there is no blank token%s%s; insert one, or make a soft one with --soft",
                          module ? " of " : "", module ? module : "");
  base_error_set(error, SIGNET_ERROR_AMBIGUOUS, "there are %u blank tokens; name one", names->len);
  g_ptr_array_add(names, NULL);
  if (error && *error)
    base_error_details(*error)->candidates = g_strdupv((char **)names->pdata);
  return FALSE;
}

static gboolean
choose_place(InitCall *self, const char *token, const char *module, GError **error)
{
  Daemon *daemon = daemon_call_daemon(self->call);
  if (self->soft) {
    self->host = daemon_modules_soft_host(daemon, error);
    return self->host != NULL;
  }
  if (token)
    self->token = daemon_token_find(daemon, token, error);
  else if (!only_blank(self, module, error))
    return FALSE;
  if (!self->token)
    return FALSE;
  self->host = self->token->host;
  if (self->token->record->flags & WIRE_TOKEN_INITIALIZED)
    return base_error_set(error, SIGNET_ERROR_REFUSED,
                          "the token \"%s\" is in use: it has a PIN or holds objects; only a blank "
                          "one is initialised",
                          daemon_token_label(self->token));
  return TRUE;
}

static gboolean
read_init(InitCall *self, GError **error)
{
  const json_t *parameters = daemon_call_parameters(self->call);
  const char *token = NULL;
  const char *module = NULL;
  if (!wire_json_get_text(parameters, "label", FALSE, WIRE_NAME_MAX, &self->label, error) ||
      !wire_json_get_text(parameters, "token", TRUE, WIRE_NAME_MAX, &token, error) ||
      !wire_json_get_text(parameters, "module", TRUE, WIRE_NAME_MAX, &module, error) ||
      !wire_json_get_bool(parameters, "soft", FALSE, &self->soft, error) ||
      !wire_json_get_secret(parameters, "pin", FALSE, &self->pin, error) ||
      !wire_json_get_secret(parameters, "so_pin", TRUE, &self->so_pin, error))
    return FALSE;
  if (self->soft && (token || module))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "`soft` makes a new token: no `token` or `module` can be named");
  if (!check_label(daemon_call_daemon(self->call), self->label, error) ||
      (self->soft && !check_pin(self, self->pin, "the PIN", error)) ||
      !choose_place(self, token, module, error) || !check_pin(self, self->pin, "the PIN", error) ||
      (self->so_pin && !check_pin(self, self->so_pin, "the SO PIN", error)))
    return FALSE;
  self->invented = !self->so_pin;
  if (self->invented)
    self->so_pin = invent_so_pin(self->token ? self->token->record->max_pin : 0);
  return TRUE;
}

void
daemon_token_init(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  InitCall *self = g_new0(InitCall, 1);
  self->call = call;
  if (!read_init(self, &error))
    init_call_fail(self, error);
  else
    ask_init(self);
}
