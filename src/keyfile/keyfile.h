/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is in a file that people are given: keys and certificates in PKCS #12, PKCS #8, PEM, DER or
 * PKCS #7, of any age.
 *
 * keyfile_read() makes private keys in this process's memory: it is called in the throwaway
 * process of a transfer (wire/transfer.h) and nowhere else. keyfile_look() makes none and may
 * be called anywhere.
 *
 * Hostile input: sizes, counts and the iterations of key derivation are bounded, and passing a bound is
 * TOO_LARGE naming it. */

#include "base/cert.h"
#include "base/secret.h"

#define KEYFILE_MAX (8 * 1024 * 1024)
#define KEYFILE_ITEMS_MAX 1000
#define KEYFILE_ITERATIONS_MAX 10000000        /* PBKDF2, PKCS #12 KDF, MAC; scrypt's N·r·p */
#define KEYFILE_WORK_MAX 20000000              /* iterations of all parts of a file together */
#define KEYFILE_SCRYPT_MAX (256 * 1024 * 1024) /* bytes */

typedef enum { KEYFILE_KEY = 1, KEYFILE_CERTIFICATE = 2 } KeyfileKind;

typedef struct {
  KeyfileKind kind;
  char *key;      /* 64 hex digits: SHA-256 of the SubjectPublicKeyInfo, for both */
  char *label;    /* (nullable) friendly name */
  char *key_kind; /* "rsa:2048" … or "other" */
  GBytes *bytes;  /* key: SubjectPublicKeyInfo DER; certificate: its DER */
  EVP_PKEY *pkey; /* (nullable): keys, of keyfile_read() only */
} KeyfileItem;

typedef struct {
  const char *format; /* "PKCS #12", "PEM", "DER certificate", "PKCS #7", "PKCS #8", … */
  GPtrArray *items; /* (element-type KeyfileItem): keys first; each key and each certificate once */
  GPtrArray *skipped; /* (element-type char): what was left out and why, one line each */
} KeyfileContents;

/* `library`: of keyfile_library_new(); it has to outlive the contents. `name` is for messages.
 *
 * What cannot be used is skipped as long as something else can; an EVP_PKEY in the contents was
 * checked: its private and public part belong together. Errors: PIN_REQUIRED: it wants a passphrase
 * (an empty one and none are both tried where the caller gives none, or an empty one);
 * PIN_INCORRECT: none of it opens; BAD_INPUT: damaged, or something else, which the message names;
 * UNSUPPORTED: its keys or its encryption are of a kind that nothing here takes; TOO_LARGE. */
KeyfileContents *keyfile_read(OSSL_LIB_CTX *library, GBytes *file, const char *name,
                              BaseSecret *passphrase, GError **error);
void keyfile_contents_free(KeyfileContents *contents);

/* With OpenSSL's default provider, and the legacy one where it is there. */
OSSL_LIB_CTX *keyfile_library_new(GError **error);
/* Not OSSL_LIB_CTX_free() alone: a legacy provider that is still loaded keeps its memory. */
void keyfile_library_free(OSSL_LIB_CTX *library);

/* What can be told without a passphrase and without making a key. */
typedef struct {
  const char *format;      /* NULL: nothing we know; the rest is empty then */
  gboolean has_keys;       /* it holds, or (encrypted) may hold, private keys */
  gboolean encrypted;      /* a passphrase will be asked for */
  GPtrArray *certificates; /* (element-type BaseCert): those that are readable without one */
} KeyfileSight;

/* Never fails: what holds no key and no certificate that can be used has format NULL. Looks at the
 * first KEYFILE_MAX bytes. A file of something else costs microseconds; a certificate in it is read,
 * which costs OpenSSL some 0.1 ms each. */
KeyfileSight *keyfile_look(GBytes *file);
void keyfile_sight_free(KeyfileSight *sight);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeyfileContents, keyfile_contents_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeyfileSight, keyfile_sight_free)
