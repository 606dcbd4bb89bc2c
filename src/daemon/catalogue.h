/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The catalogue: what is on all tokens, now and before, as devices, keys and IDs.
 *
 * A pure model: hosts' records go in, answers come out; no main loop, no host, no
 * I/O but the one file that remembers (public data only).
 *
 *   device   one token, however many views (module, slot, host) show it
 *   key      one key pair, named by the SHA-256 of its public key, wherever it lies
 *   ID       one person: the keys tied together by the addresses of their certificates
 *
 * Whatever is returned without "(transfer full)" is borrowed and good until the next
 * daemon_catalogue_set_*, _drop_*, _forget_*, _name_*, _keep_* or _load call. To go on
 * later, keep a key's name and ask for it again.
 */

#include "base/cert.h"
#include "base/profile.h"
#include "daemon/list.h"
#include "wire/host.h"
#include "wire/json.h"

#define DAEMON_CATALOGUE_FILE_MAX (64 * 1024 * 1024)
#define DAEMON_CATALOGUE_DEVICES_MAX 2000
#define DAEMON_CATALOGUE_KEYS_MAX 20000
#define DAEMON_CATALOGUE_CERTS_MAX 20000
#define DAEMON_CATALOGUE_DER_MAX (64 * 1024 * 1024) /* of all certificates together */
#define DAEMON_CATALOGUE_ADDRESSES_MAX 64           /* of one certificate; more: left out */
#define DAEMON_CATALOGUE_CHAIN_MAX 8
#define DAEMON_CATALOGUE_CANDIDATES_MAX 20 /* named in one error */
#define DAEMON_CATALOGUE_LABEL_MAX 255     /* bytes of a label that are kept */

typedef struct DaemonCatalogue DaemonCatalogue;
typedef struct DaemonDevice DaemonDevice;
typedef struct DaemonKey DaemonKey;
typedef struct DaemonId DaemonId;

typedef enum {
  DAEMON_DEVICE_PRESENT,
  DAEMON_DEVICE_BLANK, /* in the slot, not initialised */
  DAEMON_DEVICE_ABSENT /* seen before */
} DaemonDeviceState;

/* One appearance of a device: where requests about it go. */
typedef struct {
  guint host;
  char *module;      /* the host's name */
  char *profile;     /* the profile's name */
  WireToken *token;  /* slot, generation, flags, texts */
  gboolean listed;   /* its objects are known; FALSE: ask OBJECTS */
  gboolean complete; /* they were listed with login, or no login is needed */
  DaemonDevice *device;
  GPtrArray *keys;  /* private */
  GPtrArray *certs; /* private */
} DaemonView;

struct DaemonDevice {
  char *label;
  char *serial;
  char *manufacturer;
  char *model;
  char *firmware;
  char *uri;
  char *module;
  char *profile;
  gint64 last_seen;           /* seconds since 1970; 0 while present */
  GPtrArray *views;           /* (element-type DaemonView); empty: absent */
  gboolean lost;              /* the person said so: nothing on it is used, even when it is here */
  gboolean serial_identifies; /* private, as the rest */
  gboolean remembered;
  gboolean told_locked;
  gboolean changed;
};

/* Facts of one certificate, each held once however often it appears. */
typedef struct DaemonCert {
  GBytes *der;
  char fingerprint[65];
  char key[65];
  const char *subject;
  const char *issuer; /* shared by all certificates of one issuer, as are the next two */
  GBytes *issuer_der;
  GBytes *subject_der; /* (nullable) of CA certificates only */
  char *serial;
  char *name; /* (nullable) common name */
  char **addresses;
  gint64 not_before;
  gint64 not_after;
  char *subject_key_id; /* (nullable) */
  char issuer_serial[65];
  BaseKeyKind kind;
  int bits;
  guint use; /* BaseUse */
  gboolean self_signed;
  gboolean kept;    /* stored by the person in signet's own file, not on a token */
  gboolean removed; /* by the person: opens old mail, is shown and chosen nowhere */
  guint places;     /* private, as the rest: on so many views */
  struct DaemonCert *next_issuer_serial;
  struct DaemonCert *next_key_id;
} DaemonCert;

/* Where a key lies now. */
typedef struct {
  DaemonView *view;
  guint32 flags;     /* WireKeyFlags */
  const char *label; /* borrowed, as the id (nullable, CKA_ID) */
  GBytes *id;
  gboolean
      presumed; /* the token is locked and hides its keys: its certificate or our memory says so */
} DaemonLocation;

/* Where a key was ever listed. */
typedef struct {
  DaemonDevice *device;
  guint32 flags;
  gboolean gone; /* the device was searched since, unlocked, and did not have it */
} DaemonSeen;

struct DaemonKey {
  char name[65];
  const char *kind; /* "rsa:2048" … */
  char *label;
  GBytes *spki;          /* (nullable) SubjectPublicKeyInfo DER, while no certificate has it */
  DaemonList *locations; /* (element-type DaemonLocation): now; unlocked and real ones first */
  DaemonList *seen;      /* (element-type DaemonSeen) */
  DaemonList *certs;     /* (element-type DaemonCert): newest first */
  DaemonId *id;
  guint32 flags;          /* WireKeyFlags of all places together */
  char **given_addresses; /* (nullable) what Generate or `id address` said */
  char *given_name;       /* (nullable) */
};

struct DaemonId {
  const char *id;   /* what to call it: its first address, else label, else key */
  const char *name; /* (nullable) the person's */
  char **addresses; /* never NULL, its texts borrowed; of the newest certificate first */
  gboolean is_default;
  DaemonList *keys; /* (element-type DaemonKey): the one with the newest certificate first */
};

DaemonCatalogue *daemon_catalogue_new(void);
void daemon_catalogue_free(DaemonCatalogue *catalogue);

/* ---- what hosts tell ---- */

/* All tokens (element-type WireToken, copied) that a host sees now. A view whose slot and generation stayed
 * keeps its objects; new ones have `listed` FALSE. `profile` is used during the call only. */
void daemon_catalogue_set_tokens(DaemonCatalogue *catalogue, guint host, const char *name,
                                 const BaseProfile *profile, const GPtrArray *tokens);
/* All objects (element-type WireObject; their GBytes are shared) of one view. Without `complete_with_login`
 * keys not listed are not taken for gone. An unknown view (the token went away meanwhile) is ignored. */
void daemon_catalogue_set_objects(DaemonCatalogue *catalogue, guint host, guint32 slot,
                                  guint32 generation, const GPtrArray *objects,
                                  gboolean complete_with_login);

/* The same, object by object: a long list is never held twice, nor taken in in one go. What was
 * taken counts when it ends; _free gives up (a view that went meanwhile: _end does). */
typedef struct DaemonTaking DaemonTaking;
DaemonTaking *daemon_catalogue_take_start(DaemonCatalogue *catalogue);
void daemon_catalogue_take(DaemonTaking *taking, const WireObject *object);
void daemon_catalogue_take_end(DaemonTaking *taking, guint host, guint32 slot, guint32 generation,
                               gboolean complete_with_login);
void daemon_catalogue_take_free(DaemonTaking *taking);

/* One certificate that was just stored there. FALSE: it has to be listed instead, since the view is not
 * listed yet, or a list that may not have it is on its way in. */
gboolean daemon_catalogue_add_stored(DaemonCatalogue *catalogue, guint host, guint32 slot,
                                     guint32 generation, const WireObject *object);

/* Login and logout between two TOKENS requests. */
void daemon_catalogue_set_logged_in(DaemonCatalogue *catalogue, guint host, guint32 slot,
                                    guint32 generation, gboolean logged_in);
/* The host ended: its views go, what was on them is remembered as absent. */
void daemon_catalogue_drop_host(DaemonCatalogue *catalogue, guint host);

typedef struct {
  const char *event; /* in, out, locked, unlocked, changed */
  char *token;
  char *serial;
  char *module;
  gboolean locked;
} DaemonCatalogueEvent;

/* What happened to devices since the last call, in order (transfer full, element-type
 * DaemonCatalogueEvent); a second view of a present device is no event. Never NULL. */
GPtrArray *daemon_catalogue_take_events(DaemonCatalogue *catalogue);

/* ---- devices ---- */

/* (element-type DaemonDevice): present, blank, absent */
const GPtrArray *daemon_catalogue_devices(DaemonCatalogue *catalogue);
DaemonDeviceState daemon_catalogue_device_state(const DaemonDevice *device);
/* Locked: present, wants a login, and a view of it is logged out. */
gboolean daemon_catalogue_device_locked(const DaemonDevice *device);
gboolean daemon_catalogue_view_locked(const DaemonView *view);
DaemonView *daemon_catalogue_view(DaemonCatalogue *catalogue, guint host, guint32 slot,
                                  guint32 generation);
/* (transfer container) (element-type DaemonView): of one host */
GPtrArray *daemon_catalogue_views(DaemonCatalogue *catalogue, guint host);
/* By label, serial or PKCS#11 URI (a blank one also by its slot's description): NOT_FOUND,
 * AMBIGUOUS with candidates. Absent ones are found too, but a present one wins. */
DaemonDevice *daemon_catalogue_find_device(DaemonCatalogue *catalogue, const char *name,
                                           GError **error);
/* The view of it to use (NOT_FOUND, AMBIGUOUS, TOKEN_GONE): the one that bears the name itself, since a card
 * may show a token for each of its PINs; else an unlocked one, else the first. */
DaemonView *daemon_catalogue_find_view(DaemonCatalogue *catalogue, const char *name,
                                       GError **error);
/* (transfer container) (element-type DaemonId): the IDs with a key on the device, now or before */
GPtrArray *daemon_catalogue_device_ids(DaemonCatalogue *catalogue, const DaemonDevice *device);
/* Drops what is remembered of a device that is away, and of keys that were on no other. */
void daemon_catalogue_forget_device(DaemonCatalogue *catalogue, DaemonDevice *device);
void daemon_catalogue_set_lost(DaemonCatalogue *catalogue, DaemonDevice *device, gboolean lost);
/* DENIED for one that is lost. */
gboolean daemon_catalogue_check_lost(const DaemonDevice *device, GError **error);
/* (transfer container) (element-type DaemonKey): on the device, now or before */
GPtrArray *daemon_catalogue_device_keys(DaemonCatalogue *catalogue, const DaemonDevice *device);
/* (transfer container) (element-type DaemonCert): on the device now */
GPtrArray *daemon_catalogue_device_certs(DaemonCatalogue *catalogue, const DaemonDevice *device);
/* No other device has it, or had it when it was last searched. */
gboolean daemon_catalogue_only_on(const DaemonKey *key, const DaemonDevice *device);
/* For a person: "key 0123456789abcdef… (rsa:2048) of alice@example.org" */
char *daemon_catalogue_key_line(const DaemonKey *key);

/* ---- keys ---- */

/* NULL: never seen. A key with no locations is absent: its `seen` names the devices. */
DaemonKey *daemon_catalogue_key(DaemonCatalogue *catalogue, const char *name);
/* The place to use a key for all of `flags` (WireKeyFlags): unlocked before locked, listed before presumed.
 * NULL: none, and *error is set: TOKEN_GONE names where it was last seen, UNSUPPORTED the missing ability. */
DaemonLocation *daemon_catalogue_locate(DaemonCatalogue *catalogue, const DaemonKey *key,
                                        guint32 flags, GError **error);
/* On how many devices it really lies now: views of one device are one copy, presumed ones none. */
guint daemon_catalogue_copies(const DaemonKey *key);
/* Of a key that is away: when a device was seen that had it, seconds since 1970; 0: not known */
gint64 daemon_catalogue_last_seen_at(const DaemonKey *key);
/* "Card", "Card and Spare": labels of the devices where an absent key was; never NULL (transfer full) */
char *daemon_catalogue_last_seen(const DaemonKey *key);
/* What a person said at generation; remembered. NULL leaves a field as it is. */
void daemon_catalogue_name_key(DaemonCatalogue *catalogue, const char *key,
                               const char *const *addresses, const char *name);
/* The person removed it: it is on that device no more. */
void daemon_catalogue_forget_key(DaemonCatalogue *catalogue, const char *key,
                                 const DaemonDevice *device);

/* ---- certificates ---- */

DaemonCert *daemon_catalogue_cert(DaemonCatalogue *catalogue, const char *fingerprint);
/* Keeps a certificate in signet's own file: for a card that is read-only or full. */
gboolean daemon_catalogue_keep_cert(DaemonCatalogue *catalogue, GBytes *der, GError **error);
/* The person removed it: shown and chosen no more, though mail to it still finds its key. */
void daemon_catalogue_forget_cert(DaemonCatalogue *catalogue, const char *fingerprint);
/* (transfer container) (element-type DaemonView): views on which it lies now */
GPtrArray *daemon_catalogue_cert_views(DaemonCatalogue *catalogue, const DaemonCert *cert);
/* SubjectPublicKeyInfo DER, within the certificate's own bytes (transfer full) (nullable) */
GBytes *daemon_catalogue_cert_spki(const DaemonCert *cert);
/* Issuers, nearest first, without the root; each signature checked (transfer container, element-type DaemonCert) */
GPtrArray *daemon_catalogue_chain(DaemonCatalogue *catalogue, const DaemonCert *cert);
/* (nullable) The root where that chain ends, if a token has it; NULL for a self-signed certificate. */
DaemonCert *daemon_catalogue_root(DaemonCatalogue *catalogue, const DaemonCert *cert);

/* ---- IDs ---- */

/* (element-type DaemonId), by name */
const GPtrArray *daemon_catalogue_ids(DaemonCatalogue *catalogue);
/* By address, fingerprint prefix, label, or PKCS#11 URI: NOT_FOUND, AMBIGUOUS with candidates.
 * ret_cert (optional, nullable): the certificate, when `name` was a fingerprint. */
DaemonId *daemon_catalogue_find_id(DaemonCatalogue *catalogue, const char *name,
                                   DaemonCert **ret_cert, GError **error);
DaemonId *daemon_catalogue_find_address(DaemonCatalogue *catalogue, const char *address);
/* (nullable) */
DaemonId *daemon_catalogue_default_id(DaemonCatalogue *catalogue);
/* Named by a certificate's fingerprint: its key goes before newer ones of the ID, too. */
gboolean daemon_catalogue_set_default(DaemonCatalogue *catalogue, const char *name, GError **error);

typedef struct {
  DaemonId *id;
  DaemonKey *key;
  DaemonCert *cert;
  DaemonLocation *location; /* NULL: the key is away (encrypt only) */
} DaemonChoice;

typedef struct {
  BaseUse use;         /* BASE_USE_SIGN or BASE_USE_ENCRYPT */
  const char *id;      /* (nullable) by any name */
  const char *address; /* (nullable) neither: the default ID, or the only one that can */
  gint64 now;
} DaemonWish;

/* What an operation uses. NOT_FOUND, AMBIGUOUS, NONE_USABLE with each candidate's reason; TOKEN_GONE when
 * nothing hinders but that the token with the fitting key is away. */
gboolean daemon_catalogue_choose(DaemonCatalogue *catalogue, const DaemonWish *wish,
                                 DaemonChoice *ret_choice, GError **error);

/* As org.signet.Id has them (transfer full). */
json_t *daemon_catalogue_id_json(const DaemonId *id, gboolean with_der);
json_t *daemon_catalogue_choice_json(DaemonCatalogue *catalogue, const DaemonChoice *choice);
/* Label of the token to name for a key: where it is, else where it was; "" when unknown. */
const char *daemon_catalogue_token_label(const DaemonKey *key, const DaemonLocation *location);

/* Why inserting a token would not make a key usable that none of its places can be used for, or NULL:
 * "unable", "lost", "removed"; `ret_token`: the label of the token that it is about. */
const char *daemon_catalogue_problem(const DaemonKey *key, const char **ret_token);

/* A recipient as a message names it: issuer and serial, or key_id. */
typedef struct {
  GBytes *issuer; /* (nullable) DER of the Name */
  char *serial;   /* (nullable) hex */
  char *key_id;   /* (nullable) hex */
} DaemonRecipient;

typedef struct {
  guint index;
  DaemonKey *key;
  DaemonCert *cert;
  DaemonLocation *location; /* NULL: away */
} DaemonMatch;

/* (transfer full) (element-type DaemonMatch): keys present first; expired, replaced and removed certificates too */
GArray *daemon_catalogue_find_recipients(DaemonCatalogue *catalogue,
                                         const DaemonRecipient *recipients, gsize n);

/* ---- the file, and the rest ---- */

/* Reads what was remembered. A missing file is fine; a malformed one is moved aside (PATH.bad) and logged. */
void daemon_catalogue_load(DaemonCatalogue *catalogue, const char *path);
/* Writes atomically. `unsaved`: there is something to write (debounce it). */
gboolean daemon_catalogue_unsaved(DaemonCatalogue *catalogue);
gboolean daemon_catalogue_save(DaemonCatalogue *catalogue, const char *path, GError **error);

typedef struct {
  guint devices; /* present */
  guint ids;
  guint keys;
  guint certificates;
  guint bad_certificates; /* left out: not parsed, or beyond a limit */
  guint nameless_keys;    /* left out: no public key to be had */
} DaemonCatalogueCounts;

DaemonCatalogueCounts daemon_catalogue_counts(DaemonCatalogue *catalogue);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DaemonCatalogue, daemon_catalogue_free)
