/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Drives the real `signet-token --transfer` as signetd and then a client do. */

#include "token-harness.h"
#include "wire/transfer.h"

typedef struct {
  pid_t pid;
  WireChannel channel;
  guint32 serial;
} Transfer;

typedef struct {
  char *format;
  GPtrArray *items;   /* (element-type WireItem) */
  GPtrArray *skipped; /* (element-type char) */
} Contents;

Transfer *transfer_new(Host *host); /* NULL: for looking only */
void transfer_free(Transfer *transfer);
int transfer_wait(Transfer *transfer, guint ms); /* exit status, -1: it did not end */
void transfer_close(Transfer *transfer);

GBytes *transfer_ask(Transfer *transfer, guint16 kind, const WirePacker *body, GError **error);
gboolean transfer_bind(Transfer *transfer, const WireToken *token, const char *pin, GError **error);
/* A process bound to the host's token. */
Transfer *transfer_new_bound(Host *host);
gboolean transfer_data(Transfer *transfer, gconstpointer bytes, gsize length, GError **error);
Contents *transfer_read(Transfer *transfer, const char *text, const char *passphrase,
                        GError **error);
Contents *transfer_read_nss(Transfer *transfer, const char *folder, const char *password,
                            GError **error);
WireObject *transfer_store(Transfer *transfer, guint32 index, const char *label, GBytes *id,
                           guint32 flags, gboolean *ret_existed, GError **error);
void contents_free(Contents *contents);

/* "rsa", "P-256" …, "ED25519", as PEM; with a passphrase: encrypted. */
EVP_PKEY *key_new(const char *kind);
char *key_pem(EVP_PKEY *key, const char *passphrase);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transfer, transfer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Contents, contents_free)
