/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/client.h"
#include "client/record.h"

static const ClientWord uses[] = { { "sign", SIGNET_USE_SIGN },
                                   { "encrypt", SIGNET_USE_ENCRYPT },
                                   { "auth", SIGNET_USE_AUTH },
                                   { "ca", SIGNET_USE_CA },
                                   { NULL, 0 } };

static const ClientWord abilities[] = { { "sign", SIGNET_CAN_SIGN },
                                        { "decrypt", SIGNET_CAN_DECRYPT },
                                        { "derive", SIGNET_CAN_DERIVE },
                                        { NULL, 0 } };

#define FIELD(member, kind)                                                      \
  {                                                                              \
    .name = #member, .type = kind, .offset = offsetof(SignetCertificate, member) \
  }
static const ClientField certificate_fields[] = {
  FIELD(fingerprint, CLIENT_TEXT),
  FIELD(subject, CLIENT_TEXT),
  FIELD(issuer, CLIENT_TEXT),
  FIELD(serial, CLIENT_TEXT),
  FIELD(name, CLIENT_TEXT_OR_NULL),
  FIELD(addresses, CLIENT_TEXTS),
  FIELD(not_before, CLIENT_TIME),
  FIELD(not_after, CLIENT_TIME),
  { .name = "use", .type = CLIENT_BITS, .offset = offsetof(SignetCertificate, use), .words = uses },
  FIELD(self_signed, CLIENT_BOOL),
  { .name = "certificate",
    .type = CLIENT_BYTES_OR_NULL,
    .offset = offsetof(SignetCertificate, der) },
};
#undef FIELD
static void certificate_free(gpointer certificate);
static const ClientShape certificate_shape =
    CLIENT_SHAPE(SignetCertificate, certificate_fields, certificate_free);

#define FIELD(member, kind)                                              \
  {                                                                      \
    .name = #member, .type = kind, .offset = offsetof(SignetKey, member) \
  }
static const ClientField key_fields[] = {
  FIELD(key, CLIENT_TEXT),
  FIELD(kind, CLIENT_TEXT),
  FIELD(label, CLIENT_TEXT),
  FIELD(tokens, CLIENT_TEXTS),
  FIELD(absent, CLIENT_TEXTS),
  { .name = "can", .type = CLIENT_BITS, .offset = offsetof(SignetKey, can), .words = abilities },
  FIELD(locked, CLIENT_BOOL),
  FIELD(always_authenticate, CLIENT_BOOL),
  FIELD(extractable, CLIENT_BOOL),
  FIELD(public_key, CLIENT_BYTES_OR_NULL),
  { .name = "certificates",
    .type = CLIENT_RECORDS,
    .offset = offsetof(SignetKey, certificates),
    .shape = &certificate_shape },
};
#undef FIELD
static void key_free(gpointer key);
static const ClientShape key_shape = CLIENT_SHAPE(SignetKey, key_fields, key_free);

#define FIELD(member, kind)                                             \
  {                                                                     \
    .name = #member, .type = kind, .offset = offsetof(SignetId, member) \
  }
static const ClientField id_fields[] = {
  FIELD(id, CLIENT_TEXT),
  FIELD(name, CLIENT_TEXT_OR_NULL),
  FIELD(addresses, CLIENT_TEXTS),
  FIELD(is_default, CLIENT_BOOL),
  { .name = "keys",
    .type = CLIENT_RECORDS,
    .offset = offsetof(SignetId, keys),
    .shape = &key_shape },
};
#undef FIELD
static const ClientShape id_shape =
    CLIENT_SHAPE(SignetId, id_fields, (GDestroyNotify)signet_id_free);

static void
certificate_free(gpointer certificate)
{
  client_record_free(&certificate_shape, certificate);
}

static void
key_free(gpointer key)
{
  client_record_free(&key_shape, key);
}

void
signet_id_free(SignetId *id)
{
  client_record_free(&id_shape, id);
}

GPtrArray *
signet_id_list(SignetClient *client, gboolean with_der, GError **error)
{
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(id_shape.free_item);
  ClientCollector collector = { &id_shape, "id", items };
  json_t *parameters = json_object();
  json_object_set_new(parameters, "certificates", json_boolean(with_der));
  ClientCall call = { .method = "org.signet.Id.List",
                      .parameters = parameters,
                      .flags = CLIENT_REPEATABLE,
                      .item = client_record_collect,
                      .item_data = &collector };
  return client_call(client, &call, NULL, error) ? g_steal_pointer(&items) : NULL;
}

SignetId *
signet_id_describe(SignetClient *client, const char *id, gboolean with_der, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "id", id);
  json_object_set_new(parameters, "certificates", json_boolean(with_der));
  ClientCall call = { .method = "org.signet.Id.Describe",
                      .parameters = parameters,
                      .flags = CLIENT_REPEATABLE };
  return client_call(client, &call, &reply, error)
             ? client_record_from(&id_shape, reply, "id", error)
             : NULL;
}

#define FIELD(member, kind)                                                    \
  {                                                                            \
    .name = #member, .type = kind, .offset = offsetof(SignetGenerated, member) \
  }
static const ClientField generated_fields[] = {
  FIELD(id, CLIENT_TEXT),    FIELD(key, CLIENT_TEXT),         FIELD(kind, CLIENT_TEXT),
  FIELD(token, CLIENT_TEXT), FIELD(public_key, CLIENT_BYTES), FIELD(extractable, CLIENT_BOOL),
};
#undef FIELD
static const ClientShape generated_shape =
    CLIENT_SHAPE(SignetGenerated, generated_fields, (GDestroyNotify)signet_generated_free);

void
signet_generated_free(SignetGenerated *generated)
{
  client_record_free(&generated_shape, generated);
}

static json_t *
generate_parameters(const SignetGenerate *request)
{
  json_t *parameters = json_object();
  wire_json_set_strv(parameters, "addresses", (char *const *)(gintptr)request->addresses);
  if (request->name)
    wire_json_set_text(parameters, "name", request->name);
  if (request->token)
    wire_json_set_text(parameters, "token", request->token);
  if (request->kind)
    wire_json_set_text(parameters, "kind", request->kind);
  if (request->can)
    json_object_set_new(parameters, "use", client_words_from_bits(abilities, request->can));
  json_object_set_new(parameters, "no_backup", json_boolean(request->no_backup));
  return parameters;
}

SignetGenerated *
signet_id_generate(SignetClient *client, const SignetGenerate *request, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  ClientCall call = { .method = "org.signet.Id.Generate",
                      .parameters = generate_parameters(request),
                      .flags = CLIENT_PERSON | CLIENT_UNLOCKS,
                      .operation = "make a key" };
  return client_call(client, &call, &reply, error)
             ? client_record_new(&generated_shape, reply, error)
             : NULL;
}

#define FIELD(member, kind)                                                 \
  {                                                                         \
    .name = #member, .type = kind, .offset = offsetof(SignetStored, member) \
  }
static const ClientField stored_fields[] = {
  FIELD(id, CLIENT_TEXT_OR_NULL),
  FIELD(token, CLIENT_TEXT),
  FIELD(stored, CLIENT_BOOL),
  FIELD(kept, CLIENT_BOOL),
};
#undef FIELD
static const ClientShape stored_shape =
    CLIENT_SHAPE(SignetStored, stored_fields, (GDestroyNotify)signet_stored_free);

void
signet_stored_free(SignetStored *stored)
{
  client_record_free(&stored_shape, stored);
}

SignetStored *
signet_id_put_certificate(SignetClient *client, GBytes *der, gboolean chain, const char *token,
                          GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  json_t *parameters = json_object();
  wire_json_set_base64(parameters, "certificate", g_bytes_get_data(der, NULL),
                       g_bytes_get_size(der));
  json_object_set_new(parameters, "chain", json_boolean(chain));
  if (token)
    wire_json_set_text(parameters, "token", token);
  ClientCall call = { .method = "org.signet.Id.StoreCertificate",
                      .parameters = parameters,
                      .flags = CLIENT_UNLOCKS | CLIENT_REPEATABLE,
                      .operation = "store a certificate" };
  return client_call(client, &call, &reply, error) ? client_record_new(&stored_shape, reply, error)
                                                   : NULL;
}

gboolean
signet_id_store_certificate(SignetClient *client, GBytes *der, gboolean chain, const char *token,
                            char **ret_id, char **ret_token, gboolean *ret_stored, GError **error)
{
  g_autoptr(SignetStored) stored = signet_id_put_certificate(client, der, chain, token, error);
  if (!stored)
    return FALSE;
  if (ret_id)
    *ret_id = g_steal_pointer(&stored->id);
  if (ret_token)
    *ret_token = g_steal_pointer(&stored->token);
  if (ret_stored)
    *ret_stored = stored->stored;
  return TRUE;
}

gboolean
signet_id_set_addresses(SignetClient *client, const char *id, const char *const *addresses,
                        const char *name, char **ret_id, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  const char *now = NULL;
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "id", id);
  wire_json_set_strv(parameters, "addresses", (char *const *)(gintptr)addresses);
  if (name)
    wire_json_set_text(parameters, "name", name);
  ClientCall call = { .method = "org.signet.Id.SetAddresses",
                      .parameters = parameters,
                      .flags = CLIENT_REPEATABLE };
  if (!client_call(client, &call, &reply, error) || !client_reply_text(reply, "id", &now, error))
    return FALSE;
  if (ret_id)
    *ret_id = g_strdup(now);
  return TRUE;
}

gboolean
signet_id_never_export(SignetClient *client, const char *id, char ***ret_sealed, char ***ret_failed,
                       GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  g_auto(GStrv) sealed = NULL;
  g_auto(GStrv) failed = NULL;
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "id", id);
  json_object_set_new(parameters, "never_export", json_true());
  ClientCall call = { .method = "org.signet.Id.SetPolicy",
                      .parameters = parameters,
                      .flags = CLIENT_UNLOCKS | CLIENT_REPEATABLE,
                      .operation = "change a key" };
  if (!client_call(client, &call, &reply, error) ||
      !client_reply_texts(reply, "sealed", &sealed, error) ||
      !client_reply_texts(reply, "failed", &failed, error))
    return FALSE;
  if (ret_sealed)
    *ret_sealed = g_steal_pointer(&sealed);
  if (ret_failed)
    *ret_failed = g_steal_pointer(&failed);
  return TRUE;
}

gboolean
signet_id_remove(SignetClient *client, const char *id, const char *certificate, gboolean lose_mail,
                 char ***ret_removed, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  g_auto(GStrv) removed = NULL;
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "id", id);
  if (certificate)
    wire_json_set_text(parameters, "certificate", certificate);
  json_object_set_new(parameters, "lose_mail", json_boolean(lose_mail));
  ClientCall call = { .method = "org.signet.Id.Remove",
                      .parameters = parameters,
                      .flags = CLIENT_UNLOCKS,
                      .operation = "remove" };
  if (!client_call(client, &call, &reply, error) ||
      !client_reply_texts(reply, "removed", &removed, error))
    return FALSE;
  if (ret_removed)
    *ret_removed = g_steal_pointer(&removed);
  return TRUE;
}

gboolean
signet_id_set_default(SignetClient *client, const char *id, GError **error)
{
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "id", id);
  return client_call_plain(client, "org.signet.Id.SetDefault", parameters, CLIENT_REPEATABLE,
                           error);
}
