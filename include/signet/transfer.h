/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* libsignet: keys from files onto tokens.
 *
 * A file with private keys is opened in a throwaway process that signetd starts;
 * the program that asks sees what is in it, never a key.
 */

#include <signet/client.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

G_BEGIN_DECLS

typedef struct SignetTransfer SignetTransfer;

/**
 * signet_transfer_open:
 * @client: an open connection; must outlive the transfer
 * @token: (nullable): where keys are to go; NULL: to look only
 * @error: SIGNET_ERROR_PIN_REQUIRED and the like: @token is locked and could not be unlocked
 *
 * Starts the process in which files are opened. It ends by itself after ten minutes.
 *
 * Returns: (transfer full) (nullable): free with signet_transfer_free()
 */
SignetTransfer *signet_transfer_open(SignetClient *client, const char *token, GError **error);
void signet_transfer_free(SignetTransfer *transfer);

typedef struct {
  guint index;
  gboolean is_key;
  char *key; /* SHA-256 of the SubjectPublicKeyInfo, 64 hex digits: its own, or the certificate's */
  char *label;   /* (nullable): friendly name */
  char *kind;    /* rsa:2048 … or other */
  GBytes *bytes; /* a key's SubjectPublicKeyInfo, or a certificate: DER */
} SignetTransferItem;

typedef struct {
  char *format;     /* "PKCS #12", "PEM", … */
  GPtrArray *items; /* (element-type SignetTransferItem): keys first */
  char **skipped;   /* what was left out and why, one line each */
} SignetTransferContents;

void signet_transfer_contents_free(SignetTransferContents *contents);

/**
 * signet_transfer_read:
 * @transfer: an open one
 * @file: all of the file, at most 8 MiB
 * @name: for messages
 * @passphrase: (nullable): tried once
 * @error: SIGNET_ERROR_PIN_REQUIRED   it wants a passphrase: call again with one
 *         SIGNET_ERROR_PIN_INCORRECT  it is another one
 *         SIGNET_ERROR_BAD_INPUT      it is no file with keys or certificates
 *         SIGNET_ERROR_TOO_LARGE      too long, too many items, too many iterations
 *
 * Opens a file: PKCS #12, PKCS #8, PEM, DER, PKCS #7.
 *
 * Returns: (transfer full) (nullable): what is in it
 */
SignetTransferContents *signet_transfer_read(SignetTransfer *transfer, GBytes *file,
                                             const char *name, const char *passphrase,
                                             GError **error);

/**
 * signet_transfer_read_nss:
 * @transfer: an open one
 * @folder: of an NSS database (cert9.db, key4.db): a Thunderbird profile
 * @password: (nullable): its primary password, where it has one
 * @error: as signet_transfer_read(); SIGNET_ERROR_UNSUPPORTED  NSS is not installed
 *
 * Opens the keys of an NSS database by NSS itself, read-only.
 *
 * Returns: (transfer full) (nullable): what is in it
 */
SignetTransferContents *signet_transfer_read_nss(SignetTransfer *transfer, const char *folder,
                                                 const char *password, GError **error);

typedef struct {
  guint index;       /* of a key */
  const char *label; /* (nullable) */
  guint can;         /* SignetCan: what its certificates say it is for; 0: all that its kind can */
  gboolean never_export; /* it can never be backed up or moved */
} SignetTransferStore;

/**
 * signet_transfer_store:
 * @transfer: one that was opened for a token
 * @store: which key, and how
 * @ret_existed: (out) (optional): it was on the token already; nothing was written
 * @error: SIGNET_ERROR_UNSUPPORTED  the token takes no such key
 *
 * Puts a key on the token, and proves there that it works.
 */
gboolean signet_transfer_store(SignetTransfer *transfer, const SignetTransferStore *store,
                               gboolean *ret_existed, GError **error);

/**
 * signet_transfer_finish:
 * @transfer: one that was opened for a token; of no use afterwards but to be freed
 * @error: as any call
 *
 * Ends the process, and has the daemon read what is on the token now.
 */
gboolean signet_transfer_finish(SignetTransfer *transfer, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetTransfer, signet_transfer_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SignetTransferContents, signet_transfer_contents_free)

G_END_DECLS

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
