/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A group of bench-client processes that sign together: started one after the other, then told
 * to run for a while, as often as wanted. The clients wait on their standard input meanwhile. */

#include "sandbox.h"

typedef struct {
  const char *peer;    /* bench-client's name for it */
  const char *module;  /* NULL: SoftHSM itself */
  const char *token;   /* label */
  const char *key;     /* label on the token, and NAME of NAME.der in the sandbox */
  const char *setting; /* one more environment variable, "NAME=value", or NULL */
  guint processes;
  guint threads; /* in each */
} BenchGroupSpec;

typedef struct {
  double rate; /* signatures per second, all clients together */
  guint64 signatures;
  guint64 failures;
  char *message; /* of the first failure, or NULL */
} BenchRound;

void bench_round_clear(BenchRound *round);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BenchRound, bench_round_clear)

typedef struct BenchGroup BenchGroup;

BenchGroup *bench_group_start(const BenchSandbox *sandbox, const BenchGroupSpec *spec,
                              GError **error);
void bench_group_free(BenchGroup *group);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BenchGroup, bench_group_free)

/* A client that fails is in ret_round; FALSE is for one that hangs or is gone. */
gboolean bench_group_run(BenchGroup *group, double seconds, BenchRound *ret_round, GError **error);
/* As many signatures as that, by the first client alone. */
gboolean bench_group_run_count(BenchGroup *group, guint64 count, BenchRound *ret_round,
                               GError **error);
