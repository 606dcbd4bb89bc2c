/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Software keys behind the provider's seam, with certificates, for tests. */

#include "provider/operations.h"

#include <openssl/x509.h>

typedef enum { SOFT_RSA, SOFT_P256, SOFT_P384, SOFT_ED25519, SOFT_KEYS } SoftKind;

typedef struct {
  const char *title;
  EVP_PKEY *software; /* private, in the default library context */
  X509 *certificate;  /* in the default library context */
  GBytes *spki;
  char *name;
} SoftKey;

typedef struct {
  SoftKey keys[SOFT_KEYS];
  OSSL_LIB_CTX *context;
  int failure;    /* SignetError to fail with, or -1 */
  int operations; /* asked for */
} Soft;

Soft *soft_new(void);
void soft_free(Soft *soft);
EVP_PKEY *soft_provider_key(Soft *soft, SoftKind kind); /* the key as the provider shows it */

extern const ProviderOperations soft_operations;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Soft, soft_free)
