/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device as org.signet.Token's type Token. */
#include "daemon/tokenjson.h"

#include "daemon/catalogue.h"
#include "daemon/pins.h"

#include <string.h>

static json_t *
pin_json(guint32 flags, gboolean set, int tries_left, gboolean so)
{
  gboolean low = (flags & (so ? WIRE_TOKEN_SO_COUNT_LOW : WIRE_TOKEN_USER_COUNT_LOW)) != 0;
  gboolean last = (flags & (so ? WIRE_TOKEN_SO_FINAL_TRY : WIRE_TOKEN_USER_FINAL_TRY)) != 0;
  gboolean blocked = (flags & (so ? WIRE_TOKEN_SO_LOCKED : WIRE_TOKEN_USER_LOCKED)) != 0;
  json_t *pin = json_object();
  json_object_set_new(pin, "set", json_boolean(set));
  json_object_set_new(pin, "tries_left", tries_left >= 0 ? json_integer(tries_left) : json_null());
  json_object_set_new(pin, "count_low", json_boolean(low));
  json_object_set_new(pin, "final_try", json_boolean(last));
  json_object_set_new(pin, "blocked", json_boolean(blocked));
  json_object_set_new(pin, "must_change", json_boolean(!so && (flags & WIRE_TOKEN_USER_TO_CHANGE)));
  return pin;
}

static const char *
state_name(const DaemonDevice *device, const DaemonToken *token)
{
  if (token && token->host->state == DAEMON_HOST_DOWN)
    return "down";
  switch (daemon_catalogue_device_state(device)) {
  case DAEMON_DEVICE_PRESENT:
    return "present";
  case DAEMON_DEVICE_BLANK:
    return "blank";
  case DAEMON_DEVICE_ABSENT:
  default:
    return "absent";
  }
}

DaemonToken *
daemon_token_of_device(Daemon *daemon, const DaemonDevice *device)
{
  DaemonToken *found = NULL;
  for (guint i = 0; i < device->views->len; i++) {
    const DaemonView *view = device->views->pdata[i];
    DaemonToken *token = daemon_token_at(daemon, view->host, view->token->slot);
    if (token && (!found || (token->opened && !found->opened)))
      found = token;
  }
  return found;
}

static void
set_texts(json_t *json, const DaemonDevice *device)
{
  wire_json_set_text(json, "label", device->label ? device->label : "");
  wire_json_set_text(json, "serial", device->serial ? device->serial : "");
  wire_json_set_text(json, "manufacturer", device->manufacturer ? device->manufacturer : "");
  wire_json_set_text(json, "model", device->model ? device->model : "");
  wire_json_set_text(json, "firmware", device->firmware ? device->firmware : "");
  wire_json_set_text(json, "uri", device->uri ? device->uri : "");
  wire_json_set_text(json, "profile", device->profile ? device->profile : "");
  wire_json_set_text(json, "module", device->module ? device->module : "");
}

json_t *
daemon_device_json(Daemon *daemon, const DaemonDevice *device)
{
  DaemonToken *token = daemon_token_of_device(daemon, device);
  guint32 flags = token ? token->record->flags : 0;
  gboolean blank = token && !(flags & WIRE_TOKEN_INITIALIZED);
  if (blank) /* SoftHSM 2.6.1 says of an empty slot that its SO PIN is locked */
    flags &= ~(guint32)(WIRE_TOKEN_SO_LOCKED | WIRE_TOKEN_USER_LOCKED);
  json_t *json = json_object();

  set_texts(json, device);
  wire_json_set_text(json, "slot", token ? token->record->slot_description : "");
  wire_json_set_text(json, "state", state_name(device, token));
  wire_json_set_text(json, "problem", token ? token->host->problem : NULL);
  json_object_set_new(json, "login_required", json_boolean(flags & WIRE_TOKEN_LOGIN_REQUIRED));
  json_object_set_new(json, "locked",
                      json_boolean(token && !blank && !daemon_token_unlocked(token)));
  json_object_set_new(json, "protected_path", json_boolean(flags & WIRE_TOKEN_PROTECTED_PATH));
  json_object_set_new(json, "read_only", json_boolean(flags & WIRE_TOKEN_READ_ONLY));
  json_object_set_new(
      json, "soft",
      json_boolean(token ? daemon_token_soft(token) : !g_strcmp0(device->module, DAEMON_SOFT)));
  json_object_set_new(json, "lost", json_boolean(device->lost));
  json_object_set_new(json, "user_pin",
                      pin_json(flags, (flags & WIRE_TOKEN_USER_PIN_SET) != 0,
                               token ? daemon_token_tries_left(token) : -1, FALSE));
  json_object_set_new(json, "so_pin",
                      pin_json(flags, (flags & WIRE_TOKEN_INITIALIZED) != 0,
                               flags & WIRE_TOKEN_SO_LOCKED ? 0 : -1, TRUE));
  json_object_set_new(json, "last_seen",
                      device->last_seen ? json_integer(device->last_seen) : json_null());
  return json;
}

json_t *
daemon_token_json(DaemonToken *token)
{
  const DaemonView *view = daemon_catalogue_view(token->daemon->catalogue, token->host->number,
                                                 token->record->slot, token->record->generation);
  return view ? daemon_device_json(token->daemon, view->device) : json_null();
}

static json_t *
kinds_json(guint32 bits)
{
  static const struct {
    guint32 bit;
    const char *kind;
  } kinds[] = { { WIRE_CAN_RSA, "rsa:2048" }, { WIRE_CAN_RSA, "rsa:3072" },
                { WIRE_CAN_RSA, "rsa:4096" }, { WIRE_CAN_EC, "ec:p256" },
                { WIRE_CAN_EC, "ec:p384" },   { WIRE_CAN_ED25519, "ed25519" } };
  json_t *list = json_array();
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (bits & kinds[i].bit)
      json_array_append_new(list, json_string(kinds[i].kind));
  return list;
}

json_t *
daemon_abilities_json(const DaemonToken *token)
{
  static const struct {
    guint32 bit;
    const char *name;
  } flags[] = { { WIRE_CAN_WRAP, "wrap" },
                { WIRE_CAN_PSS, "pss" },
                { WIRE_CAN_OAEP, "oaep" },
                { WIRE_CAN_ECDH, "ecdh" },
                { WIRE_CAN_WRITE, "write" } };
  guint32 bits = token ? token->abilities : 0;
  char *const none[] = { NULL };
  json_t *json = json_object();
  json_object_set_new(json, "generate", kinds_json(bits));
  for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
    json_object_set_new(json, flags[i].name, json_boolean(bits & flags[i].bit));
  wire_json_set_strv(json, "mechanisms", token && token->mechanisms ? token->mechanisms : none);
  return json;
}
