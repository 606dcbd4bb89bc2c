/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One reading of one file: what was found so far, what was left out, what may still be spent.
 *
 * The parts of this room share it. The same walk serves keyfile_look(): then `sight` is set,
 * nothing is derived and no key is made. A part that cannot be used is a line in `skipped`; a
 * function here fails only where the whole file has to be refused (a bound was passed). */

#include "base/error.h"
#include "keyfile/keyfile.h"

#include <openssl/pkcs12.h>

typedef struct {
  guint items;
  guint64 iterations; /* of one key derivation */
  guint64 work;       /* of all of them: a wrong passphrase is tried in several spellings */
  guint64 scrypt;     /* bytes */
} KeyfileLimits;

typedef struct {
  const KeyfileLimits *limits;
  OSSL_LIB_CTX *library; /* NULL when looking */
  const char *name;
  GPtrArray *spellings; /* (element-type KeyfileSpelling): those that worked move to the front */
  gboolean given;       /* a passphrase: otherwise the spellings of none */
  const char *format;
  KeyfileContents *contents; /* reading */
  KeyfileSight *sight;       /* looking */
  GHashTable *known;         /* keys and fingerprints that are in `contents` */
  GPtrArray *locked;         /* (element-type char): what no spelling opens */
  guint seen;                /* items, usable or not */
  guint opened;              /* encrypted parts that the passphrase opened */
  guint64 work;              /* iterations spent */
  GError *trouble;           /* why the first part was left out */
} KeyfileReader;

/* Takes none of the pointers, which have to live as long. */
KeyfileReader *keyfile_reader_new(const KeyfileLimits *limits, OSSL_LIB_CTX *library,
                                  const char *name, BaseSecret *passphrase);
KeyfileReader *keyfile_reader_new_look(const KeyfileLimits *limits);
void keyfile_reader_free(KeyfileReader *reader);

/* The contents, or why there are none. The reader has nothing left after that. */
KeyfileContents *keyfile_reader_finish(KeyfileReader *reader, GError **error);

/* One more item, of whatever kind: TOO_LARGE beyond the bound. */
gboolean keyfile_reader_count(KeyfileReader *reader, GError **error);
/* Before deriving: TOO_LARGE names the number and the bound. */
gboolean keyfile_reader_spend(KeyfileReader *reader, guint64 iterations, GError **error);

/* A line of `skipped`. The code is that of the error where nothing else in the file is usable. */
void keyfile_reader_skip(KeyfileReader *reader, SignetError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Each counts. What is there already is left out silently; `label` may be NULL. The first takes
 * any bytes: what is no certificate is skipped. */
gboolean keyfile_reader_add_certificate(KeyfileReader *reader, const guint8 *der, gsize length,
                                        const char *label, GError **error);
gboolean keyfile_reader_add_x509(KeyfileReader *reader, X509 *x509, const char *label,
                                 GError **error);
gboolean keyfile_reader_add_key(KeyfileReader *reader, const PKCS8_PRIV_KEY_INFO *key,
                                const char *label, GError **error);

/* What of a friendly name is shown and kept; NULL for none. */
char *keyfile_reader_label(const char *label);

/* Decrypts a part with the passphrase. *ret_plain is NULL where it cannot be opened, which is
 * noted; its bytes are wiped at the last unref. `what` is for messages: "a private key". */
gboolean keyfile_reader_open(KeyfileReader *reader, const char *what, const X509_ALGOR *algorithm,
                             const ASN1_OCTET_STRING *sealed, GBytes **ret_plain, GError **error);
/* A part that the passphrase does not open. */
void keyfile_reader_note_locked(KeyfileReader *reader, const char *what);

/* keyfile_read() with other bounds, for fuzzing. */
KeyfileContents *keyfile_read_within(const KeyfileLimits *within, OSSL_LIB_CTX *library,
                                     GBytes *file, const char *name, BaseSecret *passphrase,
                                     GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeyfileReader, keyfile_reader_free)
