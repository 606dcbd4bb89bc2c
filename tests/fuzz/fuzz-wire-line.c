/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The Varlink socket: framing, JSON and the typed getters. The first byte says in which
 * pieces the rest arrives, for the framing keeps state between reads. */

#include "wire/json.h"
#include "wire/limits.h"
#include "wire/line.h"

#include <signet/error.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

static void
get_all(const json_t *object, const char *name)
{
  const char *text = NULL;
  gint64 number = 0;
  gboolean truth = FALSE;
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(BaseSecret) secret = NULL;
  g_auto(GStrv) strv = NULL;
  g_autoptr(GError) error = NULL;

  if (wire_json_get_text(object, name, TRUE, 100, &text, NULL))
    g_assert_true(!text || strlen(text) <= 100);
  if (wire_json_get_int(object, name, 5, 0, 10, &number, NULL))
    g_assert_true(number >= 0 && number <= 10);
  wire_json_get_bool(object, name, FALSE, &truth, NULL);
  if (wire_json_get_base64(object, name, TRUE, 64, &bytes, NULL))
    g_assert_true(!bytes || g_bytes_get_size(bytes) <= 64);
  if (wire_json_get_secret(object, name, TRUE, &secret, NULL))
    g_assert_true(!secret || base_secret_length(secret) <= WIRE_PIN_MAX);
  if (wire_json_get_strv(object, name, FALSE, 8, &strv, &error))
    g_assert_cmpuint(g_strv_length(strv), <=, 8);
  else
    g_assert_nonnull(error);
}

static void
use(const json_t *message)
{
  static const char *const names[] = { "method", "parameters", "a", "pin" };
  g_autoptr(GError) error = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    get_all(message, names[i]);
    get_all(json_object_get(message, "parameters"), names[i]);
  }
  if (json_object_get(message, "error")) {
    wire_json_take_error(message, &error);
    g_assert_nonnull(error);
    json_decref(wire_json_error(error));
  }
  gsize length = 0;
  char *text = wire_json_text(message, &length);
  g_assert_cmpuint(strlen(text) + 1, ==, length);
  wire_text_free(text, length);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
  static gsize started = 0;
  g_auto(WireLines) lines = { 0 };
  if (g_once_init_enter(&started)) {
    wire_json_start();
    g_once_init_leave(&started, 1);
  }
  gsize piece = size ? 1 + data[0] : 1;
  for (gsize at = 1; at < size; at += piece) {
    gsize length = MIN(piece, size - at);
    memcpy(wire_lines_room(&lines, length), data + at, length);
    wire_lines_filled(&lines, length);
    for (;;) {
      g_autoptr(WireJson) message = NULL;
      g_autoptr(GError) error = NULL;
      if (!wire_lines_take(&lines, &message, &error)) {
        g_assert_true(error && !message);
        return 0;
      }
      if (!message)
        break;
      use(message);
    }
  }
  return 0;
}
