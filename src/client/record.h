/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JSON objects into the plain structs of the public headers, by tables: one line per
 * member. A missing or mistyped member is BAD_INPUT naming it. */

#include "wire/json.h"

#include <glib.h>

typedef enum {
  CLIENT_TEXT,          /* char * */
  CLIENT_TEXT_OR_NULL,  /* char * */
  CLIENT_BOOL,          /* gboolean; missing is FALSE */
  CLIENT_INT,           /* int; missing is -1 */
  CLIENT_TIME,          /* gint64; missing is 0 */
  CLIENT_TEXTS,         /* char **, never NULL */
  CLIENT_BYTES,         /* GBytes *, base64 */
  CLIENT_BYTES_OR_NULL, /* GBytes * */
  CLIENT_BYTES_LIST,    /* GPtrArray * of GBytes */
  CLIENT_BITS,   /* guint from a list of words (ClientWords); unknown words are passed over */
  CLIENT_WORD,   /* int from one word (ClientWords); an unknown one is an error */
  CLIENT_RECORD, /* a struct in place (ClientShape) */
  CLIENT_RECORDS /* GPtrArray * of structs (ClientShape) */
} ClientType;

typedef struct {
  const char *word;
  int value;
} ClientWord; /* a table of them ends with a NULL word */

typedef struct ClientShape ClientShape;

typedef struct {
  const char *name;
  ClientType type;
  gsize offset;
  const ClientWord *words;
  const ClientShape *shape;
} ClientField;

struct ClientShape {
  gsize size;
  const ClientField *fields;
  gsize n_fields;
  void (*free_item)(gpointer record); /* for CLIENT_RECORDS */
};

#define CLIENT_SHAPE(type, table, free_function)                              \
  {                                                                           \
    .size = sizeof(type), .fields = (table), .n_fields = G_N_ELEMENTS(table), \
    .free_item = (free_function)                                              \
  }

/* A new record, zeroed and filled, or NULL. */
gpointer client_record_new(const ClientShape *shape, const json_t *json, GError **error);
/* ... from member `name` of `reply`. */
gpointer client_record_from(const ClientShape *shape, const json_t *reply, const char *name,
                            GError **error);
/* Frees what the fields hold, then the record. NULL is fine. */
void client_record_free(const ClientShape *shape, gpointer record);

/* Single members of a reply. */
gboolean client_reply_text(const json_t *reply, const char *name, const char **ret_text,
                           GError **error); /* NULL when missing */
gboolean client_reply_bool(const json_t *reply, const char *name, gboolean *ret_bool,
                           GError **error);
gboolean client_reply_texts(const json_t *reply, const char *name, char ***ret_texts,
                            GError **error); /* never NULL on success */

guint client_bits_from_words(const ClientWord *words, char *const *texts);
/* JSON array of the words of the bits set. */
json_t *client_words_from_bits(const ClientWord *words, guint bits);

typedef struct {
  const ClientShape *shape;
  const char *name;
  GPtrArray *items;
} ClientCollector;
/* ClientItem with a ClientCollector: appends member `name` of each reply; a reply without it (an
 * empty list) adds nothing. */
gboolean client_record_collect(const json_t *parameters, gpointer data, GError **error);
