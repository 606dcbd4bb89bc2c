/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "client/client.h"
#include "client/record.h"

#include <string.h>
#include <unistd.h>

#define TTY_MAX 256

/* The terminal of the person: pinentry-curses and pinentry-tty draw on it. */
static gboolean
find_tty(char name[TTY_MAX])
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (ttyname_r(fd, name, TTY_MAX) == 0)
      return TRUE;
  const char *told = g_getenv("GPG_TTY"); /* what people set for programs in a pipe */
  return told && *told && g_strlcpy(name, told, TTY_MAX) < TTY_MAX;
}

static const char *
ctype_locale(void)
{
  static const char *const names[] = { "LC_ALL", "LC_CTYPE",
                                       "LANG" }; /* locale(7): in this order */
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    const char *value = g_getenv(names[i]);
    if (value && *value)
      return value;
  }
  return NULL;
}

/* A surrounding that is no UTF-8 cannot travel in JSON; pinentry then does without. */
static void
set_surrounding(json_t *interaction, const char *name, const char *value)
{
  if (value && *value && g_utf8_validate(value, -1, NULL))
    wire_json_set_text(interaction, name, value);
}

json_t *
client_interaction(const char *operation)
{
  json_t *interaction = json_object();
  char tty[TTY_MAX];
  set_surrounding(interaction, "display", g_getenv("DISPLAY"));
  set_surrounding(interaction, "wayland_display", g_getenv("WAYLAND_DISPLAY"));
  set_surrounding(interaction, "xauthority", g_getenv("XAUTHORITY"));
  set_surrounding(interaction, "term", g_getenv("TERM"));
  set_surrounding(interaction, "locale", ctype_locale());
  if (find_tty(tty))
    set_surrounding(interaction, "tty", tty);
  set_surrounding(interaction, "operation", operation);
  return interaction;
}

static gboolean
unlock(SignetClient *client, json_t *parameters, gboolean *ret_already, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  ClientCall call = { .method = "org.signet.Token.Unlock",
                      .parameters = parameters,
                      .flags = CLIENT_PERSON };
  gboolean already = FALSE;
  if (!client_call(client, &call, &reply, error) ||
      !client_reply_bool(reply, "already", &already, error))
    return FALSE;
  if (ret_already)
    *ret_already = already;
  return TRUE;
}

static gboolean
ask_for_pin(SignetClient *client, const SignetErrorDetails *details, BaseSecret **ret_pin,
            GError **error)
{
  char *typed = NULL;
  g_autoptr(GError) refused = NULL;
  if (!client->ask)
    return TRUE;
  if (!client->ask(details->token, details->tries_left, client->ask_data, &typed, &refused)) {
    base_wipe_string(typed);
    if (refused)
      g_propagate_error(error, g_steal_pointer(&refused));
    else
      base_error_set(error, SIGNET_ERROR_CANCELLED, "no PIN was given for token \"%s\"",
                     details->token);
    return FALSE;
  }
  if (typed)
    *ret_pin = base_secret_new_from(typed, strlen(typed));
  base_wipe_string(typed);
  return TRUE;
}

gboolean
client_unlock(SignetClient *client, const GError *failure, const char *operation,
              BaseSecret **ret_pin, gboolean *ret_already, GError **error)
{
  const SignetErrorDetails *details = signet_error_get_details(failure);
  g_autoptr(BaseSecret) pin = NULL;
  if (!ask_for_pin(client, details, &pin, error))
    return FALSE;
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "token", details->token);
  if (pin)
    wire_json_set_text(parameters, "pin", base_secret_text(pin));
  else
    json_object_set_new(parameters, "interaction", client_interaction(operation));
  if (!unlock(client, parameters, ret_already, error))
    return FALSE;
  *ret_pin = g_steal_pointer(&pin);
  return TRUE;
}

gboolean
signet_token_unlock(SignetClient *client, const char *token, const char *pin, gboolean repeat,
                    gboolean *ret_already, GError **error)
{
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "token", token);
  if (pin)
    wire_json_set_text(parameters, "pin", pin);
  else if (client->may_ask)
    json_object_set_new(parameters, "interaction", client_interaction("unlock"));
  if (repeat)
    json_object_set_new(parameters, "repeat", json_true());
  return unlock(client, parameters, ret_already, error);
}
