/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* PKCS#11: tokens, sessions, objects, operations; the host program signet-token.
 *
 * This is about the host; the same program also opens files with keys (transfer.h) and lists the
 * CAs that a module trusts (roots.h), in processes of their own.
 *
 * One process, one module, one configuration. Everything that calls the module
 * is here, so that a module that hangs, crashes or lies takes this process with
 * it and nothing else: the broker starts another.
 *
 * Who does what
 *   main thread      reads the host channel, hands each request on (host.c)
 *   workers          a pool per token and one for the module: a login or a key
 *                    generation on one token never waits for another token
 *   poll thread      compares slots and tokens twice a second (slots.c); the truth
 *                    about insertions, C_WaitForSlotEvent is not used
 *   channel threads  one per key channel: read, operate, write (channel.c)
 *   reporter         counts of channel use, gathered for 200 ms
 *   watchdog         ends the process when a call into the module has passed its
 *                    deadline: no thread can be taken out of a hanging module
 * The process is left by _exit() only: a module's destructors and OpenSSL's race
 * with each other at exit (SoftHSM shares our libcrypto).
 *
 * Locks, in the order in which they are taken
 *   module->slots_lock  C_GetSlotList makes slots (SoftHSM adds an empty one) while
 *                       C_OpenSession looks one up: writer and readers
 *   module->lock        the table of tokens
 *   token->objects      finds read, creates and destroys write: SoftHSM 2.6.1 answers
 *                       a find with CKR_GENERAL_ERROR while an object is being made
 *   token->lock         sessions, login, keys; held for moments, never over a C_ call
 *
 * Epochs. `token->epoch` changes with login, logout and loss of sessions: after
 * each, handles of private objects are other ones (SoftHSM) or none. A key's handle
 * is good while key->epoch equals it; that compare is all that a warm operation
 * spends on it.
 *
 * Sessions. All are read-write where the token allows (an SO login is refused while
 * a read-only one is open), borrowed for one operation and closed after a failure.
 * One more, the keeper, holds the login: PKCS#11 v2.40 5.6.2 logs out with the last session. */

#include "base/cert.h"
#include "base/deadline.h"
#include "base/profile.h"
#include "base/secret.h"
#include "token/rv.h"
#include "wire/host.h"
#include "wire/limits.h"

#include <stdatomic.h>

#define TOKEN_SESSIONS_MAX 64
#define TOKEN_ID_MAX 255   /* bytes of CKA_ID that we keep */
#define TOKEN_TEXT_MAX 512 /* bytes of a label, after being made valid UTF-8 */
#define TOKEN_MODULUS_MAX WIRE_CIPHERTEXT_MAX
#define TOKEN_RESULT_MAX TOKEN_MODULUS_MAX /* no answer of an operation is longer */
#define TOKEN_NO_SLOT 0xffffffffu

typedef struct TokenModule TokenModule;
typedef struct Token Token;

/* What the engine tells its owner; called from any thread, no lock held. */
typedef struct {
  void (*changed)(gpointer data);
  void (*logged_out)(Token *token, gpointer data); /* also: its channels are to be closed */
  void (*gone)(Token *token, gpointer data);
} TokenEvents;

struct TokenModule {
  char *path;
  CK_FUNCTION_LIST *f;
  BaseProfile *profile;
  BaseSecret *rejection; /* 32 bytes: key of the implicit rejection (decrypt.c) */
  char *only_serial;     /* (nullable) serve no other token */
  const TokenEvents *events;
  gpointer events_data;
  OSSL_LIB_CTX *library; /* ours alone: the module may change the default one */
  GRWLock slots_lock;
  GMutex lock;
  GPtrArray *tokens; /* (element-type Token) present ones */
  guint silent;      /* of these: did not answer at the last poll */
  guint32 generation;
  GMutex poll_lock; /* one poll at a time */
};

/* A private key. What is not atomic never changes after it was published. */
typedef struct {
  atomic_int refs;
  char *name;   /* 64 hex; empty: its public key is nowhere */
  GBytes *spki; /* may be empty */
  char *label;
  GBytes *id;
  BaseKeyKind kind;
  int bits;
  gsize modulus_length;             /* RSA */
  gsize field_length;               /* EC: bytes of a coordinate */
  atomic_uint flags;                /* WireKeyFlags */
  _Atomic(CK_OBJECT_HANDLE) handle; /* CK_INVALID_HANDLE: not visible (locked) */
  atomic_uint epoch;
} TokenKey;

struct Token {
  atomic_int refs;
  TokenModule *module;
  CK_SLOT_ID slot;
  guint32 number; /* of the slot, on the wire */
  guint32 generation;
  CK_TOKEN_INFO info; /* as first seen; never written again */
  atomic_ulong flags; /* of CK_TOKEN_INFO, as last seen */
  char slot_description[sizeof(((CK_SLOT_INFO *)0)->slotDescription) * 3 + 1];
  gboolean removable;
  atomic_bool gone;
  atomic_bool logged_in;
  atomic_uint epoch;
  atomic_int point_form; /* of ECDH peers: 0 raw, 1 OCTET STRING (derive.c) */
  GRWLock objects;
  GMutex lock;
  GCond freed;
  CK_SESSION_HANDLE idle[TOKEN_SESSIONS_MAX];
  guint idle_count;
  guint borrowed;
  guint limit; /* of sessions at once; found smaller when the token says CKR_SESSION_COUNT */
  guint waiting;
  gboolean exclusive; /* an SO is, or may be, logged in: nobody else borrows */
  CK_SESSION_HANDLE keeper;
  GMutex login_lock;     /* one login, logout or PIN change at a time */
  GMutex catalogue_lock; /* one enumeration at a time */
  GHashTable *keys;      /* name -> TokenKey, under lock */
  guint keys_epoch;      /* of the last enumeration; under catalogue_lock */
  gboolean keys_known;
  GThreadPool *workers; /* the owner's (host.c) */
};

/* ---- module.c ---- */

/* Loads the module and initialises it. Refuses modules that lead back to us. */
TokenModule *token_module_load(const char *path, BaseProfile *profile, const char *only_serial,
                               GError **error); /* takes the profile in any case */
gboolean token_module_describe(TokenModule *module, CK_INFO *ret_info, GError **error);
/* Blank-padded text of a fixed field as valid UTF-8 without control bytes. */
char *token_text(const CK_UTF8CHAR *field, gsize size);

/* ---- slots.c ---- */

/* Compares slots with the table; tells about changes. FALSE when the module, or a token that was
 * there, fails to answer: that token stays on the table. */
gboolean token_slots_poll(TokenModule *module, GError **error);
/* TRUE when some slot answers with an error that says nothing about its token. */
gboolean token_slots_unclear(TokenModule *module);
GPtrArray *token_slots_list(TokenModule *module); /* (element-type Token), referenced */
Token *token_slots_find(TokenModule *module, guint32 number, guint32 generation, GError **error);
WireToken *token_describe(Token *token);
/* Refreshes the flags (tries left) after a PIN was tried. */
void token_refresh(Token *token);
/* The token no longer answers: takes it off the table and tells. */
void token_lose(Token *token);
/* FALSE when the token is clearly no longer in the slot; it is lost then. */
gboolean token_still_there(Token *token);
/* TRUE only when it answers, and as itself: what is asked before "not there" is said of a key.
 * SoftHSM shows a token whose folder was moved away as one that has no objects. Else TOKEN_GONE. */
gboolean token_surely_there(Token *token, GError **error);
Token *token_ref(Token *token);
void token_unref(Token *token);
char *token_label(Token *token);
CK_TOKEN_INFO token_info(Token *token); /* with the flags as last seen */

/* ---- session.c ---- */

gboolean token_session_borrow(Token *token, BaseDeadline deadline, CK_SESSION_HANDLE *ret_session,
                              GError **error);
void token_session_return(Token *token, CK_SESSION_HANDLE session);
void token_session_drop(Token *token, CK_SESSION_HANDLE session);       /* closes it */
CK_RV token_session_open(Token *token, CK_SESSION_HANDLE *ret_session); /* beside the pool */
void token_session_flush(Token *token);                                 /* closes the idle ones */
/* Waits until nothing is borrowed, and lets nobody borrow until released. */
gboolean token_session_exclusive(Token *token, BaseDeadline deadline, GError **error);
void token_session_release(Token *token);

/* What a C_ call's loss code asks for: finds out whether token and login still are there.
 * TRUE: worth another try. */
gboolean token_recover(Token *token, CK_RV rv, GError **error);

/* ---- login.c ---- */

gboolean token_login(Token *token, gboolean so, BaseSecret *pin, BaseDeadline deadline,
                     GError **error);
gboolean token_logout(Token *token, BaseDeadline deadline, GError **error);
/* The login turned out to be lost. */
void token_login_lost(Token *token);
gboolean token_needs_login(Token *token); /* it has a PIN and nobody is logged in */
gboolean token_set_pin(Token *token, BaseSecret *old, BaseSecret *new, BaseDeadline deadline,
                       GError **error);
gboolean token_init_pin(Token *token, BaseSecret *so, BaseSecret *pin, BaseDeadline deadline,
                        GError **error);
/* Of the SO; checked by a login first. */
gboolean token_set_so_pin(Token *token, BaseSecret *old, BaseSecret *new, BaseDeadline deadline,
                          GError **error);
/* Length against what the token says, before a try is spent. */
gboolean token_check_pin(const CK_TOKEN_INFO *info, BaseSecret *pin, GError **error);
gboolean token_locked_error(Token *token, GError **error); /* PIN_REQUIRED; FALSE */

/* ---- init.c ---- */

typedef struct {
  guint32 slot; /* TOKEN_NO_SLOT: any that is free */
  guint32 generation;
  const char *label;
  BaseSecret *so;
  BaseSecret *pin;
} TokenInit;

Token *token_init(TokenModule *module, const TokenInit *ask, BaseDeadline deadline, GError **error);
/* Destroys everything on it, and keeps its label. `token` is lost then: what is in its slot has
 * another generation. *ret_count: the objects that could be seen. */
gboolean token_erase(Token *token, BaseSecret *so, BaseDeadline deadline, guint32 *ret_count,
                     GError **error);

/* ---- catalogue.c ---- */

/* All keys and certificates; (element-type WireObject). Refreshes the keys' handles. */
GPtrArray *token_catalogue(Token *token, BaseDeadline deadline, GError **error);
/* The key, its handle good for the present epoch. PIN_REQUIRED when it cannot be seen, NOT_FOUND. */
TokenKey *token_key_find(Token *token, const char *name, BaseDeadline deadline, GError **error);
/* Makes the handle good again. */
gboolean token_key_renew(Token *token, TokenKey *key, BaseDeadline deadline, GError **error);
void token_keys_forget(Token *token); /* the next use enumerates anew */
TokenKey *token_key_ref(TokenKey *key);
void token_key_unref(TokenKey *key);

/* ---- operate.c ---- */

typedef struct {
  Token *token;
  TokenKey *key;
  const WireOperation *operation;
  BaseSecret *pin; /* (nullable) for CKA_ALWAYS_AUTHENTICATE */
  BaseDeadline deadline;
} TokenOperate;

/* At most TOKEN_RESULT_MAX bytes to `result`. */
gboolean token_operate(const TokenOperate *ask, guint8 *result, gsize *ret_length, GError **error);

/* ---- generate.c, store.c, ability.c ---- */

typedef struct {
  const char *kind;
  const char *label;
  const guint8 *id;
  gsize id_length;
  guint32 flags;
} TokenGenerate;

WireObject *token_generate(Token *token, const TokenGenerate *ask, BaseDeadline deadline,
                           GError **error);

typedef struct {
  const guint8 *der;
  gsize der_length;
  const char *label;
  const guint8 *id;
  gsize id_length;
} TokenCertificate;

gboolean token_store_certificate(Token *token, const TokenCertificate *certificate,
                                 BaseDeadline deadline, GError **error);
gboolean token_remove(Token *token, const char *key, const char *fingerprint, BaseDeadline deadline,
                      guint32 *ret_count, GError **error);

gboolean token_abilities(Token *token, GPtrArray *ret_names, guint32 *ret_abilities,
                         GError **error);

/* ---- seal.c ---- */

/* The key can be wrapped no more, for ever; *ret_changed FALSE: it could not be before. */
gboolean token_seal(Token *token, const char *name, BaseDeadline deadline, gboolean *ret_changed,
                    GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Token, token_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TokenKey, token_key_unref)
