/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A peer is one way to have a key on a token sign a SHA-256 digest. bench-client loads one, opens
 * it once per thread, and calls sign as fast as it returns. */

#include <glib.h>
#include <openssl/evp.h>

#define PEER_DIGEST_SIZE 32
#define PEER_MAX_SIGNATURE 512

typedef struct {
  const char *module;
  const char *token; /* label */
  const char *key;   /* label */
  const char *pin;
  const guint8 *certificate; /* DER */
  gsize certificate_len;
  gboolean rsa; /* else P-256 */
} PeerTarget;

typedef struct {
  const char *name;
  /* Once per process, before any other; target outlives the peer. */
  gboolean (*load)(const PeerTarget *target, GError **error);
  /* Once per thread, from the main thread, one after the other. */
  gpointer (*open)(const PeerTarget *target, GError **error);
  /* From the client's own thread. RSA: PKCS#1 v1.5; EC: r || s, or DER. signature has room for
   * PEER_MAX_SIGNATURE bytes. */
  gboolean (*sign)(gpointer client, const guint8 *digest, guint8 *signature, gsize *ret_len,
                   GError **error);
  void (*close)(gpointer client);
  void (*unload)(void);
} Peer;

extern const Peer peer_pkcs11, peer_libp11, peer_libp11_lookup, peer_gpg_agent, peer_gpg_scd,
    peer_signet;

const Peer *peer_find(const char *name);
/* SHA-256's DigestInfo (RFC 8017 9.2, note 1) around digest, for CKM_RSA_PKCS. */
#define PEER_DIGEST_INFO_SIZE (19 + PEER_DIGEST_SIZE)
void peer_digest_info(const guint8 *digest, guint8 info[static PEER_DIGEST_INFO_SIZE]);
/* Is that a signature of digest by the certificate's key? */
gboolean peer_verify(const PeerTarget *target, const guint8 *digest, const guint8 *signature,
                     gsize len);
gboolean peer_is_rsa(const guint8 *certificate, gsize len);

/* FALSE, with printf-like message in error: what failed in a peer is text for the report. */
gboolean peer_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
