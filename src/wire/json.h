/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JSON by jansson, with memory that is wiped when freed, and typed getters that
 * turn a wrong or missing member into an error naming it. */

#include "base/secret.h"

#include <glib.h>
#include <jansson.h>

/* Sets jansson's allocator to one whose free wipes. Blocks come from malloc, so
 * JSON values of a host program that uses jansson too stay valid. Call once,
 * before any JSON is made. */
void wire_json_start(void);

/* Getters. A missing or null member, where `optional` or a fallback allow it, gives NULL (a
 * list: an empty one) or the fallback. A member that lacks or has a wrong type or value is
 * USAGE, one beyond `max` TOO_LARGE; both name it. */
gboolean wire_json_get_text(const json_t *object, const char *name, gboolean optional, gsize max,
                            const char **ret_text, GError **error);
gboolean wire_json_get_bool(const json_t *object, const char *name, gboolean fallback,
                            gboolean *ret_bool, GError **error);
gboolean wire_json_get_int(const json_t *object, const char *name, gint64 fallback, gint64 min,
                           gint64 max, gint64 *ret_int, GError **error);
gboolean wire_json_get_base64(const json_t *object, const char *name, gboolean optional, gsize max,
                              GBytes **ret_bytes, GError **error);
/* At most WIRE_PIN_MAX bytes. */
gboolean wire_json_get_secret(const json_t *object, const char *name, gboolean optional,
                              BaseSecret **ret_secret, GError **error);
gboolean wire_json_get_strv(const json_t *object, const char *name, gboolean optional,
                            gsize max_items, char ***ret_strv, GError **error);

void wire_json_set_text(json_t *object, const char *name, const char *text); /* NULL: JSON null */
void wire_json_set_base64(json_t *object, const char *name, gconstpointer bytes, gsize length);
void wire_json_set_strv(json_t *object, const char *name, char *const *strv);

static inline void
wire_json_unref(json_t *json)
{
  json_decref(json);
}

/* Varlink errors <-> GError with its details. */
json_t *wire_json_error(const GError *error); /* {"error":…,"parameters":{…}} */
void wire_json_take_error(const json_t *reply, GError **error); /* reply has "error" */

typedef json_t WireJson;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireJson, wire_json_unref)
