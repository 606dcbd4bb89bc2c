/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The transfer channel: a client asks, a throwaway process answers (frame.h).
 *
 * Files with private keys are opened here and nowhere else: a `signet-token --transfer`
 * process per file, dumps off, memory locked, gone when the channel closes or at its deadline.
 * signetd starts it (org.signet.Transfer.Open), sends the first frame itself, and hands its end
 * of the socket pair to the client: neither ever holds a key.
 *
 * One request at a time. Notation as in host.h.
 */

#include "wire/frame.h"
#include "wire/pack.h"

#define WIRE_TRANSFER_FILE_MAX (8 * 1024 * 1024)
#define WIRE_TRANSFER_PART_MAX (128 * 1024) /* of a file, in one frame */
#define WIRE_TRANSFER_ITEMS_MAX 1000
#define WIRE_TRANSFER_PASSPHRASE_MAX 1024
#define WIRE_TRANSFER_LIFE_MS (10 * 60 * 1000) /* the process ends then, whatever it does */
#define WIRE_TRANSFER_READ_MS 60000            /* one file, its key derivation included */

typedef enum {
  /* signetd's: text serial, text label, text manufacturer, text model (as WireToken has them), bytes pin
   *   -> (). Loads the module, finds this very token, logs in (an empty PIN: a PIN pad). One attempt.
   *      Not sent when the process is for looking only. */
  WIRE_TRANSFER_BIND = 0x200,

  /* bytes: the next part of a file
   *   -> () */
  WIRE_TRANSFER_DATA,

  /* text name (for messages), u8 with a passphrase, bytes passphrase
   *   -> MORE frames of item *, then OK: text format ("PKCS #12", "PEM" …), u32 n and n texts: what was
   *      left out and why, one line each. PIN_REQUIRED: it wants a passphrase; PIN_INCORRECT: it is
   *      another one. The parts sent stay until a READ succeeds, and are then wiped. What was read
   *      before is forgotten. */
  WIRE_TRANSFER_READ,

  /* text folder of an NSS database (cert9.db, key4.db), u8 with a password, bytes password
   *   -> as READ */
  WIRE_TRANSFER_READ_NSS,

  /* u32 index of a key that was read, text label, bytes id (empty: chosen), u32 WireKeyFlags wanted
   *   -> u8 existed already, object record (host.h). The key is on the token, and was proved to work
   *      there (a signature or decryption checked with its public key). REFUSED: the id is taken by
   *      another key. UNSUPPORTED: the token takes no such key. */
  WIRE_TRANSFER_STORE
} WireTransferKind;

typedef enum { WIRE_ITEM_KEY = 1, WIRE_ITEM_CERTIFICATE = 2 } WireItemKind;

/* u32 index, u8 kind, text key, text label, text key kind, bytes */
typedef struct {
  guint32 index;
  WireItemKind kind;
  char *key;      /* 64 hex digits: of the public key, for both */
  char *label;    /* (never NULL) friendly name */
  char *key_kind; /* "rsa:2048" … or "other" */
  GBytes *bytes;  /* key: SubjectPublicKeyInfo DER; certificate: its DER */
} WireItem;

void wire_item_pack(const WireItem *item, WirePacker *packer);
WireItem *wire_item_unpack(WireReader *reader); /* NULL: the reader failed */
void wire_item_free(WireItem *item);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WireItem, wire_item_free)
