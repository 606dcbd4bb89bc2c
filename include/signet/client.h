/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* libsignet: reach the person's digital IDs from a program.
 *
 * A SignetClient is one connection to signetd, which keeps the private keys on
 * their tokens and does the operations. Calls block, up to the client's
 * timeout, and are to be made from one thread at a time per client; several
 * clients in several threads are fine. After a fork the child must open a client of its
 * own; the parent's is refused there (by process id).
 *
 * The library installs no signal handlers, starts no threads and raises no
 * SIGPIPE. Records are plain structs, owned by whoever got them.
 */

#include <signet/error.h>

#include <glib.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

G_BEGIN_DECLS

typedef struct SignetClient SignetClient;

typedef enum {
  SIGNET_CONNECT_DEFAULT = 0,
  SIGNET_CONNECT_NO_AUTOSTART = 1 << 0, /* do not start signetd when none runs */
} SignetConnectFlags;

/**
 * signet_client_connect:
 * @address: (nullable): path of the socket; NULL for the usual one
 * @flags: how
 * @error: SIGNET_ERROR_NO_DAEMON  not reachable and not startable
 *
 * Connects, and starts the daemon when none runs. The first call on a connection also
 * compares protocol versions, without a round trip of its own: it fails with
 * SIGNET_ERROR_VERSION when the running daemon is of another version; restart it. A daemon
 * that was restarted is connected to again by the next call.
 *
 * Returns: (transfer full) (nullable): the client; free with signet_client_free()
 */
SignetClient *signet_client_connect(const char *address, SignetConnectFlags flags, GError **error);
void signet_client_free(SignetClient *client);

/**
 * signet_client_set_timeout:
 * @client: an open connection
 * @milliseconds: for each later call; default 60,000 (calls that wait for a person or for
 *   key generation use at least 240,000)
 *
 * A call that takes longer fails with SIGNET_ERROR_TIMEOUT; whether the daemon still did
 * what was asked is then not known.
 */
void signet_client_set_timeout(SignetClient *client, guint milliseconds);

/**
 * SignetAsk:
 * @token: label of the locked token
 * @tries_left: or -1
 * @user_data: as given
 * @ret_pin: (out): the PIN, NUL-terminated, in memory from malloc() that the library wipes and
 *   frees; leave NULL to have signetd ask by pinentry
 * @error: SIGNET_ERROR_CANCELLED stops the operation
 *
 * Called when an operation finds its token locked. Called once per operation: a
 * wrong PIN is never tried again by itself.
 */
typedef gboolean (*SignetAsk)(const char *token, int tries_left, gpointer user_data, char **ret_pin,
                              GError **error);

/**
 * signet_client_set_ask:
 * @client: an open connection
 * @ask: (nullable): how a PIN is got. NULL (the default): signetd asks by pinentry
 * @may_ask: FALSE: nobody is asked, locked tokens are SIGNET_ERROR_PIN_REQUIRED
 * @user_data: for @ask
 */
void signet_client_set_ask(SignetClient *client, gboolean may_ask, SignetAsk ask,
                           gpointer user_data);

/* ---- tokens ---- */

typedef enum {
  SIGNET_TOKEN_PRESENT,
  SIGNET_TOKEN_BLANK,  /* in its slot, not initialised */
  SIGNET_TOKEN_ABSENT, /* seen before */
  SIGNET_TOKEN_DOWN    /* its host fails; see problem */
} SignetTokenState;

typedef struct {
  gboolean set;
  int tries_left; /* -1: the token does not tell */
  gboolean count_low;
  gboolean final_try;
  gboolean blocked;
  gboolean must_change;
} SignetPin;

typedef struct {
  char *label;
  char *serial;
  char *manufacturer;
  char *model;
  char *firmware;
  char *uri;
  char *profile;
  char *module;
  char *slot;
  SignetTokenState state;
  char *problem; /* (nullable) */
  gboolean login_required;
  gboolean locked;
  gboolean protected_path;
  gboolean read_only;
  gboolean soft;
  gboolean lost; /* the person said so: its keys are never used */
  SignetPin user_pin;
  SignetPin so_pin;
  gint64 last_seen; /* seconds since 1970; 0 when present */
} SignetToken;

typedef struct {
  char **generate; /* key kinds */
  gboolean wrap;
  gboolean pss;
  gboolean oaep;
  gboolean ecdh;
  gboolean write;
  char **mechanisms;
} SignetAbilities;

typedef struct {
  char *name;
  char *path;        /* (nullable) */
  char *description; /* (nullable) */
  char *version;     /* (nullable) */
  int tokens;
  char *state;   /* loaded, failed, missing, off */
  char *problem; /* (nullable) */
  char *package; /* (nullable): what to install when missing */
} SignetModule;

void signet_token_free(SignetToken *token);
void signet_abilities_free(SignetAbilities *abilities);
void signet_module_free(SignetModule *module);

/**
 * signet_token_list:
 * @client: an open connection
 * @error: as any call: SIGNET_ERROR_NO_DAEMON, VERSION, TIMEOUT
 *
 * Lists the tokens that are there, and those seen before.
 *
 * Returns: (transfer full) (element-type SignetToken) (nullable): freed with its items
 */
GPtrArray *signet_token_list(SignetClient *client, GError **error);

/**
 * signet_token_describe:
 * @client: an open connection
 * @token: label, serial number or PKCS#11 URI
 * @ret_abilities: (out) (optional): what it can do
 * @ret_ids: (out) (optional): the IDs on it
 * @error: SIGNET_ERROR_NOT_FOUND  no such token
 *         SIGNET_ERROR_AMBIGUOUS  the name fits several; details list them
 *
 * Returns: (transfer full) (nullable): what is known of the token
 */
SignetToken *signet_token_describe(SignetClient *client, const char *token,
                                   SignetAbilities **ret_abilities, char ***ret_ids,
                                   GError **error);

typedef struct {
  const char *label;
  const char *pin;
  const char *so_pin; /* (nullable): invented */
  gboolean soft;
  const char *token;  /* (nullable) */
  const char *module; /* (nullable) */
} SignetTokenInit;

/**
 * signet_token_init:
 * @client: an open connection
 * @init: what to make
 * @ret_so_pin: (out) (optional): the invented SO PIN, or NULL; wipe and g_free() it
 * @error: SIGNET_ERROR_REFUSED      it holds something or has a PIN; nothing was written
 *         SIGNET_ERROR_PIN_REFUSED  the PIN's length or characters
 *         SIGNET_ERROR_NOT_FOUND    no blank token
 *
 * Makes a token of a blank one, or a soft one.
 *
 * Returns: (transfer full) (nullable): the new token
 *
 * Source: PKCS#11 v2.40 5.5 C_InitToken, C_InitPIN
 */
SignetToken *signet_token_init(SignetClient *client, const SignetTokenInit *init, char **ret_so_pin,
                               GError **error);

/**
 * signet_token_change_pin:
 * @client: an open connection
 * @token: label, serial number or PKCS#11 URI
 * @old_pin: the present one; one try is spent when it is wrong
 * @new_pin: the new one
 * @error: SIGNET_ERROR_PIN_INCORRECT, PIN_BLOCKED, PIN_REFUSED, TOKEN_GONE
 *
 * Changes the user's PIN.
 */
gboolean signet_token_change_pin(SignetClient *client, const char *token, const char *old_pin,
                                 const char *new_pin, GError **error);

/**
 * signet_token_change_so_pin:
 * @client: an open connection
 * @token: label, serial number or PKCS#11 URI
 * @old_pin: the present SO PIN; one try is spent when it is wrong
 * @new_pin: the new one
 * @error: SIGNET_ERROR_PIN_INCORRECT, PIN_BLOCKED, PIN_REFUSED, TOKEN_GONE
 *
 * Changes the security officer's PIN.
 */
gboolean signet_token_change_so_pin(SignetClient *client, const char *token, const char *old_pin,
                                    const char *new_pin, GError **error);

typedef struct {
  const char *token;
  const char *serial; /* its serial number, as the person typed it */
  const char *so_pin; /* (nullable): one try is spent when it is wrong */
  const char *pin;    /* (nullable): the user's, for a soft token of signet's own */
} SignetTokenErase;

/**
 * signet_token_erase:
 * @client: an open connection
 * @erase: which token, and the proof that it is meant
 * @ret_removed: (out) (optional): lines for a person, saying what went
 * @error: SIGNET_ERROR_REFUSED  the serial number is not the token's
 *
 * Destroys everything on a token.
 *
 * Source: PKCS#11 v2.40 5.5 C_InitToken
 */
gboolean signet_token_erase(SignetClient *client, const SignetTokenErase *erase,
                            char ***ret_removed, GError **error);

/**
 * signet_token_forget:
 * @client: an open connection
 * @token: label, serial number or PKCS#11 URI of one that is away
 * @ret_forgotten: (out) (optional): lines for a person
 * @error: SIGNET_ERROR_REFUSED  it is here
 *
 * Drops what is remembered of a token that is away.
 */
gboolean signet_token_forget(SignetClient *client, const char *token, char ***ret_forgotten,
                             GError **error);

typedef struct {
  char **ids;  /* the IDs on it */
  char **keys; /* lines for a person, one for each key on it */
  char **only; /* of those, the ones that no other token holds */
} SignetLoss;

void signet_loss_free(SignetLoss *loss);

/**
 * signet_token_mark_lost:
 * @client: an open connection
 * @token: label, serial number or PKCS#11 URI, here or away
 * @lost: FALSE: it was found again
 * @error: SIGNET_ERROR_NOT_FOUND, AMBIGUOUS
 *
 * Has the keys of a token that was lost or stolen used no more, even when it comes back.
 *
 * Returns: (transfer full) (nullable): what was on it; free with signet_loss_free()
 */
SignetLoss *signet_token_mark_lost(SignetClient *client, const char *token, gboolean lost,
                                   GError **error);

/**
 * signet_token_unblock:
 * @client: an open connection
 * @token: label, serial number or PKCS#11 URI
 * @so_pin: SO PIN or PUK; one try is spent when it is wrong
 * @new_pin: the user's new PIN
 * @error: SIGNET_ERROR_PIN_INCORRECT, PIN_BLOCKED (of the SO PIN), PIN_REFUSED, TOKEN_GONE
 *
 * Sets a new user PIN where the old one is blocked or forgotten.
 */
gboolean signet_token_unblock(SignetClient *client, const char *token, const char *so_pin,
                              const char *new_pin, GError **error);

/**
 * signet_token_unlock:
 * @token: label, serial or URI
 * @pin: (nullable): tried once; NULL: signetd asks by pinentry
 * @repeat: try a PIN that is known to have failed (after asking the person)
 * @ret_already: (out) (optional): TRUE when it was unlocked before; @pin was then not checked
 * @error: SIGNET_ERROR_PIN_INCORRECT, PIN_BLOCKED, PIN_REFUSED, PIN_REQUIRED, CANCELLED, TOKEN_GONE
 */
gboolean signet_token_unlock(SignetClient *client, const char *token, const char *pin,
                             gboolean repeat, gboolean *ret_already, GError **error);

/**
 * signet_token_lock:
 * @client: an open connection
 * @token: (nullable): NULL locks all
 * @ret_locked: (out) (optional): labels of those that were unlocked
 * @error: SIGNET_ERROR_NOT_FOUND, AMBIGUOUS
 *
 * Forgets PINs, logs out and closes key channels.
 */
gboolean signet_token_lock(SignetClient *client, const char *token, char ***ret_locked,
                           GError **error);

/**
 * signet_module_list:
 * @client: an open connection
 * @error: as any call
 *
 * Returns: (transfer full) (element-type SignetModule) (nullable): PKCS#11 modules: loaded,
 *   failed, missing
 */
GPtrArray *signet_module_list(SignetClient *client, GError **error);

/**
 * signet_module_add:
 * @client: an open connection
 * @path: of the PKCS#11 module
 * @error: SIGNET_ERROR_NOT_FOUND, FAILED (it cannot be loaded)
 *
 * Adds a module to the user's configuration and loads it.
 *
 * Returns: (transfer full) (nullable): the module
 */
SignetModule *signet_module_add(SignetClient *client, const char *path, GError **error);

typedef struct {
  const char *event; /* in, out, locked, unlocked, changed */
  const char *token;
  const char *serial;
  const char *module;
  gboolean locked;
  gboolean initial;
  gint64 time;
} SignetEvent;

/* Returns FALSE to stop watching. */
typedef gboolean (*SignetEventFunc)(const SignetEvent *event, gpointer user_data);

/**
 * signet_token_watch:
 * @client: an open connection
 * @func: called for each event, first once per token that is there (`initial`)
 * @user_data: for @func
 * @error: SIGNET_ERROR_NO_DAEMON  the daemon went away
 *
 * Blocks, without timeout, until @func returns FALSE or the daemon goes away. Uses a
 * connection of its own, so that @func may call with @client.
 *
 * Returns: TRUE when @func ended it
 */
gboolean signet_token_watch(SignetClient *client, SignetEventFunc func, gpointer user_data,
                            GError **error);

/* ---- IDs ---- */

typedef enum {
  SIGNET_USE_SIGN = 1 << 0,
  SIGNET_USE_ENCRYPT = 1 << 1,
  SIGNET_USE_AUTH = 1 << 2,
  SIGNET_USE_CA = 1 << 3
} SignetUse;

typedef enum {
  SIGNET_CAN_SIGN = 1 << 0,
  SIGNET_CAN_DECRYPT = 1 << 1,
  SIGNET_CAN_DERIVE = 1 << 2
} SignetCan;

typedef struct {
  char *fingerprint; /* SHA-256, 64 hex digits */
  char *subject;
  char *issuer;
  char *serial; /* hex */
  char *name;   /* (nullable) */
  char **addresses;
  gint64 not_before; /* seconds since 1970 */
  gint64 not_after;
  guint use; /* SignetUse */
  gboolean self_signed;
  GBytes *der; /* (nullable): where asked for */
} SignetCertificate;

typedef struct {
  char *key;  /* SHA-256 of the SubjectPublicKeyInfo, 64 hex digits */
  char *kind; /* rsa:2048, ec:p256, … */
  char *label;
  char **tokens; /* labels of tokens that hold it now */
  char **absent; /* labels of tokens seen to hold it before */
  guint can;     /* SignetCan */
  gboolean locked;
  gboolean always_authenticate;
  gboolean extractable;
  GPtrArray *certificates; /* (element-type SignetCertificate), newest first */
  GBytes *public_key;      /* (nullable): SubjectPublicKeyInfo DER, where DER was asked for */
} SignetKey;

typedef struct {
  char *id;   /* what to call it: its first address, else its label */
  char *name; /* (nullable) */
  char **addresses;
  gboolean is_default;
  GPtrArray *keys; /* (element-type SignetKey) */
} SignetId;

void signet_id_free(SignetId *id);

/**
 * signet_id_list:
 * @client: an open connection
 * @with_der: fill in each certificate's `der`
 * @error: as any call
 *
 * Returns: (transfer full) (element-type SignetId) (nullable): freed with its items
 */
GPtrArray *signet_id_list(SignetClient *client, gboolean with_der, GError **error);

/**
 * signet_id_describe:
 * @client: an open connection
 * @id: an address, 8 or more hex digits of a certificate's fingerprint, a label, or a URI
 * @with_der: fill in each certificate's `der`
 * @error: SIGNET_ERROR_NOT_FOUND, AMBIGUOUS
 *
 * Returns: (transfer full) (nullable): the ID
 */
SignetId *signet_id_describe(SignetClient *client, const char *id, gboolean with_der,
                             GError **error);

typedef struct {
  char *id;
  char *key;
  char *kind;
  char *fingerprint;
  char *token;
  GBytes *certificate; /* DER */
  GPtrArray *chain;    /* (element-type GBytes): issuers' DER, nearest first, without the root */
  GBytes *root;        /* (nullable): the root's DER, where a token has it */
} SignetChoice;

void signet_choice_free(SignetChoice *choice);

/**
 * signet_id_choose:
 * @use: SIGNET_USE_SIGN or SIGNET_USE_ENCRYPT
 * @id: (nullable): an ID by name
 * @address: (nullable): or whatever ID has this address; both NULL: the default ID
 * @error: SIGNET_ERROR_NOT_FOUND, AMBIGUOUS, NONE_USABLE (details list candidates and reasons)
 *
 * Picks the key and certificate that an operation uses: for signing the key
 * must be present and its newest valid certificate fit for mail; for encryption the newest
 * usable certificate.
 */
SignetChoice *signet_id_choose(SignetClient *client, SignetUse use, const char *id,
                               const char *address, GError **error);

typedef struct {
  GBytes *issuer; /* (nullable): DER of the Name */
  char *serial;   /* (nullable): hex */
  char *key_id;   /* (nullable): subjectKeyIdentifier, hex */
} SignetRecipient;

typedef struct {
  guint index; /* into the recipients asked for */
  char *key;
  char *kind;
  char *fingerprint;
  char *id;
  char *token;
  gboolean present;
  gint64 last_seen; /* when away: seconds since 1970; 0: not known, or present */
  char *problem;    /* (nullable) why inserting the token would not help: lost, unable, removed */
} SignetMatch;

void signet_match_free(SignetMatch *match);

/**
 * signet_id_find_recipients:
 * @client: an open connection
 * @recipients: (array length=n): as a message names them
 * @n: how many; any number, asked for in batches
 * @error: as any call
 *
 * Finds which of our keys can open a message, by expired and replaced certificates too. No match
 * is not an error.
 *
 * Returns: (transfer full) (element-type SignetMatch) (nullable): keys that are there come first
 */
GPtrArray *signet_id_find_recipients(SignetClient *client, const SignetRecipient *recipients,
                                     gsize n, GError **error);

typedef struct {
  const char *const *addresses;
  const char *name;  /* (nullable) */
  const char *token; /* (nullable) */
  const char *kind;  /* (nullable): rsa:2048 … */
  guint can;         /* SignetCan; 0: sign and decrypt */
  gboolean no_backup;
} SignetGenerate;

typedef struct {
  char *id;
  char *key;
  char *kind;
  char *token;
  GBytes *public_key; /* SubjectPublicKeyInfo DER */
  gboolean extractable;
} SignetGenerated;

void signet_generated_free(SignetGenerated *generated);

/**
 * signet_id_generate:
 * @client: an open connection
 * @request: what to make
 * @error: SIGNET_ERROR_REFUSED      it could decrypt, and nothing could back it up (`no_backup`)
 *         SIGNET_ERROR_UNSUPPORTED  the token makes no such key
 *
 * Makes a key pair on the token. May take minutes (RSA on a card).
 *
 * Returns: (transfer full) (nullable): free with signet_generated_free()
 */
SignetGenerated *signet_id_generate(SignetClient *client, const SignetGenerate *request,
                                    GError **error);

/**
 * signet_id_store_certificate:
 * @client: an open connection
 * @der: one certificate
 * @chain: it is an issuer's, to go on @token
 * @token: (nullable): where; NULL: beside its key
 * @ret_id: (out) (optional) (nullable): the ID that it belongs to now
 * @ret_token: (out) (optional): where it is
 * @ret_stored: (out) (optional): FALSE when it was there already
 * @error: SIGNET_ERROR_NOT_FOUND  its key is on no token
 *
 * Stores a certificate on a token; one that is read-only or full: in signet's own store.
 */
gboolean signet_id_store_certificate(SignetClient *client, GBytes *der, gboolean chain,
                                     const char *token, char **ret_id, char **ret_token,
                                     gboolean *ret_stored, GError **error);

typedef struct {
  char *id; /* (nullable): the ID that it belongs to now */
  char *token;
  gboolean stored; /* FALSE: it was there already */
  gboolean kept;   /* in signet's own store: the token is read-only or full */
} SignetStored;

void signet_stored_free(SignetStored *stored);

/**
 * signet_id_put_certificate:
 * @client: an open connection
 * @der: one certificate
 * @chain: it is an issuer's, to go on @token
 * @token: (nullable): where; NULL: beside its key
 * @error: SIGNET_ERROR_NOT_FOUND  its key is on no token
 *
 * As signet_id_store_certificate(), and tells where it went.
 *
 * Returns: (transfer full) (nullable): free with signet_stored_free()
 */
SignetStored *signet_id_put_certificate(SignetClient *client, GBytes *der, gboolean chain,
                                        const char *token, GError **error);

/**
 * signet_id_set_addresses:
 * @client: an open connection
 * @id: as in signet_id_describe()
 * @addresses: (array zero-terminated=1): tied to it besides those in its certificates; empty:
 *   those tied before are untied
 * @name: (nullable): the person's
 * @ret_id: (out) (optional): what the ID is called now
 * @error: SIGNET_ERROR_REFUSED  another ID has the address
 *
 * Ties addresses to an ID whose certificates name none.
 */
gboolean signet_id_set_addresses(SignetClient *client, const char *id, const char *const *addresses,
                                 const char *name, char **ret_id, GError **error);

/**
 * signet_id_never_export:
 * @client: an open connection
 * @id: as in signet_id_describe()
 * @ret_sealed: (out) (optional): lines for a person: keys that can no longer leave their token
 * @ret_failed: (out) (optional): and those that could not be changed
 * @error: as any call
 *
 * Has the keys of an ID never leave their tokens from now on, by no backup and no move.
 *
 * Source: PKCS#11 v2.40 4.9: CKA_EXTRACTABLE goes from true to false only
 */
gboolean signet_id_never_export(SignetClient *client, const char *id, char ***ret_sealed,
                                char ***ret_failed, GError **error);

/**
 * signet_id_remove:
 * @client: an open connection
 * @id: as in signet_id_describe()
 * @certificate: (nullable): only this one, by fingerprint
 * @lose_mail: also the last copy of a key that can decrypt
 * @ret_removed: (out) (optional): lines for a person, saying what went
 * @error: SIGNET_ERROR_REFUSED  the last copy, without @lose_mail; nothing was removed
 *
 * Removes keys and certificates from their tokens.
 */
gboolean signet_id_remove(SignetClient *client, const char *id, const char *certificate,
                          gboolean lose_mail, char ***ret_removed, GError **error);

/**
 * signet_id_set_default:
 * @client: an open connection
 * @id: as in signet_id_describe()
 * @error: SIGNET_ERROR_NOT_FOUND, AMBIGUOUS
 *
 * Makes it the ID that is used where nothing else decides.
 */
gboolean signet_id_set_default(SignetClient *client, const char *id, GError **error);

/* ---- the daemon ---- */

typedef struct {
  char *version;
  int pid;
  gint64 started;
  int connections;
  int tokens;
  int ids;
  char **unlocked;
  char **warnings;
  char **counter_names; /* as many as counter_values */
  gint64 *counter_values;
} SignetStatus;

void signet_status_free(SignetStatus *status);

/**
 * signet_daemon_status:
 * @client: an open connection
 * @error: as any call
 *
 * Returns: (transfer full) (nullable): how signetd is; free with signet_status_free()
 */
SignetStatus *signet_daemon_status(SignetClient *client, GError **error);

/**
 * signet_daemon_stop:
 * @client: an open connection
 * @error: as any call
 *
 * Ends the daemon once running operations are done; the next call starts another.
 */
gboolean signet_daemon_stop(SignetClient *client, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetClient, signet_client_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetToken, signet_token_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetAbilities, signet_abilities_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetModule, signet_module_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetId, signet_id_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetChoice, signet_choice_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetMatch, signet_match_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetGenerated, signet_generated_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetLoss, signet_loss_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetStored, signet_stored_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetStatus, signet_status_free)

G_END_DECLS

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
