/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one structure of what is to be said about a message's signatures: to a person in a few
 * plain lines, to a program in JSON, to an adapter as it stands. */

#include "trust/revocation.h"
#include "trust/trust.h"

/* What is known of one signature. Borrowed. */
typedef struct {
  int state;                   /* as CmsSignatureState: 0 good, 1 bad, 2 unknown */
  const BaseCert *certificate; /* (nullable) */
  gboolean weak;
  const char *reason;    /* (nullable) why bad, unknown or weak; half a sentence */
  const char *digest;    /* (nullable) */
  const char *algorithm; /* (nullable) */
  gint64 signing_time;   /* 0: not said */
} TrustEvidence;

/* What a message says of itself, for its signatures to be held against. Borrowed. */
typedef struct {
  gboolean mail;      /* FALSE: a file, nothing to compare */
  const char *from;   /* (nullable) the one From address, normal form; NULL: none, or several */
  int from_count;     /* over all From fields; two fields count as two, whatever is in them */
  const char *sender; /* (nullable) the Sender field's address, where there is one and it is one */
  gboolean display_address;   /* the From's display name shows another address than the real one */
  const GPtrArray *uncovered; /* (nullable) (element-type char) see MimeLayer */
} TrustClaim;

typedef enum {
  TRUST_ADDRESS_SAME, /* one of the certificate's is exactly the From address */
  TRUST_ADDRESS_DIFFERS,
  TRUST_ADDRESS_ABSENT,  /* the certificate has none */
  TRUST_ADDRESS_UNCLEAR, /* the mail has no From, or several */
  TRUST_ADDRESS_NOTHING  /* a file: nothing to compare */
} TrustAddress;

/* same, differs, absent, unclear; NULL for NOTHING. */
const char *trust_address_name(TrustAddress address);

/* One signer.
 *
 * A certificate that expired since counts as it did when the mail was signed, so that old mail
 * stays good: the chain stood at the signing time, and nothing in it is revoked. That time is the
 * signer's own word, which `sentence` says. A revocation counts whatever day the signer gives:
 * whoever stole the key gives the day before. */
typedef struct {
  TrustVerdict verdict;
  char *sentence;
  int state;             /* as TrustEvidence */
  char *reason;          /* (nullable) as TrustEvidence */
  BaseCert *certificate; /* (nullable) */
  char *digest;          /* (nullable) */
  char *algorithm;       /* (nullable) */
  gboolean weak;         /* MD5, SHA-1, RSA below 2048: never good */
  TrustAddress address;
  TrustAddress sender; /* SAME, DIFFERS; NOTHING without a Sender */
  gint64 signing_time; /* 0: not said */
  gboolean valid_then; /* the certificate's dates hold the signing time (TRUE where not said) */
  gboolean valid_now;
  char *expired; /* (nullable) half a sentence: what stood at the signing time and does not now */
  TrustChain *chain;           /* (nullable) */
  TrustRevocation *revocation; /* (nullable): the chain did not stand, or has no issuer to ask */
} TrustSigner;

typedef struct {
  TrustVerdict verdict; /* the worst of the signers' */
  char *sentence;
  GPtrArray *signers;   /* (element-type TrustSigner) */
  GPtrArray *uncovered; /* (element-type char) */
  gboolean mail;        /* as TrustClaim, all these */
  int from_count;
  char *from;   /* (nullable) */
  char *sender; /* (nullable) */
  gboolean display_address;
} TrustReport;

/* `evidences` (element-type TrustEvidence): each chain is built of `certificates`
 * (element-type BaseCert, nullable) and what is cached, and asked about by the revocation setting. */
TrustReport *trust_report_new(TrustStore *store, const GPtrArray *evidences,
                              GPtrArray *certificates, const TrustClaim *claim);
/* Without a signature. */
TrustReport *trust_report_unsigned(const char *sentence, TrustVerdict verdict);
void trust_report_free(TrustReport *report);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrustReport, trust_report_free)
