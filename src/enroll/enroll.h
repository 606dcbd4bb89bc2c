/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Certificates from a CA by CMP (RFC 4210, RFC 9480), for keys that are on a token.
 *
 * OpenSSL's client does the protocol; the key pair is a provider's EVP_PKEY, so proof of
 * possession and message protection are signed on the token. What comes back is believed only when
 * the message is protected by the shared secret or by the CA's certificate, and a certificate is
 * accepted (certConf) only once it was checked against what was asked for and stored: a CA that
 * hears "rejected" can take it back, one that hears "accepted" issued something that is kept. */

#include "base/cert.h"
#include "base/secret.h"
#include "enroll/subject.h"

#include <signet/client.h>

#define ENROLL_TIMEOUT_S 120
#define ENROLL_TIMEOUT_MAX_S (24 * 3600)
#define ENROLL_CHAIN_MAX 10
#define ENROLL_PATH_MAX 2048
#define ENROLL_TEXT_MAX 512 /* of what a CA says, shown to a person */

typedef enum {
  ENROLL_INITIAL,       /* ir: the CA does not know the person yet */
  ENROLL_CERTIFICATION, /* cr: it does, by another certificate */
  ENROLL_KEY_UPDATE,    /* kur: another certificate in place of an earlier one */
  ENROLL_REVOCATION     /* rr */
} EnrollKind;

/* Where the CA is, and how both sides know each other. */
typedef struct {
  const char *url;       /* http://host[:port]/path or https:// */
  const char *proxy;     /* (nullable): [http://]host:port; the environment's is never used */
  const char *tls_roots; /* (nullable): a PEM file; NULL: the system's */
  GPtrArray
      *certificates;     /* (nullable) (element-type BaseCert): exactly this one protects answers */
  GPtrArray *roots;      /* (nullable) (element-type BaseCert): or one that leads to these */
  const char *recipient; /* (nullable): the CA's name, "CN=CA,O=Example" */
  const char *profile;   /* (nullable): certProfile, RFC 9480 2.8 */
  const char *reference; /* (nullable): which secret, as the CA calls it */
  BaseSecret *secret;    /* (nullable) */
  guint timeout_s;       /* for all of it */
  gboolean implicit_confirm;
  gboolean
      unprotected_errors; /* a refusal may come unprotected: it can be forged, and only be that */
} EnrollServer;

typedef struct {
  EnrollKind kind;
  EnrollSubject subject; /* what is asked for; not for a revocation */
  GBytes *old;           /* (nullable): the certificate to replace or revoke, DER */
  const char *signer;    /* (nullable): the key that protects our messages, without a secret */
  GBytes *signer_certificate;
  int reason; /* of a revocation: CRLReason, RFC 5280 5.3.1; -1: none */
} EnrollRequest;

typedef struct {
  /* Keeps the certificate; `chain` (element-type GBytes) nearest first. */
  gboolean (*store)(GBytes *certificate, GPtrArray *chain, gpointer data, GError **error);
  /* The CA says to ask again in so many seconds; called before each wait. */
  void (*wait)(int seconds, gpointer data);
  gpointer data;
} EnrollCalls;

/* What is wrong with it is said before anything is sent, or a key made. */
gboolean enroll_check_server(const EnrollServer *server, EnrollKind kind, gboolean can_sign,
                             GError **error);

/* DENIED: the CA refused, in its own words. TIMEOUT, IO, BAD_INPUT, and what the token says. */
gboolean enroll_run(SignetClient *client, const EnrollServer *server, const EnrollRequest *request,
                    const EnrollCalls *calls, GError **error);
