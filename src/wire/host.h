/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The host channel: what signetd asks a signet-token process (frame.h), one
 * socket pair per host, many requests under way at once, answers in any order.
 *
 * Slots and objects are named by the host's own numbers; tokens are named by
 * slot number plus `generation`, which the host raises whenever another token
 * (or the same one again) is seen in the slot, so that a request meant for a token that
 * went away is answered TOKEN_GONE and never reaches its successor.
 *
 * Notation of bodies: fields in order, `*` a u32 count and then so many. A
 * `token` is u32 slot, u32 generation. A `key` is the text of 64 hex digits.
 */

#include "wire/frame.h"
#include "wire/operation.h"
#include "wire/pack.h"

typedef enum {
  /* u32 protocol, bytes rejection secret (32)
   *   -> u32 protocol, text description, text manufacturer, text library version,
   *      text cryptoki version. The host loads its module on this request. */
  WIRE_HOST_HELLO = 1,

  /* ()
   *   -> token record * (WireToken) */
  WIRE_HOST_TOKENS,

  /* token
   *   -> MORE frames of object record * (WireObject), then OK with none */
  WIRE_HOST_OBJECTS,

  /* token, u8 user (0 user, 1 so), bytes pin
   *   -> (). Logs in and stays logged in (user only; so is checked and logged out) */
  WIRE_HOST_LOGIN,

  /* token
   *   -> () */
  WIRE_HOST_LOGOUT,

  /* u32 slot, u32 generation, text label, bytes so pin, bytes user pin
   *   -> token (its new slot and generation). Refuses (REFUSED) an initialised token.
   *      Slot 0xffffffff: any uninitialised slot. */
  WIRE_HOST_INIT_TOKEN,

  /* token, bytes old, bytes new
   *   -> () */
  WIRE_HOST_SET_PIN,

  /* token, bytes so pin, bytes new user pin
   *   -> () */
  WIRE_HOST_INIT_PIN,

  /* token, key, bytes context pin (empty: none), operation
   *   -> bytes result */
  WIRE_HOST_OPERATE,

  /* token, text kind ("rsa:2048"), text label, bytes id (empty: the host chooses),
   * u32 WireKeyFlags
   *   -> object record of the private key */
  WIRE_HOST_GENERATE,

  /* token, bytes der, text label, bytes id (empty: that of the key with the same public key,
   * or a new one)
   *   -> () */
  WIRE_HOST_STORE_CERTIFICATE,

  /* token, text key or empty, text fingerprint or empty
   *   -> u32 how many objects went. A key: private, public; a fingerprint: that certificate */
  WIRE_HOST_REMOVE,

  /* token, key, u32 mask of 1 << WireVerb allowed, u32 id; a descriptor comes along
   *   -> () */
  WIRE_HOST_OPEN_CHANNEL,

  /* token
   *   -> text * mechanism names usable for keys ("RSA_PKCS", "ECDSA", …), u32 WireAbility bits */
  WIRE_HOST_ABILITIES,

  /* token, key
   *   -> u8 changed. CKA_EXTRACTABLE becomes false for ever: it can be backed up no more */
  WIRE_HOST_SEAL_KEY,

  /* token, bytes old, bytes new
   *   -> (). The SO PIN */
  WIRE_HOST_SET_SO_PIN,

  /* token, bytes so pin
   *   -> u32 how many objects went. Everything on it is destroyed; it is an initialised, empty
   *      token without a user PIN afterwards, its label kept */
  WIRE_HOST_ERASE,

  /* Notices from the host (serial 0) */

  /* (): slots or tokens changed: ask TOKENS again */
  WIRE_HOST_CHANGED = 0x100,
  /* u32 channel id, u32 operations since the last notice, u32 failures */
  WIRE_HOST_USED,
  /* token: found to be logged out (the card was reset, another program) */
  WIRE_HOST_LOGGED_OUT,
  /* u32 channel id */
  WIRE_HOST_CHANNEL_CLOSED
} WireHostKind;

typedef enum {
  WIRE_KEY_SIGN = 1 << 0,
  WIRE_KEY_DECRYPT = 1 << 1, /* decrypt and unwrap */
  WIRE_KEY_DERIVE = 1 << 2,
  WIRE_KEY_EXTRACTABLE = 1 << 3, /* may be wrapped on the token for a backup */
  WIRE_KEY_ALWAYS_AUTH = 1 << 4,
  WIRE_KEY_SENSITIVE = 1 << 5,
  WIRE_KEY_LOCAL = 1 << 6, /* generated on the token */
  WIRE_KEY_NEVER_EXTRACTABLE = 1 << 7
} WireKeyFlags;

typedef enum {
  WIRE_TOKEN_INITIALIZED = 1 << 0,
  WIRE_TOKEN_LOGIN_REQUIRED = 1 << 1,
  WIRE_TOKEN_USER_PIN_SET = 1 << 2,
  WIRE_TOKEN_PROTECTED_PATH = 1 << 3,
  WIRE_TOKEN_READ_ONLY = 1 << 4,
  WIRE_TOKEN_USER_COUNT_LOW = 1 << 5,
  WIRE_TOKEN_USER_FINAL_TRY = 1 << 6,
  WIRE_TOKEN_USER_LOCKED = 1 << 7,
  WIRE_TOKEN_USER_TO_CHANGE = 1 << 8,
  WIRE_TOKEN_SO_COUNT_LOW = 1 << 9,
  WIRE_TOKEN_SO_FINAL_TRY = 1 << 10,
  WIRE_TOKEN_SO_LOCKED = 1 << 11,
  WIRE_TOKEN_REMOVABLE = 1 << 12,
  WIRE_TOKEN_LOGGED_IN = 1 << 13
} WireTokenFlags;

typedef enum {
  WIRE_CAN_RSA = 1 << 0, /* generate */
  WIRE_CAN_EC = 1 << 1,
  WIRE_CAN_ED25519 = 1 << 2,
  WIRE_CAN_WRAP = 1 << 3, /* AES key wrap of private keys: backup and move */
  WIRE_CAN_PSS = 1 << 4,
  WIRE_CAN_OAEP = 1 << 5,
  WIRE_CAN_ECDH = 1 << 6,
  WIRE_CAN_WRITE = 1 << 7 /* certificates can be stored */
} WireAbility;

typedef struct {
  guint32 slot;
  guint32 generation;
  guint32 flags; /* WireTokenFlags */
  char *label;
  char *manufacturer;
  char *model;
  char *serial;
  char *firmware;
  char *hardware;
  char *slot_description;
  char *uri; /* RFC 7512, of the token */
  guint32 min_pin;
  guint32 max_pin;
} WireToken;

typedef enum { WIRE_OBJECT_KEY = 1, WIRE_OBJECT_CERTIFICATE = 2 } WireObjectKind;

/* A private key (paired by the host with its public key, from the public key
 * object, a certificate or its own attributes) or a certificate. */
typedef struct {
  WireObjectKind kind;
  /* Both: 64 hex digits; empty for a private key whose public key is nowhere on the token. */
  char *key;
  char *label;
  GBytes *id;     /* CKA_ID */
  GBytes *bytes;  /* key: SubjectPublicKeyInfo DER (may be empty); certificate: its DER */
  guint32 flags;  /* key: WireKeyFlags */
  char *key_kind; /* key: "rsa:2048" … or "other" */
} WireObject;

/* Texts are cut to 1,024 bytes and made valid UTF-8: a bad label spoils no list. */
void wire_token_pack(const WireToken *token, WirePacker *packer);
WireToken *wire_token_unpack(WireReader *reader); /* NULL: the reader failed */
void wire_token_free(WireToken *token);
void wire_object_pack(const WireObject *object, WirePacker *packer);
WireObject *wire_object_unpack(WireReader *reader);
void wire_object_free(WireObject *object);
const char *wire_host_kind_name(guint16 kind); /* for logs */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireToken, wire_token_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireObject, wire_object_free)
