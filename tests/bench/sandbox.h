/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A folder of the benchmark's own: home, XDG places, GnuPG home, SoftHSM tokens, the sockets and
 * logs of what runs in it, and the environment that points there. Freeing it ends, by process
 * id, every server that was started in it and removes the folder. */

#include <glib.h>

#define BENCH_PIN "123456"

typedef struct {
  char *dir;
  char *programs; /* where bench-client and the other bench- programs are */
  char *signet;   /* where signet, signetd and signet-token are; NULL: none there */
  char **env;     /* for g_spawn, NULL-terminated */
  GArray *pids;   /* of GPid: children that are ours to end */
  GArray *others; /* of pid_t: processes that detached themselves and are ours all the same */
} BenchSandbox;

BenchSandbox *bench_sandbox_new(const char *programs, const char *signet, GError **error);
void bench_sandbox_free(BenchSandbox *sandbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BenchSandbox, bench_sandbox_free)

/* A path in the sandbox; freed by the caller. */
char *bench_sandbox_path(const BenchSandbox *sandbox, const char *name);
char *bench_sandbox_program(const BenchSandbox *sandbox, const char *name);
char *bench_sandbox_signet(const BenchSandbox *sandbox, const char *name);
gboolean bench_sandbox_write(const BenchSandbox *sandbox, const char *name, const char *text,
                             GError **error);

/* Makes a SoftHSM token and fills it: each of keys is "KIND:NAME:ADDRESS", or "KIND*COUNT" for
 * COUNT keys k0001… with an address each. KIND is rsa or ec. */
gboolean bench_sandbox_make_token(const BenchSandbox *sandbox, const char *label,
                                  const char *const *keys, GError **error);

/* Runs a set-up command to its end; its output is in the error when it fails. The command finds
 * input (may be NULL) on its standard input. ret_output may be NULL. */
gboolean bench_sandbox_run(const BenchSandbox *sandbox, const char *const *argv, const char *input,
                           char **ret_output, GError **error);

/* Starts a server in the foreground that ends with the sandbox, or with us. */
gboolean bench_sandbox_start(BenchSandbox *sandbox, const char *const *argv, GPid *ret_pid,
                             GError **error);
/* A detached process (and, first, its present children) ends with the sandbox too. */
void bench_sandbox_adopt(BenchSandbox *sandbox, pid_t pid);
void bench_sandbox_end_adopted(BenchSandbox *sandbox);
gboolean bench_sandbox_wait_for(const BenchSandbox *sandbox, const char *path, GError **error);
