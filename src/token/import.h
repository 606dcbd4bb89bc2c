/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A private key from a file onto a token, and the proof that it works there.
 *
 * The public key is written first: what a crash leaves behind then is a public key, which the
 * next attempt finds by its name and completes. Nothing that was on the token before is written
 * over or taken away. */

#include "token/der.h"
#include "token/token.h"

typedef struct {
  EVP_PKEY *pkey;        /* whole */
  OSSL_LIB_CTX *library; /* that it lives in */
  GBytes *spki;
  const char *name; /* key name of `spki` */
  const char *label;
  GBytes *subject; /* (nullable) of its certificate: DER */
  const guint8 *id;
  gsize id_length; /* 0: chosen */
  guint32 flags;   /* WireKeyFlags; no use named: all that its kind can */
} TokenImport;

/* UNSUPPORTED: the token takes no such key; REFUSED: the id is another key's. */
WireObject *token_import(Token *token, const TokenImport *ask, BaseDeadline deadline,
                         gboolean *ret_existed, GError **error);

/* ---- import-object.c ---- */

typedef struct {
  const TokenImport *ask;
  TokenSpki facts; /* of ask->spki */
  guint32 flags;   /* what it is to do, as far as its kind can */
  GBytes *id;
} TokenImportObject;

CK_RV token_import_public(Token *token, CK_SESSION_HANDLE session, const TokenImportObject *object,
                          CK_OBJECT_HANDLE *ret_handle);
/* CKR_ARGUMENTS_BAD: the key has not all of its numbers. */
CK_RV token_import_private(Token *token, CK_SESSION_HANDLE session, const TokenImportObject *object,
                           CK_OBJECT_HANDLE *ret_handle);

/* ---- import-prove.c ---- */

/* Has the token use the key for the first thing that `flags` allow, and checks that with the public
 * key. A key that wants a PIN for each use, or is for nothing, is believed. */
gboolean token_import_prove(Token *token, const TokenImport *ask, CK_OBJECT_HANDLE handle,
                            guint32 flags, BaseDeadline deadline, GError **error);
