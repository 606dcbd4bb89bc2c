/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* CAs, their certificates, CRLs and OCSP answers, good and otherwise. */

#include "base/cert.h"
#include "trust/question.h"

typedef struct {
  EVP_PKEY *key;
  X509 *x509;
  BaseCert *cert;
} CraftParty;

/* `extensions`: "crlDistributionPoints=URI:http://…", ends with NULL; may be NULL. `issuer` NULL: a
 * root. */
CraftParty *craft_party(const char *name, const CraftParty *issuer, const char *const *extensions);
void craft_party_free(CraftParty *party);
extern const char *const craft_ca[]; /* extensions */

typedef struct {
  const CraftParty *signer;
  const char *name;          /* (nullable) of the issuer; NULL: the signer's */
  const CraftParty *revoked; /* (nullable) */
  int reason;                /* -1: none */
  gint64 from;               /* seconds from now */
  gint64 until;
  int others;                              /* so many entries besides */
  const char *extension, *entry_extension; /* (nullable) "issuingDistributionPoint=critical,…" */
  const EVP_MD *digest;                    /* NULL: SHA-256 */
  gboolean pss;
} CraftCrl;

GBytes *craft_crl(const CraftCrl *crl);

typedef struct {
  const CraftParty *about;
  const CraftParty *issuer;
  const CraftParty *signer;
  int status; /* V_OCSP_CERTSTATUS_… */
  int reason;
  gint64 from;
  gint64 until;         /* 0: not said */
  const EVP_MD *id;     /* NULL: SHA-1 */
  const EVP_MD *digest; /* NULL: SHA-256 */
  gboolean pss;
} CraftOcsp;

GBytes *craft_ocsp(const CraftOcsp *ocsp);

TrustQuestion craft_question(const CraftParty *about, const CraftParty *issuer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CraftParty, craft_party_free)
