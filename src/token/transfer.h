/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The throwaway process `signet-token --transfer` (wire/transfer.h): opens files with private
 * keys, and puts the keys on one token.
 *
 * One thread does what is asked; a second one sees the other side go and ends the process, however
 * long a key derivation takes, but not between the two objects of a key. Dumps are off, memory is
 * locked as far as the limit allows. It is left by _exit() only, for the reason in token.h; what
 * OpenSSL's parsers left in the heap ends with it. */

#include "token/token.h"
#include "wire/transfer.h"

typedef struct {
  char *module;         /* (nullable): for looking only */
  char *serial;         /* (nullable): serve no other token */
  BaseProfile *profile; /* of the module */
  int fd;
} TokenTransferStart;

/* Serves the descriptor until the other side closes it, and ends the process. */
void token_transfer_run(const TokenTransferStart *start) G_GNUC_NORETURN;

/* ---- contents.c ---- */

/* As KeyfileItem, whatever it was read from. */
typedef struct {
  WireItemKind kind;
  char *key;
  char *label; /* never NULL */
  char *key_kind;
  GBytes *bytes;
  EVP_PKEY *pkey; /* of a key */
} TokenItem;

typedef struct {
  char *format;
  GPtrArray *items;   /* (element-type TokenItem) */
  GPtrArray *skipped; /* (element-type char) */
} TokenContents;

TokenContents *token_contents_new(const char *format);
void token_contents_free(TokenContents *contents);
/* Takes the key. FALSE: one that is no key of a known make, or there already. */
gboolean token_contents_add_key(TokenContents *contents, EVP_PKEY *pkey, const char *label);
gboolean token_contents_add_certificate(TokenContents *contents, GBytes *der, const char *label);
void token_contents_skip(TokenContents *contents, const char *format, ...) G_GNUC_PRINTF(2, 3);

TokenContents *token_contents_read(OSSL_LIB_CTX *library, GBytes *file, const char *name,
                                   BaseSecret *passphrase, GError **error);

/* ---- nss.c ---- */

/* The NSS database in `folder`, by NSS's own module, read-only. */
TokenContents *token_contents_read_nss(OSSL_LIB_CTX *library, const char *folder,
                                       BaseSecret *password, BaseDeadline deadline, GError **error);

/* ---- inside ---- */

typedef struct {
  const TokenTransferStart *start;
  WireChannel channel;
  OSSL_LIB_CTX *library; /* where files and their keys are read */
  gboolean bind_tried;
  Token *token;
  GPtrArray *parts; /* (nullable) (element-type GBytes) of a file */
  gsize parts_length;
  gboolean parts_read; /* the next part begins another file */
  TokenContents *contents;
} TokenTransfer;

typedef gboolean (*TokenTransferHandler)(TokenTransfer *transfer, WireReader *in, WirePacker *out,
                                         BaseDeadline deadline, GError **error);

gboolean token_transfer_bind(TokenTransfer *transfer, WireReader *in, WirePacker *out,
                             BaseDeadline deadline, GError **error);
gboolean token_transfer_data(TokenTransfer *transfer, WireReader *in, WirePacker *out,
                             BaseDeadline deadline, GError **error);
gboolean token_transfer_read_file(TokenTransfer *transfer, WireReader *in, WirePacker *out,
                                  BaseDeadline deadline, GError **error);
gboolean token_transfer_read_nss(TokenTransfer *transfer, WireReader *in, WirePacker *out,
                                 BaseDeadline deadline, GError **error);
/* A frame of the answer to the present request; the process ends when nobody takes it. */
void token_transfer_send(TokenTransfer *transfer, guint16 kind, const WirePacker *body);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TokenContents, token_contents_free)
