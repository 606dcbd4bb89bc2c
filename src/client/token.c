/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "client/client.h"
#include "client/record.h"

static const ClientField pin_fields[] = {
  { .name = "set", .type = CLIENT_BOOL, .offset = offsetof(SignetPin, set) },
  { .name = "tries_left", .type = CLIENT_INT, .offset = offsetof(SignetPin, tries_left) },
  { .name = "count_low", .type = CLIENT_BOOL, .offset = offsetof(SignetPin, count_low) },
  { .name = "final_try", .type = CLIENT_BOOL, .offset = offsetof(SignetPin, final_try) },
  { .name = "blocked", .type = CLIENT_BOOL, .offset = offsetof(SignetPin, blocked) },
  { .name = "must_change", .type = CLIENT_BOOL, .offset = offsetof(SignetPin, must_change) },
};
static const ClientShape pin_shape = CLIENT_SHAPE(SignetPin, pin_fields, NULL);

static const ClientWord states[] = { { "present", SIGNET_TOKEN_PRESENT },
                                     { "blank", SIGNET_TOKEN_BLANK },
                                     { "absent", SIGNET_TOKEN_ABSENT },
                                     { "down", SIGNET_TOKEN_DOWN },
                                     { NULL, 0 } };

#define TEXT(field)                                                             \
  {                                                                             \
    .name = #field, .type = CLIENT_TEXT, .offset = offsetof(SignetToken, field) \
  }
#define BOOL(field)                                                             \
  {                                                                             \
    .name = #field, .type = CLIENT_BOOL, .offset = offsetof(SignetToken, field) \
  }
static const ClientField token_fields[] = {
  TEXT(label),
  TEXT(serial),
  TEXT(manufacturer),
  TEXT(model),
  TEXT(firmware),
  TEXT(uri),
  TEXT(profile),
  TEXT(module),
  TEXT(slot),
  { .name = "state", .type = CLIENT_WORD, .offset = offsetof(SignetToken, state), .words = states },
  { .name = "problem", .type = CLIENT_TEXT_OR_NULL, .offset = offsetof(SignetToken, problem) },
  BOOL(login_required),
  BOOL(locked),
  BOOL(protected_path),
  BOOL(read_only),
  BOOL(soft),
  BOOL(lost),
  { .name = "user_pin",
    .type = CLIENT_RECORD,
    .offset = offsetof(SignetToken, user_pin),
    .shape = &pin_shape },
  { .name = "so_pin",
    .type = CLIENT_RECORD,
    .offset = offsetof(SignetToken, so_pin),
    .shape = &pin_shape },
  { .name = "last_seen", .type = CLIENT_TIME, .offset = offsetof(SignetToken, last_seen) },
};
#undef TEXT
#undef BOOL
static const ClientShape token_shape =
    CLIENT_SHAPE(SignetToken, token_fields, (GDestroyNotify)signet_token_free);

#define BOOL(field)                                                                 \
  {                                                                                 \
    .name = #field, .type = CLIENT_BOOL, .offset = offsetof(SignetAbilities, field) \
  }
static const ClientField ability_fields[] = {
  { .name = "generate", .type = CLIENT_TEXTS, .offset = offsetof(SignetAbilities, generate) },
  BOOL(wrap),
  BOOL(pss),
  BOOL(oaep),
  BOOL(ecdh),
  BOOL(write),
  { .name = "mechanisms", .type = CLIENT_TEXTS, .offset = offsetof(SignetAbilities, mechanisms) },
};
#undef BOOL
static const ClientShape ability_shape =
    CLIENT_SHAPE(SignetAbilities, ability_fields, (GDestroyNotify)signet_abilities_free);

void
signet_token_free(SignetToken *token)
{
  client_record_free(&token_shape, token);
}

void
signet_abilities_free(SignetAbilities *abilities)
{
  client_record_free(&ability_shape, abilities);
}

GPtrArray *
signet_token_list(SignetClient *client, GError **error)
{
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(token_shape.free_item);
  ClientCollector collector = { &token_shape, "token", items };
  ClientCall call = { .method = "org.signet.Token.List",
                      .flags = CLIENT_REPEATABLE,
                      .item = client_record_collect,
                      .item_data = &collector };
  return client_call(client, &call, NULL, error) ? g_steal_pointer(&items) : NULL;
}

static json_t *
naming(const char *token)
{
  json_t *parameters = json_object();
  if (token)
    wire_json_set_text(parameters, "token", token);
  return parameters;
}

SignetToken *
signet_token_describe(SignetClient *client, const char *token, SignetAbilities **ret_abilities,
                      char ***ret_ids, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  g_autoptr(SignetToken) described = NULL;
  g_autoptr(SignetAbilities) abilities = NULL;
  g_auto(GStrv) ids = NULL;
  ClientCall call = { .method = "org.signet.Token.Describe",
                      .parameters = naming(token),
                      .flags = CLIENT_REPEATABLE };
  if (!client_call(client, &call, &reply, error) ||
      !(described = client_record_from(&token_shape, reply, "token", error)) ||
      !(abilities = client_record_from(&ability_shape, reply, "abilities", error)) ||
      !client_reply_texts(reply, "ids", &ids, error))
    return NULL;
  if (ret_abilities)
    *ret_abilities = g_steal_pointer(&abilities);
  if (ret_ids)
    *ret_ids = g_steal_pointer(&ids);
  return g_steal_pointer(&described);
}

static json_t *
init_parameters(const SignetTokenInit *init)
{
  json_t *parameters = naming(init->token);
  wire_json_set_text(parameters, "label", init->label);
  wire_json_set_text(parameters, "pin", init->pin);
  if (init->so_pin)
    wire_json_set_text(parameters, "so_pin", init->so_pin);
  if (init->module)
    wire_json_set_text(parameters, "module", init->module);
  json_object_set_new(parameters, "soft", json_boolean(init->soft));
  return parameters;
}

SignetToken *
signet_token_init(SignetClient *client, const SignetTokenInit *init, char **ret_so_pin,
                  GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  const char *so_pin = NULL;
  ClientCall call = { .method = "org.signet.Token.Init",
                      .parameters = init_parameters(init),
                      .flags = CLIENT_PERSON };
  if (!client_call(client, &call, &reply, error) ||
      !client_reply_text(reply, "so_pin", &so_pin, error))
    return NULL;
  SignetToken *token = client_record_from(&token_shape, reply, "token", error);
  if (token && ret_so_pin)
    *ret_so_pin = g_strdup(so_pin);
  return token;
}

static gboolean
change_pin(SignetClient *client, const char *token, const char *which, const char *old_pin,
           const char *new_pin, GError **error)
{
  json_t *parameters = naming(token);
  wire_json_set_text(parameters, "which", which);
  wire_json_set_text(parameters, "old", old_pin);
  wire_json_set_text(parameters, "new", new_pin);
  return client_call_plain(client, "org.signet.Token.ChangePin", parameters, CLIENT_PERSON, error);
}

gboolean
signet_token_change_pin(SignetClient *client, const char *token, const char *old_pin,
                        const char *new_pin, GError **error)
{
  return change_pin(client, token, "user", old_pin, new_pin, error);
}

gboolean
signet_token_change_so_pin(SignetClient *client, const char *token, const char *old_pin,
                           const char *new_pin, GError **error)
{
  return change_pin(client, token, "so", old_pin, new_pin, error);
}

/* A call whose answer is a list of lines for a person. */
static gboolean
lines_call(SignetClient *client, ClientCall *call, const char *name, char ***ret_lines,
           GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  g_auto(GStrv) lines = NULL;
  if (!client_call(client, call, &reply, error) || !client_reply_texts(reply, name, &lines, error))
    return FALSE;
  if (ret_lines)
    *ret_lines = g_steal_pointer(&lines);
  return TRUE;
}

gboolean
signet_token_erase(SignetClient *client, const SignetTokenErase *erase, char ***ret_removed,
                   GError **error)
{
  json_t *parameters = naming(erase->token);
  wire_json_set_text(parameters, "serial", erase->serial);
  if (erase->so_pin)
    wire_json_set_text(parameters, "so_pin", erase->so_pin);
  if (erase->pin)
    wire_json_set_text(parameters, "pin", erase->pin);
  ClientCall call = { .method = "org.signet.Token.Erase",
                      .parameters = parameters,
                      .flags = CLIENT_PERSON };
  return lines_call(client, &call, "removed", ret_removed, error);
}

gboolean
signet_token_forget(SignetClient *client, const char *token, char ***ret_forgotten, GError **error)
{
  ClientCall call = { .method = "org.signet.Token.Forget", .parameters = naming(token) };
  return lines_call(client, &call, "forgotten", ret_forgotten, error);
}

#define FIELD(member)                                                             \
  {                                                                               \
    .name = #member, .type = CLIENT_TEXTS, .offset = offsetof(SignetLoss, member) \
  }
static const ClientField loss_fields[] = { FIELD(ids), FIELD(keys), FIELD(only) };
#undef FIELD
static const ClientShape loss_shape =
    CLIENT_SHAPE(SignetLoss, loss_fields, (GDestroyNotify)signet_loss_free);

void
signet_loss_free(SignetLoss *loss)
{
  client_record_free(&loss_shape, loss);
}

SignetLoss *
signet_token_mark_lost(SignetClient *client, const char *token, gboolean lost, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  json_t *parameters = naming(token);
  json_object_set_new(parameters, "lost", json_boolean(lost));
  ClientCall call = { .method = "org.signet.Token.MarkLost",
                      .parameters = parameters,
                      .flags = CLIENT_REPEATABLE };
  return client_call(client, &call, &reply, error) ? client_record_new(&loss_shape, reply, error)
                                                   : NULL;
}

gboolean
signet_token_unblock(SignetClient *client, const char *token, const char *so_pin,
                     const char *new_pin, GError **error)
{
  json_t *parameters = naming(token);
  wire_json_set_text(parameters, "so_pin", so_pin);
  wire_json_set_text(parameters, "new", new_pin);
  return client_call_plain(client, "org.signet.Token.Unblock", parameters, CLIENT_PERSON, error);
}

gboolean
signet_token_lock(SignetClient *client, const char *token, char ***ret_locked, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  g_auto(GStrv) locked = NULL;
  ClientCall call = { .method = "org.signet.Token.Lock",
                      .parameters = naming(token),
                      .flags = CLIENT_REPEATABLE };
  if (!client_call(client, &call, &reply, error) ||
      !client_reply_texts(reply, "locked", &locked, error))
    return FALSE;
  if (ret_locked)
    *ret_locked = g_steal_pointer(&locked);
  return TRUE;
}
