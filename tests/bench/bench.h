/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of a run. Each makes its own sandbox, prints its tables, and returns its figures as
 * JSON (a new reference), or NULL when it could not measure at all. What a single peer cannot do
 * is a result ("fails: …"), not an error. */

#include <glib.h>
#include <jansson.h>

typedef struct {
  char *programs; /* folder of bench-client and the others */
  char *signet;   /* folder of signet, signetd and signet-token, or NULL */
  double seconds; /* of a round */
  guint rounds;
  guint repeats;   /* of each command in a round */
  guint64 many;    /* signatures before memory is looked at again */
  guint many_keys; /* on the full token */
  char **peers;    /* only these, or NULL */
  char **sizes;    /* of messages: only these, or NULL */
  gint runs;       /* of each command of a size; 0: what the size has */
  gboolean quick;
} BenchOptions;

json_t *bench_signatures(const BenchOptions *options, GError **error);
json_t *bench_commands(const BenchOptions *options, GError **error);
json_t *bench_messages(const BenchOptions *options, GError **error);
json_t *bench_memory(const BenchOptions *options, GError **error);
json_t *bench_many_keys(const BenchOptions *options, GError **error);

/* Set by SIGINT and SIGTERM: parts end early, and clean up. */
gboolean bench_stopped(GError **error);
