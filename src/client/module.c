/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/client.h"
#include "client/record.h"

#define FIELD(member, kind)                                                 \
  {                                                                         \
    .name = #member, .type = kind, .offset = offsetof(SignetModule, member) \
  }
static const ClientField module_fields[] = {
  FIELD(name, CLIENT_TEXT),
  FIELD(path, CLIENT_TEXT_OR_NULL),
  FIELD(description, CLIENT_TEXT_OR_NULL),
  FIELD(version, CLIENT_TEXT_OR_NULL),
  FIELD(tokens, CLIENT_INT),
  FIELD(state, CLIENT_TEXT),
  FIELD(problem, CLIENT_TEXT_OR_NULL),
  FIELD(package, CLIENT_TEXT_OR_NULL),
};
#undef FIELD
static const ClientShape module_shape =
    CLIENT_SHAPE(SignetModule, module_fields, (GDestroyNotify)signet_module_free);

void
signet_module_free(SignetModule *module)
{
  client_record_free(&module_shape, module);
}

GPtrArray *
signet_module_list(SignetClient *client, GError **error)
{
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(module_shape.free_item);
  ClientCollector collector = { &module_shape, "module", items };
  ClientCall call = { .method = "org.signet.Token.ListModules",
                      .flags = CLIENT_REPEATABLE,
                      .item = client_record_collect,
                      .item_data = &collector };
  return client_call(client, &call, NULL, error) ? g_steal_pointer(&items) : NULL;
}

SignetModule *
signet_module_add(SignetClient *client, const char *path, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "path", path);
  ClientCall call = { .method = "org.signet.Token.AddModule", .parameters = parameters };
  if (!client_call(client, &call, &reply, error))
    return NULL;
  return client_record_from(&module_shape, reply, "module", error);
}
