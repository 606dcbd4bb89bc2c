/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Software keys with certificates, behind the seam of cms/keys.h, and other programs to
 * ask for a second opinion. */

#include "cms/keys.h"

typedef struct {
  EVP_PKEY *pkey;
  X509 *x509;
  BaseCert *cert;
} SoftKey;

typedef struct {
  GPtrArray *keys; /* (element-type SoftKey), borrowed */
  CmsKeys vtable;
  int fail_with;       /* a SIGNET_ERROR_*, or -1 */
  gboolean away;       /* matches are not present */
  const char *problem; /* (nullable) of theirs */
  guint operations;
  guint8 spoil; /* XORed into what decrypt gives */
} SoftToken;

typedef struct {
  const char *kind;      /* "rsa:2048", "ec:p256", "ec:p384", "ec:p521", "ed25519" */
  const char *address;   /* (nullable) */
  const SoftKey *issuer; /* NULL: self-signed */
  gboolean ca;
  int not_before; /* days from now */
  int not_after;
} SoftWish;

SoftKey *soft_key_new(const SoftWish *wish);
SoftKey *soft_key_simple(const char *kind);
SoftKey *soft_key_load(EVP_PKEY *pkey, X509 *x509); /* takes both */
void soft_key_free(SoftKey *key);

SoftToken *soft_token_new(void);
void soft_token_free(SoftToken *token);

/* A folder for the test program's files; removed at the end by soft_folder_remove(). */
const char *soft_folder(void);
void soft_folder_remove(void);
char *soft_write(const char *name, GBytes *bytes);
GBytes *soft_read(const char *path);
void soft_write_key(const SoftKey *key, const char *name); /* NAME.pem, NAME.crt */

/* Runs words separated by blanks in the folder; its exit status. */
int soft_run(char **ret_output, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* `text` sealed to that key alone. */
GBytes *soft_seal(const char *text, const SoftKey *key, const char *cipher);

void soft_assert_bytes(GBytes *bytes, gconstpointer expected, gsize length);

GBytes *soft_data(const char *relative); /* under tests/data */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoftKey, soft_key_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoftToken, soft_token_free)
