/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/client.h"
#include "client/record.h"

typedef struct {
  char *name;
  gint64 value;
} Counter;

static const ClientField counter_fields[] = {
  { .name = "name", .type = CLIENT_TEXT, .offset = offsetof(Counter, name) },
  { .name = "value", .type = CLIENT_TIME, .offset = offsetof(Counter, value) },
};

static void counter_free(gpointer counter);

static const ClientShape counter_shape = CLIENT_SHAPE(Counter, counter_fields, counter_free);

static void
counter_free(gpointer counter)
{
  client_record_free(&counter_shape, counter);
}

/* The public struct has the counters as two arrays; they arrive as a list of records. */
typedef struct {
  SignetStatus status;
  GPtrArray *counters;
} Answer;

#define FIELD(member, kind)                                                  \
  {                                                                          \
    .name = #member, .type = kind, .offset = offsetof(Answer, status.member) \
  }
static const ClientField status_fields[] = {
  FIELD(version, CLIENT_TEXT),
  FIELD(pid, CLIENT_INT),
  FIELD(started, CLIENT_TIME),
  FIELD(connections, CLIENT_INT),
  FIELD(tokens, CLIENT_INT),
  FIELD(ids, CLIENT_INT),
  FIELD(unlocked, CLIENT_TEXTS),
  FIELD(warnings, CLIENT_TEXTS),
  { .name = "counters",
    .type = CLIENT_RECORDS,
    .offset = offsetof(Answer, counters),
    .shape = &counter_shape },
};
#undef FIELD
static const ClientShape status_shape = CLIENT_SHAPE(Answer, status_fields, NULL);

void
signet_status_free(SignetStatus *status)
{
  if (!status)
    return;
  g_free(status->version);
  g_strfreev(status->unlocked);
  g_strfreev(status->warnings);
  g_strfreev(status->counter_names);
  g_free(status->counter_values);
  g_free(status);
}

static SignetStatus *
status_of(Answer *answer)
{
  SignetStatus *status = g_memdup2(&answer->status, sizeof *status);
  guint n = answer->counters->len;
  status->counter_names = g_new0(char *, n + 1);
  status->counter_values = g_new0(gint64, n + 1);
  for (guint i = 0; i < n; i++) {
    Counter *counter = g_ptr_array_index(answer->counters, i);
    status->counter_names[i] = g_steal_pointer(&counter->name);
    status->counter_values[i] = counter->value;
  }
  g_ptr_array_unref(answer->counters);
  g_free(answer); /* its other members live on in the status */
  return status;
}

SignetStatus *
signet_daemon_status(SignetClient *client, GError **error)
{
  g_autoptr(WireJson) reply = NULL;
  ClientCall call = { .method = "org.signet.Daemon.Status", .flags = CLIENT_REPEATABLE };
  if (!client_call(client, &call, &reply, error))
    return NULL;
  Answer *answer = client_record_new(&status_shape, reply, error);
  return answer ? status_of(answer) : NULL;
}

gboolean
signet_daemon_stop(SignetClient *client, GError **error)
{
  return client_call_plain(client, "org.signet.Daemon.Stop", NULL, 0, error);
}
