/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A temporary folder with keys and certificates made by the openssl command, and what reads the
 * files that the tests make of them:
 *   ca.key, ca.pem; alice.* (RSA 2048, by the CA), bob.* (P-256), ed.* (Ed25519), both by themselves */

#include "keyfile/keyfile.h"

typedef struct {
  char *folder;
  OSSL_LIB_CTX *library;
} World;

World *world_new(void);
void world_free(World *world); /* with its folder */

/* In the folder, output dropped. The first fails the test when the command fails. */
void world_run(World *world, const char *format, ...) G_GNUC_PRINTF(2, 3);
gboolean world_try(World *world, const char *format, ...) G_GNUC_PRINTF(2, 3);
gboolean world_has(const char *program); /* else skips the test */

GBytes *world_load(World *world, const char *file);
void world_save(World *world, const char *file, gconstpointer bytes, gsize length);
X509 *world_x509(World *world, const char *name);

KeyfileContents *world_read(World *world, const char *file, const char *passphrase, GError **error);
/* Reads it and takes it apart: every key must sign what its certificate verifies. `keys` and
 * `certificates` are names, separated by blanks, in any order. */
KeyfileContents *world_expect(World *world, const char *file, const char *passphrase,
                              const char *keys, const char *certificates);
/* Fails with this code, and names the file. */
void world_expect_error(World *world, const char *file, const char *passphrase, int code,
                        const char *pattern);
/* A line of `skipped` that fits the pattern. */
void world_expect_skipped(const KeyfileContents *contents, const char *pattern);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)
