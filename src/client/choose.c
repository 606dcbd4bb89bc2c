/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "client/client.h"
#include "client/record.h"
#include "wire/limits.h"

#include <string.h>

/* One request stays well below WIRE_MESSAGE_MAX: issuers' names can be long. */
#define BATCH_BYTES_MAX (WIRE_MESSAGE_MAX / 2)

#define FIELD(member, kind)                                                 \
  {                                                                         \
    .name = #member, .type = kind, .offset = offsetof(SignetChoice, member) \
  }
static const ClientField choice_fields[] = {
  FIELD(id, CLIENT_TEXT),          FIELD(key, CLIENT_TEXT),
  FIELD(kind, CLIENT_TEXT),        FIELD(fingerprint, CLIENT_TEXT),
  FIELD(token, CLIENT_TEXT),       FIELD(certificate, CLIENT_BYTES),
  FIELD(chain, CLIENT_BYTES_LIST), FIELD(root, CLIENT_BYTES_OR_NULL),
};
#undef FIELD
static const ClientShape choice_shape =
    CLIENT_SHAPE(SignetChoice, choice_fields, (GDestroyNotify)signet_choice_free);

void
signet_choice_free(SignetChoice *choice)
{
  client_record_free(&choice_shape, choice);
}

SignetChoice *
signet_id_choose(SignetClient *client, SignetUse use, const char *id, const char *address,
                 GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  json_t *parameters = json_object();
  wire_json_set_text(parameters, "purpose", use == SIGNET_USE_ENCRYPT ? "encrypt" : "sign");
  if (id)
    wire_json_set_text(parameters, "id", id);
  if (address)
    wire_json_set_text(parameters, "address", address);
  ClientCall call = { .method = "org.signet.Id.Choose",
                      .parameters = parameters,
                      .flags = CLIENT_REPEATABLE };
  return client_call(client, &call, &reply, error) ? client_record_new(&choice_shape, reply, error)
                                                   : NULL;
}

#define FIELD(member, kind)                                                \
  {                                                                        \
    .name = #member, .type = kind, .offset = offsetof(SignetMatch, member) \
  }
static const ClientField match_fields[] = {
  FIELD(index, CLIENT_INT),
  FIELD(key, CLIENT_TEXT),
  FIELD(kind, CLIENT_TEXT),
  { .name = "certificate", .type = CLIENT_TEXT, .offset = offsetof(SignetMatch, fingerprint) },
  FIELD(id, CLIENT_TEXT),
  FIELD(token, CLIENT_TEXT),
  FIELD(present, CLIENT_BOOL),
  FIELD(last_seen, CLIENT_TIME),
  FIELD(problem, CLIENT_TEXT_OR_NULL),
};
#undef FIELD
static const ClientShape match_shape =
    CLIENT_SHAPE(SignetMatch, match_fields, (GDestroyNotify)signet_match_free);

typedef struct {
  GPtrArray *matches;
} Matches;

static const ClientField matches_fields[] = {
  { .name = "matches",
    .type = CLIENT_RECORDS,
    .offset = offsetof(Matches, matches),
    .shape = &match_shape },
};
static const ClientShape matches_shape = CLIENT_SHAPE(Matches, matches_fields, NULL);

void
signet_match_free(SignetMatch *match)
{
  client_record_free(&match_shape, match);
}

static gsize
recipient_size(const SignetRecipient *recipient)
{
  gsize issuer = recipient->issuer ? g_bytes_get_size(recipient->issuer) : 0;
  return issuer * 4 / 3 + (recipient->serial ? strlen(recipient->serial) : 0) +
         (recipient->key_id ? strlen(recipient->key_id) : 0) + 64;
}

static json_t *
recipient_json(const SignetRecipient *recipient)
{
  json_t *json = json_object();
  if (recipient->issuer)
    wire_json_set_base64(json, "issuer", g_bytes_get_data(recipient->issuer, NULL),
                         g_bytes_get_size(recipient->issuer));
  if (recipient->serial)
    wire_json_set_text(json, "serial", recipient->serial);
  if (recipient->key_id)
    wire_json_set_text(json, "key_id", recipient->key_id);
  return json;
}

/* As many as go into one call, at least one. */
static gsize
batch_length(const SignetRecipient *recipients, gsize n)
{
  gsize bytes = 0, taken = 0;
  while (taken < n && taken < WIRE_RECIPIENTS_MAX) {
    bytes += recipient_size(&recipients[taken]);
    if (taken > 0 && bytes > BATCH_BYTES_MAX)
      break;
    taken++;
  }
  return taken;
}

static gboolean
move_matches(GPtrArray *from, gsize first, gsize n, GPtrArray *to, GError **error)
{
  for (guint i = 0; i < from->len; i++) {
    SignetMatch *match = g_ptr_array_index(from, i);
    if (match->index >= n)
      return base_error_set(
          error, SIGNET_ERROR_BAD_INPUT,
          "signetd's answer is malformed: it matches a recipient that was not asked for");
    match->index += (guint)first;
    g_ptr_array_add(to, g_steal_pointer(&g_ptr_array_index(from, i)));
  }
  return TRUE;
}

static gboolean
find_batch(SignetClient *client, const SignetRecipient *recipients, gsize first, gsize n,
           GPtrArray *matches, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  json_t *list = json_array();
  for (gsize i = 0; i < n; i++)
    json_array_append_new(list, recipient_json(&recipients[first + i]));
  json_t *parameters = json_object();
  json_object_set_new(parameters, "recipients", list);
  ClientCall call = { .method = "org.signet.Id.FindRecipients",
                      .parameters = parameters,
                      .flags = CLIENT_REPEATABLE };
  if (!client_call(client, &call, &reply, error))
    return FALSE;
  Matches *found = client_record_new(&matches_shape, reply, error);
  gboolean moved = found && move_matches(found->matches, first, n, matches, error);
  client_record_free(&matches_shape, found);
  return moved;
}

/* Stable: among the present ones (and the absent ones) the daemon's order stays. */
static GPtrArray *
present_first(GPtrArray *matches)
{
  GPtrArray *sorted = g_ptr_array_new_with_free_func((GDestroyNotify)signet_match_free);
  for (int pass = 0; pass < 2; pass++)
    for (guint i = 0; i < matches->len; i++) {
      SignetMatch *match = g_ptr_array_index(matches, i);
      if (match && match->present == (pass == 0))
        g_ptr_array_add(sorted, g_steal_pointer(&g_ptr_array_index(matches, i)));
    }
  return sorted;
}

GPtrArray *
signet_id_find_recipients(SignetClient *client, const SignetRecipient *recipients, gsize n,
                          GError **error)
{
  g_autoptr(GPtrArray) matches = g_ptr_array_new_with_free_func((GDestroyNotify)signet_match_free);
  for (gsize done = 0; done < n;) {
    gsize batch = batch_length(recipients + done, n - done);
    if (!find_batch(client, recipients, done, batch, matches, error))
      return NULL;
    done += batch;
  }
  return present_first(matches);
}
