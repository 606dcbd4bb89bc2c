/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls: found in the tables of methods, answered once. */
#include "base/error.h"
#include "daemon/broker.h"
#include "daemon/token.h"
#include "wire/limits.h"

#include <string.h>
#include <unistd.h>

#define STREAM_LOW_WATER (64 * 1024)
#define SERVICE "org.varlink.service."

struct DaemonCall {
  Daemon *daemon;
  DaemonConnection *connection; /* NULL: the client left */
  json_t *parameters;
  const DaemonMethod *method;
  pid_t pid;
  char *program;
  gboolean more;
  gboolean oneway;

  DaemonNext next; /* a stream under way */
  gpointer state;
  GDestroyNotify free_state;
  json_t *ahead; /* one item is held back, since the last one is marked as such */
  gboolean pumping;
  gboolean ending; /* being answered: a connection that closes meanwhile does not free it */

  void (*gone)(DaemonCall *call, gpointer user_data);
  gpointer gone_data;
};

static const DaemonMethod *const method_tables[] = {
  daemon_key_methods,   daemon_service_methods, daemon_token_methods,
  daemon_event_methods, daemon_id_methods,      daemon_transfer_methods,
};

static void
call_free(DaemonCall *call)
{
  if (call->free_state)
    call->free_state(call->state);
  json_decref(call->ahead);
  json_decref(call->parameters);
  g_free(call->program);
  g_free(call);
}

/* Ends the call: the connection goes on with its next message. */
static void
call_end(DaemonCall *call)
{
  DaemonConnection *connection = call->connection;
  Daemon *daemon = call->daemon;
  if (connection)
    daemon_connection_call_done(connection);
  call_free(call);
  if (!connection)
    daemon_quiet_check(daemon);
}

Daemon *
daemon_call_daemon(DaemonCall *call)
{
  return call->daemon;
}

const json_t *
daemon_call_parameters(DaemonCall *call)
{
  return call->parameters;
}

gboolean
daemon_call_more(DaemonCall *call)
{
  return call->more;
}

gboolean
daemon_call_gone(DaemonCall *call)
{
  return !call->connection;
}

pid_t
daemon_call_process(DaemonCall *call)
{
  return call->pid;
}

const char *
daemon_call_program(DaemonCall *call)
{
  if (!call->program) {
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int)call->pid);
    if (!g_file_get_contents(path, &call->program, NULL, NULL))
      call->program = g_strdup("?");
    g_strchomp(call->program);
  }
  return call->program;
}

void
daemon_call_on_gone(DaemonCall *call, void (*gone)(DaemonCall *call, gpointer user_data),
                    gpointer user_data)
{
  call->gone = gone;
  call->gone_data = user_data;
}

void
daemon_call_abandon(DaemonCall *call)
{
  call->connection = NULL;
  if (call->ending)
    return;
  if (call->gone)
    call->gone(call, call->gone_data);
  else if (call->next)
    call_free(call); /* a stream has nobody else who would end it */
}

/* Sends and, unless others follow, ends the call. */
static void
send_message(DaemonCall *call, json_t *message, int fd, gboolean continues)
{
  if (continues)
    json_object_set_new(message, "continues", json_true());
  if (call->connection)
    call->connection->gathers = continues && call->pumping;
  if (call->connection && !call->oneway)
    daemon_connection_send(call->connection, message, fd); /* may set call->connection to NULL */
  else if (fd >= 0)
    close(fd);
  json_decref(message);
}

static json_t *
reply_with(json_t *parameters)
{
  json_t *message = json_object();
  json_object_set_new(message, "parameters", parameters ? parameters : json_object());
  return message;
}

void
daemon_call_reply_fd(DaemonCall *call, json_t *parameters, int fd)
{
  call->ending = TRUE;
  send_message(call, reply_with(parameters), fd, FALSE);
  call_end(call);
}

void
daemon_call_reply(DaemonCall *call, json_t *parameters)
{
  daemon_call_reply_fd(call, parameters, -1);
}

void
daemon_call_fail(DaemonCall *call, const GError *error)
{
  call->ending = TRUE;
  daemon_count(call->daemon, "errors", 1);
  send_message(call, wire_json_error(error), -1, FALSE);
  call_end(call);
}

void
daemon_call_fail_with(DaemonCall *call, SignetError code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autoptr(GError) error = g_error_new_valist(SIGNET_ERROR, (gint)code, format, args);
  va_end(args);
  daemon_call_fail(call, error);
}

void
daemon_call_fail_service(DaemonCall *call, const char *error, const char *member, const char *value)
{
  json_t *message = json_object();
  json_t *parameters = json_object();
  g_autofree char *name = g_strconcat(SERVICE, error, NULL);
  wire_json_set_text(message, "error", name);
  if (member)
    wire_json_set_text(parameters, member, value);
  json_object_set_new(message, "parameters", parameters);
  call->ending = TRUE;
  daemon_count(call->daemon, "errors", 1);
  send_message(call, message, -1, FALSE);
  call_end(call);
}

void
daemon_call_push(DaemonCall *call, json_t *parameters)
{
  send_message(call, reply_with(parameters), -1, TRUE);
}

/* Sending may drop the connection, and with it, by daemon_call_abandon, this call. `pumping`
 * keeps it alive until the loop below has seen that. */
static gboolean
stream_one(DaemonCall *call)
{
  g_autoptr(GError) error = NULL;
  json_t *item = call->next(call->daemon, call->state, &error);
  json_t *before = g_steal_pointer(&call->ahead);
  if (item && call->more) {
    call->ahead = item;
    if (before)
      send_message(call, reply_with(before), -1, TRUE);
    return TRUE;
  }
  if (!item && before && !error) {
    daemon_call_reply(call, before);
    return FALSE;
  }
  if (before)
    send_message(call, reply_with(before), -1, TRUE);
  if (error)
    daemon_call_fail(call, error);
  else
    daemon_call_reply(call, item);
  return FALSE;
}

static void
pump_gone(DaemonCall *call G_GNUC_UNUSED, gpointer user_data G_GNUC_UNUSED)
{
}

void
daemon_call_pump(DaemonCall *call)
{
  if (!call->next || call->pumping)
    return;
  call->pumping = TRUE;
  call->gone = pump_gone;
  while (call->connection && call->connection->out.bytes < STREAM_LOW_WATER)
    if (!stream_one(call))
      return;
  call->pumping = FALSE;
  call->gone = NULL;
  if (!call->connection)
    call_end(call);
}

void
daemon_call_stream(DaemonCall *call, DaemonNext next, gpointer state, GDestroyNotify free_state)
{
  call->next = next;
  call->state = state;
  call->free_state = free_state;
  if (!call->connection)
    call_end(call);
  else
    daemon_call_pump(call);
}

static const DaemonMethod *
find_method(const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS(method_tables); i++)
    for (const DaemonMethod *method = method_tables[i]; method->name; method++)
      if (strcmp(method->name, name) == 0)
        return method;
  return NULL;
}

static gboolean
is_interface(const char *name, gsize length)
{
  for (const DaemonInterface *at = daemon_interfaces; at->name; at++)
    if (strlen(at->name) == length && strncmp(at->name, name, length) == 0)
      return TRUE;
  return FALSE;
}

static void
fail_unknown(DaemonCall *call, const char *name)
{
  const char *dot = strrchr(name, '.');
  gsize length = dot ? (gsize)(dot - name) : strlen(name);
  if (is_interface(name, length)) {
    daemon_call_fail_service(call, "MethodNotFound", "method", name);
  } else {
    g_autofree char *interface = g_strndup(name, length);
    daemon_call_fail_service(call, "InterfaceNotFound", "interface", interface);
  }
}

/* Until every host has told its tokens once, "no such token" might be a lie. */
static gboolean
must_settle(DaemonCall *call)
{
  return (call->method->flags & DAEMON_METHOD_SETTLED) && !daemon_hosts_settled(call->daemon);
}

static void
settle_gone(DaemonCall *call, gpointer user_data G_GNUC_UNUSED)
{
  g_queue_remove(&call->daemon->settling, call);
  call_free(call);
}

void
daemon_settle_check(Daemon *daemon)
{
  if (!daemon_hosts_settled(daemon))
    return;
  while (!g_queue_is_empty(&daemon->settling)) {
    DaemonCall *call = g_queue_pop_head(&daemon->settling);
    call->gone = NULL;
    call->method->handler(call);
  }
}

static void
fresh_now(gpointer user_data)
{
  DaemonCall *call = user_data;
  call->method->handler(call);
}

static gboolean
read_call(DaemonCall *call, const json_t *message, const char **ret_name, GError **error)
{
  gboolean upgrade = FALSE;
  const json_t *parameters = json_object_get(message, "parameters");
  if (!wire_json_get_text(message, "method", FALSE, WIRE_NAME_MAX, ret_name, error) ||
      !wire_json_get_bool(message, "more", FALSE, &call->more, error) ||
      !wire_json_get_bool(message, "oneway", FALSE, &call->oneway, error) ||
      !wire_json_get_bool(message, "upgrade", FALSE, &upgrade, error))
    return FALSE;
  if (upgrade)
    return base_error_set(error, SIGNET_ERROR_USAGE, "no method of signetd upgrades a connection");
  if (parameters && !json_is_null(parameters) && !json_is_object(parameters))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "`parameters` must be an object");
  call->parameters =
      json_is_object(parameters) ? json_incref((json_t *)(gintptr)parameters) : json_object();
  return TRUE;
}

void
daemon_call_start(DaemonConnection *connection, json_t *message)
{
  g_autoptr(GError) error = NULL;
  const char *name = NULL;
  DaemonCall *call = g_new0(DaemonCall, 1);
  call->daemon = connection->daemon;
  call->connection = connection;
  call->pid = connection->pid;
  connection->call = call;
  daemon_count(call->daemon, "calls", 1);
  daemon_expiry_check_sleep(call->daemon);

  g_autoptr(WireJson) held = message;
  if (!read_call(call, message, &name, &error)) {
    daemon_call_fail(call, error);
    return;
  }
  call->method = find_method(name);
  if (!call->method) {
    fail_unknown(call, name);
  } else if ((call->method->flags & DAEMON_METHOD_MORE) && !call->more) {
    daemon_call_fail_service(call, "ExpectedMore", NULL, NULL);
  } else if (must_settle(call)) {
    call->gone = settle_gone;
    g_queue_push_tail(&call->daemon->settling, call);
  } else if (!(call->method->flags & DAEMON_METHOD_FRESH) ||
             !daemon_tokens_catch_up(call->daemon, fresh_now, call)) {
    call->method->handler(call);
  }
}
