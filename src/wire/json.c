/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/json.h"

#include "base/error.h"
#include "wire/limits.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_PREFIX "org.varlink.service."

static void
wiping_free(void *block)
{
  if (!block)
    return;
  base_wipe(block, malloc_usable_size(block));
  free(block);
}

void
wire_json_start(void)
{
  json_set_alloc_funcs(malloc, wiping_free);
}

static gboolean
wrong(GError **error, const char *name, const char *what)
{
  return base_error_set(error, SIGNET_ERROR_USAGE, "the parameter `%s` must be %s", name, what);
}

/* FALSE and an error when a required member is missing; else *ret_value, NULL if absent. */
static gboolean
find(const json_t *object, const char *name, gboolean optional, json_t **ret_value, GError **error)
{
  json_t *value = json_object_get(object, name);
  if (json_is_null(value))
    value = NULL;
  if (!value && !optional)
    return base_error_set(error, SIGNET_ERROR_USAGE, "the parameter `%s` is missing", name);
  *ret_value = value;
  return TRUE;
}

gboolean
wire_json_get_text(const json_t *object, const char *name, gboolean optional, gsize max,
                   const char **ret_text, GError **error)
{
  json_t *value = NULL;
  if (!find(object, name, optional, &value, error))
    return FALSE;
  if (value && !json_is_string(value))
    return wrong(error, name, "a string");
  if (value && json_string_length(value) > max)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the parameter `%s` is longer than %zu bytes", name, max);
  *ret_text = json_string_value(value);
  return TRUE;
}

gboolean
wire_json_get_bool(const json_t *object, const char *name, gboolean fallback, gboolean *ret_bool,
                   GError **error)
{
  json_t *value = NULL;
  if (!find(object, name, TRUE, &value, error))
    return FALSE;
  if (value && !json_is_boolean(value))
    return wrong(error, name, "true or false");
  *ret_bool = value ? json_is_true(value) : fallback;
  return TRUE;
}

gboolean
wire_json_get_int(const json_t *object, const char *name, gint64 fallback, gint64 min, gint64 max,
                  gint64 *ret_int, GError **error)
{
  json_t *value = NULL;
  if (!find(object, name, TRUE, &value, error))
    return FALSE;
  if (value && !json_is_integer(value))
    return wrong(error, name, "a number");
  gint64 number = value ? (gint64)json_integer_value(value) : fallback;
  if (value && (number < min || number > max))
    return base_error_set(error, SIGNET_ERROR_USAGE,
                          "the parameter `%s` must be from %" G_GINT64_FORMAT
                          " to %" G_GINT64_FORMAT,
                          name, min, max);
  *ret_int = number;
  return TRUE;
}

/* The decoded bytes may be a secret (a session key): the block that g_base64_decode
 * made is wiped when the GBytes goes. */
typedef struct {
  gsize length;
  guint8 *bytes;
} Wiped;

static void
wiped_free(gpointer data)
{
  Wiped *wiped = data;
  base_wipe(wiped->bytes, wiped->length);
  g_free(wiped->bytes);
  g_free(wiped);
}

static gboolean
is_base64(const char *text, gsize length)
{
  gsize padding = 0;
  for (gsize i = 0; i < length; i++) {
    gboolean letter = g_ascii_isalnum(text[i]) || text[i] == '+' || text[i] == '/';
    if (text[i] == '=')
      padding++;
    else if (!letter || padding)
      return FALSE;
  }
  return length % 4 == 0 && padding <= 2;
}

gboolean
wire_json_get_base64(const json_t *object, const char *name, gboolean optional, gsize max,
                     GBytes **ret_bytes, GError **error)
{
  json_t *value = NULL;
  if (!find(object, name, optional, &value, error))
    return FALSE;
  if (!value) {
    *ret_bytes = NULL;
    return TRUE;
  }
  const char *text = json_string_value(value);
  gsize length = json_string_length(value);
  if (text && length > (max + 2) / 3 * 4)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the parameter `%s` is larger than %zu bytes", name, max);
  if (!text || !is_base64(text, length))
    return wrong(error, name, "base64");
  Wiped *wiped = g_new0(Wiped, 1);
  wiped->bytes = g_base64_decode(text, &wiped->length);
  if (wiped->length > max) { /* by one or two bytes: the padding hides them above */
    wiped_free(wiped);
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the parameter `%s` is larger than %zu bytes", name, max);
  }
  *ret_bytes = g_bytes_new_with_free_func(wiped->bytes, wiped->length, wiped_free, wiped);
  return TRUE;
}

gboolean
wire_json_get_secret(const json_t *object, const char *name, gboolean optional,
                     BaseSecret **ret_secret, GError **error)
{
  const char *text = NULL;
  if (!wire_json_get_text(object, name, optional, WIRE_PIN_MAX, &text, error))
    return FALSE;
  *ret_secret = text ? base_secret_new_from(text, strlen(text)) : NULL;
  return TRUE;
}

gboolean
wire_json_get_strv(const json_t *object, const char *name, gboolean optional, gsize max_items,
                   char ***ret_strv, GError **error)
{
  json_t *value = NULL;
  if (!find(object, name, optional, &value, error))
    return FALSE;
  if (value && !json_is_array(value))
    return wrong(error, name, "a list");
  if (json_array_size(value) > max_items)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE,
                          "the parameter `%s` has more than %zu items", name, max_items);
  g_auto(GStrv) strv = g_new0(char *, json_array_size(value) + 1);
  for (gsize i = 0; i < json_array_size(value); i++) {
    json_t *item = json_array_get(value, i);
    if (!json_is_string(item) || json_string_length(item) > WIRE_MESSAGE_MAX)
      return wrong(error, name, "a list of strings");
    strv[i] = g_strdup(json_string_value(item));
  }
  *ret_strv = g_steal_pointer(&strv);
  return TRUE;
}

void
wire_json_set_text(json_t *object, const char *name, const char *text)
{
  json_t *value = text ? json_string(text) : json_null();
  if (!value) { /* no UTF-8: labels of tokens can be anything */
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    value = json_string(valid);
  }
  json_object_set_new(object, name, value);
}

void
wire_json_set_base64(json_t *object, const char *name, gconstpointer bytes, gsize length)
{
  char *text = g_base64_encode(bytes, length);
  json_object_set_new(object, name, json_string(text));
  base_wipe_string(text);
}

void
wire_json_set_strv(json_t *object, const char *name, char *const *strv)
{
  json_t *list = json_array();
  for (; strv && *strv; strv++) {
    g_autofree char *valid = g_utf8_make_valid(*strv, -1);
    json_array_append_new(list, json_string(valid));
  }
  json_object_set_new(object, name, list);
}

json_t *
wire_json_error(const GError *error)
{
  const SignetErrorDetails *details =
      error->domain == SIGNET_ERROR ? signet_error_get_details(error) : NULL;
  g_autofree char *name =
      base_error_varlink_name(error->domain == SIGNET_ERROR ? error->code : SIGNET_ERROR_FAILED);
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "message", error->message);
  if (details && details->token)
    wire_json_set_text(parameters, "token", details->token);
  if (details && details->tries_left >= 0)
    json_object_set_new(parameters, "tries_left", json_integer(details->tries_left));
  if (details && details->candidates)
    wire_json_set_strv(parameters, "candidates", details->candidates);
  if (details && details->try_command)
    wire_json_set_strv(parameters, "try", details->try_command);
  json_t *reply = json_object();
  wire_json_set_text(reply, "error", name);
  json_object_set_new(reply, "parameters", parameters);
  return reply;
}

/* org.varlink.service.* errors have no message of their own. */
static void
take_service_error(const char *name, const json_t *parameters, GError **error)
{
  const char *detail = NULL;
  json_t *value = NULL;
  const char *key = NULL;
  json_object_foreach((json_t *)(gintptr)parameters, key, value) detail = json_string_value(value);
  if (strcmp(name, ERROR_PREFIX "PermissionDenied") == 0) {
    base_error_set(error, SIGNET_ERROR_DENIED, "signetd does not serve you");
    return;
  }
  base_error_set(
      error, SIGNET_ERROR_VERSION,
      "signetd answered %s%s%s%s: it is of another version; end it (pkill -u $USER signetd) and repeat",
      name + strlen(ERROR_PREFIX), detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
}

#define CANDIDATES_MAX 1000
#define TRY_MAX 32

void
wire_json_take_error(const json_t *reply, GError **error)
{
  const json_t *parameters = json_object_get(reply, "parameters");
  const char *name = json_string_value(json_object_get(reply, "error"));
  const char *message = json_string_value(json_object_get(parameters, "message"));
  if (name && g_str_has_prefix(name, ERROR_PREFIX)) {
    take_service_error(name, parameters, error);
    return;
  }
  base_error_set(error, (SignetError)base_error_code_from_name(name ? name : ""), "%s",
                 message ? message : "signetd gave no reason");
  SignetErrorDetails *details = error ? base_error_details(*error) : NULL;
  if (!details)
    return;
  const char *token = json_string_value(json_object_get(parameters, "token"));
  json_t *tries = json_object_get(parameters, "tries_left");
  details->token = g_strdup(token);
  if (json_is_integer(tries) && json_integer_value(tries) >= 0 && json_integer_value(tries) <= 255)
    details->tries_left = (int)json_integer_value(tries);
  if (json_object_get(parameters, "candidates"))
    wire_json_get_strv(parameters, "candidates", TRUE, CANDIDATES_MAX, &details->candidates, NULL);
  if (json_object_get(parameters, "try"))
    wire_json_get_strv(parameters, "try", TRUE, TRY_MAX, &details->try_command, NULL);
}
