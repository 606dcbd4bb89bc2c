/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Certificates for the tests of import. */

#include <glib.h>
#include <openssl/evp.h>

typedef struct {
  EVP_PKEY *key;
  const char *name;     /* CN */
  const char *issuer;   /* (nullable): CN; NULL: itself */
  EVP_PKEY *issuer_key; /* (nullable): NULL: its own */
  const char *address;  /* (nullable) */
  const char *usage;    /* (nullable): keyUsage */
  gboolean ca;
  const char *from; /* (nullable): ASN.1 time */
} CertRecipe;

EVP_PKEY *cert_key_new(const char *kind); /* "rsa:2048", "ec:p256" */
GBytes *cert_new(const CertRecipe *recipe);
char *cert_key_name(EVP_PKEY *key);
char *cert_pem(GBytes *der);
