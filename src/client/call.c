/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "client/client.h"
#include "wire/limits.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What is on its way in one attempt. */
typedef struct {
  const ClientCall *call;
  BaseDeadline deadline;
  gboolean unsent;  /* the request never left whole, so it was not done */
  guint items;      /* replies handed on */
  gboolean stopped; /* by the item function */
} Attempt;

static char *
call_text(const ClientCall *call, gsize *ret_length)
{
  g_autoptr(WireJson) message = json_object();
  json_object_set_new(message, "method", json_string(call->method));
  if (call->parameters)
    json_object_set(message, "parameters", call->parameters);
  if (call->item)
    json_object_set_new(message, "more", json_true());
  return wire_json_text(message, ret_length);
}

static char *
hello_text(gsize *ret_length)
{
  g_autoptr(WireJson) message = json_object();
  json_t *parameters = json_object();
  json_object_set_new(parameters, "protocol", json_integer(WIRE_PROTOCOL));
  wire_json_set_text(parameters, "program", program_invocation_short_name);
  json_object_set_new(message, "method", json_string("org.signet.Daemon.Hello"));
  json_object_set_new(message, "parameters", parameters);
  return wire_json_text(message, ret_length);
}

/* Hello travels in the same write as the first call, so it costs no round trip. */
static ClientIo
send_request(SignetClient *client, Attempt *attempt, GError **error)
{
  gsize hello_length = 0, length = 0;
  char *hello = client->greeted ? NULL : hello_text(&hello_length);
  char *text = call_text(attempt->call, &length);
  ClientIo io = CLIENT_IO_FAILED;
  if (!text || length > WIRE_MESSAGE_MAX) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                   "the request is larger than the %d bytes that signetd takes", WIRE_MESSAGE_MAX);
  } else {
    const ClientPiece pieces[] = { { hello, hello_length }, { text, length } };
    io = client_connection_send(client, pieces, G_N_ELEMENTS(pieces), attempt->deadline, error);
  }
  wire_text_free(text, length);
  wire_text_free(hello, hello_length);
  return io;
}

static gboolean
say_version(const char *theirs, GError **error)
{
  return base_error_set(
      error, SIGNET_ERROR_VERSION,
      "the running signetd%s%s is of another version than this program (its protocol is not %d); "
      "restart signetd",
      theirs ? " " : "", theirs ? theirs : "", WIRE_PROTOCOL);
}

static gboolean
check_hello(const json_t *reply, GError **error)
{
  /* A daemon that refuses the connection (too many, not allowed) says so here; one that
   * does not know Hello is of another version, and wire says that. */
  if (json_object_get(reply, "error")) {
    wire_json_take_error(reply, error);
    return FALSE;
  }
  const json_t *parameters = json_object_get(reply, "parameters");
  if (json_integer_value(json_object_get(parameters, "protocol")) != WIRE_PROTOCOL)
    return say_version(json_string_value(json_object_get(parameters, "version")), error);
  return TRUE;
}

static ClientIo
receive_hello(SignetClient *client, Attempt *attempt, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  /* One read may bring both replies, and with them the descriptor that belongs to the second. */
  ClientIo io =
      client_connection_receive(client, attempt->call->ret_fd, attempt->deadline, &reply, error);
  if (io != CLIENT_IO_DONE)
    return io;
  if (!check_hello(reply, error))
    return CLIENT_IO_FAILED;
  client->greeted = TRUE;
  return CLIENT_IO_DONE;
}

/* An error reply that answers the call: the connection stays good. */
static gboolean
take_reply(const json_t *reply, json_t **ret_parameters, gboolean *ret_continues, GError **error)
{
  if (json_object_get(reply, "error")) {
    wire_json_take_error(reply, error);
    return FALSE;
  }
  json_t *parameters = json_object_get(reply, "parameters");
  *ret_continues = json_is_true(json_object_get(reply, "continues"));
  *ret_parameters = parameters ? json_incref(parameters) : json_object();
  return TRUE;
}

static ClientIo
hand_on(Attempt *attempt, const json_t *parameters, GError **error)
{
  const ClientCall *call = attempt->call;
  g_autoptr(GError) failure = NULL;
  if (!call->item)
    return CLIENT_IO_DONE;
  if (attempt->items++ >= CLIENT_ITEMS_MAX && !(call->flags & CLIENT_ENDLESS)) {
    base_error_set(error, SIGNET_ERROR_TOO_LARGE, "signetd lists more than %d items",
                   CLIENT_ITEMS_MAX);
    return CLIENT_IO_FAILED;
  }
  if (call->item(parameters, call->item_data, &failure))
    return CLIENT_IO_DONE;
  if (failure) {
    g_propagate_error(error, g_steal_pointer(&failure));
    return CLIENT_IO_FAILED;
  }
  attempt->stopped = TRUE;
  return CLIENT_IO_DONE;
}

/* *ret_answered: the daemon's own last word came, an error or not. */
static ClientIo
receive_replies(SignetClient *client, Attempt *attempt, json_t **ret_reply, gboolean *ret_answered,
                GError **error)
{
  const ClientCall *call = attempt->call;
  for (;;) {
    g_autoptr(WireJson) reply = NULL;
    g_autoptr(WireJson) parameters = NULL;
    gboolean continues = FALSE;
    ClientIo io = client_connection_receive(client, call->ret_fd, attempt->deadline, &reply, error);
    if (io != CLIENT_IO_DONE)
      return io;
    *ret_answered = !json_is_true(json_object_get(reply, "continues"));
    if (!take_reply(reply, &parameters, &continues, error))
      return CLIENT_IO_FAILED;
    if (continues && !call->item) {
      base_error_set(error, SIGNET_ERROR_BAD_INPUT,
                     "signetd goes on answering a call that wants one answer");
      return CLIENT_IO_FAILED;
    }
    io = hand_on(attempt, parameters, error);
    if (io != CLIENT_IO_DONE)
      return io;
    if (!continues || attempt->stopped) {
      *ret_reply = g_steal_pointer(&parameters);
      return CLIENT_IO_DONE;
    }
  }
}

static ClientIo
exchange(SignetClient *client, Attempt *attempt, json_t **ret_reply, GError **error)
{
  gboolean answered = FALSE;
  ClientIo io = send_request(client, attempt, error);
  /* A daemon that turns us away may have said why before it closed. */
  attempt->unsent = io == CLIENT_IO_LOST;
  if (io != CLIENT_IO_FAILED && !client->greeted)
    io = receive_hello(client, attempt, error);
  if (attempt->unsent && io == CLIENT_IO_DONE)
    io = CLIENT_IO_LOST;
  if (io == CLIENT_IO_DONE) {
    if (attempt->call->flags & CLIENT_ENDLESS)
      attempt->deadline = BASE_DEADLINE_NEVER;
    io = receive_replies(client, attempt, ret_reply, &answered, error);
  }
  /* Whatever is left unread would be taken for the answer to the next call. */
  if (!answered || attempt->stopped)
    client_connection_close(client);
  return io;
}

static gboolean
connect_for_call(SignetClient *client, BaseDeadline deadline, GError **error)
{
  if (client->fd >= 0 && !client_connection_is_idle(client))
    client_connection_close(client);
  return client->fd >= 0 || client_connection_open(client, deadline, error);
}

static BaseDeadline
deadline_of(const SignetClient *client, const ClientCall *call)
{
  gboolean long_one = call->flags & CLIENT_PERSON;
  return base_deadline_in(long_one ? MAX(client->timeout, CLIENT_PERSON_MS) : client->timeout);
}

static void
drop_descriptor(const ClientCall *call)
{
  if (!call->ret_fd)
    return;
  if (*call->ret_fd >= 0)
    close(*call->ret_fd);
  *call->ret_fd = -1;
}

static gboolean
call_once(SignetClient *client, const ClientCall *call, json_t **ret_reply, GError **error)
{
  Attempt attempt = { .call = call, .deadline = deadline_of(client, call) };
  for (int tries = 0;; tries++) {
    if (!connect_for_call(client, attempt.deadline, error))
      return FALSE;
    ClientIo io = exchange(client, &attempt, ret_reply, error);
    if (io == CLIENT_IO_DONE)
      return TRUE;
    drop_descriptor(call);
    if (io == CLIENT_IO_FAILED)
      return FALSE;
    client_connection_close(client);
    gboolean safe = attempt.unsent || (call->flags & CLIENT_REPEATABLE);
    if (tries > 0 || attempt.items > 0 || !safe)
      break;
  }
  return base_error_set(error, SIGNET_ERROR_NO_DAEMON, "signetd ended during %s%s", call->method,
                        attempt.unsent || (call->flags & CLIENT_REPEATABLE)
                            ? ""
                            : "; whether it was done is not known");
}

/* Keys with CKA_ALWAYS_AUTHENTICATE want the PIN with the operation; their token is then
 * unlocked already and the PIN that was typed has not been tried yet. */
static gboolean
call_with_pin(SignetClient *client, ClientCall *call, const BaseSecret *pin, json_t **ret_reply,
              GError **error)
{
  if (!call->parameters)
    call->parameters = json_object();
  json_object_set_new(call->parameters, "pin", json_string(base_secret_text(pin)));
  call->flags &= ~(guint)CLIENT_REPEATABLE;
  return call_once(client, call, ret_reply, error);
}

static gboolean
is_pin_required(const GError *error)
{
  return g_error_matches(error, SIGNET_ERROR, SIGNET_ERROR_PIN_REQUIRED);
}

static gboolean
call_unlocking(SignetClient *client, ClientCall *call, json_t **ret_reply, GError **error)
{
  g_autoptr(GError) locked = NULL;
  g_autoptr(GError) again = NULL;
  g_autoptr(BaseSecret) pin = NULL;
  gboolean already = FALSE;
  gboolean may_unlock = client->may_ask && (call->flags & CLIENT_UNLOCKS);
  if (call_once(client, call, ret_reply, &locked))
    return TRUE;
  if (!may_unlock || !is_pin_required(locked) || !signet_error_get_details(locked)->token) {
    g_propagate_error(error, g_steal_pointer(&locked));
    return FALSE;
  }
  if (!client_unlock(client, locked, call->operation, &pin, &already, error))
    return FALSE;
  if (call_once(client, call, ret_reply, &again))
    return TRUE;
  if (is_pin_required(again) && already && pin && (call->flags & CLIENT_TAKES_PIN))
    return call_with_pin(client, call, pin, ret_reply, error);
  g_propagate_error(error, g_steal_pointer(&again));
  return FALSE;
}

gboolean
client_call(SignetClient *client, ClientCall *call, json_t **ret_reply, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  if (call->ret_fd)
    *call->ret_fd = -1;
  gboolean done =
      client_check_process(client, error) && call_unlocking(client, call, &reply, error);
  g_clear_pointer(&call->parameters, json_decref);
  if (done && ret_reply)
    *ret_reply = g_steal_pointer(&reply);
  return done;
}

gboolean
client_call_plain(SignetClient *client, const char *method, json_t *parameters, guint flags,
                  GError **error)
{
  ClientCall call = { .method = method, .parameters = parameters, .flags = flags };
  return client_call(client, &call, NULL, error);
}
