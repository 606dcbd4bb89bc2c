/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.varlink.service and org.signet.Daemon. */
#include "base/error.h"
#include "daemon/broker.h"
#include "daemon/catalogue.h"
#include "daemon/host.h"
#include "daemon/token.h"
#include "wire/limits.h"

#include <string.h>
#include <unistd.h>

static void
get_info(DaemonCall *call)
{
  json_t *names = json_array();
  for (const DaemonInterface *at = daemon_interfaces; at->name; at++)
    json_array_append_new(names, json_string(at->name));
  json_t *reply = json_object();
  wire_json_set_text(reply, "vendor", "signet");
  wire_json_set_text(reply, "product", "signetd");
  wire_json_set_text(reply, "version", SIGNET_VERSION);
  wire_json_set_text(reply, "url", "");
  json_object_set_new(reply, "interfaces", names);
  daemon_call_reply(call, reply);
}

static void
get_description(DaemonCall *call)
{
  const char *name = json_string_value(json_object_get(daemon_call_parameters(call), "interface"));
  if (!name) {
    daemon_call_fail_service(call, "InvalidParameter", "parameter", "interface");
    return;
  }
  for (const DaemonInterface *at = daemon_interfaces; at->name; at++) {
    if (strcmp(at->name, name) != 0)
      continue;
    json_t *reply = json_object();
    wire_json_set_text(reply, "description", at->text);
    daemon_call_reply(call, reply);
    return;
  }
  daemon_call_fail_service(call, "InterfaceNotFound", "interface", name);
}

static void
hello(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  gint64 protocol = 0;
  if (!wire_json_get_int(daemon_call_parameters(call), "protocol", -1, 0, G_MAXINT32, &protocol,
                         &error)) {
    daemon_call_fail(call, error);
    return;
  }
  if (protocol != WIRE_PROTOCOL) {
    base_error_set(&error, SIGNET_ERROR_VERSION,
                   "signetd %s speaks protocol %d, the program protocol %d: end signetd, it is "
                   "started anew by itself",
                   SIGNET_VERSION, WIRE_PROTOCOL, (int)protocol);
    daemon_call_fail(call, error);
    return;
  }
  json_t *reply = json_object();
  json_object_set_new(reply, "protocol", json_integer(WIRE_PROTOCOL));
  wire_json_set_text(reply, "version", SIGNET_VERSION);
  daemon_call_reply(call, reply);
}

static int
compare_counters(gconstpointer a, gconstpointer b)
{
  return strcmp(a, b);
}

static json_t *
counters(Daemon *daemon)
{
  json_t *list = json_array();
  g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(daemon->counters), compare_counters);
  for (GList *at = names; at; at = at->next) {
    const gint64 *value = g_hash_table_lookup(daemon->counters, at->data);
    json_t *one = json_object();
    wire_json_set_text(one, "name", at->data);
    json_object_set_new(one, "value", json_integer(*value));
    json_array_append_new(list, one);
  }
  return list;
}

static void
status(DaemonCall *call)
{
  Daemon *daemon = daemon_call_daemon(call);
  DaemonCatalogueCounts counts = daemon_catalogue_counts(daemon->catalogue);
  json_t *reply = json_object();
  json_t *unlocked = json_array();
  int tokens = 0;

  for (guint i = 0; i < daemon->tokens->len; i++) {
    DaemonToken *token = daemon->tokens->pdata[i];
    tokens += (token->record->flags & WIRE_TOKEN_INITIALIZED) != 0;
    if (daemon_token_opened(token))
      json_array_append_new(unlocked, json_string(daemon_token_label(token)));
  }
  wire_json_set_text(reply, "version", SIGNET_VERSION);
  json_object_set_new(reply, "pid", json_integer(getpid()));
  json_object_set_new(reply, "started", json_integer(daemon->started));
  json_object_set_new(reply, "connections", json_integer(daemon->connections->len));
  json_object_set_new(reply, "tokens", json_integer(tokens));
  json_object_set_new(reply, "unlocked", unlocked);
  json_object_set_new(reply, "ids", json_integer(counts.ids));
  json_object_set_new(reply, "warnings", daemon_hosts_warnings(daemon));
  json_object_set_new(reply, "counters", counters(daemon));
  daemon_call_reply(call, reply);
}

static void
stop(DaemonCall *call)
{
  Daemon *daemon = daemon_call_daemon(call);
  daemon_call_reply(call, NULL);
  daemon_stop(daemon);
}

const DaemonMethod daemon_service_methods[] = {
  { "org.varlink.service.GetInfo", get_info, 0 },
  { "org.varlink.service.GetInterfaceDescription", get_description, 0 },
  { "org.signet.Daemon.Hello", hello, 0 },
  { "org.signet.Daemon.Status", status, DAEMON_METHOD_SETTLED },
  { "org.signet.Daemon.Stop", stop, 0 },
  { NULL, NULL, 0 },
};
