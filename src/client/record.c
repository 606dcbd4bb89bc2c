/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/record.h"

#include "base/error.h"
#include "client/client.h"

#include <string.h>

static void record_clear(const ClientShape *shape, gpointer record);
static gboolean record_fill(const ClientShape *shape, gpointer record, const json_t *json,
                            GError **error);

static void
field_clear(const ClientField *field, gpointer record)
{
  gpointer at = (char *)record + field->offset;
  switch (field->type) {
  case CLIENT_TEXT:
  case CLIENT_TEXT_OR_NULL:
    g_clear_pointer((char **)at, g_free);
    break;
  case CLIENT_TEXTS:
    g_clear_pointer((char ***)at, g_strfreev);
    break;
  case CLIENT_BYTES:
  case CLIENT_BYTES_OR_NULL:
    g_clear_pointer((GBytes **)at, g_bytes_unref);
    break;
  case CLIENT_BYTES_LIST:
  case CLIENT_RECORDS:
    g_clear_pointer((GPtrArray **)at, g_ptr_array_unref);
    break;
  case CLIENT_RECORD:
    record_clear(field->shape, at);
    break;
  case CLIENT_BOOL:
  case CLIENT_INT:
  case CLIENT_TIME:
  case CLIENT_BITS:
  case CLIENT_WORD:
    break;
  }
}

static void
record_clear(const ClientShape *shape, gpointer record)
{
  for (gsize i = 0; i < shape->n_fields; i++)
    field_clear(&shape->fields[i], record);
}

void
client_record_free(const ClientShape *shape, gpointer record)
{
  if (!record)
    return;
  record_clear(shape, record);
  g_free(record);
}

/* The getters of wire speak of a caller's parameters; here it is the daemon that is wrong. */
static gboolean
answer_is_bad(GError **error)
{
  if (error && *error && (*error)->code == SIGNET_ERROR_USAGE)
    (*error)->code = SIGNET_ERROR_BAD_INPUT;
  g_prefix_error(error,
                 "signetd and this program do not fit together, restart signetd; in its answer ");
  return FALSE;
}

static gboolean
fill_text(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  const char *text = NULL;
  gboolean optional = field->type == CLIENT_TEXT_OR_NULL;
  if (!wire_json_get_text(json, field->name, optional, CLIENT_TEXT_MAX, &text, error))
    return FALSE;
  *(char **)at = g_strdup(text);
  return TRUE;
}

static gboolean
fill_int(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  gint64 number = -1;
  if (!wire_json_get_int(json, field->name, -1, G_MININT, G_MAXINT, &number, error))
    return FALSE;
  *(int *)at = (int)number;
  return TRUE;
}

static gboolean
fill_time(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  return wire_json_get_int(json, field->name, 0, G_MININT64, G_MAXINT64, at, error);
}

static gboolean
fill_texts(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  char **texts = NULL;
  if (!wire_json_get_strv(json, field->name, TRUE, CLIENT_STRINGS_MAX, &texts, error))
    return FALSE;
  *(char ***)at = texts;
  return TRUE;
}

static gboolean
fill_bytes(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  GBytes *bytes = NULL;
  gboolean optional = field->type == CLIENT_BYTES_OR_NULL;
  if (!wire_json_get_base64(json, field->name, optional, CLIENT_TEXT_MAX, &bytes, error))
    return FALSE;
  *(GBytes **)at = bytes;
  return TRUE;
}

/* wire's getters look members up by name, so each string is put under one. */
static GBytes *
bytes_of_element(const json_t *element, const char *name, GError **error)
{
  g_autoptr(WireJson) wrapped = json_object();
  GBytes *bytes = NULL;
  if (json_object_set(wrapped, name, (json_t *)(gintptr)element) != 0 ||
      !wire_json_get_base64(wrapped, name, FALSE, CLIENT_TEXT_MAX, &bytes, error))
    return NULL;
  return bytes;
}

static gboolean
check_array(const ClientField *field, const json_t *list, GError **error)
{
  if (!json_is_array(list))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "there is no list \"%s\"", field->name);
  if (json_array_size(list) > CLIENT_STRINGS_MAX)
    return base_error_set(error, SIGNET_ERROR_TOO_LARGE, "there are over %d items in \"%s\"",
                          CLIENT_STRINGS_MAX, field->name);
  return TRUE;
}

static gboolean
fill_bytes_list(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  const json_t *list = json_object_get(json, field->name);
  if (!check_array(field, list, error))
    return FALSE;
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  for (gsize i = 0; i < json_array_size(list); i++) {
    GBytes *bytes = bytes_of_element(json_array_get(list, i), field->name, error);
    if (!bytes)
      return FALSE;
    g_ptr_array_add(all, bytes);
  }
  *(GPtrArray **)at = g_steal_pointer(&all);
  return TRUE;
}

static gboolean
fill_bits(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  g_auto(GStrv) texts = NULL;
  if (!wire_json_get_strv(json, field->name, TRUE, CLIENT_STRINGS_MAX, &texts, error))
    return FALSE;
  *(guint *)at = client_bits_from_words(field->words, texts);
  return TRUE;
}

static gboolean
fill_word(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  const char *text = NULL;
  if (!wire_json_get_text(json, field->name, FALSE, CLIENT_TEXT_MAX, &text, error))
    return FALSE;
  for (const ClientWord *word = field->words; word->word; word++)
    if (strcmp(word->word, text) == 0) {
      *(int *)at = word->value;
      return TRUE;
    }
  return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "\"%s\" is \"%.40s\", which is unknown here",
                        field->name, text);
}

static gboolean
fill_record(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  const json_t *inner = json_object_get(json, field->name);
  if (!json_is_object(inner))
    return base_error_set(error, SIGNET_ERROR_BAD_INPUT, "there is no \"%s\"", field->name);
  return record_fill(field->shape, at, inner, error);
}

static gpointer
record_build(const ClientShape *shape, const json_t *json, GError **error)
{
  if (!json_is_object(json)) {
    base_error_set(error, SIGNET_ERROR_BAD_INPUT, "there is no object where one is due");
    return NULL;
  }
  gpointer record = g_malloc0(shape->size);
  if (record_fill(shape, record, json, error))
    return record;
  client_record_free(shape, record);
  return NULL;
}

static gboolean
fill_records(const ClientField *field, gpointer at, const json_t *json, GError **error)
{
  const json_t *list = json_object_get(json, field->name);
  if (!check_array(field, list, error))
    return FALSE;
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(field->shape->free_item);
  for (gsize i = 0; i < json_array_size(list); i++) {
    gpointer record = record_build(field->shape, json_array_get(list, i), error);
    if (!record)
      return FALSE;
    g_ptr_array_add(all, record);
  }
  *(GPtrArray **)at = g_steal_pointer(&all);
  return TRUE;
}

static gboolean
field_fill(const ClientField *field, gpointer record, const json_t *json, GError **error)
{
  gpointer at = (char *)record + field->offset;
  switch (field->type) {
  case CLIENT_TEXT:
  case CLIENT_TEXT_OR_NULL:
    return fill_text(field, at, json, error);
  case CLIENT_BOOL:
    return wire_json_get_bool(json, field->name, FALSE, at, error);
  case CLIENT_INT:
    return fill_int(field, at, json, error);
  case CLIENT_TIME:
    return fill_time(field, at, json, error);
  case CLIENT_TEXTS:
    return fill_texts(field, at, json, error);
  case CLIENT_BYTES:
  case CLIENT_BYTES_OR_NULL:
    return fill_bytes(field, at, json, error);
  case CLIENT_BYTES_LIST:
    return fill_bytes_list(field, at, json, error);
  case CLIENT_BITS:
    return fill_bits(field, at, json, error);
  case CLIENT_WORD:
    return fill_word(field, at, json, error);
  case CLIENT_RECORD:
    return fill_record(field, at, json, error);
  case CLIENT_RECORDS:
    return fill_records(field, at, json, error);
  }
  g_return_val_if_reached(FALSE);
}

static gboolean
record_fill(const ClientShape *shape, gpointer record, const json_t *json, GError **error)
{
  for (gsize i = 0; i < shape->n_fields; i++)
    if (!field_fill(&shape->fields[i], record, json, error))
      return FALSE;
  return TRUE;
}

gpointer
client_record_new(const ClientShape *shape, const json_t *json, GError **error)
{
  gpointer record = record_build(shape, json, error);
  if (!record)
    answer_is_bad(error);
  return record;
}

gpointer
client_record_from(const ClientShape *shape, const json_t *reply, const char *name, GError **error)
{
  const json_t *json = json_object_get(reply, name);
  if (json)
    return client_record_new(shape, json, error);
  base_error_set(error, SIGNET_ERROR_BAD_INPUT, "there is no \"%s\"", name);
  answer_is_bad(error);
  return NULL;
}

gboolean
client_reply_text(const json_t *reply, const char *name, const char **ret_text, GError **error)
{
  return wire_json_get_text(reply, name, TRUE, CLIENT_TEXT_MAX, ret_text, error) ||
         answer_is_bad(error);
}

gboolean
client_reply_bool(const json_t *reply, const char *name, gboolean *ret_bool, GError **error)
{
  return wire_json_get_bool(reply, name, FALSE, ret_bool, error) || answer_is_bad(error);
}

gboolean
client_reply_texts(const json_t *reply, const char *name, char ***ret_texts, GError **error)
{
  return wire_json_get_strv(reply, name, TRUE, CLIENT_STRINGS_MAX, ret_texts, error) ||
         answer_is_bad(error);
}

guint
client_bits_from_words(const ClientWord *words, char *const *texts)
{
  guint bits = 0;
  for (; texts && *texts; texts++)
    for (const ClientWord *word = words; word->word; word++)
      if (strcmp(word->word, *texts) == 0)
        bits |= (guint)word->value;
  return bits;
}

json_t *
client_words_from_bits(const ClientWord *words, guint bits)
{
  json_t *list = json_array();
  for (; words->word; words++)
    if (bits & (guint)words->value)
      json_array_append_new(list, json_string(words->word));
  return list;
}

gboolean
client_record_collect(const json_t *parameters, gpointer data, GError **error)
{
  ClientCollector *collector = data;
  if (!json_object_get(parameters, collector->name))
    return TRUE;
  gpointer record = client_record_from(collector->shape, parameters, collector->name, error);
  if (!record)
    return FALSE;
  g_ptr_array_add(collector->items, record);
  return TRUE;
}
