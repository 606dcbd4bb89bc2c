/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is on a token, as read: private keys, public keys, certificates, each with
 * its handle and the public key that its own attributes tell. Pairing is catalogue.c's. */

#include "token/token.h"

typedef struct {
  CK_OBJECT_HANDLE handle;
  CK_KEY_TYPE type;
  GBytes *id; /* may be empty, never NULL */
  char *label;
  guint32 flags;     /* keys: WireKeyFlags */
  BaseKeyKind curve; /* EC keys: of CKA_EC_PARAMS */
  GBytes *spki;      /* (nullable) */
  char *name;        /* (nullable) key name of `spki` */
  GBytes *der;       /* certificates */
} TokenEntry;

typedef struct {
  GPtrArray *privates; /* (element-type TokenEntry) */
  GPtrArray *publics;
  GPtrArray *certificates;
} TokenListing;

/* The caller holds token->objects for reading. */
CK_RV token_listing_read(Token *token, CK_SESSION_HANDLE session, TokenListing **ret_listing);
/* Gives private EC keys their public key: by id, certificate, own attributes, label. */
void token_listing_pair(Token *token, CK_SESSION_HANDLE session, TokenListing *listing);
/* One pair that was just made: the private key in `privates`, paired with the public one, where
 * there is one (CK_INVALID_HANDLE). */
CK_RV token_listing_read_key(Token *token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public,
                             CK_OBJECT_HANDLE private, TokenListing **ret_listing);
void token_listing_free(TokenListing *listing);

/* Reads with a session of the pool, locked and once more after a loss. */
TokenListing *token_listing_get(Token *token, BaseDeadline deadline, guint *ret_epoch,
                                GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TokenListing, token_listing_free)
