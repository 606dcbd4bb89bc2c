/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Import: where IDs lie on this machine, and from there onto a token.
 *
 * No key passes through here in clear, but for a file that holds one in clear: such bytes are handed on to
 * the throwaway process (signet/transfer.h) and wiped. Nothing here asks or prints: the command
 * line does. */

#include "base/cert.h"
#include "base/secret.h"

#include <signet/signet.h>

#include <sys/types.h>

/* ---- plan.c: which certificates belong to which key ---- */

typedef struct {
  guint index; /* of the transfer's item */
  char *key;   /* SHA-256 of the SubjectPublicKeyInfo, hex */
  char *kind;
  char *label;             /* (nullable): friendly name */
  GPtrArray *certificates; /* (element-type BaseCert): newest first */
  guint can;               /* SignetCan: what these say it is for; 0: they do not say */
} TransferKey;

typedef struct {
  char *format;
  GPtrArray *keys;    /* (element-type TransferKey) */
  GPtrArray *alone;   /* (element-type BaseCert): of people, their key is not among `keys` */
  GPtrArray *issuers; /* (element-type BaseCert): of CAs; of roots only what certified the others */
  GPtrArray *roots;   /* plan.c's own */
  GPtrArray *skipped; /* (element-type char): what is left out and why, one line each */
  guint n_unread;     /* of these, what could not be read; the rest is not wanted */
} TransferPlan;

/* `more` (nullable): further certificates (element-type GBytes). BAD_INPUT: one that is none. */
TransferPlan *transfer_plan_new(const SignetTransferContents *contents, const GPtrArray *more,
                                GError **error);
/* Of a file without keys; takes the certificates (element-type BaseCert) out of the array. */
TransferPlan *transfer_plan_of_certificates(const char *format, GPtrArray *certificates);
void transfer_plan_free(TransferPlan *plan);
/* The issuers above `leaf`, nearest first: (transfer container) (element-type BaseCert). */
GPtrArray *transfer_plan_chain(const TransferPlan *plan, const BaseCert *leaf);
/* What to call a key: its first address, else a name, else its friendly name, else NULL. */
const char *transfer_key_called(const TransferKey *key);
gboolean transfer_key_has_address(const TransferKey *key);

/* ---- source.c: what is opened ---- */

typedef struct {
  char *name;              /* for messages */
  char *path;              /* (nullable): a file that can be shredded */
  char *folder;            /* (nullable): an NSS database; else `bytes` */
  GBytes *bytes;           /* (nullable): wiped when freed */
  BaseSecret *passphrase;  /* (nullable): known already */
  GPtrArray *certificates; /* (nullable) (element-type GBytes): DER, from beside it */
  dev_t device;            /* of `path` as it was read */
  ino_t inode;
} TransferSource;

/* A file of at most 8 MiB, or "-". */
TransferSource *transfer_source_file(const char *path, GError **error);
TransferSource *transfer_source_nss(const char *folder);
/* Takes `bytes`, which is wiped when freed. */
TransferSource *transfer_source_bytes(const char *name, GByteArray *bytes);
void transfer_source_free(TransferSource *source);

/* Overwrites the file that was read, truncates and removes it. REFUSED: it is not that file any more, it
 * has another name besides, or it is not ours. */
gboolean transfer_shred(const TransferSource *source, GError **error);

/* ---- import.c: onto a token ---- */

/* What is in it. PIN_REQUIRED, PIN_INCORRECT and so on as signet_transfer_read(). */
TransferPlan *transfer_look(SignetTransfer *transfer, const TransferSource *source,
                            const BaseSecret *passphrase, GError **error);

typedef struct {
  const char *token;       /* by a name that fits no other */
  const char *token_label; /* what people call it */
  const char *label;       /* (nullable): of the keys */
  const char *fallback;    /* (nullable): label of one that has no name of its own */
  gboolean never_export;
  const BaseSecret *passphrase; /* (nullable): what opened it */
} TransferWish;

typedef struct {
  char *key;
  char *kind;
  char *token;
  char *id;           /* (nullable): the ID that it is of now */
  char **addresses;   /* of that ID */
  gboolean existed;   /* nothing was written for it */
  guint certificates; /* of this source that are with it now */
  guint kept;         /* of them in signet's own store */
} TransferDone;

typedef struct {
  GPtrArray *keys;  /* (element-type TransferDone) */
  GPtrArray *chain; /* (element-type char): subjects of issuers that are there now */
  GPtrArray *notes; /* (element-type char): what could not be done, one line each */
  GPtrArray *keep;  /* (element-type char): why the file is still needed, one line each */
} TransferOutcome;

void transfer_outcome_free(TransferOutcome *outcome);

/* Puts the keys of `plan` on the token, then their certificates, then the issuers; and checks that the
 * daemon finds them there. Broken off, it can be called again. */
TransferOutcome *transfer_import(SignetClient *client, const TransferSource *source,
                                 const TransferPlan *plan, const TransferWish *wish,
                                 GError **error);

/* Certificates only: beside their keys. NOT_FOUND: no token here has a key of any. */
TransferOutcome *transfer_join(SignetClient *client, const char *name, const TransferPlan *plan,
                               const char *token, GError **error);

/* Ties addresses to the IDs of these keys (element-type char: 64 hex digits) that have none. *ret_id: what
 * such an ID is called now; NULL: all have some. */
gboolean transfer_tie(SignetClient *client, GPtrArray *keys, const char *const *addresses,
                      char **ret_id, GError **error);

/* ---- scan.c, places.c: where IDs lie ---- */

typedef enum { TRANSFER_FILE, TRANSFER_NSS, TRANSFER_GPGSM, TRANSFER_SMIME_KEYS } TransferPlaceKind;

typedef struct {
  TransferPlaceKind kind;
  char *path;
  const char *what;   /* "PKCS #12", "Thunderbird profile" … */
  const char *from;   /* (nullable): of `import --from` */
  gboolean has_keys;  /* as far as can be told without opening it */
  gboolean encrypted; /* likewise */
  char *about;        /* (nullable): whose */
} TransferPlace;

void transfer_place_free(TransferPlace *place);
int transfer_place_compare(gconstpointer a, gconstpointer b); /* of arrays of pointers */

#define TRANSFER_SCAN_DEPTH 12
#define TRANSFER_SCAN_ENTRIES 500000
#define TRANSFER_SCAN_PLACES 2000

/* Called now and then. */
typedef void (*TransferProgress)(guint n_files, gpointer user_data);

typedef struct {
  GPtrArray *places; /* (element-type TransferPlace) */
  guint n_files;
  guint n_unreadable; /* files and folders */
  gboolean cut;       /* a bound was reached */
} TransferFound;

/* Below `folders`, without following links, and not into other file systems. NOT_FOUND: one of them is no folder. */
TransferFound *transfer_scan(const char *const *folders, TransferProgress progress,
                             gpointer user_data, GError **error);
void transfer_found_free(TransferFound *found);
/* Adds what programs keep where they usually do, also outside of those folders. */
void transfer_found_add_usual(TransferFound *found);

/* Places of one program, by name ("thunderbird" …), where they usually are, or at `path` alone. (element-type
 * TransferPlace); NOT_FOUND says where was looked. */
GPtrArray *transfer_find(const char *from, const char *path, GError **error);

/* ---- gpgsm.c, smimekeys.c: what other programs keep ---- */

typedef struct {
  char *name;        /* what to call it */
  char **addresses;  /* never NULL */
  char *fingerprint; /* SHA-1 as gpgsm has it, or the file's name */
  char *home;
} TransferHolding;

void transfer_holding_free(TransferHolding *holding);
/* (element-type TransferHolding); `home` NULL: gpgsm's own. UNSUPPORTED: gpgsm is not installed. */
GPtrArray *transfer_gpgsm_list(const char *home, GError **error);
/* `passphrase` NULL: the key is tried without one. PIN_REQUIRED, PIN_INCORRECT. */
TransferSource *transfer_gpgsm_export(const TransferHolding *holding, const BaseSecret *passphrase,
                                      GError **error);
GPtrArray *transfer_smime_keys_list(const char *folder, GError **error);
TransferSource *transfer_smime_keys_open(const TransferHolding *holding, GError **error);

/* ---- child.c: a program whose output is wanted ---- */

typedef struct {
  const char *const *argv;
  const BaseSecret *line; /* (nullable): comes on TRANSFER_CHILD_FD, then end of file */
  guint timeout_ms;
  gsize max; /* of its output */
} TransferChild;

#define TRANSFER_CHILD_FD 3

/* Its standard output; *ret_errors (optional): its standard error, at most 64 KiB. UNSUPPORTED: it is not
 * installed; TIMEOUT; TOO_LARGE. What status it ended with does not count. */
GByteArray *transfer_child_run(const TransferChild *child, char **ret_errors, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransferPlan, transfer_plan_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransferSource, transfer_source_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransferOutcome, transfer_outcome_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransferFound, transfer_found_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransferPlace, transfer_place_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TransferHolding, transfer_holding_free)
